"""What a student is really taught from: each task says what it reads, and a recipe names no other source.

So the card tells what was read and not what somebody wrote. A file or folder of the user is read under its SHA-256:
of a file that of its bytes, of a folder that of the lines `HASH  PATH` of the files that the task takes, sorted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from hearthway.records.errors import InputError, RuleDeniedError

from .own import Origin, check_sources
from .recipe import Recipe, Source
from .result import Told
from .stages import file_sha256

if TYPE_CHECKING:
    from hearthway.mesh.policy.rules import Rules

BELOW = "language"  # sets may stand in a folder of that name
FILES_MAX, LINE_MAX = 20, 380  # a student's file has a line of so many characters for each


class Reads(Struct, frozen=True, kw_only=True):
    """One thing that a task learns from. `files`: patterns below a folder that somebody has to name; none: it comes with the task."""

    name: str
    licence: str
    origin: Origin
    attribution: str = ""
    files: tuple[str, ...] = ()


class Given(Struct, frozen=True, kw_only=True):
    """What whoever distils says beside the recipe: the folder its paths count from, that of the public sets, and the owner's rules."""

    folder: Path = Path()
    sets: Path | None = None
    rules: Rules | None = None


class Read(Struct, frozen=True, kw_only=True):
    """A source that is there. `path` of None: it comes with the task."""

    told: Told
    path: Path | None = None
    files: tuple[str, ...] = ()

    def unchanged(self) -> None:
        """InputError where it is not what its SHA-256 was taken of: to be asked once it was read."""
        if self.path is not None and content(self.path, self.files, self.told.name) != (
            self.told.sha256
        ):
            raise InputError(
                f"{self.path} changed while it was read.", "Leave it as it is, and run it again."
            )


class Sources(Struct, frozen=True, kw_only=True):
    """All that a student is taught from, and the owner's rules that let what is personal be."""

    read: tuple[Read, ...]
    rules: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[Told, ...]:
        """As the card has them."""
        return tuple(one.told for one in self.read)

    @property
    def own(self) -> tuple[Read, ...]:
        """Those that have a path."""
        return tuple(one for one in self.read if one.path is not None)

    @property
    def paths(self) -> dict[str, Path]:
        """Where each of them is, by its name."""
        return {one.told.name: one.path for one in self.read if one.path is not None}

    @property
    def decides(self) -> list[tuple[str, str]]:
        """(name, SHA-256) of each that has a path: part of what decides the corpus."""
        return [(one.told.name, one.told.sha256) for one in self.own]


def sources(
    recipe: Recipe,
    reads: Sequence[Reads],
    given: Given,
    takes: Callable[[Source], bool] = lambda _: False,
) -> Sources:
    """What `reads` declares, and the files of the recipe that the task `takes`. Nothing personal is opened without a rule.

    InputError for a source that the task does not read, or of which it knows better; RuleDeniedError for personal data.
    """
    rules = check_sources(recipe.source, given.rules)
    names = [source.name for source in recipe.source]
    if len(names) > FILES_MAX:
        raise InputError(
            f"The recipe names {len(names)} sources.", f"Join files until there are {FILES_MAX}."
        )
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"The recipe names the source {name!r} twice.", "Give each a name of its own."
            )
    said = {source.name: source for source in recipe.source}
    found = [_declared(one, said.pop(one.name, None), recipe.task, given) for one in reads]
    for source in said.values():
        if not takes(source):
            raise _not_read(source, recipe.task, reads)
        if len(source.name + source.licence + source.attribution) > LINE_MAX:
            raise InputError(
                f"Name, licence and attribution of {source.name[:40]!r} have more than {LINE_MAX} characters.",
                "Shorten them: the student's file has one line for each source.",
            )
        found.append(_file(source, given))
    return Sources(read=tuple(found), rules=rules)


