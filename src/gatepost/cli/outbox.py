"""`gatepost outbox`: the e-mails and SMS that the platform's users were sent, with the codes in them."""

from __future__ import annotations

import html
import json
import re
import tempfile
import webbrowser
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import click

from gatepost.cli.endpoint import endpoint_of
from gatepost.cli.options import data_option, json_option
from gatepost.kernel.clock import iso_8601

SHOWN: Final = 20
_TAG: Final = re.compile(r"<[^>]*>")


@click.command("outbox")
@click.argument("address", default="")
@data_option
@click.option("--count", type=click.IntRange(1, 200), default=SHOWN, show_default=True, help="How many, newest first.")
@click.option("--code", "only_code", is_flag=True, help="Print the newest message's code, and nothing else.")
@click.option("--open", "opens", is_flag=True, help="Open the newest message in a browser.")
@json_option
def outbox_command(address: str, data_dir: Path, count: int, only_code: bool, opens: bool, as_json: bool) -> None:
    """Show messages that user pools sent, all or those to ADDRESS (an e-mail address, a phone number, a user name)."""
    query = f"count={1 if only_code or opens else count}" + (f"&to={quote(address)}" if address else "")
    messages = _messages(data_dir, query)
    if as_json:
        click.echo(json.dumps(messages, indent=2))
    elif not messages:
        raise click.ClickException(f"there is no message to {address}" if address else "there is no message yet")
    elif only_code:
        click.echo(messages[0]["code"])
    elif opens:
        click.echo(_opened(messages[0]))
    else:
        for message in messages:
            click.echo(_told(message))


def _messages(data_dir: Path, query: str) -> list[dict[str, Any]]:
    endpoint = endpoint_of(data_dir)
    try:
        status, content = endpoint.send("GET", "/_gatepost/outbox", query=query)
    except OSError as error:
        raise click.ClickException(f"the AWS endpoint does not answer: {error}") from error
    if status != 200:
        raise click.ClickException(content[:500].decode(errors="replace"))
    found: list[dict[str, Any]] = json.loads(content)["messages"]
    return found


def _told(message: dict[str, Any]) -> str:
    head = f"{iso_8601(message['at_ms'])}  {message['medium']:5}  {message['to']}  {message['occasion']}"
    body = message["body"]
    text = html.unescape(_TAG.sub("", body)) if message["medium"] == "EMAIL" else body
    subject = f"  {message['subject']}\n" if message["subject"] else ""
    return f"{head}\n{subject}  {' '.join(text.split())}\n"


def _opened(message: dict[str, Any]) -> str:
    """Write a message to a file of its own and open it; gives the file's name."""
    page = f"<meta charset=utf-8><title>{html.escape(message['subject'])}</title>"
    body = message["body"] if message["medium"] == "EMAIL" else f"<pre>{html.escape(message['body'])}</pre>"
    rules = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    policy = f'<meta http-equiv="content-security-policy" content="{rules}">'
    with tempfile.NamedTemporaryFile("w", suffix=".html", prefix="gatepost-", delete=False) as file:
        file.write(policy + page + body)
    webbrowser.open(Path(file.name).as_uri())
    return file.name
