"""`gatepost rotate-key`: a new sealing key in front of the old ones."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from gatepost.cli.options import data_option, json_option
from gatepost.security.sealing import KEY_BYTES, KEY_VARIABLE, load_key, rotated
from gatepost.storage.data_directory import DataDirectory, write_durably

FILE = "seal.key"


@click.command("rotate-key")
@data_option
@json_option
def rotate_key_command(data_dir: Path, as_json: bool) -> None:
    """Seal by a new key from now on; the platform must be stopped.

    What older keys have sealed stays as it is, and they stay to open it, as in AWS's KMS: keep the whole file. A value
    is sealed by the new key when it is written again.
    """
    if os.environ.get(KEY_VARIABLE):
        raise click.ClickException(
            f"the key comes from {KEY_VARIABLE}: put 64 new hexadecimal digits (openssl rand -hex 32) before its own"
        )
    data = DataDirectory(data_dir.absolute())
    if data.owner() is not None:
        raise click.ClickException(f"the platform of {data.path} is running (process {data.owner()}): stop it first")
    path = data.path / FILE
    if not path.exists():
        raise click.ClickException(f"there is no {path}: nothing was sealed yet")
    keys = rotated(load_key(path))
    write_durably(path, keys, mode=0o600)
    count = len(keys) // KEY_BYTES
    click.echo(json.dumps({"keys": count}) if as_json else f"{path} has {count} keys now: keep a copy of it")
