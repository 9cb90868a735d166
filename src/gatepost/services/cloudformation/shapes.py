"""CloudFormation's records as its operations show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gatepost.services.cloudformation.model import ChangeSet, Stack, StackRequest, StackResource, ValidationError

PAGE_ITEMS: Final = 100


def shown_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Give tags as a list."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def shown_stack(stack: Stack) -> dict[str, Any]:
    """Give a stack as DescribeStacks does."""
    request = StackRequest.from_json(stack.request) if stack.request else StackRequest("")
    shown: dict[str, Any] = {
        "StackId": stack.id,
        "StackName": stack.name,
        "StackStatus": stack.status,
        "CreationTime": stack.created_at_ms,
        "DisableRollback": request.is_rollback_disabled,
        "RollbackConfiguration": {},
        "NotificationARNs": list(request.notification_arns),
        "Capabilities": list(request.capabilities),
        "Parameters": stack.parameters,
        "Outputs": stack.outputs,
        "Tags": shown_tags(request.tags),
        "EnableTerminationProtection": stack.is_protected,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        "RetainExceptOnCreate": request.retain_except_on_create,
    }
    optional = {
        "Description": stack.description,
        "StackStatusReason": stack.status_reason,
        "ChangeSetId": stack.change_set_id,
        "LastUpdatedTime": stack.updated_at_ms,
        "DeletionTime": stack.deleted_at_ms,
        "RoleARN": request.role_arn,
        "TimeoutInMinutes": request.timeout_minutes,
        "ParentId": request.parent_id,
        "RootId": request.root_id,
    }
    return {**shown, **{key: value for key, value in optional.items() if value}}


def shown_summary(stack: Stack) -> dict[str, Any]:
    """Give a stack as ListStacks does."""
    request = StackRequest.from_json(stack.request) if stack.request else StackRequest("")
    optional = {
        "TemplateDescription": stack.description,
        "LastUpdatedTime": stack.updated_at_ms,
        "DeletionTime": stack.deleted_at_ms,
        "StackStatusReason": stack.status_reason,
        "ParentId": request.parent_id,
        "RootId": request.root_id,
    }
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "CreationTime": stack.created_at_ms,
        "StackStatus": stack.status,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        **{key: value for key, value in optional.items() if value},
    }


def shown_resource(stack: Stack, resource: StackResource, *, time_member: str = "Timestamp") -> dict[str, Any]:
    """Give a resource as DescribeStackResources does, or with `time_member` as the other operations."""
    shown: dict[str, Any] = {
        "LogicalResourceId": resource.logical_id,
        "ResourceType": resource.type,
        time_member: resource.updated_at_ms,
        "ResourceStatus": resource.status,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    }
    if resource.physical_id:
        shown["PhysicalResourceId"] = resource.physical_id
    if resource.status_reason:
        shown["ResourceStatusReason"] = resource.status_reason
    if time_member != "LastUpdatedTimestamp" or stack.name:
        shown["StackName"], shown["StackId"] = stack.name, stack.id
    return shown


def shown_change_set(change_set: ChangeSet) -> dict[str, Any]:
    """Give a change set as DescribeChangeSet does."""
    request = StackRequest.from_json(change_set.request)
    shown: dict[str, Any] = {
        "ChangeSetName": change_set.name,
        "ChangeSetId": change_set.id,
        "StackId": change_set.stack_id,
        "StackName": change_set.stack_name,
        "Parameters": change_set.parameters,
        "CreationTime": change_set.created_at_ms,
        "ExecutionStatus": change_set.execution_status,
        "Status": change_set.status,
        "NotificationARNs": list(request.notification_arns),
        "RollbackConfiguration": {},
        "Capabilities": list(request.capabilities),
        "Tags": shown_tags(request.tags),
        "Changes": change_set.changes,
        "IncludeNestedStacks": change_set.includes_nested_stacks,
    }
    if change_set.status_reason:
        shown["StatusReason"] = change_set.status_reason
    if change_set.description:
        shown["Description"] = change_set.description
    if change_set.on_stack_failure:
        shown["OnStackFailure"] = change_set.on_stack_failure
    return shown


def events_page(events: Sequence[dict[str, Any]], params: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Give one page of a stack's events, newest first; a token names the event after which the next page begins.

    So events that come between two pages shift nothing. Raises: ValidationError.
    """
    token = params.get("NextToken")
    start = 0
    if token:
        places = [number for number, event in enumerate(events) if event["EventId"] == token]
        if not places:
            raise ValidationError("Invalid NextToken")
        start = places[0] + 1
    page = list(events[start : start + PAGE_ITEMS])
    return page, {"NextToken": page[-1]["EventId"]} if start + PAGE_ITEMS < len(events) else {}


def page_of(items: Sequence[dict[str, Any]], params: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Give one page of `items` and, when more follow, the members that say so. Raises: ValidationError."""
    token = str(params.get("NextToken", "0"))
    if not token.isascii() or not token.isdigit() or len(token) > 9:
        raise ValidationError("Invalid NextToken")
    start = int(token)
    rest = {"NextToken": str(start + PAGE_ITEMS)} if start + PAGE_ITEMS < len(items) else {}
    return list(items[start : start + PAGE_ITEMS]), rest
