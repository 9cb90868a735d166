"""`up --watch`: what is saved takes effect.

A save below a function's code folder goes the short way: the folder is packed and UpdateFunctionCode called, so that
the next request runs the new code. Once it is quiet, and no newer save has come, the stack is brought to the same state
the usual way, in the background; what it records is then what runs. Everything else that a template is made of, itself
included, goes the usual way at once. What cannot be compiled, or deployed, changes nothing and is said with its line.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from gatepost.cli.deploy import SUCCESS, failure_of, targets
from gatepost.cli.endpoint import Endpoint, OperationFailed
from gatepost.cli.stack_deployment import Deployer, DeploymentFailed, Target
from gatepost.cli.syntax import SyntaxCheck
from gatepost.cli.watched_files import WatchedFiles, stamp_of
from gatepost.config import Settings
from gatepost.kernel.errors import SettingsError
from gatepost.templates.asset_files import BUCKET
from gatepost.templates.packaging import PackagedFunction, Packager
from gatepost.templates.problems import TemplateRefused

STEP_MS: Final = 10  # how long a change waits for others that belong to it
DEBOUNCE_MS: Final = 200  # at most
FILES_SHOWN: Final = 3
MENDED_S: Final = 0.3  # between looks at a template that cannot be read
POLL_MS: Final = 300  # where the system cannot tell of changes
QUIET_MS: Final = 1_500  # without a save, until the stack is brought to the same state

Tell = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True)
class Project:
    """One template, as it was deployed last."""

    template: Path
    targets: list[Target] = field(default_factory=list)
    code: dict[tuple[str, str], str] = field(default_factory=dict)  # SHA-256 that runs, by stack and logical id
    physical: dict[tuple[str, str], str] = field(default_factory=dict)  # functions' names
    stamps: dict[Path, int] = field(default_factory=dict)  # of what a whole deployment was made of
    broken: dict[Path, set[Path]] = field(default_factory=dict)  # files that could not be compiled, by code folder
    told: dict[Path, str] = field(default_factory=dict)  # what is broken, by code folder: said once
    is_ahead: bool = False  # functions run newer code than the stack records
    is_due: bool = False  # the template was saved while a file was broken
    saves: int = 0

    def functions(self, folder: Path) -> list[tuple[str, PackagedFunction]] | None:
        """Give the functions whose code a folder is, with their stacks; None: new code takes a whole deployment."""
        found = [
            (target.stack_name, function)
            for target in self.targets
            for function in target.packaged.functions
            if function.code == folder
        ]
        # A folder that is a layer's, or a nested template's, too is named more often than functions have it.
        uses = sum(target.packaged.folders.count(folder) for target in self.targets)
        is_simple = bool(found) and uses <= len(found) and all(function.is_plain for _, function in found)
        return found if is_simple else None

    def note(self) -> None:
        """Note how everything looks that only a whole deployment puts into effect. Call it before one."""
        whole = {_main_file(self.template)}
        for target in self.targets:
            whole.update(target.packaged.files)
            whole.update(folder for folder in target.packaged.folders if self.functions(folder) is None)
        self.stamps = {path: stamp_of(path) for path in whole}

    def saved_since(self) -> list[Path]:
        """Give what was saved since `note`."""
        return [path for path, stamp in self.stamps.items() if stamp_of(path) != stamp]

    def files(self) -> WatchedFiles:
        """Give what there is to watch."""
        files = [path for target in self.targets for path in target.packaged.files]
        folders = [path for target in self.targets for path in target.packaged.folders]
        return WatchedFiles(files or [_main_file(self.template)], folders)


def _main_file(template: Path) -> Path:
    return template / "manifest.json" if template.is_dir() else template


class Watcher:
    """Watches what `up` has deployed until it is told to stop. `tell` hears of each effect, as JSON values."""

    def __init__(self, endpoint: Endpoint, settings: Settings, stack_name: str | None, *, tell: Tell) -> None:
        self._endpoint = endpoint.another()
        self._settings = settings
        self._stack_name = stack_name
        self._tell = tell
        self._cache = settings.data_dir.absolute() / "cache"
        self._packager = self._a_packager(self._endpoint)
        self._syntax = SyntaxCheck()
        self._projects = [Project(template) for template in settings.templates]
        self._deploying = threading.Lock()  # one change of the platform at a time
        self._packing = threading.Lock()  # the packager is for one at a time
        self._settling: threading.Thread | None = None
        self.stopping = threading.Event()

    def run(self) -> None:
        """Watch until `stopping` is set. Blocks: it is for a thread of its own."""
        try:
            for project in self._projects:
                self._learn_first(project)
            threading.Thread(target=self._prepare, name="prepare code", daemon=True).start()
            while not self.stopping.is_set():
                self._watch()
        except (OSError, OperationFailed, click.ClickException) as error:
            if not self.stopping.is_set():
                self._tell({"watch": "ended", "error": _words(error)})
        finally:
            self._syntax.close()
            if self._settling is not None:
                self._settling.join(10)

    def _a_packager(self, endpoint: Endpoint) -> Packager:
        return Deployer(endpoint, say=lambda line: self._tell({"watch": line})).packager(self._cache)

    # --- what there is -----------------------------------------------------------------------------------------

    def _package(self, project: Project, endpoint: Endpoint) -> list[Target]:
        return list(
            targets(
                endpoint,
                project.template,
                self._stack_name,
                dict(self._settings.parameters),
                is_lenient=self._settings.is_lenient,
                cache=self._cache,
            )
        )

    def _learn_first(self, project: Project) -> None:
        """Learn what was deployed; a template that was broken since has to be mended first."""
        told = ""
        project.note()
        while not self.stopping.is_set():
            try:
                self._learn(project)
                return
            except (TemplateRefused, SettingsError) as error:
                if told != str(error):
                    told = str(error)
                    self._tell(
                        {"watch": "kept", "error": f"{_words(error)}\n{project.template} stays as it was deployed"}
                    )
                project.stamps = dict.fromkeys(project.stamps, 0)  # it is deployed when it can be
            self.stopping.wait(MENDED_S)

    def _learn(self, project: Project) -> None:
        """Note what a template was made of and what its functions are called."""
        before = dict(project.stamps)
        project.targets = self._package(project, self._endpoint)
        project.note()
        project.stamps |= before  # what was saved during the deployment is still to be deployed
        project.physical, project.code = {}, {}
        for target in project.targets:
            found = self._endpoint.call(
                "cloudformation", "DescribeStackResources", StackName=target.stack_name
            )["StackResources"]  # fmt: skip
            for resource in found:
                if resource["ResourceType"] == "AWS::Lambda::Function" and "PhysicalResourceId" in resource:
                    key = target.stack_name, resource["LogicalResourceId"]
                    project.physical[key] = resource["PhysicalResourceId"]
            for function in target.packaged.functions:
                self._syntax.prepare(function.runtime)
                name = project.physical.get((target.stack_name, function.logical_id))
                if name is not None:
                    digest = self._endpoint.call("lambda", "GetFunctionConfiguration", FunctionName=name)["CodeSha256"]
                    project.code[target.stack_name, function.logical_id] = base64.b64decode(digest).hex()

    # --- changes -----------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Watch until what is watched has to be looked up anew."""
        # https://watchfiles.helpmanual.io/api/rust_backend/: unlike `watch`, it tells when it has begun to watch.
        from watchfiles._rust_notify import RustNotify

        watched = [(project, project.files()) for project in self._projects]
        places = sorted({str(place) for _, files in watched for place in files.places()})
        with RustNotify(places, False, False, POLL_MS, False, True) as notifier:
            if self._catch_up():
                return
            while True:
                found = notifier.watch(DEBOUNCE_MS, STEP_MS, QUIET_MS, self.stopping)
                if found == "timeout":
                    self._settle()
                    continue
                if isinstance(found, str):  # stop, signal
                    self.stopping.set()
                    return
                paths = [Path(path) for _, path in found]
                are_old = [self._changed(project, files, paths) for project, files in watched]  # all of them hear of it
                if any(are_old):
                    return

    def _changed(self, project: Project, files: WatchedFiles, paths: Iterable[Path]) -> bool:
        """Put what changed into effect; say whether there is something else to watch now."""
        meaning = files.meaning(paths)
        if meaning.files:
            self._redeploy(project, sorted(meaning.files))
            return True
        for folder, changed in meaning.code.items():
            functions = project.functions(folder)
            if functions is None:
                if not self._is_broken(project, folder, changed):
                    self._redeploy(project, changed)
                    return True
            else:
                self._update(project, folder, functions, changed)
        if project.is_due and not project.broken:
            self._redeploy(project, [project.template])
            return True
        return meaning.has_new_folders

    def _catch_up(self) -> bool:
        """Put into effect what was saved while nobody watched; say whether there is something else to watch now."""
        is_old = False
        for project in self._projects:
            if saved := project.saved_since():
                self._redeploy(project, saved)
                is_old = True
            for folder in {function.code for target in project.targets for function in target.packaged.functions}:
                functions = project.functions(folder)
                if functions is not None:
                    self._update(project, folder, functions, [])
        return is_old

    def _prepare(self) -> None:
        """Compress what functions are made of, so that the first save of a file need not wait for it."""
        for project in self._projects:
            for function in [function for target in project.targets for function in target.packaged.functions]:
                if self.stopping.is_set():
                    return
                with self._packing, suppress(SettingsError, OSError):
                    self._packager.prepare_code(function)

    def _is_broken(self, project: Project, folder: Path, changed: Iterable[Path]) -> bool:
        """Say whether a folder holds a file that cannot be compiled, among those that changed since it could."""
        suspects = project.broken.pop(folder, set()) | {path for path in changed if path.is_file()}
        runtimes = {
            function.runtime
            for target in project.targets
            for function in target.packaged.functions
            if function.code == folder
        }
        for runtime in sorted(runtimes):
            problem = self._syntax.problem_of(sorted(suspects), runtime)
            if problem:
                project.broken[folder] = suspects
                if project.told.get(folder) != problem:
                    project.told[folder] = problem
                    self._tell({"watch": "kept", "error": f"{problem}\nthe old code stays until it is mended"})
                return True
        project.told.pop(folder, None)
        return False

    def _update(
        self, project: Project, folder: Path, functions: list[tuple[str, PackagedFunction]], changed: list[Path]
    ) -> None:
        """Give functions their folder's code: the short way."""
        began = time.monotonic()
        if self._is_broken(project, folder, changed):
            return
        updated: list[str] = []
        try:
            for stack_name, function in functions:
                with self._packing:
                    sha256 = self._packager.upload_code(function)
                if project.code.get((stack_name, function.logical_id)) != sha256:
                    self._give_code(project, stack_name, function, sha256)
                    updated.append(function.logical_id)
        except (SettingsError, OperationFailed) as error:
            self._tell({"watch": "kept", "error": f"{_words(error)}\nthe old code stays"})
            return
        if updated:
            names = _shown(changed or [folder])
            took_ms = round((time.monotonic() - began) * 1000)
            self._tell({"watch": "updated", "files": names, "functions": updated, "took_ms": took_ms})

    def _give_code(self, project: Project, stack_name: str, function: PackagedFunction, sha256: str) -> None:
        key = stack_name, function.logical_id
        with self._deploying:
            self._endpoint.call(
                "lambda", "UpdateFunctionCode", FunctionName=project.physical[key], S3Bucket=BUCKET, S3Key=sha256
            )
        project.code[key] = sha256
        project.is_ahead = True
        project.saves += 1

    # --- whole deployments -------------------------------------------------------------------------------------

    def _redeploy(self, project: Project, changed: Iterable[Path]) -> None:
        """Deploy a template again, the usual way; what is refused or fails leaves the stack as it was."""
        began = time.monotonic()
        if self._settling is not None:
            self._settling.join()
        project.is_due = any(self._is_broken(project, folder, ()) for folder in list(project.broken))
        project.note()
        if project.is_due:
            return  # a deployment would take the broken file along
        try:
            packaged = self._package(project, self._endpoint)
            for target in packaged:
                with self._deploying:
                    self._deploy(self._endpoint, target, is_wanted=lambda: True)
            self._learn(project)
        except (TemplateRefused, SettingsError, DeploymentFailed, OperationFailed) as error:
            self._tell({"watch": "kept", "error": f"{_words(error)}\n{project.template} stays as it was deployed last"})
            return
        project.is_ahead = False
        took_ms = round((time.monotonic() - began) * 1000)
        stacks = [target.stack_name for target in packaged]
        self._tell({"watch": "deployed", "files": _shown(changed), "stacks": stacks, "took_ms": took_ms})

    def _settle(self) -> None:
        """Bring stacks to the state of their functions, in the background."""
        ahead = [project for project in self._projects if project.is_ahead and not project.broken]
        if ahead and (self._settling is None or not self._settling.is_alive()):
            self._settling = threading.Thread(target=self._settled, args=(ahead,), name="settle", daemon=True)
            self._settling.start()

    def _settled(self, ahead: Iterable[Project]) -> None:
        endpoint = self._endpoint.another()
        try:
            for project in ahead:
                saves = project.saves

                def is_wanted(project: Project = project, saves: int = saves) -> bool:
                    return project.saves == saves and not project.broken and not self.stopping.is_set()

                for target in self._package(project, endpoint):
                    self._deploy(endpoint, target, is_wanted=is_wanted, lock=self._deploying)
                if is_wanted():
                    project.is_ahead = False
        except (TemplateRefused, SettingsError, DeploymentFailed, OperationFailed, OSError) as error:
            for project in ahead:
                project.is_ahead = False  # not again before the next save
            if not self.stopping.is_set():
                self._tell({"watch": "kept", "error": f"{_words(error)}\nthe functions run the new code all the same"})
        finally:
            endpoint.close()

    def _deploy(
        self,
        endpoint: Endpoint,
        target: Target,
        *,
        is_wanted: Callable[[], bool],
        lock: threading.Lock | None = None,
    ) -> None:
        """Deploy one stack unless it has become unwanted meanwhile. Raises: DeploymentFailed."""
        deployer = Deployer(endpoint, say=lambda line: self._tell({"watch": line}))
        planned = deployer.plan(target)
        if planned is None:
            return
        reasons: list[str] = []

        def note(event: Mapping[str, Any]) -> None:
            if reason := failure_of(event):
                reasons.append(reason)

        with lock or threading.Lock():
            if not is_wanted():
                deployer.discard(planned)
                return
            status = deployer.execute(planned, event=note)
        if status not in SUCCESS:
            raise DeploymentFailed("\n".join([f"{target.stack_name} is {status}", *reasons]))


def _shown(paths: Iterable[Path]) -> list[str]:
    """Give the first few paths as a person names them: from here where they are below."""
    here = Path.cwd()
    found = sorted({str(path.relative_to(here) if path.is_relative_to(here) else path) for path in paths})
    return [*found[:FILES_SHOWN], f"{len(found) - FILES_SHOWN} more"] if len(found) > FILES_SHOWN + 1 else found


def _words(error: Exception) -> str:
    return error.format_message() if isinstance(error, click.ClickException) else str(error)


def line_of(told: Mapping[str, Any]) -> str:
    """Give one line, or a few, for a person of what a watcher tells."""
    kind = told["watch"]
    if kind == "kept":
        return f"watch: {told['error']}"
    if kind == "ended":
        return f"watch: no longer watching: {told['error']}"
    if kind in {"updated", "deployed"}:
        what = ", ".join(told.get("functions") or told.get("stacks") or ())
        return f"watch: {', '.join(told['files'])} → {what}, {told['took_ms']} ms"
    return f"watch: {kind}"
