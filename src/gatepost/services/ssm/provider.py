"""Parameter Store's operations.

Sources: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html and its neighbours. Words
of errors are as AWS's clients report them (`unverified` where the reference does not quote them).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.errors import ValidationException, VersionConflict
from gatepost.kernel.operations import Access, Call, operation
from gatepost.kernel.paging import page_token, place_of
from gatepost.kernel.ports import EventSink, Operations
from gatepost.security.sealing import NotSealed
from gatepost.security.session_tokens import Sealing
from gatepost.services.ssm.access import access_of
from gatepost.services.ssm.announcements import Announcements
from gatepost.services.ssm.errors import (
    HierarchyTypeMismatchException,
    InvalidAllowedPatternException,
    InvalidKeyId,
    InvalidNextToken,
    InvalidResourceId,
    InvalidResourceType,
    ParameterAlreadyExists,
    ParameterLimitExceeded,
    ParameterMaxVersionLimitExceeded,
    ParameterNotFound,
    ParameterPatternMismatchException,
    ParameterVersionLabelLimitExceeded,
    ParameterVersionNotFound,
    TooManyTagsError,
    TooManyUpdates,
)
from gatepost.services.ssm.filters import BY_PATH, DESCRIBED, check_filters, is_below, matching
from gatepost.services.ssm.model import (
    ADVANCED,
    IMAGE,
    INTELLIGENT,
    PARAMETER,
    SECURE,
    STANDARD,
    TEXT,
    Parameter,
    ParameterVersion,
)
from gatepost.services.ssm.names import check_name, check_path
from gatepost.services.ssm.policies import EXPIRATION, ParameterPolicy, parse_policies, renewed
from gatepost.services.ssm.secret_references import PREFIX as SECRETS
from gatepost.services.ssm.secret_references import secret_parameter
from gatepost.services.ssm.service_settings import DEFAULT_TIER, ServiceSettingOperations, ServiceSettings
from gatepost.storage.base import Records

Params = Mapping[str, Any]
Answer = dict[str, Any]

OWN_KEY: Final = "alias/aws/ssm"
VERSIONS_MAX: Final = 100
LABELS_MAX: Final = 10
TAGS_MAX: Final = 50
PARAMETERS_MAX: Final = {STANDARD: 10_000, ADVANCED: 100_000}  # of an account and region
VALUE_BYTES_MAX: Final = {STANDARD: 4 * 1024, ADVANCED: 8 * 1024}
BY_PATH_PAGE: Final = 10
PAGE: Final = 50
_IMAGE_ID: Final = re.compile(r"ami-([0-9a-f]{8}|[0-9a-f]{17})", re.ASCII)
_LABEL: Final = re.compile(r"(?!aws|ssm|\d)[A-Za-z0-9_.-]{1,100}", re.ASCII | re.IGNORECASE)


class SsmProvider(ServiceSettingOperations):
    """Parameter Store on records. Call `start` once the store is open."""

    service = "ssm"

    def __init__(
        self,
        records: Records,
        seal: Sealing,
        operations: Operations | None = None,
        sink: EventSink | None = None,
    ) -> None:
        """Take where parameters are kept; without `operations` no name is a reference to a secret."""
        self._operations = operations
        self._announcements = Announcements(sink)
        self._settings = ServiceSettings(records)
        self._records = records
        self._seal = seal
        self._parameters: dict[tuple[str, str, str], tuple[Parameter, int]] = {}

    async def start(self) -> None:
        """Read every parameter. Raises: StoreUnavailable."""
        await self._settings.load()
        for record in await self._records.scan(PARAMETER):
            self._hold(Parameter.from_json(record.value), record.version)

    def access(self, call: Call, params: Params) -> Sequence[Access]:
        """Say what a call touches."""
        return access_of(lambda name: self._find(call, name), call, params)

    # --- one parameter ---------------------------------------------------------------------------------------

    @operation("PutParameter")
    async def put_parameter(self, call: Call, params: Params) -> Answer:
        """Make a parameter, or add a version with Overwrite.

        Raises: ParameterAlreadyExists, ParameterPatternMismatchException, ValidationException, …
        """
        name = params["Name"]
        check_name(name)
        _check_refused(params)
        await self._bury(call, name)
        old = self._find(call, name)
        if old is not None and not params.get("Overwrite"):
            raise ParameterAlreadyExists(
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to "
                "true."
            )
        if params.get("Overwrite") and params.get("Tags"):
            raise ValidationException(
                "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please "
                "remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or "
                "RemoveTagsFromResource."
            )
        kind = params.get("Type") or (old.type if old is not None else "")
        if not kind:
            raise ValidationException("A parameter type is required when you create a parameter.")
        if old is not None and kind != old.type:
            raise HierarchyTypeMismatchException(
                f"Parameter {name} is of type {old.type}: a parameter's type can't be changed. Create another one."
            )
        version = self._new_version(call, params, old, kind)
        tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}
        if len(tags) > TAGS_MAX:
            raise TooManyTagsError(f"There are {len(tags)} tags: at most {TAGS_MAX}.")
        if old is None:
            self._check_room(call, version.tier)
            parameter = Parameter(name, kind, call.account_id, call.region, (version,), tags)
        else:
            parameter = replace(old, versions=(*_with_room(old), version))
        await self._keep(old, parameter)
        await self._announcements.changed(parameter, "Create" if old is None else "Update")
        return {"Version": version.number, "Tier": version.tier}

    def _new_version(self, call: Call, params: Params, old: Parameter | None, kind: str) -> ParameterVersion:
        value = params["Value"]
        size = len(value.encode())
        before = old.current if old is not None else None
        policies = _policies(params, before, call.now_ms)
        asked = params.get("Tier") or self._settings.value(call, DEFAULT_TIER)
        tier = _tier(params, asked, before, needs_advanced=size > VALUE_BYTES_MAX[STANDARD] or bool(policies))
        if policies and tier != ADVANCED:
            raise ValidationException("Policies are for parameters of the Advanced tier only.")
        if size > VALUE_BYTES_MAX[tier]:
            raise ValidationException(
                f"{tier} tier parameters support a maximum parameter value of {VALUE_BYTES_MAX[tier]} characters."
            )
        if not value or (kind == "StringList" and not all(value.split(","))):
            raise ValidationException(f"Parameter value is not valid for type {kind}: it, or an item of it, is empty.")
        pattern = params.get("AllowedPattern", before.allowed_pattern if before is not None else "")
        _check_pattern(pattern, value)
        number = before.number + 1 if before is not None else 1
        name = params["Name"]
        return ParameterVersion(
            number=number,
            value=self._sealed(call, name, number, value) if kind == SECURE else value,
            changed_at_ms=call.now_ms,
            changed_by=call.principal.arn,
            description=params.get("Description", before.description if before is not None else ""),
            allowed_pattern=pattern,
            key_id=OWN_KEY if kind == SECURE else "",
            tier=tier,
            data_type=params.get("DataType", before.data_type if before is not None else TEXT),
            policies=policies,
        )

    def _check_room(self, call: Call, tier: str) -> None:
        count = sum(one.current.tier == tier for one in self._of(call))
        if count >= PARAMETERS_MAX[tier]:
            raise ParameterLimitExceeded(f"There are {count} parameters of tier {tier} already.")

    @operation("GetParameter")
    def get_parameter(self, call: Call, params: Params) -> Answer | Awaitable[Answer]:
        """Give a parameter by name, `name:version` or `name:label`; or a secret that the name is a reference to.

        Raises: ParameterNotFound, ParameterVersionNotFound.
        """
        if self._operations is not None and params["Name"].startswith(SECRETS):
            return self._secret(self._operations, call, params)
        name, selector = _split(params["Name"])
        parameter = self._get(call, name)
        version = parameter.find(selector)
        if version is None:
            raise ParameterVersionNotFound(
                f"Systems Manager could not find version {selector} of {name}. Verify the version and try again."
            )
        given = self._given(parameter, version, is_open=params.get("WithDecryption", False))
        return {"Parameter": {**given, **({"Selector": f":{selector}"} if selector else {})}}

    @staticmethod
    async def _secret(operations: Operations, call: Call, params: Params) -> Answer:
        is_open = params.get("WithDecryption", False)
        return {"Parameter": await secret_parameter(operations, call, params["Name"], is_open=is_open)}

    @operation("GetParameters")
    async def get_parameters(self, call: Call, params: Params) -> Answer:
        """Give several parameters and secrets; those that are not there are named."""
        found, missing = [], []
        for asked in dict.fromkeys(params["Names"]):
            if self._operations is not None and asked.startswith(SECRETS):
                is_open = params.get("WithDecryption", False)
                try:
                    found.append(await secret_parameter(self._operations, call, asked, is_open=is_open))
                except ParameterNotFound:
                    missing.append(asked)
                continue
            name, selector = _split(asked)
            parameter = self._find(call, name)
            version = parameter.find(selector) if parameter is not None else None
            if parameter is None or version is None:
                missing.append(asked)
                continue
            given = self._given(parameter, version, is_open=params.get("WithDecryption", False))
            found.append({**given, **({"Selector": f":{selector}"} if selector else {})})
        return {"Parameters": found, "InvalidParameters": missing}

    @operation("DeleteParameter")
    async def delete_parameter(self, call: Call, params: Params) -> Answer:
        """Delete a parameter with its history. Raises: ParameterNotFound."""
        parameter = self._get(call, params["Name"])
        await self._remove(parameter)
        await self._announcements.changed(parameter, "Delete")
        return {}

    @operation("DeleteParameters")
    async def delete_parameters(self, call: Call, params: Params) -> Answer:
        """Delete several parameters; those that are not there are named."""
        gone, missing = [], []
        for name in dict.fromkeys(params["Names"]):
            parameter = self._find(call, name)
            if parameter is None:
                missing.append(name)
            else:
                await self._remove(parameter)
                await self._announcements.changed(parameter, "Delete")
                gone.append(name)
        return {"DeletedParameters": gone, "InvalidParameters": missing}

    # --- several ---------------------------------------------------------------------------------------------

    @operation("GetParametersByPath")
    def get_parameters_by_path(self, call: Call, params: Params) -> Answer:
        """Give the parameters below a path. Raises: InvalidFilterKey, InvalidNextToken, ValidationException."""
        path, filters = params["Path"], params.get("ParameterFilters", ())
        check_path(path)
        check_filters(filters, BY_PATH)
        is_recursive = params.get("Recursive", False)
        found = [
            one
            for one in self._of(call)
            if is_below(one.name, path, is_recursive=is_recursive) and matching(one, filters)
        ]
        page, rest = _page(found, params, BY_PATH_PAGE)
        is_open = params.get("WithDecryption", False)
        return {"Parameters": [self._given(one, one.current, is_open=is_open) for one in page], **rest}

    @operation("DescribeParameters")
    def describe_parameters(self, call: Call, params: Params) -> Answer:
        """Describe parameters, never their values. Raises: InvalidFilterKey, InvalidNextToken, ValidationException."""
        if params.get("Shared"):
            raise ValidationException("Shared is not supported by Gatepost: parameters are not shared with accounts.")
        old = [{"Key": one["Key"], "Values": one["Values"]} for one in params.get("Filters", ())]
        if old and params.get("ParameterFilters"):
            raise ValidationException("You can use either Filters or ParameterFilters in a single request.")
        filters = [*params.get("ParameterFilters", ()), *old]
        check_filters(filters, DESCRIBED)
        page, rest = _page([one for one in self._of(call) if matching(one, filters)], params, PAGE)
        return {"Parameters": [_described(one, one.current, with_arn=True) for one in page], **rest}

    @operation("GetParameterHistory")
    def get_parameter_history(self, call: Call, params: Params) -> Answer:
        """Give every version, oldest first. Raises: ParameterNotFound, InvalidNextToken."""
        parameter = self._get(call, params["Name"])
        page, rest = _page(parameter.versions, params, PAGE)
        is_open = params.get("WithDecryption", False)
        found = [
            {
                **_described(parameter, one, with_arn=False),
                "Value": self._value(parameter, one, is_open=is_open),
                "Labels": list(one.labels),
            }
            for one in page
        ]
        return {"Parameters": found, **rest}

    # --- labels and tags -------------------------------------------------------------------------------------

    @operation("LabelParameterVersion")
    async def label_parameter_version(self, call: Call, params: Params) -> Answer:
        """Put labels on a version, from wherever they are. Raises: ParameterNotFound, ParameterVersionNotFound."""
        parameter, version = self._version(call, params)
        asked = list(dict.fromkeys(params["Labels"]))
        valid = [label for label in asked if _LABEL.fullmatch(label)]
        labels = tuple(dict.fromkeys((*version.labels, *valid)))
        if len(labels) > LABELS_MAX:
            raise ParameterVersionLabelLimitExceeded(f"A parameter version can have maximum {LABELS_MAX} labels.")
        moved = set(valid)
        versions = tuple(
            replace(one, labels=labels if one is version else tuple(x for x in one.labels if x not in moved))
            for one in parameter.versions
        )
        await self._keep(parameter, replace(parameter, versions=versions))
        await self._announcements.changed(parameter, "LabelParameterVersion")
        return {"InvalidLabels": [x for x in asked if x not in moved], "ParameterVersion": version.number}

    @operation("UnlabelParameterVersion")
    async def unlabel_parameter_version(self, call: Call, params: Params) -> Answer:
        """Take labels off a version. Raises: ParameterNotFound, ParameterVersionNotFound."""
        parameter, version = self._version(call, params)
        gone = [label for label in params["Labels"] if label in version.labels]
        left = replace(version, labels=tuple(label for label in version.labels if label not in gone))
        versions = tuple(left if one is version else one for one in parameter.versions)
        await self._keep(parameter, replace(parameter, versions=versions))
        return {"RemovedLabels": gone, "InvalidLabels": [label for label in params["Labels"] if label not in gone]}

    def _version(self, call: Call, params: Params) -> tuple[Parameter, ParameterVersion]:
        parameter = self._get(call, params["Name"])
        number = params.get("ParameterVersion")
        version = parameter.current if number is None else parameter.find(str(number))
        if version is None:
            raise ParameterVersionNotFound(
                f"Systems Manager could not find version {number} of {parameter.name}. "
                "Verify the version and try again."
            )
        return parameter, version

    @operation("AddTagsToResource")
    async def add_tags_to_resource(self, call: Call, params: Params) -> Answer:
        """Set tags of a parameter. Raises: InvalidResourceType, InvalidResourceId, TooManyTagsError."""
        parameter = self._tagged(call, params)
        tags = {**parameter.tags, **{tag["Key"]: tag["Value"] for tag in params["Tags"]}}
        if len(tags) > TAGS_MAX:
            raise TooManyTagsError(f"The parameter would have {len(tags)} tags: at most {TAGS_MAX}.")
        await self._keep(parameter, replace(parameter, tags=tags))
        return {}

    @operation("RemoveTagsFromResource")
    async def remove_tags_from_resource(self, call: Call, params: Params) -> Answer:
        """Take tags of a parameter away. Raises: InvalidResourceType, InvalidResourceId."""
        parameter = self._tagged(call, params)
        left = {key: value for key, value in parameter.tags.items() if key not in params["TagKeys"]}
        await self._keep(parameter, replace(parameter, tags=left))
        return {}

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, call: Call, params: Params) -> Answer:
        """Give a parameter's tags. Raises: InvalidResourceType, InvalidResourceId."""
        parameter = self._tagged(call, params)
        return {"TagList": [{"Key": key, "Value": value} for key, value in parameter.tags.items()]}

    def _tagged(self, call: Call, params: Params) -> Parameter:
        if params["ResourceType"] != "Parameter":
            raise InvalidResourceType(f"{params['ResourceType']} is not supported by Gatepost: use Parameter.")
        parameter = self._find(call, params["ResourceId"])
        if parameter is None:
            raise InvalidResourceId(f"The resource ID {params['ResourceId']} is not valid. Verify it and try again.")
        return parameter

    # --- the store -------------------------------------------------------------------------------------------

    def _of(self, call: Call) -> list[Parameter]:
        place = (call.account_id, call.region)
        found = (one for key, (one, _) in self._parameters.items() if key[:2] == place)
        return sorted((one for one in found if not one.has_expired(call.now_ms)), key=lambda one: one.name)

    def _find(self, call: Call, name: str) -> Parameter | None:
        """Find a parameter of the caller's account and region by name or ARN."""
        prefix = call.arn("parameter", service="ssm")
        if name.startswith(prefix):
            path = name[len(prefix) :]
            return self._held(call, path) or self._held(call, path.removeprefix("/"))
        return self._held(call, name)

    def _held(self, call: Call, name: str) -> Parameter | None:
        found = self._parameters.get((call.account_id, call.region, name))
        return found[0] if found and not found[0].has_expired(call.now_ms) else None

    async def _bury(self, call: Call, name: str) -> None:
        """Delete what has expired by that name, so that there can be another."""
        found = self._parameters.get((call.account_id, call.region, name))
        if found is not None and found[0].has_expired(call.now_ms):
            await self._expire(found[0])

    async def _expire(self, parameter: Parameter) -> None:
        held = self._parameters.get((parameter.account_id, parameter.region, parameter.name))
        if held is None or held[0] is not parameter:
            return  # there is another by that name, which has not expired
        await self._remove(parameter)
        for policy in parameter.current.policies:
            if policy.type == EXPIRATION:
                await self._announcements.acted(parameter, policy)

    async def act_on_policies(self, now_ms: int) -> None:
        """Delete what has expired, and tell of what is due. To be called once a minute. Raises: StoreUnavailable."""
        for parameter, _ in list(self._parameters.values()):
            policies = parameter.current.policies
            if parameter.has_expired(now_ms):
                await self._expire(parameter)
                continue
            due = [one for one in policies if not one.is_done and one.due_at_ms <= now_ms]
            if not due:
                continue
            done = tuple(replace(one, is_done=True) if one in due else one for one in policies)
            current = replace(parameter.current, policies=done)
            await self._keep(parameter, replace(parameter, versions=(*parameter.versions[:-1], current)))
            for policy in due:
                await self._announcements.acted(parameter, policy)

    def _get(self, call: Call, name: str) -> Parameter:
        parameter = self._find(call, name)
        if parameter is None:
            raise ParameterNotFound(f"Parameter {name} not found.")
        return parameter

    def _hold(self, parameter: Parameter, version: int) -> None:
        self._parameters[parameter.account_id, parameter.region, parameter.name] = (parameter, version)

    async def _keep(self, old: Parameter | None, parameter: Parameter) -> None:
        held = self._parameters.get((parameter.account_id, parameter.region, parameter.name))
        if (held[0] if held else None) is not old:
            raise TooManyUpdates("The parameter was changed by another request: try again.")
        try:
            record = await self._records.put(
                parameter.key, parameter.to_json(), expected_version=held[1] if held else 0
            )
        except VersionConflict as conflict:
            raise TooManyUpdates("The parameter was changed by another request: try again.") from conflict
        self._hold(parameter, record.version)

    async def _remove(self, parameter: Parameter) -> None:
        await self._records.delete(parameter.key)
        self._parameters.pop((parameter.account_id, parameter.region, parameter.name), None)

    # --- values ----------------------------------------------------------------------------------------------

    def _sealed(self, call: Call, name: str, number: int, value: str) -> str:
        purpose = f"ssm:{call.account_id}:{call.region}:{name}:{number}"
        return base64.b64encode(self._seal.seal(value.encode(), purpose=purpose)).decode()

    def _value(self, parameter: Parameter, version: ParameterVersion, *, is_open: bool) -> str:
        """Give a value; a SecureString that is not to be opened as it lies there. Raises: InvalidKeyId."""
        if parameter.type != SECURE or not is_open:
            return version.value
        purpose = f"ssm:{parameter.account_id}:{parameter.region}:{parameter.name}:{version.number}"
        try:
            return self._seal.open(base64.b64decode(version.value), purpose=purpose).decode()
        except NotSealed as error:
            raise InvalidKeyId("The value was sealed with another key.", detail=str(error)) from error

    def _given(self, parameter: Parameter, version: ParameterVersion, *, is_open: bool) -> Answer:
        return {
            "Name": parameter.name,
            "Type": parameter.type,
            "Value": self._value(parameter, version, is_open=is_open),
            "Version": version.number,
            "LastModifiedDate": version.changed_at_ms,
            "ARN": parameter.arn,
            "DataType": version.data_type,
        }


