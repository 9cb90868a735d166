import json
import logging
import subprocess
import sys
from pathlib import Path

from gatepost.app.child import JsonLines, Orders
from gatepost.config import Settings


def test_orders_survive_the_way_to_the_process():
    settings = Settings(
        data_dir=Path("/data"), parameters=(("A", "b=c"),), templates=(Path("/t.yaml"),), any_credentials=True
    )
    orders = Orders(
        role="gateway-2",
        settings=settings,
        sockets=(3, 4, 5, 6),
        ports=(1, 2, 3, 4),
        link_path="/l",
        report=9,
        supervisor=1,
        number=2,
        doors=((7, 8, 9), (10, 11, 12)),
    )
    assert Orders.from_json(orders.to_json()) == orders
    assert orders.gateway_doors() == ((3, 4, 6), (7, 8, 9), (10, 11, 12))


def test_our_log_is_one_json_object_a_line():
    record = logging.makeLogRecord({"name": "gatepost.x", "msg": "refused", "levelname": "INFO", "reason": "too long"})
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line)["event"] == "refused"
    assert json.loads(line)["reason"] == "too long"


def test_a_disk_that_takes_no_log_floods_no_terminal():
    script = (
        "import logging, pathlib; from gatepost.app.child import log_to; log_to(pathlib.Path('/dev/full'));"
        "logging.getLogger('gatepost').info('refused')"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_role_may_open_more_files_than_a_shell_starts_it_with():
    script = (
        "import resource; hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1];"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, min(hard, 512)));"
        "from gatepost.app.child import allow_many_files; print(allow_many_files())"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "512"
