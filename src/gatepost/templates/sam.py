"""SAM templates through AWS's own translator, in a short-lived process; what it gave is kept by content hash."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, Final

from gatepost.kernel.ids import random_id
from gatepost.templates.document import Whereabouts
from gatepost.templates.problems import Path, Problem, TemplateRefused

TRANSLATION_S_MAX: Final = 300.0  # by the clock, however busy the machine is; see `sam_process.CPU_S_MAX`
CACHE_FORMAT: Final = "2"  # goes up when what is cached changes its form
CACHED_FILES_MAX: Final = 500
NAMED_DEPTH_MAX: Final = 6
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")


class SamTranslator:
    """Translates SAM templates; results are cached below `cache_dir`."""

    def __init__(self, cache_dir: FilePath) -> None:
        self._cache_dir = cache_dir / "sam"

    async def translate(
        self, raw: Mapping[str, Any], where: Whereabouts, *, given: Mapping[str, str], region: str
    ) -> tuple[dict[str, Any], Whereabouts]:
        """Give the template in CloudFormation's own types, and where its parts come from.

        Raises: TemplateRefused.
        """
        template = {key: value for key, value in raw.items() if key != "Transform"}
        job = {"template": template, "parameters": dict(given), "region": region}
        text = json.dumps(job, sort_keys=True)
        cached = self._cache_dir / f"{_digest(text)}.json"
        result = _read(cached)
        if result is None:
            # The order of keys matters to the ids that SAM hashes, so the job goes unsorted.
            result = await self._run(json.dumps(job).encode(), where, region)
            if "template" in result:
                _write(cached, result)
        if "problems" in result:
            raise TemplateRefused([_problem(fault, where) for fault in result["problems"]])
        origins: dict[Path, Path] = dict(where.origins)
        for logical_id, origin in result["origins"].items():
            origins.setdefault(("Resources", logical_id), where.origin(("Resources", origin)))
        return result["template"], Whereabouts(where.source, origins)

    async def _run(self, job: bytes, where: Whereabouts, region: str) -> dict[str, Any]:
        # The translator asks boto3 for its region; nothing of the operator's own AWS settings may reach it.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        environment |= {
            "AWS_DEFAULT_REGION": region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "gatepost.templates.sam_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        late = asyncio.get_running_loop().call_later(TRANSLATION_S_MAX, process.kill)
        try:
            output, errors = await process.communicate(job)
        finally:
            late.cancel()
            if process.returncode is None:
                process.kill()
        if process.returncode in (-signal.SIGXCPU, -signal.SIGKILL):  # the kernel's limit; ours, or no memory left
            reason = "SAM's translator needed more time than it is given, or there was no memory left: try again"
            raise where.refuse(("Transform",), reason)
        if process.returncode != 0:
            last = errors.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
            reason = f"SAM's translator ended with {process.returncode}: {last[0]}"
            raise where.refuse(("Transform",), reason)
        result: dict[str, Any] = json.loads(output)
        return result


def _digest(text: str) -> str:
    version = importlib.metadata.version("aws-sam-translator")
    return hashlib.sha256(f"{CACHE_FORMAT}\0{version}\0{text}".encode()).hexdigest()


def _problem(fault: Mapping[str, str], where: Whereabouts) -> Problem:
    logical_id = fault.get("logical_id", "")
    if logical_id == "Globals":  # the translator calls the section by the name of a resource
        return where.problem(_deepest(where, ("Globals",), fault["message"]), fault["message"])
    if not logical_id:
        return where.problem((), fault["message"])
    origin = where.origin(("Resources", logical_id))
    if named := fault.get("property"):
        path: Path = (*origin, "Properties", named)
    else:
        path = _deepest(where, (*origin, "Properties"), fault["message"])
    return where.problem(path if where.source.node(path) is not None else origin, fault["message"])


def _deepest(where: Whereabouts, path: Path, message: str) -> Path:
    """Follow the names in a complaint down the source, as far as they are keys there."""
    words = ["Events" if word == "Event" else word for word in _WORD.findall(message)]
    for _ in range(NAMED_DEPTH_MAX):
        node = where.source.node(path)
        inner = node.value if node is not None and isinstance(node.value, dict) else {}
        key = next((word for word in words if word in inner), "Properties" if len(path) > 3 else "")
        if key not in inner:
            break
        path = (*path, key)
    return path


def _read(path: FilePath) -> dict[str, Any] | None:
    try:
        result: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return result


def _write(path: FilePath, result: Mapping[str, Any]) -> None:
    """Put a result into the cache: whole or not at all. A cache that cannot be written is only slower."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{random_id(8)}")
        fresh.write_text(json.dumps(result))
        fresh.replace(path)
        kept = sorted(path.parent.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
        for old in kept[CACHED_FILES_MAX:]:
            old.unlink(missing_ok=True)
    except OSError:
        return
