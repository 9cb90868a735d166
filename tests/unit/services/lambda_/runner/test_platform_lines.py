"""What stands in a function's log."""

from __future__ import annotations

import json
import re

from gatepost.services.lambda_.runner.platform_lines import Ending
from tests.support.functions import LiveRunner


def test_text_lines_are_lambdas(runner: LiveRunner) -> None:
    function = runner.deploy(
        """
        import logging
        logging.getLogger().setLevel("INFO")
        def handler(event, context):
            print("one\\ntwo")
            print("no end", end="")
            logging.info("taken %s\\nand more", 3)
            context.log("by context")
        """
    )
    tail = runner.invoke(function, request_id="3c", wants_log_tail=True).log_tail.decode()
    log = runner.log(function)
    patterns = [
        r"INIT_START Runtime Version: python:3\.\d+\.gatepost\tRuntime Version ARN: arn:aws:lambda:.*\n",
        r"START RequestId: 3c Version: \$LATEST\n",
        r"one\n",
        r"two\n",
        r"no end",
        r"\[INFO\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t3c\ttaken 3\nand more\n",
        r"by context",
        r"END RequestId: 3c\n",
        r"REPORT RequestId: 3c\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\t"
        r"Max Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t\n",
    ]
    assert len(log) == len(patterns), log
    for line, pattern in zip(log, patterns, strict=True):
        assert re.fullmatch(pattern, line), (line, pattern)
    assert tail == "".join(log[1:])
    runner.invoke(function)
    assert "Init Duration" not in runner.log(function)[-1]


def test_json_lines_have_levels(runner: LiveRunner) -> None:
    code = """
        import logging
        def handler(event, context):
            logging.getLogger().debug("too low")
            logging.getLogger("shop").warning("careful", extra={"sku": 7})
            if event: raise ValueError("no")
        """
    function = runner.deploy(code, log_format="JSON", application_log_level="INFO", system_log_level="WARN")
    runner.invoke(function, 0, request_id="4d")
    [warning] = [json.loads(line) for line in runner.log(function)]
    assert (warning["level"], warning["message"], warning["logger"]) == ("WARNING", "careful", "shop")
    assert (warning["requestId"], warning["sku"]) == ("4d", 7)
    runner.invoke(function, 1, request_id="5e")
    error = json.loads(runner.log(function)[-1])
    assert (error["level"], error["errorType"], error["errorMessage"]) == ("ERROR", "ValueError", "no")


def test_json_lines_report_each_invocation(runner: LiveRunner) -> None:
    function = runner.deploy("def handler(event, context):\n    pass\n", log_format="JSON", system_log_level="INFO")
    runner.invoke(function, request_id="6f")
    lines = [json.loads(line) for line in runner.log(function)]
    assert [line["type"] for line in lines] == ["platform.initStart", "platform.start", "platform.report"]
    report = lines[-1]["record"]
    assert report["requestId"] == "6f"
    assert report["status"] == "success"
    assert report["metrics"]["memorySizeMB"] == 128


def test_a_duration_is_billed_in_whole_milliseconds_with_init() -> None:
    assert Ending(0.4, None, 128, 1).billed_ms == 1
    assert Ending(2.0, None, 128, 1).billed_ms == 2
    assert Ending(2.1, 3.0, 128, 1).billed_ms == 6
