"""What a phone knows of things just after it left home: told freshly, and what went along before by place and by calendar."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hearthway.app.brain import Brain
from hearthway.app.house import HouseHeard
from hearthway.assist.settings import GateSettings
from hearthway.mesh.state.calendar import Change, keep
from hearthway.mesh.state.store import Store
from hearthway.records.calendar import CalendarEntry
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Situation

DAY_S = 86_400.0
MONDAY_S = 1_770_588_000.0  # 2026-02-09 00:00 in Helsinki
DAYS = 15
BAG = "Home.Items.Bag.Present"
WITH_PHONE = "Person.Items.Bag.WithPhone"


def at(minute: float, *, share: float) -> Fix:
    """Between home (0) and a place five kilometres away (1)."""
    return Fix(time_s=MONDAY_S + 60.0 * minute, lat=60.17 + 0.045 * share, lon=24.94)


def tag(minute: float, value: bool, key: str = BAG) -> Signal:
    return Signal(key=key, value=value, time_s=MONDAY_S + 60.0 * minute, source="home")


class Morning:
    """A phone that has kept two weeks; every day from 7:00 to 16:00 away, the bag along on days of which it is true."""

    def __init__(self, store: Store, lesson_on: tuple[int, ...] = ()) -> None:
        self.store, person = store, store.add_person("Anna", "anna")
        self.brain = Brain(
            store,
            person,
            pois=None,
            roads=None,
            name_of=None,
            settings=GateSettings(),
            synthetic=False,
        )
        for day in range(DAYS):
            for minute in range(0, 1440, 2):
                if day == DAYS - 1 and minute > 424:
                    break
                if minute % 20 and not (400 <= minute <= 450 or 940 <= minute <= 990):
                    continue  # at rest it tells less often
                share = min(max((minute - 420) / 20.0, 0.0), max(0.0, (960 - minute) / 20.0), 1.0)
                now = day * 1440.0 + minute
                self.brain.observe([at(now, share=share)], [], "phone")
                if minute % 4 == 0 and day < DAYS - 1:
                    away = 418 <= minute < 958 and (not lesson_on or day in lesson_on)
                    self.brain.observe([], [tag(now + 0.1, not away)], "home")
        self.minute = (DAYS - 1) * 1440.0 + 424.0

    def lessons(self, days: tuple[int, ...], title: str = "Lesson") -> None:
        starts = [MONDAY_S + day * DAY_S + 9 * 3600.0 for day in days]
        entries = tuple(
            CalendarEntry(uid="u", occurs_s=s, start_s=s, end_s=s + 3600.0, title=title, read_s=s)
            for s in starts
        )
        keep(self.store, "anna", [Change(uid="u", whole=True, entries=entries, version=(0, 0.0))])

    def look(self, *signals: Signal, minutes: float = 0.0) -> Situation:
        self.brain.observe([], signals, "home")
        return self.brain.situation(MONDAY_S + 60.0 * (self.minute + minutes))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "a.db", node_id="phone") as store:
        yield store


def test_just_after_leaving_it_is_known_what_stayed_and_how_often_it_goes_along(
    store: Store,
) -> None:
    morning = Morning(store)
    now = morning.minute
    (thing,) = morning.look(tag(now - 0.5, value=True)).things  # type: ignore[misc]  # it is set
    assert thing.name == "Bag"
    assert thing.at_home is not None
    assert (thing.at_home.value, thing.at_home.age_s) == (True, 30.0)
    assert thing.with_phone is None
    (habit,) = thing.habits
    assert habit.like == "on weekdays"
    assert habit.along == habit.times >= 5
    situation = morning.look(tag(now - 0.4, value=True, key=WITH_PHONE))
    (thing,) = situation.things  # type: ignore[misc]  # it is set
    assert thing.with_phone is not None
    assert thing.with_phone.value is True
    used = {evidence.key: evidence.source for evidence in situation.evidence}
    assert used[BAG] == used[WITH_PHONE] == "home"


def test_what_is_stale_or_told_later_on_the_way_is_nothing(store: Store) -> None:
    morning = Morning(store)
    now = morning.minute
    assert not isinstance(morning.look().things, tuple), "nobody told today"
    morning.look(tag(now - 14.0, value=True))
    assert isinstance(morning.look().things, tuple)
    assert not isinstance(morning.look(minutes=1.5).things, tuple), "a tag's word holds 15 min"
    morning.look(tag(now, value=True))
    assert not isinstance(morning.look(minutes=14.0).things, tuple), "long under way"


@pytest.mark.parametrize(
    ("lessons", "title", "along"),
    [
        ((1, 3, 5, 7, 9, 14), "Lesson", (5, 5)),
        ((0, 1, 3, 5, 7, 9, 14), "Lesson", (5, 6)),
        ((1, 3, 5, 7, 14), "Lesson", None),  # four occasions
        ((1, 3, 5, 7, 9), "Lesson", None),  # nothing comes next today
        ((1, 3, 5, 7, 9, 14), "", None),
    ],
)
def test_what_the_calendar_has_next_tells_what_goes_along(
    store: Store, lessons: tuple[int, ...], title: str, along: tuple[int, int] | None
) -> None:
    morning = Morning(store, lesson_on=(1, 3, 5, 7, 9))
    morning.lessons(lessons, title)
    (thing,) = morning.look(tag(morning.minute - 0.5, value=True)).things  # type: ignore[misc]  # it is set
    found = thing.planned
    assert (None if found is None else (found.along, found.times)) == along
    assert found is None or found.title == title


def test_of_a_tag_what_changed_is_kept_and_once_after_leaving_what_did_not() -> None:
    heard = HouseHeard()

    def keeps(minute: float, value: bool, left: float | None = None) -> bool:
        signal = tag(minute, value)
        heard.hear([signal])
        kept = heard.keeps(signal, None if left is None else MONDAY_S + 60.0 * left)
        if kept:
            heard.note(signal)
        return kept

    assert keeps(0.0, value=True)
    assert not keeps(500.0, value=True)
    assert keeps(510.0, value=True, left=505.0)
    assert not keeps(512.0, value=True, left=505.0)
    assert keeps(513.0, value=False, left=505.0)
    assert not keeps(512.5, value=True, left=505.0), "before what is stored"


def test_learned_again_from_the_store_is_the_same(store: Store) -> None:
    morning = Morning(store)
    lived = morning.brain.life.dump()
    assert morning.brain.life.state.items.outings != []
    morning.brain.rebuild()
    assert morning.brain.life.dump() == lived
