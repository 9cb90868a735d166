"""Which services somebody's policies grant, and which were used: access advisor.

The services are those that Gatepost has. A job is done when it is begun, and gone with the process.

Sources: https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPoliciesGrantingServiceAccess.html,
https://docs.aws.amazon.com/IAM/latest/APIReference/API_GenerateServiceLastAccessedDetails.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatepost.kernel.ids import request_id
from gatepost.kernel.operations import Call, operation
from gatepost.languages.iam_policy import Policy
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.errors import InvalidInputException, NoSuchEntityException
from gatepost.services.iam.holders import Answer, Params
from gatepost.services.iam.last_uses import LastUses, Use
from gatepost.services.iam.listing import paged
from gatepost.services.iam.model import USER, Group, Holder, ManagedPolicy, Role, User, whole_second

JOBS_MAX: Final = 1_000  # of the process; the oldest of more are forgotten
SERVICES: Final[Mapping[str, str]] = {  # names by namespace
    "acm": "AWS Certificate Manager",
    "apigateway": "Amazon API Gateway Management",
    "cloudformation": "AWS CloudFormation",
    "cloudwatch": "Amazon CloudWatch",
    "cognito-identity": "Amazon Cognito Identity",
    "cognito-idp": "Amazon Cognito User Pools",
    "dynamodb": "Amazon DynamoDB",
    "events": "Amazon EventBridge",
    "execute-api": "Amazon API Gateway",
    "iam": "AWS Identity and Access Management",
    "lambda": "AWS Lambda",
    "logs": "Amazon CloudWatch Logs",
    "secretsmanager": "AWS Secrets Manager",
    "ssm": "AWS Systems Manager",
    "sts": "AWS Security Token Service",
}
_SIGNED_AS: Final[Mapping[str, str]] = {"cloudwatch": "monitoring"}  # where that is not the namespace


@dataclass(frozen=True, slots=True)
class AccessJob:
    """What a job found: by service who used it and when, the last one first."""

    arn: str
    made_at_ms: int
    found: Mapping[str, tuple[tuple[Holder, Use], ...]]


class ServiceAccessOperations:
    """The operations on what policies grant and what was used; a part of the provider."""

    _directory: Directory
    _uses: LastUses
    _jobs: dict[tuple[str, str], AccessJob]  # by account and job id

    @operation("ListPoliciesGrantingServiceAccess")
    def list_policies_granting_service_access(self, call: Call, params: Params) -> Answer:
        """List the policies of a user, group or role that allow anything of each service. Raises: NoSuchEntity."""
        holder = self._entity(call, params["Arn"])
        if isinstance(holder, ManagedPolicy):
            raise InvalidInputException(f"{holder.arn} is no user, group or role")
        entries = [
            {
                "ServiceNamespace": service,
                "Policies": [told for policy, told in self._held(holder) if grants(policy, service)],
            }
            for service in dict.fromkeys(params["ServiceNamespaces"])
        ]
        page, rest = paged(sorted(entries, key=_namespace), params, name_of=_namespace)
        return {"PoliciesGrantingServiceAccess": list(page), **rest}

    @operation("GenerateServiceLastAccessedDetails")
    def generate_service_last_accessed_details(self, call: Call, params: Params) -> Answer:
        """Find out which services a user, group, role or policy was used for. Raises: NoSuchEntity, InvalidInput."""
        if params.get("Granularity", "SERVICE_LEVEL") != "SERVICE_LEVEL":
            raise InvalidInputException("Granularity ACTION_LEVEL is not supported by Gatepost: use SERVICE_LEVEL.")
        entity = self._entity(call, params["Arn"])
        if isinstance(entity, ManagedPolicy):
            policies = [self._directory.compiled.get(entity.document, "identity", name=entity.arn)]
        else:
            policies = list(self._directory.held_policies(entity).identity)
        users = list(self._who(call, entity))
        job = AccessJob(
            entity.arn,
            whole_second(call.now_ms),
            {
                service: self._used_by(users, service)
                for service in SERVICES
                if any(grants(policy, service) for policy in policies)
            },
        )
        while len(self._jobs) >= JOBS_MAX:
            del self._jobs[next(iter(self._jobs))]
        job_id = request_id()
        self._jobs[call.account_id, job_id] = job
        return {"JobId": job_id}

    @operation("GetServiceLastAccessedDetails")
    def get_service_last_accessed_details(self, call: Call, params: Params) -> Answer:
        """Give what a job found, by service. Raises: NoSuchEntity."""
        job = self._job(call, params)
        page, rest = paged(sorted(job.found), params, name_of=str)
        told = [_service_to_aws(service, job.found[service]) for service in page]
        return {**_job_to_aws(job), "JobType": "SERVICE_LEVEL", "ServicesLastAccessed": told, **rest}

    @operation("GetServiceLastAccessedDetailsWithEntities")
    def get_service_last_accessed_details_with_entities(self, call: Call, params: Params) -> Answer:
        """Give who used a service, the last one first. Raises: NoSuchEntity."""
        job = self._job(call, params)
        service = params["ServiceNamespace"]
        if service not in job.found:
            raise NoSuchEntityException(f"{job.arn} grants nothing of {service}.")
        numbered = list(enumerate(job.found[service]))
        page, rest = paged(numbered, params, name_of=lambda one: f"{one[0]:06d}")
        return {**_job_to_aws(job), "EntityDetailsList": [_entity_to_aws(*one) for _, one in page], **rest}

    def _job(self, call: Call, params: Params) -> AccessJob:
        job = self._jobs.get((call.account_id, params["JobId"]))
        if job is None:
            raise NoSuchEntityException(f"Job {params['JobId']} cannot be found.")
        return job

    def _entity(self, call: Call, arn: str) -> Holder | ManagedPolicy:
        for holder in self._directory.holders(call.account_id):
            if holder.arn == arn:
                return holder
        policy = self._directory.managed_policy(arn)
        if policy is None or policy.account_id not in (call.account_id, "aws"):
            raise NoSuchEntityException(f"ARN {arn} cannot be found.")
        return policy

    def _who(self, call: Call, entity: Holder | ManagedPolicy) -> Iterator[User | Role]:
        """Give the users and roles whose uses an entity's are."""
        if isinstance(entity, User | Role):
            yield entity
            return
        attached = {entity.arn} if isinstance(entity, ManagedPolicy) else set()
        holders = [one for one in self._directory.holders(call.account_id) if attached & set(one.policies.attached)]
        groups = [entity] if isinstance(entity, Group) else [one for one in holders if isinstance(one, Group)]
        names = {group.name.lower() for group in groups}
        for user in self._directory.every(USER, call.account_id, User):
            if user in holders or names & set(user.groups):
                yield user
        yield from (one for one in holders if isinstance(one, Role))

    def _used_by(self, users: list[User | Role], service: str) -> tuple[tuple[Holder, Use], ...]:
        signed_as = _SIGNED_AS.get(service, service)
        used = ((user, self._uses.of_entity(user.arn, user.created_at_ms).get(signed_as)) for user in users)
        return tuple(sorted(((user, use) for user, use in used if use is not None), key=lambda one: -one[1].at_ms))

    def _held(self, holder: Holder) -> Iterator[tuple[Policy, dict[str, str]]]:
        """Give each policy of a user (with its groups), group or role, and how the list names it."""
        holders: list[Holder] = [holder]
        if isinstance(holder, User):
            groups = (self._directory.group(holder.account_id, name) for name in holder.groups)
            holders.extend(group for group in groups if group is not None)
        for one in holders:
            for arn in one.policies.attached:
                policy = self._directory.managed_policy(arn)
                if policy is not None:
                    compiled = self._directory.compiled.get(policy.document, "identity", name=arn)
                    yield compiled, {"PolicyName": policy.name, "PolicyType": "MANAGED", "PolicyArn": arn}
            for name, document in one.policies.inline.items():
                compiled = self._directory.compiled.get(document, "identity", name=name)
                owner = {"EntityType": type(one).__name__.upper(), "EntityName": one.name}
                yield compiled, {"PolicyName": name, "PolicyType": "INLINE", **owner}


