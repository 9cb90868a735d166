"""What a call touches: actions, ARNs and DynamoDB's own condition keys, each worked out only when a policy asks.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from gatepost.kernel.errors import ServiceError, ValidationException
from gatepost.kernel.operations import Access, Call, tag_context
from gatepost.languages.item_expressions import Expressions, Used
from gatepost.languages.item_expressions_tree import ExpressionError
from gatepost.languages.item_values import ItemValueError, measure
from gatepost.services.dynamodb.legacy import LEGACY_NAMES, modern
from gatepost.services.dynamodb.model import Table
from gatepost.services.dynamodb.statements import read_statement, selection_of, write_of
from gatepost.services.dynamodb.tables import table_name

Params = Mapping[str, Any]
Value = str | tuple[str, ...]

# The operations that name one table, and which members of a request their meaning is taken from. Others that a
# client sends along are ignored by the operation, so they must not count here either.
PUT: Final = "put"
KEY: Final = "key"
QUERY: Final = "query"
SCAN: Final = "scan"
ON_FAILURE: Final = "ReturnValuesOnConditionCheckFailure"
ITEM_OPERATIONS: Final = {
    "GetItem": KEY,
    "PutItem": PUT,
    "UpdateItem": KEY,
    "DeleteItem": KEY,
    "Query": QUERY,
    "Scan": SCAN,
}
TRANSACTION_ACTIONS: Final = {
    "Put": ("dynamodb:PutItem", PUT),
    "Update": ("dynamodb:UpdateItem", KEY),
    "Delete": ("dynamodb:DeleteItem", KEY),
    "ConditionCheck": ("dynamodb:ConditionCheckItem", KEY),
    "Get": ("dynamodb:GetItem", KEY),
}
STATEMENTS: Final = {
    "ExecuteStatement": "",
    "BatchExecuteStatement": "Statements",
    "ExecuteTransaction": "TransactStatements",
}
STATEMENT_ACTIONS: Final = {
    "SELECT": "dynamodb:PartiQLSelect",
    "EXISTS": "dynamodb:PartiQLSelect",
    "INSERT": "dynamodb:PartiQLInsert",
    "UPDATE": "dynamodb:PartiQLUpdate",
    "DELETE": "dynamodb:PartiQLDelete",
}
ON_ARN: Final = frozenset(
    {
        *("TagResource", "UntagResource", "ListTagsOfResource"),
        *("PutResourcePolicy", "GetResourcePolicy", "DeleteResourcePolicy"),
    }
)
BACKUP_OPERATIONS: Final = frozenset(
    {"DescribeBackup", "DeleteBackup", "RestoreTableFromBackup", "RestoreTableToPointInTime"}
)
RESTORING: Final = ("BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem")
_CONDITIONS: Final = {PUT: ("ConditionExpression",), KEY: ("ConditionExpression",)}
_FILTERS: Final = ("FilterExpression",)

Subject = tuple[str, Params]  # which members count, and the part of the request that has them
NO_KEY: Final = "The provided key element does not match the schema"


class KnownTables(Protocol):
    """Tables as authorization sees them: ours, or what is known of a cluster's."""

    @property
    def policies(self) -> Mapping[str, str]:
        """Give the resource-based policies that there are, by the table's ARN."""
        ...

    def find(self, call: Call, name: str) -> Table:
        """Give a table by name or ARN. Raises: UnknownTable, ValidationException."""
        ...


