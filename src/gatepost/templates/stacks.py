"""The template engine: what the CloudFormation operations ask for, answered by compiling, planning and executing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, Final

from gatepost.kernel.arn import parse_arn
from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import AccessDeniedException, ServiceError, SettingsError
from gatepost.kernel.operations import Call, Principal
from gatepost.kernel.ports import Assets, Identities, Operations, RoleSessions
from gatepost.kernel.tasks import Tasks
from gatepost.services.cloudformation.engine import Prepared, Summary
from gatepost.services.cloudformation.model import STACK, Running, Stack, StackRequest, ValidationError
from gatepost.services.cloudformation.records import StackRecords
from gatepost.storage.base import Records
from gatepost.templates.acceptance import Acceptance, parse_accept_file
from gatepost.templates.asset_files import AssetFiles
from gatepost.templates.capabilities import IAM_TYPES, capabilities_of
from gatepost.templates.compile import Compiled, Place, TemplateCompiler
from gatepost.templates.execution import Execution
from gatepost.templates.intrinsics import EvaluationFault, Evaluator, displayed, scalar_text, waits_for
from gatepost.templates.nested import NestedTemplates
from gatepost.templates.parameters import is_no_echo, shown_value
from gatepost.templates.plan import Plan, Standing, make_plan
from gatepost.templates.problems import Problem, TemplateRefused
from gatepost.templates.progress import Progress
from gatepost.templates.references import missing_names
from gatepost.templates.resources.base import ResourceHandler
from gatepost.templates.stack_operation import StackOperation
from gatepost.templates.stack_tags import ACCEPT_TAG, FILE_TAG, LENIENT_TAG, resource_tags
from gatepost.templates.workshop import CLOUDFORMATION, Workshop

STORED_AT_ONCE: Final = 10  # GetParameters takes no more
MESSAGE_CHARACTERS_MAX: Final = 20_000
UNNAMED: Final = "template"  # the file of a template whose deployer gave no name


class Stacks:
    """Compiles templates, plans changes and carries them out: the `StackEngine` of `services.cloudformation`."""

    def __init__(
        self,
        *,
        records: Records,
        operations: Operations,
        assets: Assets,
        clock: Clock,
        compiler: TemplateCompiler,
        acceptance: Acceptance,
        handlers: Mapping[str, ResourceHandler],
        custom: ResourceHandler,
        named: ResourceHandler,
        roles: RoleSessions,
        identities: Identities,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._records = records
        self._operations = operations
        self._assets = assets
        self._files = AssetFiles(assets)
        self._clock = clock
        self._compiler = compiler
        self._acceptance = acceptance
        self._handlers = handlers
        self._custom = custom
        self._named = named
        self._roles = roles
        self._identities = identities
        self._pause = pause
        self._tasks = Tasks("stacks")
        self._running: dict[str, Progress] = {}
        self._started: dict[str, asyncio.Task[None]] = {}
        self._parents: dict[tuple[str, str, str], Stack] = {}

    # Reading templates.

    async def summarize(self, call: Call, template: str) -> Summary:
        """Read a template without values. Raises: ValidationError."""
        place = Place(call.account_id, call.region, "stack", call.arn("stack/stack/none", service="cloudformation"))
        try:
            read = await self._compiler.read(template, file=UNNAMED, given={}, place=place, files=self._files)
            if missing := [] if read.transforms else missing_names(read):
                raise TemplateRefused(missing)
        except SettingsError as refusal:
            raise refused(refusal) from refusal
        types = sorted({resource.type for resource in read.resources.values()})
        named = any(IAM_TYPES.get(r.type) in r.properties for r in read.resources.values() if IAM_TYPES.get(r.type))
        capabilities, reason = capabilities_of([name for name in types if name in IAM_TYPES], is_named=named)
        return Summary(
            description=read.description,
            parameters=tuple(_declared_parameter(name, value) for name, value in read.parameters.items()),
            resource_types=tuple(types),
            capabilities=capabilities,
            capabilities_reason=reason,
            transforms=read.transforms,
            metadata=json.dumps(read.metadata) if read.metadata else "",
        )

    async def processed(self, call: Call, stack: Stack, request: StackRequest) -> str:
        """Give the template as JSON after its transforms. Raises: ValidationError."""
        place = Place(call.account_id, call.region, stack.name, stack.id, request.notification_arns)
        text = self._text(request)
        try:
            read = await self._compiler.read(
                text, file=file_of(request), given=request.parameters, place=place, files=self._files
            )
        except SettingsError as refusal:
            raise refused(refusal) from refusal
        return json.dumps(read.raw, indent=2)

    async def prepare(self, call: Call, stack: Stack, request: StackRequest) -> Prepared:
        """Work out the changes of a request against `stack` as it stands. Raises: ValidationError."""
        self._acting(request, call.principal)
        records = StackRecords(self._records, call.account_id, call.region)
        try:
            compiled = await self._compile(records, stack, request, lambda: self._acting(request, call.principal))
            nested = NestedTemplates(
                self._compiler,
                self._files,
                exports=compiled.scope.exports,
                acceptance=self._acceptance_of(request),
            )
            place = Place(call.account_id, call.region, stack.name, stack.id, request.notification_arns)
            nested_warnings = await nested.check(compiled, place)
            resources = await records.resources(stack) if stack.request else {}
            plan = make_plan(
                compiled,
                resources,
                handlers=self._handlers,
                specification=self._compiler.specification,
                stack_tags=resource_tags(request.tags),
            )
        except SettingsError as refusal:
            raise refused(refusal) from refusal
        except EvaluationFault as fault:
            raise ValidationError(fault.message) from fault
        same_tags = stack.request is not None and resource_tags(request.tags) == resource_tags(stack.request["tags"])
        return Prepared(
            changes=tuple(change.to_aws() for change in plan.changes),
            parameters=tuple(_shown_parameters(compiled)),
            capabilities=compiled.capabilities,
            capabilities_reason=compiled.capabilities_reason,
            transforms=compiled.template.transforms,
            description=compiled.template.description,
            is_unchanged=same_tags and not plan.changes and self._outputs_stand(compiled, resources, stack, plan),
            warnings=(*compiled.warnings(), *nested_warnings),
        )

    def _outputs_stand(self, compiled: Compiled, resources: Mapping[str, Any], stack: Stack, plan: Plan) -> bool:
        """Say whether the outputs would be those that the stack has."""
        del plan
        incarnations = {name: now for name, resource in resources.items() if (now := resource.now()) is not None}
        evaluator = Evaluator(compiled.scope, Standing(incarnations, compiled.resources))
        wanted = {}
        for name, output in compiled.template.outputs.items():
            if output.condition and not compiled.scope.decided[output.condition]:
                continue
            value = evaluator.value(output.value, ("Outputs", name, "Value"))
            if waits_for(value):
                return False
            export = displayed(evaluator.value(output.export_name, ("Outputs", name)))
            wanted[name] = (scalar_text(value), output.description, scalar_text(export))
        standing = {
            output["OutputKey"]: (output["OutputValue"], output.get("Description", ""), output.get("ExportName", ""))
            for output in stack.outputs
        }
        return wanted == standing

    def _text(self, request: StackRequest) -> bytes:
        path = self._assets.path(request.template_sha256)
        if path is None:
            raise ValidationError("The template is gone: it is not among the assets any more")
        return path.read_bytes()

    async def _compile(
        self, records: StackRecords, stack: Stack, request: StackRequest, principal: Callable[[], Principal]
    ) -> Compiled:
        """Compile a request's template; `principal` reads what its parameters name in Parameter Store.

        Raises: TemplateRefused, ValidationError.
        """

        async def read_stored(names: Sequence[str]) -> dict[str, str]:
            found: dict[str, str] = {}
            for at in range(0, len(names), STORED_AT_ONCE):
                params = {"Names": list(names[at : at + STORED_AT_ONCE])}
                try:
                    answer = await self._operations.invoke(
                        principal(), "ssm", "GetParameters", params, region=records.region, called_via=(CLOUDFORMATION,)
                    )
                except ServiceError as error:
                    raise TemplateRefused([Problem(f"Parameter Store cannot be read: {error.message}")]) from error
                plain = [one for one in answer["Parameters"] if one["Type"] != "SecureString"]
                found |= {f"{one['Name']}{one.get('Selector', '')}": one["Value"] for one in plain}
            return found

        return await self._compiler.compile(
            self._text(request),
            file=file_of(request),
            given=request.parameters,
            place=Place(records.account_id, records.region, stack.name, stack.id, request.notification_arns),
            files=self._files,
            exports={name: value for name, (_, value) in (await records.exports()).items()},
            acceptance=self._acceptance_of(request),
            read_stored=read_stored,
        )

    def _acceptance_of(self, request: StackRequest) -> Acceptance:
        """Give what the platform and the template's own accept file let pass. Raises: TemplateRefused."""
        is_lenient = request.tags.get(LENIENT_TAG, "").lower() == "true"
        sha256 = request.tags.get(ACCEPT_TAG)
        if not sha256:
            return self._acceptance.with_gaps((), is_lenient=is_lenient)
        text = self._files.text("gatepost-assets", sha256)
        if text is None:
            raise TemplateRefused([Problem(f"the accept file {sha256} is not among the assets: deploy it again")])
        today = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).date()
        return self._acceptance.with_gaps(
            parse_accept_file(text, file="gatepost.accept", today=today), is_lenient=is_lenient
        )

    # Carrying out.

    def parent_of(self, call: Call, stack_name: str) -> Stack | None:
        """Give the stack whose nested stack is being created under this name, or None."""
        return self._parents.pop((call.account_id, call.region, stack_name), None)

    def start(self, stack: Stack) -> None:
        """Carry out `stack.running`, which was committed before; progress goes to the stack's records."""
        task = self._tasks.spawn(self._run(stack, is_resumed=False), name=stack.name)
        self._started[stack.id] = task
        task.add_done_callback(lambda _: self._started.pop(stack.id, None))

    async def settled(self, stack: Stack, *, within_s: float) -> bool:
        """Wait until what was started has ended, but no longer than this; say whether it has."""
        task = self._started.get(stack.id)
        if task is None:
            return True
        done, _ = await asyncio.wait([task], timeout=within_s)
        return bool(done)

    def cancel(self, stack: Stack) -> None:
        """Let a running update stop at the next resource and roll back."""
        progress = self._running.get(stack.id)
        if progress is not None:
            progress.stop_reason = "User Initiated"

    async def resume(self) -> int:
        """Go on with every operation that was interrupted; to be called once, when the operations can be invoked.

        A creation or update is rolled back; deletions, cleanups and rollbacks go on. Gives their number.
        """
        count = 0
        for record in await self._records.scan(STACK):
            stack = Stack.from_json(record.value)
            if stack.running is not None and stack.is_busy:
                self._tasks.spawn(self._run(stack, is_resumed=True), name=stack.name)
                count += 1
        return count

    async def close(self) -> None:
        """Stop what runs; the records tell where to go on."""
        await self._tasks.close()

    async def _run(self, stack: Stack, *, is_resumed: bool) -> None:
        place = parse_arn(stack.id)
        if place is None or stack.running is None:
            return
        records = StackRecords(self._records, place.account_id, place.region)
        running = Running.from_json(stack.running)
        request = StackRequest.from_json(running.request)
        progress = Progress(
            records,
            stack,
            await records.resources(stack),
            self._clock,
            sequence=await records.next_sequence(stack),
        )
        self._running[stack.id] = progress
        alarm = None
        try:
            principal = self._principal(request, running)
        except ValidationError as error:
            del self._running[stack.id]
            await _end_without_role(progress, running, error.message)
            return
        if request.timeout_minutes and running.kind == "create" and not is_resumed:
            alarm = asyncio.get_running_loop().call_later(request.timeout_minutes * 60, _time_out, progress)
        try:
            operation = StackOperation(
                records=records,
                progress=progress,
                execution=Execution(
                    self._workshop(stack, request, principal, place.account_id, place.region), progress
                ),
                running=running,
                compiled=lambda: self._compile(records, stack, request, lambda: self._principal(request, running)),
                shown_parameters=_shown_parameters,
                stack_tags=resource_tags(request.tags),
            )
            await operation.run(is_resumed=is_resumed)
        finally:
            if alarm is not None:
                alarm.cancel()
            del self._running[stack.id]

    def _workshop(
        self, stack: Stack, request: StackRequest, principal: Principal, account_id: str, region: str
    ) -> Workshop:
        def adopting(name: str) -> None:
            self._parents[account_id, region, name] = stack

        return Workshop(
            operations=self._operations,
            specification=self._compiler.specification,
            handlers=self._handlers,
            custom=self._custom,
            named=self._named,
            principal=principal,
            stack=stack,
            request=request,
            account_id=account_id,
            region=region,
            pause=self._pause,
            asset_text=self._files.text,
            adopting=adopting,
        )

    def _principal(self, request: StackRequest, running: Running) -> Principal:
        """Give who the stack acts as: its role, or who asked for the operation."""
        return self._acting(request, principal_from_json(running.principal))

    def _acting(self, request: StackRequest, asking: Principal) -> Principal:
        """Give the stack's role, or who asks. Raises: ValidationError when the role cannot be assumed."""
        if not request.role_arn:
            return asking
        try:
            credentials = self._roles.assume(request.role_arn, service=CLOUDFORMATION, session_name="AWSCloudFormation")
        except AccessDeniedException as error:
            raise ValidationError(f"Role {request.role_arn} is invalid or cannot be assumed") from error
        identity = self._identities.find(credentials.access_key_id, credentials.session_token, self._clock.now_ms())
        if identity is None:
            raise SettingsError(f"the session of {request.role_arn} is not known")
        return identity.principal


