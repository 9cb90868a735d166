"""How fast mapping templates render and compile, beside airspeed-ext if an interpreter that has it is named.

    python -m benchmarks.vtl
    python3 -m venv /tmp/peer && /tmp/peer/bin/pip install airspeed-ext
    python -m benchmarks.vtl --peer /tmp/peer/bin/python

Both get the same templates and the same parsed values; times are this process's own, the best of five rounds. The bar:
rendering is at least five times as fast as the peer's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

BAR = 5.0
ROUNDS = 5

VALUES: dict[str, Any] = {
    "root": {
        "customer": {"name": "Jane", "id": "c-1"},
        "items": [
            {
                "sku": f"s-{number}",
                "quantity": number,
                "price": "9.99",
                "discounted": number % 2 == 0,
                "discount": "1.00",
            }
            for number in range(5)
        ],
        "note": "hi",
    },
    "context": {"requestId": "r-1", "stage": "prod", "identity": {"sourceIp": "192.0.2.1"}},
}

TEMPLATES = {
    "context": '{"id": "$context.requestId", "stage": "$context.stage", "ip": "$context.identity.sourceIp"}',
    "put item": """{
  "TableName": "orders",
  "Item": {
    "pk": {"S": "CUSTOMER#$root.customer.id"},
    "name": {"S": "$root.customer.name"},
    "note": {"S": "#if($root.note)$root.note#{else}none#end"},
    "request": {"S": "$context.requestId"}
  }
}""",
    "loop": """{"items": [
#foreach($item in $root.items)
{"sku": "$item.sku", "quantity": $item.quantity, "total": "#if($item.discounted)$item.discount#else$item.price#end"}
#if($foreach.hasNext),#end
#end
]}""",
    "logic": """#set($total = 0)
#foreach($item in $root.items)
#if($item.quantity > 1 && !$item.discounted)
#set($total = $total + $item.quantity * 2)
#elseif($item.sku == "s-0")
#set($total = $total + 1)
#end
#end
{"total": $total, "all": "$root.items.size()", "name": "$root.customer.name.toUpperCase()"}""",
}  # fmt: skip

PEER = """
import json, sys, time
import airspeed
given = json.load(sys.stdin)
def best(work, times):
    found = None
    for _ in range(given["rounds"]):
        begin = time.process_time()
        for _ in range(times):
            work()
        took = (time.process_time() - begin) / times * 1e6
        found = took if found is None else min(found, took)
    return found
result = {}
for name, text in given["templates"].items():
    values = given["values"]
    template = airspeed.Template(text)
    shown = template.merge(dict(values))
    render = best(lambda: template.merge(dict(values)), 500)
    compile_ = best(lambda: airspeed.Template(text).merge(dict(values)), 100) - render
    result[name] = {"render_us": render, "compile_us": compile_, "text": shown}
json.dump(result, sys.stdout)
"""


def best_us(work: Callable[[], object], times: int) -> float:
    """Give microseconds of one call."""
    found = float("inf")
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(times):
            work()
        found = min(found, (time.process_time() - begin) / times * 1e6)
    return found


def ours() -> dict[str, dict[str, Any]]:
    """Measure Gatepost's engine."""
    from gatepost.languages.vtl_compile import compile_template

    result: dict[str, dict[str, Any]] = {}
    for name, text in TEMPLATES.items():
        template = compile_template(text)
        result[name] = {
            "render_us": best_us(lambda template=template: template.render(VALUES), 5_000),
            "compile_us": best_us(lambda text=text: compile_template(text), 300),
            "text": template.render(VALUES),
        }
    return result


def theirs(interpreter: str) -> dict[str, dict[str, Any]]:
    """Measure the peer, in its own interpreter."""
    given = json.dumps({"templates": TEMPLATES, "values": VALUES, "rounds": ROUNDS})
    done = subprocess.run([interpreter, "-c", PEER], input=given, capture_output=True, text=True, check=True)
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def main() -> int:
    """Print the table; fail when the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="a Python interpreter that has airspeed-ext")
    options = parser.parse_args()
    mine = ours()
    peer = theirs(options.peer) if options.peer else {}
    print(f"{'template':10} {'compile us':>11} {'render us':>10} {'peer compile':>13} {'peer render':>12} {'times':>6}")
    slowest = float("inf")
    for name, figures in mine.items():
        line = f"{name:10} {figures['compile_us']:11.1f} {figures['render_us']:10.2f}"
        if name in peer:
            times = peer[name]["render_us"] / figures["render_us"]
            slowest = min(slowest, times)
            same = "" if peer[name]["text"].split() == figures["text"].split() else "  (other text)"
            line += f" {peer[name]['compile_us']:13.1f} {peer[name]['render_us']:12.2f} {times:6.1f}{same}"
        print(line)
    return 0 if slowest >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
