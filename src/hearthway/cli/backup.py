"""`hearthway backup`: this node in one file that only a recovery phrase opens."""

from __future__ import annotations

from pathlib import Path

import click

from hearthway.records.count import count_of
from hearthway.records.errors import InputError

from .common import data_option, node


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--phrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Take the phrase from this file (mode 0600), or make a new one and keep it there.",
)
@data_option
def command(file: Path, phrase_file: Path | None, data: Path | None) -> None:
    """Write keys, settings, rules and the database of one node to FILE, encrypted. It may be running.

    Without --phrase-file a new recovery phrase of twelve words is shown, once: write it down.
    """
    from hearthway.app.clock import SystemClock
    from hearthway.mesh.state.backup import back_up, refuse_existing
    from hearthway.mesh.state.phrase import new_entropy, phrase_of

    from . import recovery

    refuse_existing(file)
    paths = node(data)
    known = phrase_file is not None and phrase_file.exists()
    if phrase_file is None and not recovery.has_terminal():
        raise InputError(
            "There is no terminal to show the recovery phrase on.", "Give --phrase-file FILE."
        )
    if phrase_file is not None and known:
        entropy = recovery.read_phrase_file(phrase_file)
    else:
        entropy = new_entropy()
    if phrase_file is not None and not known:
        recovery.new_phrase_file(phrase_file, entropy)  # before: a backup nobody opens is none
    with recovery.ends_cleanly():
        made = back_up(
            paths.root, file, entropy, SystemClock().now_s(), recovery.progress_line("backup")
        )
    held = f"{count_of(made.files, 'file')}, {recovery.megabytes(made.content_bytes)}"
    click.echo(f"{file}: the node {paths.root.name} ({held}), encrypted")
    if phrase_file is not None:
        click.echo(f"Its recovery phrase stands in {phrase_file}; keep it apart from the backup.")
        return
    click.echo("Write down its recovery phrase. It is shown once and kept nowhere:")
    recovery.show_once(phrase_of(entropy))
    click.echo(f"To go back: hearthway restore {file} --data DIR")