async def _end_without_role(progress: Progress, running: Running, reason: str) -> None:
    """End an operation that cannot begin, or go on, because its role has gone; an update can be continued later."""
    if running.kind == "delete":
        await progress.stack_status("DELETE_FAILED", reason, running=None)
    elif running.kind == "create":
        status = "CREATE_FAILED" if running.phase == "forward" else "ROLLBACK_FAILED"
        await progress.stack_status(status, reason, running=None, request=running.request)
    else:
        stopped = asdict(replace(running, phase="rollback"))
        await progress.stack_status("UPDATE_ROLLBACK_FAILED", reason, running=stopped)


def _time_out(progress: Progress) -> None:
    progress.stop_reason = "Stack creation time exceeded the specified timeout."


def refused(refusal: SettingsError) -> ValidationError:
    """Give the operation's error for a template that cannot be deployed."""
    if isinstance(refusal, TemplateRefused) and refusal.aws_words and refusal.problems[0].file == UNNAMED:
        return ValidationError(refusal.aws_words)  # as clients of AWS know it; `gatepost deploy` names its file
    return ValidationError(f"Template error: {refusal}"[:MESSAGE_CHARACTERS_MAX])


def file_of(request: StackRequest) -> str:
    """Give the file name that refusals show."""
    return request.tags.get(FILE_TAG, UNNAMED)


