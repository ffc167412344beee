"""A person's history coming in and going out: import, forget and export, with the node running or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hearthway.history.ordered import OrderedFixes
from hearthway.history.reader import open_history
from hearthway.mesh.store import Store
from hearthway.records.errors import InputError
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import PHONE_POSITION, normalise
from hearthway.sense.fixes import FixAssembler

from .recording import read_recording

RECORDING_SUFFIXES = (".jsonl", ".jsonl.gz")


def is_recording(path: Path) -> bool:
    """Is this Hearthway's own form, by its name?"""
    return path.name.endswith(RECORDING_SUFFIXES)


def import_file(
    store: Store, path: Path, name: str, person_id: str | None = None
) -> dict[str, Any]:
    """Take a history into the store for one person; what was there stays, repeats are counted, not doubled."""
    if not name.strip():
        raise InputError("Whose history is it?", "Add --person NAME.")
    if is_recording(path):
        return _import_recording(store, path, name, person_id)
    history = open_history(path)
    ordered = OrderedFixes.collect(history)
    people = ordered.people()
    if len(people) > 1 and name not in people:
        raise InputError(
            f"{path} holds {len(people)} people: {', '.join(people[:8])}.",
            "Name one of them with --person, and import each into that person's own phone.",
        )
    uid = name if name in people else people[0]
    person = store.add_person(name, person_id)
    added = store.add_fixes(person.person_id, ordered.of(uid), path.suffix.lstrip(".") or "file")
    return {
        "person_id": person.person_id,
        "fixes": added.added,
        "duplicates": added.duplicates + ordered.duplicates,
        "signals": 0,
        "read": history.report.words(),
    }


def _import_recording(store: Store, path: Path, name: str, person_id: str | None) -> dict[str, Any]:
    signals = [normalise(signal) for signal in read_recording(path)]
    person = store.add_person(name, person_id)
    located = [s for s in signals if s.key.startswith(PHONE_POSITION + ".")]
    others = [s for s in signals if not s.key.startswith(PHONE_POSITION + ".")]
    added = store.add_fixes(person.person_id, _fixes(located), "recording")
    kept = store.add_signals(person.person_id, others)
    return {
        "person_id": person.person_id,
        "fixes": added.added,
        "duplicates": added.duplicates + kept.duplicates,
        "signals": kept.added,
        "read": f"{len(signals):,} signals read",
    }


def _fixes(signals: Iterable[Signal]) -> Iterator[Fix]:
    assembler = FixAssembler()
    for signal in signals:
        located = assembler.feed(signal)
        if located is not None:
            yield located.fix


def relearn_after(node: Any) -> None:
    """Forget what was in memory and learn from what the store still holds."""
    node.suggestion, node.answered, node.silence, node.situation = None, None, None, None
    node.track.clear()
    node.latest.clear()
    owner = node.owner
    node.brain = None if owner is None else node.brain_of(owner)
    if node.brain is not None:
        node.brain.rebuild()
