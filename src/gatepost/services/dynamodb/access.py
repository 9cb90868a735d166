"""What a call touches: actions, ARNs and DynamoDB's own condition keys, each worked out only when a policy asks.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Access, Call
from gatepost.languages.item_expressions import Expressions, Used
from gatepost.languages.item_expressions_tree import ExpressionError
from gatepost.languages.item_values import ItemValueError, measure
from gatepost.services.dynamodb.model import Table
from gatepost.services.dynamodb.tables import Tables

Params = Mapping[str, Any]
Value = str | tuple[str, ...]

WITHOUT_RESOURCE: Final = frozenset({"ListTables", "DescribeLimits"})
TRANSACTION_ACTIONS: Final = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Get": "dynamodb:GetItem",
}
_EXPRESSIONS: Final = ("ConditionExpression", "FilterExpression")


class ItemAccess:
    """Says what the operations on items and tables touch."""

    def __init__(self, tables: Tables, expressions: Expressions) -> None:
        self._tables = tables
        self._expressions = expressions

    def of(self, call: Call, params: Params) -> Sequence[Access]:
        """Give everything that a call touches."""
        operation = call.operation
        name = params.get("TableName")
        if name is not None:
            return self._of_table(call, params, name)
        if "TransactItems" in params:
            return self._of_transaction(call, params)
        if "RequestItems" in params:
            action = f"dynamodb:{operation}"
            return [
                Access(action, table_arn(call, table), self._context(call, table, _batch_requests(request), params))
                for table, request in params["RequestItems"].items()
            ]
        if "ResourceArn" in params:
            return (Access(f"dynamodb:{operation}", params["ResourceArn"]),)
        if operation == "DescribeEndpoints":
            return ()
        return (Access(f"dynamodb:{operation}"),)

    def _of_table(self, call: Call, params: Params, name: str) -> Sequence[Access]:
        arn = table_arn(call, name)
        index = params.get("IndexName")
        if index is not None:
            arn = f"{arn}/index/{index}"
        access = Access("dynamodb:" + call.operation, arn, self._context(call, name, (params,), params))
        if call.operation == "CreateTable" and params.get("Tags"):
            return (access, Access("dynamodb:TagResource", arn))
        return (access,)

    def _of_transaction(self, call: Call, params: Params) -> Sequence[Access]:
        touched: dict[tuple[str, str], list[Params]] = {}
        for item in params["TransactItems"]:
            for kind, request in item.items():
                if kind in TRANSACTION_ACTIONS:
                    touched.setdefault((TRANSACTION_ACTIONS[kind], request["TableName"]), []).append(request)
        return [
            Access(action, table_arn(call, table), self._context(call, table, requests, params))
            for (action, table), requests in touched.items()
        ]

    def _context(self, call: Call, table: str, requests: Sequence[Params], params: Params) -> RequestContext:
        return RequestContext(self._tables, self._expressions, call, table, requests, params)


def table_arn(call: Call, name: str) -> str:
    """Give the ARN of a table, which need not exist, from a name or an ARN."""
    return name if name.startswith("arn:") else f"arn:aws:dynamodb:{call.region}:{call.account_id}:table/{name}"


def _batch_requests(request: Any) -> list[Params]:
    if isinstance(request, Mapping):  # BatchGetItem: one set of parameters, many keys
        return [{**request, "Key": key} for key in request.get("Keys", ())]
    return [write.get("PutRequest") or write.get("DeleteRequest") or {} for write in request]


class RequestContext(Mapping[str, Value]):
    """DynamoDB's condition keys of one request, each worked out when it is asked for."""

    __slots__ = ("_call", "_expressions", "_params", "_requests", "_table", "_tables")

    def __init__(
        self,
        tables: Tables,
        expressions: Expressions,
        call: Call,
        table: str,
        requests: Sequence[Params],
        params: Params,
    ) -> None:
        self._tables = tables
        self._expressions = expressions
        self._call = call
        self._table = table
        self._requests = requests
        self._params = params

    def __getitem__(self, key: str) -> Value:
        read = _KEYS.get(key)
        value = None if read is None else read(self)
        if value is None:
            raise KeyError(key)
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """Give a key, or `default` when this request does not have it."""
        read = _KEYS.get(key)
        value = None if read is None else read(self)
        return default if value is None else value

    def __iter__(self) -> Iterator[str]:
        return (key for key in _KEYS if _KEYS[key](self) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _found(self) -> Table | None:
        try:
            return self._tables.find(self._call, self._table)
        except ServiceError:
            return None

    def leading_keys(self) -> Value | None:
        """Give dynamodb:LeadingKeys: the partition keys that the request names."""
        table = self._found()
        if table is None:
            return None
        found = []
        for request in self._requests:
            value = self._leading_key(table, request)
            if value is not None:
                found.append(value)
        return tuple(found) or None

    def _leading_key(self, table: Table, request: Params) -> str | None:
        keys = table.items.keys
        if (text := request.get("KeyConditionExpression")) is not None:
            index = table.readable.get(request.get("IndexName", ""))
            keys = keys if index is None else index.keys
            values = request.get("ExpressionAttributeValues", {})
            try:
                condition = self._expressions.key_condition(text, request.get("ExpressionAttributeNames", {}), values)
            except ExpressionError:
                return None
            value = next((values[p.values[0]] for p in condition.parts if p.name == keys.partition.name), None)
        else:
            value = (request.get("Key") or request.get("Item") or {}).get(keys.partition.name)
        if value is None:
            return None
        try:
            measure(value)
        except ItemValueError:
            return None
        return next((str(content) for content in value.values()), None)

    def attributes(self) -> Value | None:
        """Give dynamodb:Attributes: the top-level attributes that the request names."""
        names: set[str] = set()
        for request in self._requests:
            names.update(request.get("Item", ()))
            names.update(request.get("Key", ()))
            for used in self._used(request):
                names.update(str(path[0]) for path in used.paths)
        return tuple(sorted(names)) or None

    def _used(self, request: Params) -> list[Used]:
        names = request.get("ExpressionAttributeNames", {})
        values = request.get("ExpressionAttributeValues", {})
        expressions = self._expressions
        found: list[Used] = []
        try:
            for parameter in _EXPRESSIONS:
                if parameter in request:
                    compiled = expressions.condition(parameter, request[parameter], names, values)
                    found.append(compiled.used)
            if (text := request.get("UpdateExpression")) is not None:
                found.append(expressions.update(text, names, values).used)
            if (text := request.get("ProjectionExpression")) is not None:
                found.append(expressions.projection(text, names).used)
            if (text := request.get("KeyConditionExpression")) is not None:
                found.append(expressions.key_condition(text, names, values).used)
        except (ExpressionError, KeyError):
            return found  # the operation itself will refuse it
        return found

    def select(self) -> Value | None:
        """Give dynamodb:Select, as given or as the request implies it."""
        if self._call.operation not in {"Query", "Scan", "GetItem", "BatchGetItem", "TransactGetItems"}:
            return None
        given: str | None = self._params.get("Select")
        if given is not None:
            return given
        if self._requests and all("ProjectionExpression" in request for request in self._requests):
            return "SPECIFIC_ATTRIBUTES"
        return "ALL_PROJECTED_ATTRIBUTES" if "IndexName" in self._params else "ALL_ATTRIBUTES"

    def return_values(self) -> Value | None:
        """Give dynamodb:ReturnValues of a write."""
        if self._call.operation not in {"PutItem", "UpdateItem", "DeleteItem"}:
            return None
        return str(self._params.get("ReturnValues", "NONE"))

    def return_consumed_capacity(self) -> Value | None:
        """Give dynamodb:ReturnConsumedCapacity where the request has it."""
        return self._params.get("ReturnConsumedCapacity")

    def enclosing_operation(self) -> Value | None:
        """Give dynamodb:EnclosingOperation inside a transaction."""
        return self._call.operation if "TransactItems" in self._params else None


_KEYS: Final[Mapping[str, Callable[[RequestContext], Value | None]]] = {
    "dynamodb:leadingkeys": RequestContext.leading_keys,
    "dynamodb:attributes": RequestContext.attributes,
    "dynamodb:select": RequestContext.select,
    "dynamodb:returnvalues": RequestContext.return_values,
    "dynamodb:returnconsumedcapacity": RequestContext.return_consumed_capacity,
    "dynamodb:enclosingoperation": RequestContext.enclosing_operation,
}