def principal_from_json(value: Mapping[str, Any]) -> Principal:
    """Read a principal back."""
    pairs = tuple((str(key), str(text)) for key, text in value["tags"])
    return Principal(**{**value, "session_policies": tuple(value["session_policies"]), "tags": pairs})


def _shown_parameters(compiled: Compiled) -> list[dict[str, Any]]:
    declared = compiled.template.parameters
    return [
        {
            "ParameterKey": name,
            "ParameterValue": shown_value(declared[name], text),
            **(
                {"ResolvedValue": shown_value(declared[name], compiled.stored[name])} if name in compiled.stored else {}
            ),
        }
        for name, text in compiled.texts.items()
    ]


def _declared_parameter(name: str, declaration: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "ParameterKey": name,
        "ParameterType": str(declaration.get("Type", "String")),
        "NoEcho": is_no_echo(declaration),
        "ParameterConstraints": {},
    }
    if "Default" in declaration:
        shown["DefaultValue"] = scalar_text(declaration["Default"])
    if declaration.get("Description"):
        shown["Description"] = str(declaration["Description"])
    if isinstance(declaration.get("AllowedValues"), list):
        shown["ParameterConstraints"] = {"AllowedValues": [scalar_text(v) for v in declaration["AllowedValues"]]}
    return shown
