"""What several verbs share: the data directory, JSON output, and talking to a running node."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hearthway.app.paths import NodePaths, data_root, find_nodes, write_private
from hearthway.records.codec import to_json
from hearthway.records.count import count_of
from hearthway.records.errors import ConfigError, InputError

if TYPE_CHECKING:
    from hearthway.app.config import Config

F = TypeVar("F", bound=Callable[..., Any])
DIALS = ("quiet", "normal", "eager")


def data_option(function: F) -> F:
    """`--data DIR`: a node's directory, or one that holds several."""
    return click.option(
        "--data",
        "data",
        type=click.Path(path_type=Path, file_okay=False),
        default=None,
        help="A node's directory, or one that holds several. Default: the data directory of this user.",
    )(function)


def json_option(function: F) -> F:
    """`--json [FILE]`: the result for a program; to standard output where no file is named."""
    return click.option(
        "--json",
        "json_to",
        type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
        is_flag=False,
        flag_value=Path("-"),
        default=None,
        callback=_writable,
        help="Write JSON to FILE, or to standard output.",
    )(function)


def _writable(_: click.Context, __: click.Parameter, target: Path | None) -> Path | None:
    """Refuse a file that cannot be written before the work, not after it."""
    if target is None or str(target) == "-":
        return target
    if not target.parent.is_dir():
        raise ConfigError(
            f"{target} cannot be written: there is no directory {target.parent}.",
            "Make it first, or name another file.",
        )
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise ConfigError(
            f"{target} cannot be written: no permission in {target.parent}.",
            "Name a file where you may write.",
        )
    return target


def page_option(function: F) -> F:
    """`--html FILE`: the result as a page for people, in a file only."""
    return click.option(
        "--html",
        "html_to",
        type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
        metavar="FILE",
        callback=_a_file,
        help="Also write the report as a page with charts and a map of where you live; it loads nothing from anywhere.",
    )(function)


def _a_file(context: click.Context, parameter: click.Parameter, target: Path | None) -> Path | None:
    if str(target) == "-":
        raise ConfigError(
            "The page is not written to standard output.", "Name a file: --html report.html."
        )
    return _writable(context, parameter, target)


def not_over(target: Path | None, *others: Path | None) -> None:
    """Refuse to write a result over what it is made from, or over another result; ConfigError."""
    if target is None or str(target) == "-":
        return
    for other in others:
        if other is not None and str(other) != "-" and other.resolve() == target.resolve():
            raise ConfigError(f"{target} would be written over {other}.", "Name another file.")


def map_option(function: F) -> F:
    """`--map FILE`: the map a history is held against."""
    return click.option(
        "--map",
        "map_file",
        type=click.Path(path_type=Path),
        help="An .osm.pbf extract, or an atlas built from one.",
    )(function)


def dial_option(function: F) -> F:
    """`--dial`: how readily Hearthway speaks."""
    return click.option(
        "--dial",
        type=click.Choice(DIALS),
        default="normal",
        show_default=True,
        help="How readily it speaks.",
    )(function)


def write_json(result: object, target: Path) -> None:
    """`result` as one JSON document with a newline, to a file (0600) or standard output for "-"."""
    data = to_json(result) + b"\n"
    if str(target) == "-":
        sys.stdout.write(data.decode())
    else:
        write_private(target, data)


def on_a_terminal() -> bool:
    """Is somebody looking at standard error?"""
    return sys.stderr.isatty()


def counted() -> Callable[[int], None] | None:
    """Shows how many fixes were read so far, where somebody looks; `uncounted` clears that away."""
    if not on_a_terminal():
        return None

    def show(count: int) -> None:
        click.echo(f"\r{count_of(count, 'fix', 'fixes')}", nl=False, err=True)

    return show


def uncounted() -> None:
    """The count makes room for the report."""
    if on_a_terminal():
        click.echo("\r\x1b[K", nl=False, err=True)


def nodes(data: Path | None) -> list[NodePaths]:
    """The nodes the verb is about; ConfigError where there are none."""
    root = data if data is not None else data_root()
    found = find_nodes(root)
    if not found:
        raise ConfigError(
            f"There is no node in {root}.",
            "Run `hearthway drive` for a first one, or `hearthway up --role phone`.",
        )
    return found


def node(data: Path | None, role: str | None = None) -> NodePaths:
    """The one node the verb is about: of `role` where there are several."""
    from hearthway.app.config import load_config

    found = nodes(data)
    if role is not None and len(found) > 1:
        found = [
            paths for paths in found if load_config(paths.config).node.role.value == role
        ] or found
    if len(found) > 1:
        names = ", ".join(paths.root.name for paths in found)
        raise ConfigError(f"There are several nodes here: {names}.", "Name one with --data DIR.")
    return found[0]


def phone(data: Path | None) -> tuple[NodePaths, Config]:
    """The phone the verb is about, with its settings; InputError where it is another kind of node."""
    from hearthway.app.config import load_config
    from hearthway.records.household import Role

    paths = node(data, "phone")
    config = load_config(paths.config)
    if config.node.role is not Role.PHONE:
        raise InputError(
            f"{paths.root.name} is a {config.node.role}: a life is kept on a phone.",
            "Name the phone's directory with --data.",
        )
    return paths, config


def ago(seconds: float) -> str:
    """A duration in its largest fitting unit."""
    for unit, size in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
