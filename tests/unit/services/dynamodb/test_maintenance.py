"""What happens every minute happens by itself too."""

from gatepost.services.dynamodb.maintenance import EVERY_S
from tests.support.dynamodb import DynamoDb, on_dynamodb


def test_an_empty_platform_has_nothing_to_maintain() -> None:
    async def scenario(db: DynamoDb) -> None:
        await db.provider.maintain()

    on_dynamodb(scenario)
    assert EVERY_S <= 60
