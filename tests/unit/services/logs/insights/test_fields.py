"""What a query can ask of an event."""

from __future__ import annotations

from gatepost.services.logs.events import Place, StoredEvent
from gatepost.services.logs.insights.fields import row_of


def a_row(message: str, group: str = "/aws/lambda/f"):
    row = row_of(StoredEvent(Place(5, 1, 2), "s", message, 9), account_id="1", group=group)
    own = {"@timestamp", "@message", "@logStream", "@log", "@ingestionTime", "@ptr"}
    assert own <= set(row)
    return {name: value for name, value in row.items() if name not in own}


def test_fields_of_json_are_found_at_every_depth() -> None:
    message = '{"a": {"b": [1, {"c": "x"}]}, "ok": true, "none": null, "@message": "mine"}'
    assert a_row(message) == {"a.b.0": 1.0, "a.b.1.c": "x", "ok": "1"}
    assert a_row("{broken") == {}


def test_lambdas_lines_tell_of_their_invocation() -> None:
    request_id = "4d9fa4a7-2cfb-454b-95c8-fe49f8e76d4e"
    report = (
        f"REPORT RequestId: {request_id}\tDuration: 2.45 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 39 MB\tInit Duration: 0.46 ms\t\n"
    )
    assert a_row(report) == {
        "@type": "REPORT", "@requestId": request_id, "@duration": 2.45, "@billedDuration": 3.0, "@memorySize": 128e6,
        "@maxMemoryUsed": 39e6, "@initDuration": 0.46,
    }  # fmt: skip
    assert a_row(f"START RequestId: {request_id} Version: 1") == {"@type": "START", "@requestId": request_id}
    assert a_row(report, group="mine") == {}
