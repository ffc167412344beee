"""A synthetic evening taken through the phone's real path in one process: store, context, assist, learn."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hearthway.app.brain import Brain
from hearthway.assist.engine import Proposal
from hearthway.assist.settings import GateSettings
from hearthway.atlas.store import Atlas
from hearthway.mesh.state.store import Store
from hearthway.records.codec import digest
from hearthway.records.life import Person
from hearthway.records.suggestion import Silence, Suggestion
from hearthway.sense.catalogue import CAR_POSITION, normalise
from hearthway.sense.fixes import FixAssembler
from hearthway.synthetic.drives import DrivePool
from hearthway.synthetic.household import SyntheticHousehold, generate
from hearthway.synthetic.settings import Settings

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def quiet() -> Iterator[ModuleType]:
    """bench/quiet.py as a module."""
    sys.path.insert(0, str(BENCH))
    module = import_module("quiet")
    yield module
    sys.path.remove(str(BENCH))
    fifth = ("_fifth", "_fifth_days", "_fifth_town")
    for name in ("quiet", "_lives", "_third", "_fourth", "_fourth_town", *fifth):
        sys.modules.pop(name, None)


@dataclass
class Evening:
    """What was said along one drive, and every reason for saying nothing."""

    suggestions: list[Suggestion] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)

    @property
    def codes(self) -> set[str]:
        return {silence.code for silence in self.silences}

    @property
    def moment(self) -> Suggestion:
        assert self.suggestions, f"nothing was said: {sorted(self.codes)}"
        return self.suggestions[0]

    @property
    def digest(self) -> str:
        """Of the canonical bytes of everything said and not said."""
        return digest([*self.suggestions, *self.silences])


@lru_cache(maxsize=3)
def household_of(settings: Settings) -> SyntheticHousehold:
    """The synthetic household of `settings` in central Helsinki."""
    atlas = Atlas.bundled()
    try:
        return generate(settings, atlas, atlas, DrivePool.bundled(), atlas.place_name)
    finally:
        atlas.close()


def live_through(
    folder: Path,
    household: SyntheticHousehold,
    history_of: str,
    atlas: Atlas,
    gate: GateSettings,
) -> Evening:
    """The final drive as the phone of `history_of` takes it: the same calls as `PhoneNode` makes."""
    evening = Evening()
    member = household.person(history_of)
    with Store.open(folder / "node.db", node_id="phone") as store:
        person: Person = store.add_person(member.name, member.person_id)
        store.add_fixes(person.person_id, member.fixes, "recording")
        store.add_signals(person.person_id, [normalise(s) for s in member.car_signals])
        brain = Brain(
            store,
            person,
            pois=atlas,
            roads=atlas,
            name_of=atlas.place_name,
            settings=gate,
            synthetic=True,
        )
        assembler = FixAssembler()
        for time_s, signals in household.drive.ticks:
            plain = [normalise(signal) for signal in signals]
            fixes = [located.fix for located in assembler.feed_all(plain)]
            brain.observe(fixes, plain, signals[0].source, CAR_POSITION)
            if not brain.due(time_s):
                continue
            outcome: Proposal | Suggestion | Silence = brain.propose(brain.situation(time_s))
            if isinstance(outcome, Proposal):
                outcome = brain.decide(outcome, {})
            if isinstance(outcome, Suggestion):
                evening.suggestions.append(outcome)
            else:
                evening.silences.append(outcome)
    return evening


Rehearse = Callable[..., Evening]


@pytest.fixture(scope="session")
def rehearse(tmp_path_factory: pytest.TempPathFactory) -> Rehearse:
    """rehearse(hours={...}, history_of="b", again=1, seed=1, ...): the evening; equal calls run once.

    `history_of` gives the phone that adult's life instead of the driver's; `again` asks for a run of its own.
    """

    @cache
    def run(hours: tuple[tuple[str, str], ...], history_of: str, again: int, knobs: Any) -> Evening:
        household = household_of(Settings(**dict(knobs)))
        whose = household.people["ab".index(history_of)].person_id
        atlas = Atlas.bundled()
        if hours:
            atlas = atlas.with_hours(dict(hours))
        try:
            return live_through(
                tmp_path_factory.mktemp("evening"), household, whose, atlas, GateSettings()
            )
        finally:
            atlas.close()

    def call(
        hours: dict[str, str] | None = None, history_of: str = "", again: int = 0, **knobs: Any
    ) -> Evening:
        knobs.setdefault("driver", "a")
        corrections = tuple(sorted((hours or {}).items()))
        whose = history_of or knobs["driver"]
        return run(corrections, whose, again, tuple(sorted(knobs.items())))

    return call


@pytest.fixture
def live_on(tmp_path: Path, atlas: Atlas) -> Callable[[SyntheticHousehold], Evening]:
    """live_on(household): the final drive of its driver, as the driver's phone takes it."""

    def call(household: SyntheticHousehold) -> Evening:
        return live_through(tmp_path, household, household.driver_id, atlas, GateSettings())

    return call


@pytest.fixture
def household() -> Callable[..., SyntheticHousehold]:
    """household(drive_at="08:00", ...): the synthetic household of these settings."""
    return lambda **knobs: household_of(Settings(driver="a", **knobs))


@pytest.fixture
def atlas() -> Iterator[Atlas]:
    bundled = Atlas.bundled()
    yield bundled
    bundled.close()


@pytest.fixture(scope="session")
def lived() -> SyntheticHousehold:
    """The usual household, whose drive is replayed."""
    return household_of(Settings())


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