def grants(policy: Policy, service: str) -> bool:
    """Say whether a policy allows anything of a service, on whatever resource and condition."""
    prefix, anything = f"{service}:", f"{service}:anything"
    for statement in policy.statements:
        if not statement.is_allow:
            continue
        actions = statement.actions
        if statement.names_action(anything):
            return True
        if not statement.is_not_action and (
            actions.by_vendor.get(service) or any(action.startswith(prefix) for action in actions.exact)
        ):
            return True
    return False


def _namespace(entry: Mapping[str, Any]) -> str:
    return str(entry["ServiceNamespace"])


def _job_to_aws(job: AccessJob) -> Answer:
    return {"JobStatus": "COMPLETED", "JobCreationDate": job.made_at_ms, "JobCompletionDate": job.made_at_ms}


def _service_to_aws(service: str, used: tuple[tuple[Holder, Use], ...]) -> Answer:
    told: Answer = {
        "ServiceName": SERVICES[service],
        "ServiceNamespace": service,
        "TotalAuthenticatedEntities": len(used),
    }
    if used:
        holder, use = used[0]
        told["LastAuthenticated"] = whole_second(use.at_ms)
        told["LastAuthenticatedEntity"] = holder.arn
        told["LastAuthenticatedRegion"] = use.region
    return told


def _entity_to_aws(holder: Holder, use: Use) -> Answer:
    info = {
        "Arn": holder.arn,
        "Name": holder.name,
        "Type": type(holder).__name__.upper(),
        "Id": holder.id,
        "Path": holder.path,
    }
    return {"EntityInfo": info, "LastAuthenticated": whole_second(use.at_ms)}