class ItemAccess:
    """Says what the operations on items and tables touch."""

    def __init__(self, tables: KnownTables, expressions: Expressions) -> None:
        self._tables = tables
        self._expressions = expressions

    def of(self, call: Call, params: Params) -> Sequence[Access]:
        """Give everything that a call touches, with the resource policies of its tables."""
        policies = self._tables.policies
        kind = ITEM_OPERATIONS.get(call.operation)
        if kind is not None:
            found: Sequence[Access] = (
                self._of_items(call, kind, params if LEGACY_NAMES.isdisjoint(params) else _modern(params)),
            )
        else:
            found = self._touched(call, params)
        if not policies:
            return found
        return [
            replace(access, resource_policy=policy) if (policy := policies.get(_table_of(access.resource))) else access
            for access in found
        ]

    def _touched(self, call: Call, params: Params) -> Sequence[Access]:
        operation = call.operation
        if operation in {"TransactWriteItems", "TransactGetItems"}:
            return self._of_transaction(call, params)
        if operation in STATEMENTS:
            return self._of_statements(call, params)
        if operation in {"BatchGetItem", "BatchWriteItem"}:
            return self._of_batch(call, params)
        if operation in ON_ARN:
            return (Access(f"dynamodb:{operation}", params["ResourceArn"], _tags_of(params)),)
        if operation in BACKUP_OPERATIONS:
            return _of_backup(call, params)
        if "GlobalTableName" in params:
            arn = f"arn:aws:dynamodb::{call.account_id}:global-table/{params['GlobalTableName']}"
            return (Access(f"dynamodb:{operation}", arn),)
        if "TableName" not in params:
            return (Access(f"dynamodb:{operation}", params.get("ExportArn") or params.get("ImportArn") or "*"),)
        access = Access(f"dynamodb:{operation}", table_arn(call, params["TableName"]), _tags_of(params))
        more: list[Access] = []
        if operation == "CreateTable" and params.get("Tags"):
            more.append(Access("dynamodb:TagResource", access.resource, access.context))
        if operation == "CreateTable" and "ResourcePolicy" in params:
            more.append(Access("dynamodb:PutResourcePolicy", access.resource))
        return (access, *more)

    def _of_items(self, call: Call, kind: str, params: Params) -> Access:
        name = params["TableName"]
        arn = table_arn(call, name)
        if "IndexName" in params and kind in {QUERY, SCAN}:
            arn = f"{arn}/index/{params['IndexName']}"
        context = RequestContext(self._tables, self._expressions, call, name, ((kind, params),), params)
        return Access("dynamodb:" + call.operation, arn, context)

    def _of_transaction(self, call: Call, params: Params) -> Sequence[Access]:
        touched: dict[tuple[str, str], list[Subject]] = {}
        for item in params["TransactItems"]:
            for name, request in item.items():
                if name in TRANSACTION_ACTIONS:
                    action, kind = TRANSACTION_ACTIONS[name]
                    touched.setdefault((action, request["TableName"]), []).append((kind, request))
        return [
            Access(action, table_arn(call, table), self._context(call, table, subjects, params))
            for (action, table), subjects in touched.items()
        ]

    def _of_statements(self, call: Call, params: Params) -> Sequence[Access]:
        member = STATEMENTS[call.operation]
        requests = params[member] if member else [params]
        return [access for request in requests for access in self._of_statement(call, request, params)]

    def _of_statement(self, call: Call, request: Params, params: Params) -> Sequence[Access]:
        try:
            statement = read_statement(request)
        except ServiceError:
            return ()  # the operation will refuse it
        arn = table_arn(call, statement.table)
        if statement.index:
            arn = f"{arn}/index/{statement.index}"
        subjects: list[Subject] = []
        try:
            table = self._tables.find(call, statement.table)
            if statement.kind == "SELECT":
                selection = selection_of(statement, table)
                subjects = [(SCAN if selection.is_scan else QUERY, one) for one in selection.requests]
            else:
                told = {name: request[name] for name in (ON_FAILURE,) if name in request}
                subjects = [(PUT if statement.kind == "INSERT" else KEY, {**write_of(statement, table), **told})]
        except ServiceError:
            subjects = []
        context = self._context(call, statement.table, subjects, params)
        return (Access(STATEMENT_ACTIONS[statement.kind], arn, context),)

    def check_statements(self, call: Call, params: Params) -> None:
        """Refuse statements that cannot be read, where someone else would carry them out. Raises: ServiceError."""
        member = STATEMENTS[call.operation]
        for request in params[member] if member else [params]:
            statement = read_statement(request)
            table = self._tables.find(call, statement.table)
            if statement.index and statement.index not in table.readable:
                raise ValidationException(f"The table does not have the specified index: {statement.index}")
            if statement.kind == "SELECT":
                selection_of(statement, table)
            else:
                write_of(statement, table)

    def _of_batch(self, call: Call, params: Params) -> Sequence[Access]:
        action = f"dynamodb:{call.operation}"
        return [
            Access(
                action, table_arn(call, table), self._context(call, table, _batch_subjects(_modern(request)), params)
            )
            for table, request in params["RequestItems"].items()
        ]

    def _context(self, call: Call, table: str, subjects: Sequence[Subject], params: Params) -> RequestContext:
        return RequestContext(self._tables, self._expressions, call, table, subjects, params)


def tables_of(call: Call, params: Params) -> Iterator[str]:
    """Give the tables that an operation on items names, by name or ARN."""
    operation = call.operation
    if operation in STATEMENTS:
        member = STATEMENTS[operation]
        for request in params[member] if member else [params]:
            try:
                yield read_statement(request).table
            except ServiceError:
                continue
    elif "TransactItems" in params:
        for item in params["TransactItems"]:
            yield from (request["TableName"] for name, request in item.items() if name in TRANSACTION_ACTIONS)
    elif "RequestItems" in params:
        yield from params["RequestItems"]
    else:
        yield params["TableName"]


