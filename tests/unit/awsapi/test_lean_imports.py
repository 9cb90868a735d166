"""AWS's own Python stays out of our processes: it costs half a second and 28 MB."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import gatepost.awsapi.server, gatepost.awsapi.listener
from gatepost.awsapi.shapes import ServiceModels
from gatepost.awsapi.validation import CheckerCompiler
models = ServiceModels()
for service in models.index:
    model = models.get(service)
    checkers = CheckerCompiler("parsed")
    for name in model.operations:
        shape = model.operation(name).input
        if shape is not None:
            checkers.checker(shape)
heavy = {"botocore", "boto3", "yaml", "samtranslator", "click", "rich", "apsw"} & set(sys.modules)
sys.exit(f"imported: {sorted(heavy)}" if heavy else 0)
"""


def test_serving_every_model_imports_nothing_heavy() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
