"""`hearthway restore`: a node from its backup, in a new directory, on this machine or another."""

from __future__ import annotations

from pathlib import Path

import click

from hearthway.app.paths import start_with
from hearthway.records.count import count_of


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The node's new directory; it must not be there yet.",
)
@click.option(
    "--phrase-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The recovery phrase (mode 0600) instead of typing it.",
)
@click.option("--listen", metavar="HOST:PORT", help="Where this machine is reached, if elsewhere.")
def command(file: Path, data: Path, phrase_file: Path | None, listen: str | None) -> None:
    """Bring back the node in FILE. Nothing is there before everything was checked.

    Switch the old one off for good first: one household cannot have the same device twice.
    """
    import msgspec

    from hearthway.app.config import load_config, save_config, validated
    from hearthway.app.paths import NodePaths
    from hearthway.mesh.state.backup import refuse_node, restore
    from hearthway.mesh.state.sealed_file import read_head
    from hearthway.records.household import Role

    from . import recovery

    refuse_node(data)
    with file.open("rb") as opened:
        read_head(opened, str(file))  # before anybody types twelve words
    entropy = recovery.read_phrase_file(phrase_file) if phrase_file else recovery.ask_phrase()
    role = Role.HOME

    def check(directory: Path) -> None:
        nonlocal role
        paths = NodePaths(directory)
        config = load_config(paths.config)
        role = config.node.role
        if listen is not None:
            table = msgspec.structs.replace(config.mesh, listen=listen)
            config = msgspec.structs.replace(config, mesh=table)
            save_config(paths, validated(config, "The command line"))

    with recovery.ends_cleanly():
        found = restore(
            file, data, entropy, check=check, progress=recovery.progress_line("restore")
        )
    held = f"{count_of(found.files, 'file')}, {recovery.megabytes(found.content_bytes)}"
    click.echo(f"{data}: the {role} as it was backed up ({held})")
    click.echo(start_with(data))