def _declared(one: Reads, source: Source | None, task: str, given: Given) -> Read:
    """A source of the task; what a recipe says of it has to be so."""
    if source is not None:
        for field, is_so in (
            ("licence", one.licence),
            ("origin", one.origin),
            ("attribution", source.attribution and one.attribution),
        ):
            if getattr(source, field) != is_so:
                raise InputError(
                    f"The recipe says that the {field} of {one.name!r} is {str(getattr(source, field))!r}, and it is {str(is_so)!r}.",
                    "Write it so, or leave the source out: the card tells it anyway.",
                )
    told = Told(
        name=one.name,
        licence=one.licence,
        origin=str(one.origin),
        attribution=one.attribution,
    )
    if not one.files:
        if source is not None and source.path:
            raise InputError(
                f"{one.name!r} comes with the task {task}, and no path is read for it.",
                "Leave `path` out. A file of your own sentences is learned from by `hearthway distill texts`.",
            )
        return Read(told=told)
    if source is not None and source.path:
        path = given.folder / source.path
    elif given.sets is not None:
        path = given.sets / one.name
        if not path.is_dir() and (given.sets / BELOW / one.name).is_dir():
            path = given.sets / BELOW / one.name
    else:
        raise InputError(
            f"The task {task} reads {one.name} ({one.attribution}), and nobody said where it is.",
            "Name the folder of the public sets with --sets DIR, or give it a `path` in a [[source]] of the recipe.",
        )
    return _with_content(told, path, one.files)


def _file(source: Source, given: Given) -> Read:
    """A file of the user's own. InputError without a path."""
    if not source.path:
        raise InputError(
            f"The source {source.name!r} says no `path`.",
            "Add the path of its file, relative to the recipe's folder.",
        )
    path = given.folder / source.path
    told = Told(
        name=source.name,
        licence=source.licence,
        origin=str(source.origin),
        attribution=source.attribution,
    )
    return _with_content(told, path, ())


def _with_content(told: Told, path: Path, files: tuple[str, ...]) -> Read:
    """The source under its SHA-256. RuleDeniedError for a node's data that are not called personal."""
    if told.origin != Origin.PERSONAL and _of_a_node(path):
        raise RuleDeniedError(
            f"{path} stands in the data of a node, and {told.name!r} is called {told.origin}.",
            'What a node knows is personal: write origin = "personal" and the key of its [[train]] rule, or name another path.',
        )
    digest = content(path, files, told.name)
    whole = Told(
        name=told.name,
        licence=told.licence,
        origin=told.origin,
        attribution=told.attribution,
        sha256=digest,
    )
    return Read(told=whole, path=path, files=files)


def content(path: Path, files: Sequence[str], name: str) -> str:
    """Hex SHA-256 of a file, or of those files of a folder; InputError where it is not there or cannot be read."""
    try:
        if not files:
            if path.exists() and not path.is_file():
                raise InputError(
                    f"{path}, the path of {name!r}, is no file.", "Name the file itself."
                )
            digest = file_sha256(path)
            if digest is None:
                raise _nowhere(path, name)
            return digest
        if not path.is_dir():
            raise _nowhere(path, name)
        there = sorted({one for pattern in files for one in path.glob(pattern) if one.is_file()})
        if not there:
            raise InputError(
                f"{path} holds no {files[0]}, so it is not {name}.",
                "Name the folder that holds the set as its authors publish it.",
            )
        lines = [f"{file_sha256(one)}  {one.relative_to(path).as_posix()}\n" for one in there]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    except OSError as why:
        raise InputError(
            f"{path}, the path of {name!r}, cannot be read: {why.strerror}.",
            "Check the path and its permissions.",
        ) from None


def _nowhere(path: Path, name: str) -> InputError:
    return InputError(
        f"There is no {path}, which the recipe or --sets names for {name!r}.",
        "A path counts from the recipe's folder; name one that is there.",
    )


def _of_a_node(path: Path) -> bool:
    return any((folder / "node.toml").is_file() for folder in path.resolve().parents)


def _not_read(source: Source, task: str, reads: Sequence[Reads]) -> InputError:
    return InputError(
        f"The task {task} does not read {source.name!r}, so nothing would be taught from it.",
        f"It reads: {', '.join(one.name for one in reads) or 'the files that its sources name'}. Leave the source out; "
        "a file of your own sentences is learned from by `hearthway distill texts`.",
    )
