"""What is about to expire is told of once a day, as long before as the account has it."""

import datetime as dt

from tests.unit.services.acm.test_provider import AUTHORITY, DAY_MS, acm, imported, issued, refusal

__all__ = ["acm"]


class Sink:
    def __init__(self):
        self.told = []

    async def announce(self, account_id, region, *, source, detail_type, resources, detail):
        self.told.append((source, detail_type, list(resources), detail))


def test_a_certificate_that_is_about_to_expire_is_told_of_once_a_day(acm):
    sink = Sink()
    acm.provider.tells(sink)
    assert acm.aws.get_account_configuration()["ExpiryEvents"] == {"DaysBeforeExpiry": 45}
    acm.aws.put_account_configuration(ExpiryEvents={"DaysBeforeExpiry": 10}, IdempotencyToken="one")
    arn = imported(acm, issued(AUTHORITY, "api.shop.test"))
    ends = acm.aws.describe_certificate(CertificateArn=arn)["Certificate"]["NotAfter"]
    left = ends - dt.datetime.fromtimestamp(acm.clock.now_ms() / 1000, dt.UTC)
    acm.clock.advance(ms=(left.days - 20) * DAY_MS)
    acm.loop.run(acm.provider.renew_due())
    assert sink.told == []
    acm.aws.put_account_configuration(ExpiryEvents={"DaysBeforeExpiry": 30}, IdempotencyToken="two")
    for _ in range(2):
        acm.loop.run(acm.provider.renew_due())
    detail = {"DaysToExpiry": 20, "CommonName": "api.shop.test"}
    assert sink.told == [("aws.acm", "ACM Certificate Approaching Expiration", [arn], detail)]
    acm.clock.advance(ms=DAY_MS)
    acm.loop.run(acm.provider.renew_due())
    assert [each[3]["DaysToExpiry"] for each in sink.told] == [20, 19]


def test_one_token_is_one_configuration_and_outlives_a_restart(acm):
    put = acm.aws.put_account_configuration
    put(ExpiryEvents={"DaysBeforeExpiry": 10}, IdempotencyToken="one")
    put(ExpiryEvents={"DaysBeforeExpiry": 10}, IdempotencyToken="one")
    other = {"ExpiryEvents": {"DaysBeforeExpiry": 11}, "IdempotencyToken": "one"}
    assert refusal(put, **other)[0] == "ConflictException"
    acm.loop.run(acm.provider.start())
    assert acm.aws.get_account_configuration()["ExpiryEvents"] == {"DaysBeforeExpiry": 10}
