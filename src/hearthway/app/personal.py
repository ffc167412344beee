"""A person's history coming in and going out: import, forget and export, with the node running or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.store import Store
from hearthway.records.count import count_of
from hearthway.records.errors import InputError
from hearthway.records.household import Role
from hearthway.records.life import Person
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import PHONE_POSITION, normalise
from hearthway.sense.fixes import FixAssembler

from .calendar import import_calendar, owner_of_calendar
from .clock import SystemClock
from .collecting import check_positions, collected_fixes, left_out, may_collect
from .config import Config
from .maps import open_atlas
from .recording import read_recording

RECORDING_SUFFIXES = (".jsonl", ".jsonl.gz")
AHEAD_MAX_S = 86_400.0  # a fix dated later would make everything that really comes next look old
KEYS = 256  # whose permission is remembered at a time: keys are words of a file, and may be long


def is_recording(path: Path) -> bool:
    """Is this Hearthway's own form, by its name?"""
    return path.name.endswith(RECORDING_SUFFIXES)


def import_file(
    store: Store, path: Path, name: str, person_id: str | None, rules: Rules
) -> dict[str, Any]:
    """Take a history into a phone's store for one person, as far as the owner's rules let it be collected.

    What was there stays; repeats are counted, not doubled.
    """
    if not name.strip():
        raise InputError("Whose history is it?", "Add --person NAME.")
    from hearthway.history.source import (
        check_regular,
    )  # brings unpacking along: not for a phone at rest

    check_regular(path)
    # What is forgotten meanwhile must not come back with the rest of it.
    generation = store.generation()
    if is_recording(path):
        return _import_recording(store, path, name, person_id, rules, generation)
    from hearthway.history.ordered import OrderedFixes  # sorts with numpy: not for a phone at rest
    from hearthway.history.reader import open_history

    check_positions(rules, Role.PHONE)
    history = open_history(path)
    ordered = OrderedFixes.collect(history)
    people = ordered.people()
    if len(people) > 1 and name not in people:
        raise InputError(
            f"{path} holds {len(people)} people: {', '.join(people[:8])}.",
            "Name one of them with --person, and import each into that person's own phone.",
        )
    uid = name if name in people else people[0]
    person = _person(store, name, person_id, generation)
    dated = _Dated(collected_fixes(rules, Role.PHONE, ordered.of(uid)))
    source = path.suffix.lstrip(".") or "file"
    added = store.add_fixes(person.person_id, dated, source, generation=generation)
    return {
        "person_id": person.person_id,
        "fixes": added.added,
        "duplicates": added.duplicates + ordered.duplicates,
        "signals": 0,
        "read": history.report.words() + dated.words(),
    }


def _import_recording(
    store: Store,
    path: Path,
    name: str,
    person_id: str | None,
    rules: Rules,
    generation: int,
) -> dict[str, Any]:
    read = kept_here = 0
    # Every line first, so that of a file that ends badly nothing is kept; never all of them at once.
    may = _may(rules)
    for signal in read_recording(path):
        read += 1
        if may(signal.key):
            kept_here += 1
            normalise(signal)
    person = _person(store, name, person_id, generation)
    prefix = PHONE_POSITION + "."
    located = (one for one in read_recording(path) if one.key.startswith(prefix))
    others = (one for one in read_recording(path) if not one.key.startswith(prefix))
    dated = _Dated(_fixes(_collected(rules, located)))
    added = store.add_fixes(person.person_id, dated, "recording", generation=generation)
    kept = store.add_signals(person.person_id, _collected(rules, others), generation=generation)
    return {
        "person_id": person.person_id,
        "fixes": added.added,
        "duplicates": added.duplicates + kept.duplicates,
        "signals": kept.added,
        "read": f"{count_of(read, 'signal')} read" + left_out(read, kept_here) + dated.words(),
    }


def _person(store: Store, name: str, person_id: str | None, generation: int) -> Person:
    with store.database.transaction():
        store.still(generation)
        return store.add_person(name, person_id)


def _collected(rules: Rules, signals: Iterable[Signal]) -> Iterator[Signal]:
    may = _may(rules)
    return (normalise(one) for one in signals if may(one.key))


def _may(rules: Rules) -> Callable[[str], bool]:
    """`may_collect` of a phone under these rules; a life has a dozen keys and a million readings."""
    return lru_cache(KEYS)(lambda key: may_collect(rules, Role.PHONE, key))


def import_calendar_offline(
    store: Store, path: Path, name: str, config: Config, rules: Rules, *, holidays: bool = False
) -> dict[str, Any]:
    """Take a calendar file into the store of a phone that is not running; with other days off it learns anew."""
    from .equipment import brain_for

    person = owner_of_calendar(store, name)
    atlas = open_atlas(config.map)
    try:
        brain, now_s = brain_for(store, person, config, atlas, rules), SystemClock().now_s()
        found = import_calendar(store, path, brain.life, atlas, rules, now_s, holidays=holidays)
        if found["learn"]:
            brain.rebuild()
        return found
    finally:
        if atlas is not None:
            atlas.close()


class _Dated:
    """Fixes without those from the future; counts what it leaves out."""

    def __init__(self, fixes: Iterable[Fix]) -> None:
        self._fixes = fixes
        self._left_out = 0

    def __iter__(self) -> Iterator[Fix]:
        latest_s = SystemClock().now_s() + AHEAD_MAX_S
        for fix in self._fixes:
            if fix.time_s <= latest_s:
                yield fix
            else:
                self._left_out += 1

    def words(self) -> str:
        """One clause for people, once it was iterated."""
        return f"; {self._left_out:,} left out: dated in the future" if self._left_out else ""


def _fixes(signals: Iterable[Signal]) -> Iterator[Fix]:
    """What was written of one instant belongs together, in whatever order."""
    assembler = FixAssembler()
    for _, instant in groupby(signals, key=lambda signal: signal.time_s):
        for located in assembler.feed_all(instant):
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
