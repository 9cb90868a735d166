"""`deploy`, `diff` and `delete`, and what `up` does with its templates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from gatepost.cli.endpoint import Addresses, Endpoint, endpoint_of
from gatepost.cli.naming import stack_name_of, template_of
from gatepost.cli.options import data_option, json_option, lenient_option, pairs, parameter_option, stack_option
from gatepost.cli.stack_deployment import ChangeSet, Deployer, DeploymentFailed, Target
from gatepost.config import Settings
from gatepost.kernel.errors import SettingsError
from gatepost.templates.cloud_assembly import AssemblyStack, is_cloud_assembly, read_assembly

SUCCESS: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"})
template_argument = click.argument("template", type=click.Path(exists=True, path_type=Path))


@click.command("deploy")
@template_argument
@data_option
@stack_option
@parameter_option
@lenient_option
@json_option
def deploy_command(
    template: Path,
    data_dir: Path,
    stack_name: str | None,
    parameters: tuple[str, ...],
    is_lenient: bool,
    as_json: bool,
) -> None:
    """Deploy TEMPLATE (a file, or a cdk.out folder) to the running platform; show the plan and the progress."""
    endpoint = endpoint_of(data_dir)
    given = dict(pairs(parameters, "--parameter"))
    for target in targets(endpoint, template, stack_name, given, is_lenient=is_lenient, cache=_cache(data_dir)):
        deploy(endpoint, target, as_json=as_json)


@click.command("diff")
@template_argument
@data_option
@stack_option
@parameter_option
@lenient_option
@json_option
def diff_command(
    template: Path,
    data_dir: Path,
    stack_name: str | None,
    parameters: tuple[str, ...],
    is_lenient: bool,
    as_json: bool,
) -> None:
    """Show what deploying TEMPLATE would change, and change nothing. Exits with 0, or 1 when it would be refused."""
    endpoint = endpoint_of(data_dir)
    deployer = Deployer(endpoint, say=lambda line: click.echo(line, err=True))
    given = dict(pairs(parameters, "--parameter"))
    for target in targets(endpoint, template, stack_name, given, is_lenient=is_lenient, cache=_cache(data_dir)):
        if leftover := deployer.leftover(target.stack_name):
            raise DeploymentFailed(
                f"{target.stack_name} is {leftover}: `gatepost deploy` would delete what is left of it and create "
                f"everything; `gatepost delete {target.stack_name}` clears it for a diff"
            )
        planned = deployer.plan(target)
        if planned is not None:
            deployer.discard(planned)
        _show_plan(target.stack_name, planned, as_json=as_json)


@click.command("delete")
@click.argument("stack_name", metavar="STACK")
@data_option
@json_option
def delete_command(stack_name: str, data_dir: Path, as_json: bool) -> None:
    """Delete STACK and everything in it."""
    endpoint = endpoint_of(data_dir)
    deployer = Deployer(endpoint, say=click.echo)
    status = deployer.delete(stack_name, event=_event_printer(as_json=as_json))
    if as_json:
        click.echo(json.dumps({"stack": stack_name, "status": status}))
    if status not in SUCCESS:
        raise click.ClickException(f"{stack_name} is {status}")


def deploy_templates(
    endpoint: Endpoint, settings: Settings, stack_name: str | None, *, as_json: bool, cache: Path | None = None
) -> bool:
    """Deploy what `up` was given, one after the other; say whether all of it worked.

    `cache` is where packages are built; without it, in the data directory.
    """
    for template in settings.templates:
        _tell(endpoint, template, "deploying")
        try:
            for target in targets(
                endpoint,
                template,
                stack_name,
                dict(settings.parameters),
                is_lenient=settings.is_lenient,
                cache=cache or _cache(settings.data_dir),
            ):
                deploy(endpoint, target, as_json=as_json, names_addresses=False)  # `up` ends with them
        except (click.ClickException, SettingsError) as error:
            _tell(endpoint, template, "failed")
            message = error.format_message() if isinstance(error, click.ClickException) else str(error)
            click.echo(f"Error: {template} was not deployed:\n{message}", err=True)
            return False
        _tell(endpoint, template, "deployed")
    return True


def _tell(endpoint: Endpoint, template: Path, status: str) -> None:
    body = json.dumps({"path": str(template), "status": status}).encode()
    endpoint.send("POST", "/_gatepost/templates", body)


def _cache(data_dir: Path) -> Path:
    return data_dir.absolute() / "cache"


def targets(
    endpoint: Endpoint,
    template: Path,
    stack_name: str | None,
    parameters: Mapping[str, str],
    *,
    is_lenient: bool,
    cache: Path,
) -> Sequence[Target]:
    """Package a template, or every stack of a `cdk.out` folder. Raises: SettingsError, DeploymentFailed."""
    from gatepost.templates.packaging import Packaged

    deployer = Deployer(endpoint, say=lambda line: click.echo(line, err=True))
    if is_cloud_assembly(template):
        if stack_name is not None:
            raise SettingsError(f"--stack-name {stack_name}: {template} names its stacks itself; leave it out")
        stacks = read_assembly(
            template, cache_dir=cache, uploads=deployer.uploads(), progress=lambda line: click.echo(line, err=True)
        )
        return [
            Target(
                stack.name,
                Packaged(stack.file, stack.text, stack.accept_sha256),
                {**stack.parameters, **parameters},
                is_lenient,
                stack.tags,
                is_protected=stack.is_protected,
            )
            for stack in stacks
            if belongs_here(stack, endpoint.addresses, is_lenient=is_lenient)
        ]
    template = template_of(template)
    packaged = deployer.packager(cache).package(template)
    return [Target(stack_name or stack_name_of(template), packaged, parameters, is_lenient)]


def belongs_here(stack: AssemblyStack, here: Addresses, *, is_lenient: bool) -> bool:
    """Check that a stack may be deployed here: what CDK made for one region names it. Raises: SettingsError."""
    wanted = {"--account-id": (stack.account_id, here.account_id), "--region": (stack.region, here.region)}
    flags = [f"{flag} {want}" for flag, (want, have) in wanted.items() if want not in ("", have)]
    if not flags:
        return True
    told = (
        f"{stack.name} is made for {stack.account_id or 'any account'} in {stack.region or 'any region'}, and this "
        f"platform is {here.account_id} in {here.region}: start it with {' '.join(flags)}"
    )
    if not is_lenient:
        raise SettingsError(f"{told}, or leave env out of the CDK stack")
    click.echo(f"warning {told}", err=True)
    return True


def deploy(endpoint: Endpoint, target: Target, *, as_json: bool, names_addresses: bool = True) -> None:
    """Deploy one stack, showing plan, progress and outcome. Raises: DeploymentFailed."""
    deployer = Deployer(endpoint, say=lambda line: click.echo(line, err=True))
    planned = deployer.plan(target)
    if planned is None:
        if as_json:
            click.echo(json.dumps({"stack": target.stack_name, "status": "unchanged"}))
        else:
            click.echo(f"{target.stack_name}: nothing has changed")
        return
    _show_plan(target.stack_name, planned, as_json=as_json)
    reasons: list[str] = []

    def note(event: Mapping[str, Any]) -> None:
        if reason := failure_of(event):
            reasons.append(reason)
        printer(event)

    printer = _event_printer(as_json=as_json)
    status = deployer.execute(planned, event=note)
    outcome = deployer.outcome(target.stack_name) if status in SUCCESS else {}
    if status in SUCCESS and target.is_protected:
        deployer.protect(target.stack_name)
    if as_json:
        click.echo(json.dumps({"stack": target.stack_name, "status": status, **outcome}))
    if status not in SUCCESS:
        raise DeploymentFailed("\n".join([f"{target.stack_name} is {status}", *reasons]))
    if not as_json:
        _show_outcome(outcome if names_addresses else {**outcome, "urls": []})


def failure_of(event: Mapping[str, Any]) -> str:
    """Give what a stack event says of why a deployment failed, or an empty text.

    Where no resource failed (an export that is in use cannot change), the rollback of the stack itself says it.
    """
    status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
    if not reason or "cancelled" in reason or reason.startswith("The following resource(s) failed"):
        return ""
    if status.endswith("FAILED"):
        return f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"
    return str(reason) if status.endswith("ROLLBACK_IN_PROGRESS") else ""


def _show_plan(stack_name: str, planned: ChangeSet | None, *, as_json: bool) -> None:
    changes = [] if planned is None else list(planned.changes)
    warnings = [] if planned is None else list(planned.warnings)
    if as_json:
        click.echo(json.dumps({"stack": stack_name, "changes": changes, "warnings": warnings}))
        return
    from gatepost.cli.output import print_plan

    print_plan(stack_name, changes, warnings)


def _show_outcome(outcome: Mapping[str, Any]) -> None:
    from gatepost.cli.output import print_outcome

    print_outcome(outcome)


def _event_printer(*, as_json: bool) -> Any:
    if as_json:
        return lambda event: click.echo(json.dumps({"event": dict(event)}))
    from gatepost.cli.output import EventPrinter

    return EventPrinter()
