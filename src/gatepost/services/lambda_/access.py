"""What each Lambda operation touches: action, resource and condition keys.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.operations import Access, Call
from gatepost.services.lambda_.catalogue import Catalogue
from gatepost.services.lambda_.layers import Layers, layer_arn
from gatepost.services.lambda_.model import InvalidParameterValueException
from gatepost.services.lambda_.names import function_arn, parse_name

_UNBOUND: Final = frozenset(
    {"ListFunctions", "GetAccountSettings", "ListEventSourceMappings", "ListLayers", "ListLayerVersions"}
)
_ACTIONS: Final[Mapping[str, str]] = dict.fromkeys(
    ("Invoke", "InvokeAsync", "InvokeWithResponseStream"), "lambda:InvokeFunction"
)
_CONFIGURING: Final = frozenset({"CreateFunction", "UpdateFunctionConfiguration"})
SERVICE: Final = "lambda.amazonaws.com"


def access_of(catalogue: Catalogue, layers: Layers, call: Call, params: Mapping[str, Any]) -> tuple[Access, ...]:
    """Say what a Lambda call touches."""
    action = _ACTIONS.get(call.operation, f"lambda:{call.operation}")
    if call.operation in _UNBOUND:
        return (Access(action),)
    if "EventSourceMapping" in call.operation:
        uuid = params.get("UUID", "*")
        return (Access(action, call.arn(f"event-source-mapping:{uuid}"), _mapped_function(call, params)),)
    if "Layer" in call.operation:
        return (_layer_access(layers, call, params, action), *_package(params.get("Content")))
    arn, policy_arn, qualifier = _resource(call, params)
    function = catalogue.find(arn)
    target = catalogue.find_target(arn, qualifier)
    context: dict[str, str | tuple[str, ...]] = {}
    if function is not None:
        context |= {f"aws:resourcetag/{key.lower()}": value for key, value in function.tags.items()}
    tags = params.get("Tags")
    if isinstance(tags, Mapping):
        context |= {f"aws:requesttag/{key.lower()}": str(value) for key, value in tags.items()}
        context["aws:tagkeys"] = tuple(tags)
    if isinstance(keys := params.get("TagKeys"), list):
        context["aws:tagkeys"] = tuple(keys)
    if call.operation == "AddPermission" and isinstance(principal := params.get("Principal"), str):
        context["lambda:principal"] = principal
    if isinstance(auth := params.get("FunctionUrlAuthType") or params.get("AuthType"), str):
        context["lambda:functionurlauthtype"] = auth
    if call.operation in _CONFIGURING and params.get("Layers"):
        context["lambda:layer"] = tuple(params["Layers"])
    policy = target.policy if target is not None and target.policy else None
    found = [Access(action, policy_arn, context, policy), *_package(params.get("Code") or params)]
    if call.operation == "CreateFunction" and tags:
        found.append(Access("lambda:TagResource", arn, context))
    if call.operation in _CONFIGURING and isinstance(params.get("Role"), str):
        found.append(Access("iam:PassRole", params["Role"], {"iam:passedtoservice": SERVICE}))
    for layer_version in params.get("Layers") or () if call.operation in _CONFIGURING else ():
        version = layers.find(layer_version)
        layer_policy = version.policy if version is not None and version.policy else None
        found.append(Access("lambda:GetLayerVersion", layer_version, resource_policy=layer_policy))
    return tuple(found)


def _package(code: Any) -> tuple[Access, ...]:
    """Say what is read of packages that were uploaded before: who deploys somebody's package can read it.

    On AWS it is the caller, too, who needs s3:GetObject (unverified: no page of the API's reference says so).
    """
    if not isinstance(code, Mapping) or not isinstance(bucket := code.get("S3Bucket"), str):
        return ()
    return (Access("s3:GetObject", f"arn:aws:s3:::{bucket}/{code.get('S3Key', '')}"),)


def _mapped_function(call: Call, params: Mapping[str, Any]) -> dict[str, str]:
    """Give the condition key of the function that a mapping invokes, where the call names it."""
    try:
        name = parse_name(str(params.get("FunctionName") or ""))
    except InvalidParameterValueException:
        return {}
    qualifier = f":{name.qualifier}" if name.qualifier else ""
    return {"lambda:functionarn": f"{function_arn(call, name)}{qualifier}"}


def _layer_access(layers: Layers, call: Call, params: Mapping[str, Any], action: str) -> Access:
    """Say what a call about a layer touches: the layer when it publishes, else one version."""
    if isinstance(arn := params.get("Arn"), str):
        action = "lambda:GetLayerVersion"  # GetLayerVersionByArn has no action of its own
    else:
        try:
            arn = layer_arn(call, str(params.get("LayerName", "")))
        except InvalidParameterValueException:
            return Access(action)
        if "VersionNumber" in params:
            arn = f"{arn}:{params['VersionNumber']}"
    version = layers.find(arn)
    return Access(action, arn, resource_policy=version.policy if version is not None and version.policy else None)


def _resource(call: Call, params: Mapping[str, Any]) -> tuple[str, str, str]:
    """Give the function's unqualified ARN, the ARN that policies see, and the qualifier."""
    text = params.get("FunctionName") or params.get("Resource")
    if not isinstance(text, str):
        return "*", "*", ""
    try:
        name = parse_name(text)
    except InvalidParameterValueException:
        return "*", "*", ""
    arn = function_arn(call, name)
    qualifier = params.get("Qualifier") or name.qualifier
    return arn, f"{arn}:{qualifier}" if qualifier else arn, qualifier
