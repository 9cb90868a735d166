"""Judge a template without a platform: for `gatepost ledger`, and before anything is sent.

The same compiler as the engine's runs here, with the same cache, so a refusal is the same in both places.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from gatepost.kernel.errors import SettingsError
from gatepost.templates.acceptance import Acceptance, parse_accept_file
from gatepost.templates.compile import Compiled, Place, TemplateCompiler
from gatepost.templates.packaging import ACCEPT_FILE


class LocalFiles:
    """Files that were uploaded from this machine, by the location that the packaged template gives them."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files  # by SHA-256

    def read(self, location: str) -> str | None:
        """Give a file's text, or None. Raises: SettingsError."""
        for sha256, path in self._files.items():
            if sha256 in location:
                try:
                    return path.read_text(encoding="utf-8")
                except (OSError, UnicodeDecodeError) as fault:
                    raise SettingsError(f"{path}: {fault}") from fault
        return None


def acceptance_beside(template: Path, base: Acceptance, *, today: date) -> Acceptance:
    """Give `base` with the entries of the `gatepost.accept` file beside a template. Raises: TemplateRefused."""
    file = template.parent / ACCEPT_FILE
    if not file.is_file():
        return base
    return base.with_gaps(parse_accept_file(file.read_text(encoding="utf-8"), file=str(file), today=today))


async def check_template(
    compiler: TemplateCompiler,
    text: str,
    *,
    file: str,
    parameters: Mapping[str, str],
    account_id: str,
    region: str,
    stack_name: str,
    files: Mapping[str, Path],
    acceptance: Acceptance,
    exports: Mapping[str, str] | None = None,
) -> Compiled:
    """Compile a packaged template for a stack of this name. Raises: TemplateRefused, SettingsError."""
    stack_id = f"arn:aws:cloudformation:{region}:{account_id}:stack/{stack_name}/00000000-0000-0000-0000-000000000000"
    return await compiler.compile(
        text,
        file=file,
        given=parameters,
        place=Place(account_id, region, stack_name, stack_id),
        files=LocalFiles(files),
        exports=exports or {},
        acceptance=acceptance,
    )
