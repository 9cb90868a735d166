"""Where an API can be reached: endpoint type, VPC endpoints, security policy, access mode; what gateways get of it.

A gateway learns it at once, not with the next deployment: an API that has become PRIVATE answers nobody in public.
Published under topic `API_ENDPOINT`, key: the API's id; nothing is published of what AWS has by default.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-api-create.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-api-migration.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-security-policies.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gatepost.kernel.operations import Change
from gatepost.security.tls_contexts import EDGE_POLICIES, POLICIES, unsupported_policy
from gatepost.services.apigateway.deployment import API_ENDPOINT
from gatepost.services.apigateway.model import BadRequestException, RestApi
from gatepost.services.apigateway.patches import Patch, one_of

TYPES: Final = ("REGIONAL", "EDGE", "PRIVATE")
VPC_ENDPOINTS_MAX: Final = 50  # unverified: a bound of ours
ACCESS_MODES: Final = ("BASIC", "STRICT")
VPC_ENDPOINT: Final = re.compile(r"vpce-[0-9a-z]{1,32}")
_OLD: Final = "TLS_1_0"


def endpoint_type_of(types: Sequence[str]) -> str:
    """Give the one endpoint type that is asked for, EDGE when none is. Raises: BadRequestException."""
    if len(types) > 1:
        raise BadRequestException("Cannot create an api with multiple Endpoint Types.")
    return str(types[0]) if types else "EDGE"


def address_type_of(endpoint_type: str, given: str) -> str:
    """Give the IP address type: private APIs have `dualstack` if they say nothing, the others `ipv4`."""
    return given or ("dualstack" if endpoint_type == "PRIVATE" else "ipv4")


def check_endpoint(api: RestApi) -> None:
    """Check what these settings need of each other. The words are unverified. Raises: BadRequestException."""
    if api.endpoint_type not in TYPES:
        raise BadRequestException(f"Invalid endpoint type {api.endpoint_type}: use one of {', '.join(TYPES)}")
    is_private = api.endpoint_type == "PRIVATE"
    if api.vpc_endpoint_ids and not is_private:
        raise BadRequestException("VPC endpoint IDs can only be specified for PRIVATE APIs")
    if is_private and api.ip_address_type != "dualstack":
        raise BadRequestException("Only dualstack IP address type is supported for PRIVATE APIs")
    if len(api.vpc_endpoint_ids) > VPC_ENDPOINTS_MAX:
        raise BadRequestException(f"At most {VPC_ENDPOINTS_MAX} VPC endpoints are allowed for an API")
    for each in api.vpc_endpoint_ids:
        if not VPC_ENDPOINT.fullmatch(each):
            raise BadRequestException(f"Invalid VPC endpoint ID specified: {each}")
    _check_security(api)


def _check_security(api: RestApi) -> None:
    policy = api.security_policy
    if policy and (problem := unsupported_policy(policy)):
        raise BadRequestException(f"securityPolicy: {problem}")
    check_policy_fits(policy, api.endpoint_type)
    is_enhanced = bool(policy) and POLICIES[policy].is_enhanced
    if is_enhanced and not api.access_mode:
        raise BadRequestException(f"endpointAccessMode is required with {policy}: use BASIC or STRICT")
    if api.access_mode == "STRICT" and not is_enhanced:
        raise BadRequestException("endpointAccessMode STRICT needs a security policy that starts with SecurityPolicy_")


def check_policy_fits(policy: str, endpoint_type: str) -> None:
    """Refuse an enhanced policy of the other kind of endpoint. Raises: BadRequestException."""
    if policy not in POLICIES or not POLICIES[policy].is_enhanced:
        return
    if (policy in EDGE_POLICIES) != (endpoint_type == "EDGE"):
        fitting = sorted(
            name
            for name, each in POLICIES.items()
            if not each.is_enhanced or (name in EDGE_POLICIES) == (endpoint_type == "EDGE")
        )
        raise BadRequestException(f"securityPolicy {policy} is not for {endpoint_type}: use {', '.join(fitting)}")


def change_type(api: RestApi, patch: Patch) -> RestApi:
    """Carry out a patch of the endpoint type. Raises: BadRequestException."""
    if patch.names[0] not in ("0", api.endpoint_type):
        raise BadRequestException(f"Invalid patch path  '{patch.path}' specified for op 'replace': it does not exist")
    wanted = one_of(patch, TYPES)
    if wanted == api.endpoint_type:
        return api
    if api.access_mode == "STRICT":
        raise BadRequestException("The endpoint type cannot be changed while the endpoint access mode is STRICT")
    if api.endpoint_type == "PRIVATE":
        if wanted == "EDGE":
            raise BadRequestException("A private API cannot be changed to an edge-optimized API")
        return replace(api, endpoint_type=wanted, vpc_endpoint_ids=())
    if wanted == "PRIVATE":
        return replace(api, endpoint_type=wanted, ip_address_type="dualstack")
    return replace(api, endpoint_type=wanted)


def change_vpc_endpoint(api: RestApi, patch: Patch) -> RestApi:
    """Carry out a patch of the associated VPC endpoints. Raises: BadRequestException."""
    if patch.op == "add":
        return replace(api, vpc_endpoint_ids=tuple(dict.fromkeys((*api.vpc_endpoint_ids, patch.value))))
    if patch.value not in api.vpc_endpoint_ids:
        raise BadRequestException(f"Invalid patch value  '{patch.value}' specified for path '{patch.path}'")
    return replace(api, vpc_endpoint_ids=tuple(each for each in api.vpc_endpoint_ids if each != patch.value))


def change_security_policy(api: RestApi, patch: Patch) -> RestApi:
    """Carry out a patch of the security policy. Raises: BadRequestException."""
    if patch.value == "TLS_1_2" and api.endpoint_type != "PRIVATE" and api.security_policy in ("", _OLD):
        # "You can't update the security policy for an API from TLS_1_0 to TLS_1_2"
        raise BadRequestException("The security policy cannot be updated from TLS_1_0 to TLS_1_2")
    return replace(api, security_policy=patch.value)


def change_access_mode(api: RestApi, patch: Patch) -> RestApi:
    """Carry out a patch of the access mode; an empty value unsets it. Raises: BadRequestException."""
    return replace(api, access_mode=one_of(patch, ACCESS_MODES) if patch.value else "")


def endpoint_change(api: RestApi) -> Change:
    """Give what a gateway should hold of the endpoint: None (nothing) where all is AWS's default for public APIs."""
    if api.endpoint_type != "PRIVATE" and not api.security_policy:
        return Change(API_ENDPOINT, api.id, None)
    value = {
        "type": api.endpoint_type,
        "vpc_endpoint_ids": list(api.vpc_endpoint_ids),
        "security_policy": api.security_policy,
        "is_strict": api.access_mode == "STRICT",
    }
    return Change(API_ENDPOINT, api.id, value)