def _described(parameter: Parameter, version: ParameterVersion, *, with_arn: bool) -> Answer:
    told = {
        "Name": parameter.name,
        "ARN": parameter.arn if with_arn else "",
        "Type": parameter.type,
        "KeyId": version.key_id,
        "LastModifiedDate": version.changed_at_ms,
        "LastModifiedUser": version.changed_by,
        "Description": version.description,
        "AllowedPattern": version.allowed_pattern,
        "Version": version.number,
        "Tier": version.tier,
        "DataType": version.data_type,
    }
    policies = [one.to_aws() for one in version.policies]
    return {**{name: value for name, value in told.items() if value}, "Policies": policies}


def _split(name: str) -> tuple[str, str]:
    """Take `name:selector` apart; the colons of an ARN are its own."""
    if name.startswith("arn:"):
        parts = name.split(":", 6)
        return ":".join(parts[:6]), parts[6] if len(parts) == 7 else ""
    head, _, selector = name.partition(":")
    return head, selector


def _check_refused(params: Params) -> None:
    data_type = params.get("DataType", TEXT)
    if data_type == "aws:ssm:integration":
        raise ValidationException("DataType aws:ssm:integration is not supported by Gatepost: there is no Automation.")
    if data_type not in (TEXT, IMAGE):
        raise ValidationException(
            f"The following data type is not supported: {data_type} (Data type names are all lowercase.)"
        )
    if data_type == IMAGE and not _IMAGE_ID.fullmatch(params["Value"]):
        raise ValidationException(f"{params['Value']} is not the ID of an Amazon Machine Image.")
    if "KeyId" in params and params.get("Type") != SECURE:
        raise ValidationException("KeyId is required for SecureString type parameter only.")
    if params.get("KeyId", OWN_KEY) != OWN_KEY:
        raise InvalidKeyId(f"KeyId is not supported by Gatepost, which has its own key: leave it out or use {OWN_KEY}.")


