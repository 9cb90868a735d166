"""Service-linked roles: made for a service of AWS's, assumed by it alone, and changed by nobody else.

Their names are AWS's where the service is one that serverless applications meet; other services' names are made of the
service's (approximated). They hold no policy here: what AWS's own service would do with them has no counterpart.

Sources: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceLinkedRole.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from gatepost.kernel.ids import UPPER_BASE32, random_id, request_id
from gatepost.kernel.operations import Call, operation
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.entities import Entities
from gatepost.services.iam.errors import InvalidInputException, NoSuchEntityException
from gatepost.services.iam.holders import Answer, Params, missing
from gatepost.services.iam.model import (
    ACCOUNT,
    ACCOUNT_RECORD_ID,
    ROLE,
    SERVICE_ROLES_PATH,
    Account,
    Role,
    whole_second,
)

DELETION_TASKS_MAX: Final = 100  # the last ones are told of
_SERVICE: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com", re.ASCII)
_TASK: Final = re.compile(r"task/aws-service-role/[^/]+/[^/]+/[0-9a-f-]{36}", re.ASCII)
_NAMES: Final[Mapping[str, str]] = {
    "autoscaling": "AutoScaling",
    "cloudtrail": "CloudTrail",
    "cognito-idp": "AmazonCognitoIdp",
    "config": "Config",
    "dax": "DAX",
    "ecs": "ECS",
    "elasticache": "ElastiCache",
    "elasticloadbalancing": "ElasticLoadBalancing",
    "email.cognito-idp": "AmazonCognitoIdpEmailService",
    "es": "AmazonElasticsearchService",
    "events": "CloudWatchEvents",
    "guardduty": "AmazonGuardDuty",
    "kinesisreplication.dynamodb": "DynamoDBKinesisDataStreamsReplication",
    "lex": "LexBots",
    "opensearchservice": "AmazonOpenSearchService",
    "ops.apigateway": "APIGateway",
    "organizations": "Organizations",
    "rds": "RDS",
    "redshift": "Redshift",
    "replication.dynamodb": "DynamoDBReplication",
    "replicator.lambda": "LambdaReplicator",
    "spot": "EC2Spot",
    "spotfleet": "EC2SpotFleet",
    "ssm": "AmazonSSM",
    "support": "Support",
    "trustedadvisor": "TrustedAdvisor",
    "wafv2": "WAFV2Logging",
}
_SCALED: Final[Mapping[str, str]] = {  # of Application Auto Scaling
    "custom-resource": "CustomResource",
    "dynamodb": "DynamoDBTable",
    "ecs": "ECSService",
    "lambda": "LambdaConcurrency",
    "rds": "RDSCluster",
}
_SCALING: Final = ".application-autoscaling"


class ServiceLinkedRoleOperations:
    """The operations on service-linked roles; a part of the provider."""

    _directory: Directory
    _entities: Entities

    @operation("CreateServiceLinkedRole")
    async def create_service_linked_role(self, call: Call, params: Params) -> Answer:
        """Make the role of a service. Raises: InvalidInput for one that is there already, or no service's name."""
        service, suffix = params["AWSServiceName"], params.get("CustomSuffix", "")
        if not _SERVICE.fullmatch(service):
            raise InvalidInputException(
                f"{service} is no service: use a service principal like ops.apigateway.amazonaws.com"
            )
        name = name_of(service, suffix)
        statement = {"Effect": "Allow", "Principal": {"Service": [service]}, "Action": ["sts:AssumeRole"]}
        role = Role(
            account_id=call.account_id,
            name=name,
            path=f"{SERVICE_ROLES_PATH}{service}/",
            id="AROA" + random_id(17, UPPER_BASE32),
            created_at_ms=whole_second(call.now_ms),
            trust_policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":")),
            description=params.get("Description", ""),
        )
        taken = f"Service role name {name} has been taken in this account, please try a different suffix."

        def check() -> None:
            if self._directory.role(call.account_id, name) is not None:
                raise InvalidInputException(taken)

        check()
        await self._entities.create(role, exists=taken, check=check)
        return {"Role": role.to_aws()}

    @operation("DeleteServiceLinkedRole")
    async def delete_service_linked_role(self, call: Call, params: Params) -> Answer:
        """Delete a service's role; nothing here uses one, so that the task has succeeded. Raises: NoSuchEntity."""
        name = params["RoleName"]
        role = self._directory.role(call.account_id, name)
        if role is None or not role.is_service_linked:
            raise NoSuchEntityException(missing("role", name))
        task = f"task{role.path}{role.name}/{request_id()}"
        await self._entities.delete(
            Role, ROLE, call.account_id, name, missing=missing("role", name), check=lambda _: None
        )
        await self._remember(call, task)
        return {"DeletionTaskId": task}

    @operation("GetServiceLinkedRoleDeletionStatus")
    def get_service_linked_role_deletion_status(self, call: Call, params: Params) -> Answer:
        """Say how a deletion went. Raises: NoSuchEntity, InvalidInput."""
        task = params["DeletionTaskId"]
        if not _TASK.fullmatch(task):
            raise InvalidInputException(f"{task} is not the id of a deletion task")
        if task not in self._directory.account(call.account_id).deletion_tasks:
            raise NoSuchEntityException(f"Deletion task {task} cannot be found.")
        return {"Status": "SUCCEEDED"}

    async def _remember(self, call: Call, task: str) -> None:
        if self._directory.stored(ACCOUNT, call.account_id, ACCOUNT_RECORD_ID) is None:
            account = Account(call.account_id, created_at_ms=whole_second(call.now_ms), deletion_tasks=(task,))
            await self._entities.create(account, exists="The account has its record already.")
            return
        await self._entities.change(
            Account,
            ACCOUNT,
            call.account_id,
            ACCOUNT_RECORD_ID,
            missing="The account has no record.",
            change=lambda account: replace(
                account, deletion_tasks=(*account.deletion_tasks, task)[-DELETION_TASKS_MAX:]
            ),
        )


def name_of(service: str, suffix: str = "") -> str:
    """Give the name of a service's role."""
    host = service.removesuffix(".amazonaws.com")
    if host.endswith(_SCALING):
        scaled = host.removesuffix(_SCALING)
        name = f"ApplicationAutoScaling_{_SCALED.get(scaled, _camel(scaled))}"
    else:
        name = _NAMES.get(host) or _camel(host)
    return f"AWSServiceRoleFor{name}" + (f"_{suffix}" if suffix else "")


def _camel(host: str) -> str:
    return "".join(part.capitalize() for part in re.split(r"[.-]", host))
