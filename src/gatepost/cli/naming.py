"""How a template's path becomes the template itself, and a stack's name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from gatepost.kernel.errors import SettingsError

STACK_NAME_MAX: Final = 128
TEMPLATE_NAMES: Final = ("template.yaml", "template.yml", "template.json")


def template_of(path: Path) -> Path:
    """Give the template that `path` means: itself, or the one in a folder. Raises: SettingsError."""
    if not path.is_dir():
        return path
    for name in TEMPLATE_NAMES:
        if (path / name).is_file():
            return path / name
    raise SettingsError(f"{path} holds no {', '.join(TEMPLATE_NAMES)} and no cdk.out manifest")


def stack_name_of(template: Path) -> str:
    """Derive a stack's name: of the folder for `template.yaml`, else of the file."""
    path = template.absolute()
    stem = path.parent.name if path.stem in {"template", "packaged"} else path.stem
    if path.parent.name == "build" and path.parent.parent.name == ".aws-sam":
        stem = path.parent.parent.parent.name
    name = re.sub(r"[^A-Za-z0-9-]+", "-", stem).strip("-")
    if not name or not name[0].isalpha():
        name = f"stack-{name}".rstrip("-")
    return name[:STACK_NAME_MAX]
