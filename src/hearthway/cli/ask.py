"""`hearthway ask`: a question in plain words, answered from what this household knows."""

from __future__ import annotations

from pathlib import Path

import click

from hearthway.app.ask.lines import reply_lines
from hearthway.app.control import Control
from hearthway.records.ask import LANGUAGES, TEXT_MAX
from hearthway.records.errors import InputError

from .common import data_option, json_option, node, write_json

TIMEOUT_S = 60.0
FAILED = ("denied", "not-understood", "refused")


@click.command("ask")
@click.argument("question", nargs=-1, required=True)
@click.option("--person", metavar="NAME", help="Who asks. Default: whose phone it is.")
@click.option("--language", type=click.Choice(LANGUAGES), help="Try this language first.")
@click.option("--sources", is_flag=True, help="Also say where each figure comes from.")
@data_option
@json_option
def command(
    question: tuple[str, ...],
    person: str | None,
    language: str | None,
    sources: bool,  # click's callback form
    data: Path | None,
    json_to: Path | None,
) -> None:
    """Ask a running phone (or home, or car) in plain words: "will I get home?", "where did I park", "turn off the kitchen light".

    It answers from what its household knows, with age and source, or says that it does not know. Asked back, answer
    with the next `hearthway ask`.
    """
    text = " ".join(question)
    if len(text) > TEXT_MAX:  # a whole file as a question is not sent to anybody
        raise InputError(
            f"That is {len(text):,} characters long; a question has at most {TEXT_MAX}.",
            "Ask one thing at a time.",
        )
    with Control(node(data, "phone").socket, TIMEOUT_S) as control:
        reply = control.ask("ask", text=text, person=person or "", language=language or "")
    if json_to is not None:
        write_json(reply, json_to)
    else:
        for line in reply_lines(reply, sources=sources):
            click.echo(line)
    if reply["outcome"] in FAILED:
        raise click.exceptions.Exit(1)