def _table_of(arn: str) -> str:
    return arn.partition("/index/")[0]


def _tags_of(params: Params) -> dict[str, str | tuple[str, ...]]:
    """Give the condition keys of the tags that a request sets or takes away."""
    tags = [(tag["Key"], tag["Value"]) for tag in params.get("Tags", ())]
    return tag_context(tags, params.get("TagKeys", ()))


def _of_backup(call: Call, params: Params) -> Sequence[Access]:
    """Give what an operation on a backup touches; a restore also needs the rights that writing its target takes."""
    source = params.get("BackupArn")
    if source is None:
        source = table_arn(call, params.get("SourceTableArn") or params.get("SourceTableName", ""))
    access = [Access(f"dynamodb:{call.operation}", source)]
    if "TargetTableName" in params:
        target = table_arn(call, params["TargetTableName"])
        access += [Access(f"dynamodb:{action}", target) for action in RESTORING]
    return access


def table_arn(call: Call, name: str) -> str:
    """Give the one ARN of a table, which need not exist, whether it is called by name or by ARN."""
    if name.startswith("arn:"):
        try:
            name = table_name(call, name)
        except ServiceError:
            return name  # the operation will refuse it
    return f"arn:aws:dynamodb:{call.region}:{call.account_id}:table/{name}"


def _modern(request: Any) -> Any:
    """Give a request with expressions for its legacy parameters, so that conditions on attributes see through them."""
    if not isinstance(request, Mapping):
        return request
    try:
        return modern(request)
    except ServiceError:
        return request  # the operation will refuse it


def _batch_subjects(request: Any) -> list[Subject]:
    if isinstance(request, Mapping):  # BatchGetItem: one set of parameters, many keys
        return [(KEY, {**request, "Key": key}) for key in request["Keys"]]
    subjects: list[Subject] = [(PUT, write["PutRequest"]) for write in request if "PutRequest" in write]
    return subjects + [(KEY, write["DeleteRequest"]) for write in request if "DeleteRequest" in write]


