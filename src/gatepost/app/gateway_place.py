"""Which of a machine's gateway processes this one is, and where it keeps what is its own.

The first has the places of a gateway that is alone, so that a platform may be started with one process today and with
four tomorrow. What a former process has left stands until it is taken over: `former`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gatepost.services.lambda_.runner.settings import RunnerSettings, workers_that_fit
from gatepost.storage.data_directory import DataDirectory

JOURNAL: Final = "usage.journal"
_FOLDER: Final = "worker-"


def role_name(number: int) -> str:
    """Give the name of a gateway process in `status` and of its log, by its number from 1 on."""
    return "gateway" if number == 1 else f"gateway-{number}"


def gateway_id(number: int) -> str:
    """Give the name by which services knows a gateway process of this machine."""
    return "local" if number == 1 else f"local-{number}"


@dataclass(frozen=True, slots=True)
class GatewayPlace:
    """One of `count` gateway processes, numbered from 1 on."""

    data: DataDirectory
    number: int = 1
    count: int = 1

    @property
    def gateway_id(self) -> str:
        """The name by which services knows it."""
        return gateway_id(self.number)

    @property
    def folder(self) -> Path:
        """Snapshot, usage journal, access log."""
        return self._of(self.data.gateway)

    @property
    def functions(self) -> Path:
        """Extracted code."""
        return self._of(self.data.functions)

    @property
    def cache(self) -> Path:
        """What can be made again."""
        return self._of(self.data.cache)

    def prepare(self) -> None:
        """Make the folders. Raises: OSError."""
        for folder, mode in ((self.folder, 0o700), (self.functions, 0o711), (self.cache, 0o700)):
            folder.mkdir(exist_ok=True)
            if self.number > 1:
                folder.chmod(mode)

    def other_journals(self) -> dict[str, Path]:
        """Give the usage journals of all other gateway processes, now and formerly, by their names."""
        found = {path.parent.name: path for path in self.data.gateway.glob(f"{_FOLDER}*/{JOURNAL}")}
        others = {gateway_id(int(name.removeprefix(_FOLDER))): path for name, path in found.items()}
        others[gateway_id(1)] = self.data.gateway / JOURNAL
        others.pop(self.gateway_id, None)
        return {name: path for name, path in others.items() if path.exists()}

    def former_journals(self) -> dict[str, Path]:
        """Give the journals that the first process takes over: of processes that there are no more."""
        if self.number > 1:
            return {}
        current = {gateway_id(number) for number in range(1, self.count + 1)}
        return {name: path for name, path in self.other_journals().items() if name not in current}

    def runner_settings(self, *, concurrency: int, scaling: int, function: str, port: int) -> RunnerSettings:
        """Give this process's share of the machine's workers, of their users, and of what stands ready."""
        if self.count == 1:
            return RunnerSettings(
                concurrency_max=concurrency, scaling_per_10_s=scaling, debug_function=function, debug_port=port
            )
        whole = RunnerSettings()
        users = whole.uid_count // self.count
        return RunnerSettings(
            workers_max=max(1, workers_that_fit() // self.count),
            concurrency_max=concurrency,
            scaling_per_10_s=scaling,
            uid_first=whole.uid_first + (self.number - 1) * users,
            uid_count=users,
            share=(self.number - 1, self.count),
        )

    def _of(self, folder: Path) -> Path:
        return folder if self.number == 1 else folder / f"{_FOLDER}{self.number}"
