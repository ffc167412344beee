"""Stages with checkpoints on disk, each named by the hash of all that decides it: what was made is not made again.

A stage writes into `NAME-KEY.part`; when it is whole, `made.json` is written and the folder gets its name by one
rename. So a run that was killed at any instant goes on where it was, and ends at the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from hearthway.records.errors import InputError

Tell = Callable[[str], None]
KEY_CHARS = 16
MADE = "made.json"


class Made(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a finished stage left: SHA-256 of each file by name, the versions that made it, and its seconds of CPU."""

    stage: str
    key: str
    files: dict[str, str]
    made_with: dict[str, str]
    cpu_s: float

    @property
    def content(self) -> str:
        """One hash of all files."""
        return _sha256(msgspec.json.encode(self.files, order="deterministic"))


class Work:
    """What a stage is given: its folder, what it reads, the seed, and where to tell of progress."""

    def __init__(self, folder: Path, inputs: Mapping[str, Path], seed: int, tell: Tell) -> None:
        self.folder = folder
        self.seed = seed
        self.tell = tell
        self._inputs = inputs

    def read(self, stage: str, name: str) -> bytes:
        """A file that an earlier stage made."""
        return (self._inputs[stage] / name).read_bytes()

    def path(self, stage: str, name: str) -> Path:
        """The same as a path."""
        return self._inputs[stage] / name

    def kept(self, name: str) -> bytes | None:
        """What an interrupted run of this stage kept under `name`, if it is whole."""
        path = self.folder / f"{name}.kept"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        digest, body = data[:32], data[32:]
        return body if hashlib.sha256(body).digest() == digest else None

    def keep(self, name: str, data: bytes) -> None:
        """Keep a part, so that the work up to here is not lost; it goes when the stage is whole."""
        write_whole(self.folder / f"{name}.kept", hashlib.sha256(data).digest() + data)

    def write(self, name: str, data: bytes) -> None:
        """One of the stage's files."""
        write_whole(self.folder / name, data)


class Stage(Struct, frozen=True, kw_only=True):
    """One step. `revision` grows when its code would make something else of the same input."""

    name: str
    words: str
    revision: int
    needs: tuple[str, ...]
    settings: Any  # its tables of the recipe
    files: tuple[str, ...]  # what it makes
    make: Callable[[Work], None]
    made_with: tuple[str, ...] = ("numpy",)  # distributions whose version decides the bytes
    reads: tuple[Path, ...] = ()  # files of the user: their content decides as well
    seeded: bool = True  # else the run's seed plays no part: another seed leaves the stage as it is


class Checkpoints:
    """The stages' folders in `root`. One run at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def made(self, stage: Stage, key: str) -> Made | None:
        """The finished stage of that key, if every file is still as it was."""
        folder = self.folder(stage, key)
        try:
            made = msgspec.json.decode((folder / MADE).read_bytes(), type=Made)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        whole = made.key == key and set(made.files) == set(stage.files)
        for name in stage.files if whole else ():
            if file_sha256(folder / name) != made.files[name]:
                whole = False
        return made if whole else None

    def folder(self, stage: Stage, key: str) -> Path:
        """Where that stage's files are."""
        return self.root / f"{stage.name}-{key[:KEY_CHARS]}"

    def begin(self, stage: Stage, key: str) -> Path:
        """The folder to work in: that of an interrupted run, if there is one."""
        folder = self.folder(stage, key)
        if folder.exists():  # it was whole once, and is damaged
            shutil.rmtree(folder)
        part = folder.with_name(folder.name + ".part")
        part.mkdir(parents=True, exist_ok=True)
        for stray in part.glob(".*.new"):
            stray.unlink()
        return part

    def finish(self, stage: Stage, key: str, part: Path, cpu_s: float) -> Made:
        """The stage is whole; InputError where it did not make what it says."""
        for kept in part.glob("*.kept"):
            kept.unlink()
        digests = {name: file_sha256(part / name) for name in stage.files}
        missing = [name for name, digest in digests.items() if digest is None]
        if missing:
            raise InputError(
                f"The stage {stage.name} did not make {', '.join(missing)}.",
                "Please report it with the recipe.",
            )
        made = Made(
            stage=stage.name,
            key=key,
            files={name: digest for name, digest in digests.items() if digest is not None},
            made_with=versions(stage.made_with),
            cpu_s=round(cpu_s, 3),
        )
        write_whole(part / MADE, msgspec.json.format(msgspec.json.encode(made)))
        part.rename(self.folder(stage, key))
        return made


def key_of(stage: Stage, seed: int, inputs: Mapping[str, Made]) -> str:
    """The hash of all that decides what the stage makes."""
    decides = {
        "stage": stage.name,
        "revision": stage.revision,
        "settings": msgspec.to_builtins(stage.settings),
        "seed": seed if stage.seeded else None,
        "inputs": {name: inputs[name].content for name in stage.needs},
        "made_with": versions(stage.made_with),
        "reads": [file_sha256(path) for path in stage.reads],
    }
    return _sha256(msgspec.json.encode(decides, order="deterministic"))


def versions(names: Sequence[str]) -> dict[str, str]:
    """The installed version of each distribution; InputError where one is missing."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            raise InputError(
                f"{name} is not installed here, and this task needs it.",
                "Install the extra: pip install 'hearthway[distill]'.",
            ) from None
    return found


def write_whole(path: Path, data: bytes) -> None:
    """The file is there whole, or as it was before."""
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def file_sha256(path: Path) -> str | None:
    """Hex SHA-256 of a file's content; None where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
