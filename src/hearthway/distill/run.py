"""Runs stages one after the other, each at most once for the same inputs; a run that was cut goes on where it was."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from hearthway.records.errors import InputError

from .stages import Checkpoints, Made, Stage, Work, key_of


class Watcher(Protocol):
    """Whoever looks on."""

    def begins(self, stage: Stage, number: int, count: int) -> None:
        """A stage is about to be made."""

    def tells(self, stage: Stage, words: str) -> None:
        """How far it is."""

    def stands(self, stage: Stage, made: Made, *, again: bool) -> None:
        """It is whole; `again`: it was before this run began."""


class Ran(Struct, frozen=True, kw_only=True):
    """What every stage left, and where."""

    made: dict[str, Made]
    folders: dict[str, Path]
    new: tuple[str, ...]  # the stages that this run made

    def read(self, stage: str, name: str) -> bytes:
        """One file of a stage."""
        return (self.folders[stage] / name).read_bytes()


def run(stages: Sequence[Stage], out: Path, seed: int, watcher: Watcher) -> Ran:
    """All stages in their order; InputError where another run has `out`, or `out` cannot be used."""
    checkpoints = Checkpoints(out / "stages")
    try:
        checkpoints.root.mkdir(parents=True, exist_ok=True)
    except OSError as why:
        raise InputError(
            f"{out} cannot be used: {why.strerror}.",
            "Name a folder in which you may write: --out DIR.",
        ) from None
    with _alone(out):
        return _run(stages, checkpoints, seed, watcher)


def _run(stages: Sequence[Stage], checkpoints: Checkpoints, seed: int, watcher: Watcher) -> Ran:
    made: dict[str, Made] = {}
    folders: dict[str, Path] = {}
    new = []
    for number, stage in enumerate(stages, start=1):
        key = key_of(stage, seed, made)
        found = checkpoints.made(stage, key)
        if found is None:
            watcher.begins(stage, number, len(stages))
            found = _make(stage, key, checkpoints, seed, folders, watcher)
            new.append(stage.name)
        made[stage.name] = found
        folders[stage.name] = checkpoints.folder(stage, key)
        watcher.stands(stage, found, again=stage.name not in new)
    return Ran(made=made, folders=folders, new=tuple(new))


def _make(
    stage: Stage,
    key: str,
    checkpoints: Checkpoints,
    seed: int,
    folders: Mapping[str, Path],
    watcher: Watcher,
) -> Made:
    part = checkpoints.begin(stage, key)
    inputs = {name: folders[name] for name in stage.needs}
    began_s = time.process_time()
    seed = seed if stage.seeded else 0
    stage.make(Work(part, inputs, seed, lambda words: watcher.tells(stage, words)))
    return checkpoints.finish(stage, key, part, time.process_time() - began_s)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """One run at a time in a folder: the lock goes with its process, however that ends."""
    lock = os.open(out / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"Another distillation is at work in {out}.",
                "Wait for it, or name another folder: --out DIR.",
            ) from None
        yield
    finally:
        os.close(lock)
