"""The life of one operation on a stack: which statuses it goes through, forward, in the cleanup and on the way back.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html (stack status codes)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Any, Final

from gatepost.services.cloudformation.model import Running, StackRequest
from gatepost.services.cloudformation.records import StackRecords
from gatepost.templates.compile import Compiled
from gatepost.templates.execution import Execution, Failed, Live
from gatepost.templates.intrinsics import EvaluationFault, Evaluator, scalar_text
from gatepost.templates.parameters import is_no_echo
from gatepost.templates.problems import TemplateRefused
from gatepost.templates.progress import Progress

INTERRUPTED: Final = "The operation was interrupted: the platform was restarted. "
REASON_CHARACTERS_MAX: Final = 2048
OUTPUT_CHARACTERS_MAX: Final = 4096


class StackOperation:
    """Carries one operation to its end. Whatever it is interrupted by, `resume` goes on from the records."""

    def __init__(
        self,
        *,
        records: StackRecords,
        progress: Progress,
        execution: Execution,
        running: Running,
        compiled: Callable[[], Awaitable[Compiled]],
        shown_parameters: Callable[[Compiled], list[dict[str, Any]]],
        stack_tags: dict[str, str],
    ) -> None:
        self._records = records
        self._progress = progress
        self._execution = execution
        self._running = running
        self._request = StackRequest.from_json(running.request)
        self._compiled = compiled
        self._shown_parameters = shown_parameters
        self._stack_tags = stack_tags

    async def run(self, *, is_resumed: bool) -> None:
        """Go through the phases from the one that the record names."""
        phase = self._running.phase
        if phase == "forward":
            if is_resumed:
                await self._fail(INTERRUPTED)
            else:
                await self._forward()
        elif phase == "cleanup":
            await self._clean_up()
        elif phase == "rollback":
            await self._roll_back()
        elif phase == "rollback_cleanup":
            await self._clean_up_rollback()
        else:
            await self._delete()

    @property
    def _is_create(self) -> bool:
        return self._running.kind == "create"

    def _phase(self, phase: str, reason: str = "") -> dict[str, Any]:
        self._running = replace(self._running, phase=phase, reason=reason or self._running.reason)
        return asdict(self._running)

    # Forward.

    async def _forward(self) -> None:
        try:
            compiled = await self._compiled()
            self._progress.secrets = secrets_of(compiled)
            if not self._is_create:
                await self._progress.begin_update_of_all(frozenset(compiled.resources))
            await self._execution.apply(compiled, self._stack_tags)
            outputs = self._outputs(compiled)
            await self._export(outputs)
        except (TemplateRefused, EvaluationFault, Failed) as fault:
            await self._fail(str(fault))
            return
        done: dict[str, Any] = {
            "request": self._running.request,
            "description": compiled.template.description,
            "parameters": self._shown_parameters(compiled),
            "outputs": outputs,
            "imports": list(compiled.imports),
        }
        if self._is_create:
            await self._progress.stack_status("CREATE_COMPLETE", running=None, **done)
            return
        phase = self._phase("cleanup")
        await self._progress.stack_status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", running=phase, **done)
        await self._clean_up()

    async def _clean_up(self) -> None:
        await self._execution.clean_up()
        await self._progress.end_update_of_all()
        await self._progress.stack_status("UPDATE_COMPLETE", running=None)

    def _outputs(self, compiled: Compiled) -> list[dict[str, str]]:
        """Evaluate the outputs. Raises: EvaluationFault."""
        evaluator = Evaluator(compiled.scope, Live(self._progress.resources, compiled.resources))
        shown = []
        for name, output in compiled.template.outputs.items():
            if output.condition and not compiled.scope.decided[output.condition]:
                continue
            value = evaluator.value(output.value, ("Outputs", name, "Value"))
            if isinstance(value, dict | list):
                raise EvaluationFault(("Outputs", name, "Value"), f"output {name}: a text was expected")
            text = scalar_text(value)[:OUTPUT_CHARACTERS_MAX]
            entry = {"OutputKey": name, "OutputValue": text}
            if output.description:
                entry["Description"] = output.description
            if output.export_name is not None:
                entry["ExportName"] = scalar_text(evaluator.value(output.export_name, ("Outputs", name, "Export")))
            shown.append(entry)
        return shown

    async def _export(self, outputs: list[dict[str, str]]) -> None:
        """Make the stack's exports those of its outputs. Raises: Failed when one is taken or still in use."""
        wanted = {output["ExportName"]: output["OutputValue"] for output in outputs if "ExportName" in output}
        stack = self._progress.stack
        for name, (owner, value) in (await self._records.exports()).items():
            if name in wanted and owner != stack.id:
                raise Failed(f"Export with name {name} is already exported by stack {owner.split('/')[1]}.")
            if owner == stack.id and wanted.get(name) != value:
                users = await self._records.importers(name)
                if users:
                    verb = "update" if name in wanted else "delete"
                    raise Failed(f"Cannot {verb} export {name} as it is in use by {', '.join(users)}.")
        await self._records.set_exports(stack, wanted)

    # The way back.

    async def _fail(self, reason: str) -> None:
        reason = reason[:REASON_CHARACTERS_MAX]
        request = self._request
        if self._is_create:
            action = "DO_NOTHING" if request.is_rollback_disabled else request.on_failure or "ROLLBACK"
            if action == "DO_NOTHING":
                await self._progress.stack_status("CREATE_FAILED", reason, running=None, request=self._running.request)
                return
            if action == "DELETE":
                phase = self._phase("delete", reason)
                await self._progress.stack_status(
                    "DELETE_IN_PROGRESS", f"{reason} Delete requested by user.", running=phase
                )
                await self._delete()
                return
            phase = self._phase("rollback", reason)
            full = f"{reason} Rollback requested by user.".strip()
            await self._progress.stack_status("ROLLBACK_IN_PROGRESS", full, running=phase)
        elif request.is_rollback_disabled and not self._progress.stop_reason:
            await self._progress.stack_status("UPDATE_FAILED", reason, running=None)
            return
        else:
            phase = self._phase("rollback", reason)
            await self._progress.stack_status("UPDATE_ROLLBACK_IN_PROGRESS", reason, running=phase)
        await self._roll_back()

    async def _roll_back(self) -> None:
        if self._is_create:
            keeping = () if self._request.retain_except_on_create else ("Retain",)
            failed = await self._execution.delete_everything(frozenset(), keeping=keeping)
            await self._records.set_exports(self._progress.stack, {})
            if failed:
                reason = f"The following resource(s) failed to delete: [{', '.join(failed)}]. "
                await self._progress.stack_status(
                    "ROLLBACK_FAILED", reason, running=None, request=self._running.request
                )
            else:
                await self._progress.stack_status("ROLLBACK_COMPLETE", running=None, request=self._running.request)
            return
        try:
            await self._execution.restore()
        except Failed as fault:
            stopped = asdict(self._running)
            await self._progress.stack_status("UPDATE_ROLLBACK_FAILED", str(fault), running=stopped)
            return
        await self._export_again()
        phase = self._phase("rollback_cleanup")
        await self._progress.stack_status("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", running=phase)
        await self._clean_up_rollback()

    async def _export_again(self) -> None:
        stack = self._progress.stack
        exports = {output["ExportName"]: output["OutputValue"] for output in stack.outputs if "ExportName" in output}
        await self._records.set_exports(stack, exports)

    async def _clean_up_rollback(self) -> None:
        await self._execution.clean_up(is_rollback=True)
        await self._progress.end_update_of_all()
        await self._progress.stack_status("UPDATE_ROLLBACK_COMPLETE", running=None)

    async def _delete(self) -> None:
        retain = frozenset(self._running.retain)
        keeping: tuple[str, ...] = ("Retain", "RetainExceptOnCreate")
        if self._is_create:
            keeping = () if self._request.retain_except_on_create else ("Retain",)
        failed = await self._execution.delete_everything(retain, keeping=keeping)
        if failed:
            reason = f"The following resource(s) failed to delete: [{', '.join(failed)}]. "
            await self._progress.stack_status("DELETE_FAILED", reason, running=None)
            return
        await self._records.set_exports(self._progress.stack, {})
        await self._progress.bury()


def secrets_of(compiled: Compiled) -> tuple[str, ...]:
    """Give the values of NoEcho parameters, the longest first. One or two characters hide nothing."""
    declared = compiled.template.parameters
    found = {text for name, text in compiled.texts.items() if is_no_echo(declared[name]) and len(text) > 2}
    return tuple(sorted(found, key=lambda text: (-len(text), text)))