def _policies(params: Params, before: ParameterVersion | None, now_ms: int) -> tuple[ParameterPolicy, ...]:
    """Give a new version's policies: those of before are kept until others, or none, are sent."""
    if params.get("Policies"):
        return parse_policies(params["Policies"], now_ms)
    return renewed(before.policies, now_ms) if before is not None else ()


def _tier(params: Params, asked: str, before: ParameterVersion | None, *, needs_advanced: bool) -> str:
    if asked == INTELLIGENT:
        asked = ADVANCED if needs_advanced else STANDARD
    if before is not None and before.tier == ADVANCED and asked == STANDARD:
        if params.get("Tier") == STANDARD:
            raise ValidationException(
                "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the "
                "advanced-parameter tier to the standard-parameter tier."
            )
        return ADVANCED
    return asked


def _check_pattern(pattern: str, value: str) -> None:
    """Match a value by RE2: a pattern never takes longer than its value is long."""
    if not pattern:
        return
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        fits = re2.compile(pattern, options).search(value) is not None
    except re2.error as error:
        raise InvalidAllowedPatternException(f"The pattern {pattern} is not valid: {error}") from error
    if not fits:
        raise ParameterPatternMismatchException(
            f"Parameter value, cannot be validated against allowedPattern: {pattern}"
        )


def _with_room(old: Parameter) -> tuple[ParameterVersion, ...]:
    """Give the versions that stay when one is added: the oldest goes, unless it has a label."""
    if len(old.versions) < VERSIONS_MAX:
        return old.versions
    if old.versions[0].labels:
        raise ParameterMaxVersionLimitExceeded(
            f"You attempted to create a new version of {old.name} by calling the PutParameter API with the overwrite "
            f"flag. Version {old.versions[0].number}, the oldest version, can't be deleted because it has a label "
            "associated with it. Move the label to another version of the parameter, and try again."
        )
    return old.versions[1:]


def _page(found: Sequence[Any], params: Params, size: int) -> tuple[Sequence[Any], Answer]:
    (start,) = place_of(params.get("NextToken"), InvalidNextToken("The specified token isn't valid."), 0)
    end = start + min(params.get("MaxResults", size), size)
    return found[start:end], {"NextToken": page_token(end)} if end < len(found) else {}
