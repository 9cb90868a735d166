"""Suite 3: DynamoDB beside moto's server, MiniStack and dynalite; and the cost of a GetItem in a large table."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from benchmarks.figures import COMPILED, GATEPOST, Case, Metric, Suite
from benchmarks.installation import Installation
from benchmarks.load.generators import run_wrk
from benchmarks.load.requests import write
from benchmarks.load.tables import Signer, fill
from benchmarks.options import HOME, Cores, Options
from benchmarks.peers.aws import Aws
from benchmarks.peers.dynalite import Dynalite
from benchmarks.peers.gatepost import Gatepost
from benchmarks.peers.ministack import MiniStack
from benchmarks.peers.moto import Moto
from benchmarks.processes import PeerFailed
from benchmarks.rounds import interleave

CONNECTIONS: Final = 32
OURS: Final = (GATEPOST, COMPILED)
TABLE: Final = "Orders"
LARGE: Final = "OrdersLarge"
ITEMS: Final = 1_000
PER_CUSTOMER: Final = 100  # items under one partition key: what one Query gives
INDEXED: Final = "OrdersIndexed"  # with a global index of everything
STREAMED: Final = "OrdersStreamed"  # with a stream of both images
TABLES: Final = (TABLE, INDEXED, STREAMED)


class Work(NamedTuple):
    """One table of the report: an operation on a table, and what it is called."""

    operation: str
    table: str
    title: str


WORKS: Final = {
    "GetItem": Work("GetItem", TABLE, "GetItem"),
    "PutItem": Work("PutItem", TABLE, "PutItem"),
    "Query": Work("Query", TABLE, f"Query of {PER_CUSTOMER} items"),
    "indexed": Work("PutItem", INDEXED, "PutItem into a table with a global index of whole items"),
    "streamed": Work("PutItem", STREAMED, "PutItem into a table with a stream of new and old images"),
    "transaction": Work("TransactWriteItems", TABLE, "TransactWriteItems of two items"),
}
METRICS: Final = (Metric("requests/s"), Metric("per CPU-second"), Metric("p50 µs", more_is_better=False))
HOW: Final = [
    f"{CONNECTIONS} keep-alive connections of wrk, requests signed (SigV4) before the clock starts, each key in turn. "
    f"A table with partition and sort key, {ITEMS:,} items of about 400 bytes; Query gives {PER_CUSTOMER} of them.",
    "Gatepost verifies every signature and evaluates the policy of an IAM user who may use these tables only. moto and "
    "MiniStack run as they start (no checks), dynalite checks neither.",
    "Every answer has status 200, or the server is out.",
]


def item(number: int, version: int = 0) -> dict[str, Any]:
    """Give an order in wire form: about 400 bytes of JSON. Writing one version over another changes it."""
    return {
        "customer": {"S": f"customer#{number // PER_CUSTOMER:07d}"},
        "order": {"S": f"order#{number:09d}"},
        "status": {"S": ("SHIPPED", "ORDERED")[version]},
        "total": {"N": f"{number % 1000}.95"},
        "paid": {"BOOL": True},
        "lines": {"L": [{"M": {"sku": {"S": "walnut-board"}, "count": {"N": "2"}}}]},
        "address": {"M": {"street": {"S": "12 Harbour Road"}, "city": {"S": "Rotterdam"}, "zip": {"S": "3011 AB"}}},
        "note": {"S": "leave the parcel with the neighbours if nobody answers the door"},
    }


def key(number: int) -> dict[str, Any]:
    """Give the key of an order."""
    whole = item(number)
    return {"customer": whole["customer"], "order": whole["order"]}


def body(operation: str, number: int, table: str = TABLE, version: int = 0) -> bytes:
    """Give one operation's parameters."""
    if operation == "GetItem":
        params = {"TableName": table, "Key": key(number)}
    elif operation == "PutItem":
        params = {"TableName": table, "Item": item(number, version)}
    elif operation == "TransactWriteItems":
        both = (number, (number + ITEMS // 2) % ITEMS)
        params = {"TransactItems": [{"Put": {"TableName": table, "Item": item(one, version)}} for one in both]}
    else:
        params = {
            "TableName": table,
            "KeyConditionExpression": "customer = :customer",
            "ExpressionAttributeValues": {":customer": item(number)["customer"]},
        }
    return json.dumps(params).encode()


def create_table(aws: Aws, name: str) -> None:
    """Create a table and wait until it can be used."""
    client = aws.client("dynamodb")
    more: dict[str, Any] = {}
    attributes = [
        {"AttributeName": "customer", "AttributeType": "S"},
        {"AttributeName": "order", "AttributeType": "S"},
    ]
    if name == INDEXED:
        attributes.append({"AttributeName": "status", "AttributeType": "S"})
        keys = [{"AttributeName": "status", "KeyType": "HASH"}]
        index = {"IndexName": "by-status", "KeySchema": keys, "Projection": {"ProjectionType": "ALL"}}
        more["GlobalSecondaryIndexes"] = [index]
    if name == STREAMED:
        more["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    client.create_table(
        TableName=name,
        AttributeDefinitions=attributes,
        KeySchema=[
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "order", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})


def batches(table: str, count: int) -> Iterator[bytes]:
    """Give BatchWriteItem bodies that write `count` orders."""
    for first in range(0, count, 25):
        requests = [{"PutRequest": {"Item": item(n)}} for n in range(first, min(first + 25, count))]
        yield json.dumps({"RequestItems": {table: requests}}).encode()


def run(options: Options, cores: Cores, installation: Installation) -> Suite:
    """Measure the suite."""
    suite = Suite("tables", "Tables: DynamoDB on one core", list(HOW))
    for name, work in WORKS.items():
        suite.case(name, work.title, *METRICS)
    running: dict[str, tuple[Any, Signer]] = {}
    try:
        for name in (GATEPOST, COMPILED, "moto server", "MiniStack", "dynalite"):
            try:
                running[name] = _start(name, options, cores, installation)
                suite.configurations[name] = running[name][0].configuration
            except PeerFailed as error:
                for case in suite.cases.values():
                    case.missing[name] = str(error)
        for name, work in WORKS.items():
            _measure(work, suite.cases[name], running, options, cores)
        for name in [name for name in running if name != "Gatepost"]:
            running.pop(name)[0].stop()
        if "Gatepost" in running:
            _measure_sizes(suite, running["Gatepost"], options, cores)
    finally:
        for server, _ in running.values():
            server.stop()
    return suite


def _start(name: str, options: Options, cores: Cores, installation: Installation) -> tuple[Any, Signer]:
    """Start one server with a filled table. Raises: PeerFailed."""
    core = str(cores.server)
    program = "gatepost-compiled" if name == COMPILED else name.split(maxsplit=1)[0].lower()
    if program in installation.missing:
        raise PeerFailed(installation.missing[program])
    server: Any
    if name in OURS:
        source = installation.compiled if name == COMPILED else None
        folder = "tables-compiled" if source else "tables"
        server = Gatepost(folder, cores=core, durability=options.durability, source=source)
    elif name == "dynalite":
        server = Dynalite(installation.programs[program].path, cores=core)
    else:
        server = (Moto if name == "moto server" else MiniStack)(installation.programs[program].path, cores=core)
    try:
        server.wait()
        aws = server.aws()
        for table in TABLES:
            create_table(aws, table)
        fill(Signer(aws.port, aws.access_key_id, aws.secret_access_key), batches(TABLE, ITEMS), seconds_max=60)
        user = aws.create_limited_user(*TABLES) if name in OURS else (aws.access_key_id, aws.secret_access_key)
        return server, Signer(aws.port, *user)
    except PeerFailed:
        server.stop()
        raise
    except Exception as error:
        server.stop()
        raise PeerFailed(f"{type(error).__name__}: {error}") from error


def _measure(work: Work, case: Case, running: dict[str, tuple[Any, Signer]], options: Options, cores: Cores) -> None:
    operation, step = work.operation, PER_CUSTOMER if work.operation == "Query" else 1

    def measure(name: str, is_counted: bool) -> None:
        server, signer = running[name]
        # A signature holds for five minutes, so it is made anew for each measurement.
        file = write(
            HOME / "run" / f"requests-{operation}-{signer.port}",
            (
                signer.request(operation, body(operation, number, work.table, version))
                for version in (0, 1)
                for number in range(0, ITEMS, step)
            ),
        )
        seconds = options.seconds if is_counted else 1.0
        load = run_wrk(
            server.process, file, signer.port, connections=CONNECTIONS, seconds=seconds, cores=str(cores.load)
        )
        if is_counted:
            case.add(
                name,
                **{"requests/s": load.per_second, "per CPU-second": load.per_cpu_second, "p50 µs": load.p50_us},
            )

    interleave(list(running), options.rounds, measure, case)


def _measure_sizes(suite: Suite, gatepost: tuple[Gatepost, Signer], options: Options, cores: Cores) -> None:
    """Compare reads of the small table with those of a large one in the same platform."""
    server, _ = gatepost
    aws = server.aws()
    signer = Signer(aws.port, aws.access_key_id, aws.secret_access_key)
    create_table(aws, LARGE)
    loaded = 25 * fill(signer, batches(LARGE, options.large_table_items), seconds_max=options.large_table_seconds_max)
    sizes = {"small": (TABLE, ITEMS), "large": (LARGE, loaded)}
    for key, operation, count in (("size", "GetItem", 20_000), ("size-query", "Query", 4_000)):
        title = f"CPU of a {operation} in a table of {ITEMS:,} and of {loaded:,} items"
        case = suite.case(key, title, Metric("µs CPU", "{:.1f}"))
        case.notes.append(
            f"The same platform holds both tables; {count:,} keys in random order, signed by the administrator."
        )
        if loaded < options.large_table_items:
            case.notes.append(f"Loading was ended after {options.large_table_seconds_max:g} s.")
        _measure_size(operation, count, case, sizes, (server, signer), options, cores)


def _measure_size(
    operation: str,
    count: int,
    case: Case,
    sizes: Mapping[str, tuple[str, int]],
    gatepost: tuple[Gatepost, Signer],
    options: Options,
    cores: Cores,
) -> None:
    server, signer = gatepost

    def measure(name: str, is_counted: bool) -> None:
        table, items = sizes[name]
        chosen = random.Random(7)
        file = write(
            HOME / "run" / "requests-size",
            (signer.request(operation, body(operation, chosen.randrange(items), table)) for _ in range(count)),
        )
        load = run_wrk(
            server.process,
            file,
            signer.port,
            connections=CONNECTIONS,
            seconds=options.seconds if is_counted else 2.0,
            cores=str(cores.load),
        )
        if is_counted:
            case.add(name, **{"µs CPU": 1e6 * load.cpu_seconds / load.requests})

    interleave(list(sizes), options.rounds, measure, case)