class RequestContext(Mapping[str, Value]):
    """DynamoDB's condition keys of one request, each worked out when it is asked for."""

    __slots__ = ("_call", "_expressions", "_params", "_subjects", "_table", "_tables")

    def __init__(
        self,
        tables: KnownTables,
        expressions: Expressions,
        call: Call,
        table: str,
        subjects: Sequence[Subject],
        params: Params,
    ) -> None:
        self._tables = tables
        self._expressions = expressions
        self._call = call
        self._table = table
        self._subjects = subjects
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

    @property
    def table(self) -> str:
        """Give the name or ARN of the table that this is about."""
        return self._table

    def check(self) -> None:
        """Refuse a request whose condition keys cannot be told, where someone else would carry it out.

        Raises: ValidationException, UnknownTable.
        """
        table = self._tables.find(self._call, self._table)
        for kind, request in self._subjects:
            if not LEGACY_NAMES.isdisjoint(request):
                modern(request)  # which has raised before, or it would not be here in this form
                raise ValidationException("Legacy parameters cannot be read here: use expressions")
            index = request.get("IndexName", "")
            if index and index not in table.readable:
                raise ValidationException(f"The table does not have the specified index: {index}")
            try:
                self._read(kind, request, [])
                missing = kind != SCAN and self._leading_key(table, kind, request) is None
            except (ExpressionError, ItemValueError) as error:
                raise ValidationException(str(error)) from error
            if missing:
                raise ValidationException(NO_KEY)

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
        found = [self._leading_key(table, kind, request) for kind, request in self._subjects]
        return tuple(key for key in found if key is not None) or None

    def _leading_key(self, table: Table, kind: str, request: Params) -> str | None:
        """Give one partition key; None only where the operation has none (Scan) or will refuse the request."""
        name = table.items.keys.partition.name
        try:
            if kind == QUERY:
                index = table.readable.get(request.get("IndexName", ""))
                value = self._queried(request, name if index is None else index.keys.partition.name)
            elif kind == SCAN:
                return None
            else:
                value = request["Item" if kind == PUT else "Key"].get(name)
            if value is None:
                return None
            measure(value)
        except (ExpressionError, ItemValueError):
            return None
        return next((str(content) for content in value.values()), None)

    def _queried(self, request: Params, name: str) -> dict[str, Any] | None:
        values = _measured(request)
        names = request.get("ExpressionAttributeNames", {})
        condition = self._expressions.key_condition(request.get("KeyConditionExpression", ""), names, values)
        return next((values[part.values[0]] for part in condition.parts if part.name == name), None)

    def attributes(self) -> Value | None:
        """Give dynamodb:Attributes: the top-level attributes that the request names."""
        names: set[str] = set()
        for kind, request in self._subjects:
            if kind == PUT:
                names.update(request["Item"])
            elif kind == KEY:
                names.update(request["Key"])
            for used in self._used(kind, request):
                names.update(str(path[0]) for path in used.paths)
        return tuple(sorted(names)) or None

    def _used(self, kind: str, request: Params) -> list[Used]:
        found: list[Used] = []
        try:
            self._read(kind, request, found)
        except (ExpressionError, ItemValueError):
            return found  # the operation itself will refuse it
        return found

    def _read(self, kind: str, request: Params, found: list[Used]) -> None:
        """Collect what the request's expressions use. Raises: ExpressionError, ItemValueError."""
        names = request.get("ExpressionAttributeNames", {})
        expressions = self._expressions
        values = _measured(request)
        for parameter in _CONDITIONS.get(kind, _FILTERS):
            if parameter in request:
                compiled = expressions.condition(parameter, request[parameter], names, values)
                found.append(compiled.used)
        if kind == KEY and (text := request.get("UpdateExpression")) is not None:
            found.append(expressions.update(text, names, values).used)
        if kind != PUT and (text := request.get("ProjectionExpression")) is not None:
            found.append(expressions.projection(text, names).used)
        if kind == QUERY and (text := request.get("KeyConditionExpression")) is not None:
            found.append(expressions.key_condition(text, names, values).used)

    def select(self) -> Value | None:
        """Give dynamodb:Select, as given or as the request implies it."""
        operation = self._call.operation
        is_selected = operation in STATEMENTS and all(kind in {QUERY, SCAN} for kind, _ in self._subjects)
        if not is_selected and operation not in {"Query", "Scan", "GetItem", "BatchGetItem", "TransactGetItems"}:
            return None
        is_query = operation in {"Query", "Scan"}
        if is_query and "Select" in self._params:
            return str(self._params["Select"])
        if self._subjects and all("ProjectionExpression" in request for _, request in self._subjects):
            return "SPECIFIC_ATTRIBUTES"
        return "ALL_PROJECTED_ATTRIBUTES" if is_query and "IndexName" in self._params else "ALL_ATTRIBUTES"

    def return_values(self) -> Value | None:
        """Give dynamodb:ReturnValues of a write: what RETURNING says of a statement.

        A write that gives the whole item when its condition fails is one of ALL_OLD (unverified: AWS's key may not
        see that; but a policy that lets nobody read whole items means this way as well).
        """
        if any(request.get(ON_FAILURE) == "ALL_OLD" for _, request in self._subjects):
            return "ALL_OLD"
        if self._call.operation in STATEMENTS:
            writes = [request for kind, request in self._subjects if kind in {PUT, KEY}]
            return str(writes[0].get("ReturnValues", "NONE")) if writes else None
        if self._call.operation not in {"PutItem", "UpdateItem", "DeleteItem"}:
            return None
        return str(self._params.get("ReturnValues", "NONE"))

    def return_consumed_capacity(self) -> Value | None:
        """Give dynamodb:ReturnConsumedCapacity where the request has it."""
        return self._params.get("ReturnConsumedCapacity")

    def full_table_scan(self) -> Value | None:
        """Give dynamodb:FullTableScan of a SELECT: whether it reads everything."""
        kinds = {kind for kind, _ in self._subjects}
        if self._call.operation not in STATEMENTS or not kinds or not kinds <= {QUERY, SCAN}:
            return None
        return "true" if SCAN in kinds else "false"

    def enclosing_operation(self) -> Value | None:
        """Give dynamodb:EnclosingOperation inside a transaction."""
        operation = self._call.operation
        return operation if operation.startswith("Transact") else None


def _measured(request: Params) -> Mapping[str, Any]:
    values: Mapping[str, Any] = request.get("ExpressionAttributeValues", {})
    for value in values.values():
        measure(value)
    return values


_KEYS: Final[Mapping[str, Callable[[RequestContext], Value | None]]] = {
    "dynamodb:leadingkeys": RequestContext.leading_keys,
    "dynamodb:attributes": RequestContext.attributes,
    "dynamodb:select": RequestContext.select,
    "dynamodb:returnvalues": RequestContext.return_values,
    "dynamodb:returnconsumedcapacity": RequestContext.return_consumed_capacity,
    "dynamodb:fulltablescan": RequestContext.full_table_scan,
    "dynamodb:enclosingoperation": RequestContext.enclosing_operation,
}
