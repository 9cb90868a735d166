import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_pure_wheel_builds_and_runs_in_an_empty_environment(tmp_path):
    """What a user installs is what we tested: templates, models and worker scripts are in the wheel."""
    run = {"check": True, "capture_output": True, "text": True, "timeout": 300}
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)], **run)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], **run)
    python = str(tmp_path / "venv" / "bin" / "python")
    constraints = str(ROOT / "constraints.txt")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--constraint", constraints]
    subprocess.run([*pip, str(wheel)], **run)
    script = (
        "import boto3, json, os, urllib.request\n"
        "client = boto3.client('iam')\n"
        "client.create_user(UserName='ada')\n"
        "print([user['UserName'] for user in client.list_users()['Users']])\n"
    )
    gatepost = str(tmp_path / "venv" / "bin" / "gatepost")
    ended = subprocess.run([gatepost, "exec", "--", python, "-c", script], cwd=tmp_path, **run)
    assert ended.stdout == "['ada']\n"
