"""The command line's front: names of the commands, each imported only when it runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click

from gatepost import __version__
from gatepost.kernel.errors import SettingsError

COMMANDS: Final = {
    "up": ("gatepost.cli.up", "Start the platform, deploy templates, stay in the foreground."),
    "serve": ("gatepost.cli.up", "Start the platform without a template."),
    "deploy": ("gatepost.cli.deploy", "Deploy a template to the running platform."),
    "diff": ("gatepost.cli.deploy", "Show what deploying a template would change."),
    "delete": ("gatepost.cli.deploy", "Delete a stack and everything in it."),
    "ledger": ("gatepost.cli.ledger", "Show what is enforced of a template, line by line."),
    "status": ("gatepost.cli.state", "Show what runs, and where."),
    "wait": ("gatepost.cli.state", "Wait until the platform is ready."),
    "stop": ("gatepost.cli.state", "Stop the platform that owns the data directory."),
    "env": ("gatepost.cli.state", 'Print exports for AWS tools: eval "$(gatepost env)".'),
    "exec": ("gatepost.cli.exec", "Run a command against a fresh platform and keep its exit code."),
    "outbox": ("gatepost.cli.outbox", "Read the e-mails and SMS that users were sent, with their codes."),
    "tables": ("gatepost.cli.tables", "Look into DynamoDB tables; move items to and from files."),
    "explain": ("gatepost.cli.explain", "Show why a request was answered as it was, and what would change it."),
    "trust": ("gatepost.cli.trust", "Have this machine trust the local certificate authority; --undo: no longer."),
    "rotate-key": ("gatepost.cli.rotate_key", "Seal secrets by a new key from now on."),
    "doctor": ("gatepost.cli.doctor", "Check this machine, and say how to mend what is wrong."),
}

EXIT_INTERRUPTED: Final = 130


class Commands(click.Group):
    """Finds a command by name and imports its module only then."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names, in the order of a first day."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[cmd_name][0]), f"{cmd_name.replace('-', '_')}_command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="gatepost")
def gatepost() -> None:
    """Run AWS-style APIs anywhere: your template is the program, and every line of it is enforced."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Be the `gatepost` command. Exits with 0, 1 (it did not work), 2 (used wrongly) or 130 (interrupted)."""
    try:
        sys.exit(gatepost.main(args=arguments, standalone_mode=False) or 0)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.Abort:  # click's word for Ctrl-C
        click.echo("Interrupted.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SettingsError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
