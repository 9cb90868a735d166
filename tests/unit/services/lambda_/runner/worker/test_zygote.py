"""The zygote's own process, where the gateway goes away while it gets warm."""

import json
import socket
import subprocess
import sys
from pathlib import Path

from gatepost.services.lambda_.runner import worker

FOLDER = Path(worker.__file__).parent
SCRIPT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from gatepost.services.lambda_.runner.worker import zygote;"
    "zygote.main(int(sys.argv[2]), sys.argv[3])"
)
OPTIONS = {"sandbox": "", "packages_dir": ""}


def test_a_gateway_that_ends_while_the_zygote_gets_warm_is_no_error():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.close()
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(FOLDER.parents[4]), str(theirs.fileno()), json.dumps(OPTIONS)],
        pass_fds=[theirs.fileno()],
        capture_output=True,
        text=True,
        check=False,
    )
    theirs.close()
    assert (ended.returncode, ended.stderr) == (0, "")
