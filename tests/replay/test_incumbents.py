"""What people say that other assistants get wrong, each as a whole day here. docs/explanation/incumbents.md names them.

Each day is lived through the phone's real path, and beside it the same day without the one fact, where the word would be right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hearthway.assist.standing import STANDS_S, stands
from hearthway.assist.way import eta_s
from hearthway.atlas.store import Atlas
from hearthway.records.geo import distance_m
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Via

from .days import HOUR_S, Diary, Heard, Point, event, live, page_of

HOME: Point = (60.4200, 24.9600)
WORK: Point = (60.1708, 24.9375)
HALL: Point = (60.1960, 24.9395)  # on the way home
WEEKS = 2
TODAY = 7 * WEEKS  # a Monday


def commute(diary: Diary, day: int, *home: Point, stop_s: float = 0.0) -> None:
    """Out at a quarter past eight, back at five, through these points."""
    diary.rest(diary.local(day, 8.25))
    diary.go(WORK)
    diary.rest(diary.local(day, 17.0))
    diary.go(*home, HOME, stop_s=stop_s)


def weeks(*home: Point, stop_s: float = 0.0) -> Diary:
    """Two weeks of work, and the morning and the working day after."""
    diary = Diary(HOME)
    for day in range(TODAY):
        if day % 7 < 5:
            commute(diary, day, *home, stop_s=stop_s)
    diary.rest(diary.local(TODAY, 8.25))
    diary.go(WORK)
    diary.rest(diary.local(TODAY, 16.0))
    return diary


def day_of(diary: Diary, path: Path, atlas: Atlas, calendar: str = "") -> Heard:
    """The afternoon from four on, after all that was before."""
    from_s = diary.local(TODAY, 16.0)
    before: Sequence[Fix | Signal] = [i for i in diary.items if i.time_s < from_s]
    return live(path, atlas, before, diary.since(from_s), calendar)


# the way home, although a concert here tonight is in the calendar -------------------------------------------------------


@pytest.mark.parametrize("planned", [True, False])
def test_a_concert_here_tonight_is_no_way_home(tmp_path: Path, atlas: Atlas, planned: bool) -> None:
    diary = weeks()
    leave_s = diary.local(TODAY, 17.0)
    diary.rest(leave_s)
    there_s = diary.go(HALL)
    diary.rest(there_s + HOUR_S)
    start_s = leave_s + 50 * 60.0  # home and back takes longer than that
    heard = day_of(diary, tmp_path / "a.db", atlas, event(start_s, HALL) if planned else "")
    for at_s in (leave_s + 60.0, leave_s + 120.0):
        goal = "Concert" if planned else "home"  # without the entry that would be right
        assert f"likely to {goal} (" in heard.doing(at_s)
        assert heard.at(at_s).destinations[0].p > 0.8
    assert heard.said == []


@pytest.mark.parametrize(
    ("spot", "says"),
    [(None, "Next, around 17:00: home"), (WORK, "Next, around 20:00: home"), (HALL, ": Concert")],
)
def test_at_work_it_says_what_is_next(
    tmp_path: Path, atlas: Atlas, spot: Point | None, says: str
) -> None:
    """A concert at six: none, one next door, one on the other side of town."""
    diary = weeks()
    diary.rest(diary.local(TODAY, 16.9))
    planned = "" if spot is None else event(diary.local(TODAY, 18.0), spot)
    heard = day_of(diary, tmp_path / "a.db", atlas, planned)
    assert says in page_of(heard.looks[-1])["onward"]


def test_who_drives_home_all_the_same_is_seen_to(tmp_path: Path, atlas: Atlas) -> None:
    """The calendar moves what is expected; the way that is driven decides."""
    diary = weeks()
    leave_s = diary.local(TODAY, 17.0)
    diary.rest(leave_s)
    there_s = diary.go(HOME)
    diary.rest(there_s + HOUR_S)
    heard = day_of(diary, tmp_path / "a.db", atlas, event(leave_s + 50 * 60.0, HALL))
    assert "likely to Concert" in heard.doing(leave_s + 120.0)
    assert "likely to home" in heard.doing(leave_s + 900.0)


# the way home as one leg, although the child is fetched from daycare on it ---------------------------------------------

DAYCARE: Point = (60.2300, 25.0600)  # east of the way home
FETCH_S = 8 * 60.0


@pytest.mark.parametrize("fetches", [True, False])
def test_the_way_home_goes_by_the_daycare(tmp_path: Path, atlas: Atlas, fetches: bool) -> None:
    """What is expected is when one is home with the child; without that habit the same way is one leg."""
    diary = weeks(*[DAYCARE] * fetches, stop_s=FETCH_S)
    leave_s = diary.local(TODAY, 17.0)
    diary.rest(leave_s)
    there_s = diary.go(DAYCARE, HOME, stop_s=FETCH_S)
    diary.rest(there_s + HOUR_S)
    heard = day_of(diary, tmp_path / "a.db", atlas)
    look = heard.at(leave_s + 60.0)
    goal = look.destinations[0]
    assert goal.place.label == "home"
    expected_s = look.time_s + eta_s(look, goal.place, atlas)[0]
    if fetches:
        assert abs(there_s - expected_s) < 6 * 60.0
        assert "by way of a usual stop likely to home" in heard.doing(look.time_s)
        assert isinstance(goal.via, Via)
        assert distance_m(goal.via.lat, goal.via.lon, *DAYCARE) < 100.0
        fetched = heard.at(there_s - 600.0)
        assert "usual stop" not in heard.doing(fetched.time_s)  # it lies behind
        assert "likely to home" in heard.doing(fetched.time_s)
    else:
        assert there_s - expected_s > 12 * 60.0
        assert "usual stop" not in heard.doing(look.time_s)


def test_on_the_day_somebody_else_fetches_the_way_tells(tmp_path: Path, atlas: Atlas) -> None:
    diary = weeks(DAYCARE, stop_s=FETCH_S)
    leave_s = diary.local(TODAY, 17.0)
    diary.rest(leave_s)
    there_s = diary.go(HOME)
    diary.rest(there_s + HOUR_S)
    heard = day_of(diary, tmp_path / "a.db", atlas)
    assert "by way of a usual stop" in heard.doing(leave_s + 60.0)
    assert "usual stop" not in heard.doing(leave_s + 900.0)
    assert "likely to home" in heard.doing(leave_s + 900.0)


# the "parked here" pin of a two-minute stop ----------------------------------------------------------------------------

PUB: Point = (60.17660, 24.94923)


@pytest.mark.parametrize("stop_s", [120.0, 1500.0])
def test_a_stop_of_two_minutes_is_no_place(tmp_path: Path, atlas: Atlas, stop_s: float) -> None:
    """At Pikkudami, on every way home. The control stays there for 25 minutes."""
    diary = weeks(PUB, stop_s=stop_s)
    leave_s = diary.local(TODAY, 17.0)
    diary.rest(leave_s)
    there_s = diary.go(PUB, HOME, stop_s=stop_s)
    diary.rest(there_s + HOUR_S)
    from_s = leave_s + distance_m(*WORK, *PUB) / 12.0
    heard = day_of(diary, tmp_path / "a.db", atlas)
    life = heard.brain.life
    near = [p for p in life.places() if distance_m(p.lat, p.lon, *PUB) < 150.0]
    shown = [page_of(heard.at(from_s + at_s))["map"] for at_s in (60.0, 130.0, 600.0)]
    if stop_s == 120.0:
        assert near == []
        assert life.meals == []
        assert all(trip.stops == [] for trip in life.trips)
        assert {p.label for p in life.places()} == {"home", "work"}
        for drawn in shown:
            assert set(drawn) == {"position", "track", "ahead", "destination"}
            assert drawn["destination"]["label"] == "home"
    else:
        assert len(near) == 1
        assert life.meals


# far from home, places of another country ------------------------------------------------------------------------------

AIRPORT: Point = (42.3386, 1.4092)  # 2,500 km from home
HOTEL: Point = (42.5063, 1.5218)


def abroad(path: Path, atlas: Atlas) -> tuple[Heard, float]:
    """Home, a flight with the phone switched off, and two days of driving about where one has never been."""
    diary = weeks()
    for part in ("out", "round"):
        if part == "out":
            diary.now_s += 5 * HOUR_S
            diary.at = AIRPORT
        drive_s = diary.now_s
        diary.go(HOTEL)
        diary.rest(diary.now_s + 14 * HOUR_S)
        diary.go(AIRPORT)
        diary.rest(diary.now_s + HOUR_S)
    return day_of(diary, path, atlas), drive_s


def test_far_from_home_nothing_of_home_is_offered(tmp_path: Path, atlas: Atlas) -> None:
    heard, _ = abroad(tmp_path / "a.db", atlas)
    away = [look for look in heard.looks if distance_m(look.lat, look.lon, *HOME) > 1e6]
    driving = [look for look in away if look.mode == "driving"]
    assert len(driving) > 100
    for look in driving:
        assert all(distance_m(*HOME, d.place.lat, d.place.lon) > 1e6 for d in look.destinations)
        assert look.utc_offset_s == 3600  # theirs
    assert heard.said == []
    assert any("likely to" in page_of(look)["doing"] for look in driving)  # the hotel, by now


def test_without_that_bound_home_would_be_offered(
    tmp_path: Path, atlas: Atlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the same journey."""
    monkeypatch.setattr("hearthway.context.destination.REACH_M", 1e9)
    heard, _ = abroad(tmp_path / "a.db", atlas)
    away = [look for look in heard.looks if distance_m(look.lat, look.lon, *HOME) > 1e6]
    assert any("likely to home" in page_of(look)["doing"] for look in away)


# what is over ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leaves", [True, False])
def test_what_is_over_is_shown_no_more(tmp_path: Path, atlas: Atlas, leaves: bool) -> None:
    """Guests at home: the word to leave goes as one leaves; and if one does not, when it is too late for it."""
    diary = weeks()
    start_s, left_s = diary.local(TODAY, 18.5), diary.local(TODAY, 17.5)
    diary.rest(left_s)
    if leaves:
        diary.go(HOME)
    diary.rest(start_s + 3 * HOUR_S)
    heard = day_of(diary, tmp_path / "a.db", atlas, event(start_s, HOME, "Guests"))
    assert [one.need for one in heard.said] == ["leave"]
    (word,) = heard.said
    shown = [look.time_s for look in heard.looks if look.time_s >= word.time_s]
    shown = [at_s for at_s in shown if stands(word, at_s, heard.at(at_s))]
    assert shown[0] == word.time_s < left_s
    if leaves:
        assert left_s - 120.0 < shown[-1] < left_s + 60.0
    else:
        assert left_s < shown[-1] < start_s
    # nobody looks at a phone at rest: its page goes by the clock alone
    assert not stands(word, start_s, heard.at(word.time_s))


def test_a_word_of_a_drive_is_over_with_it(rehearse: Callable[..., Any]) -> None:
    evening = rehearse()
    word = evening.moment
    assert stands(word, word.time_s + 600.0, word.situation)
    arrived = replace(
        word.situation, time_s=word.time_s + 1800.0, mode="staying", trip_start_s=None
    )
    assert not stands(word, arrived.time_s, arrived)
    assert not stands(word, word.time_s + STANDS_S, word.situation)


# the battery drains ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("left_pct", "on_a_drive", "planned"), [(80.0, 362, 64), (12.0, 122, 14)])
def test_how_often_a_phone_looks_is_bounded(
    tmp_path: Path, atlas: Atlas, left_pct: float, on_a_drive: int, planned: int
) -> None:
    """At rest as often as a position comes; with an entry near once a minute; on a drive with each fix, five seconds apart.

    With little left in the phone's own battery all but the first is rarer.
    """
    diary = weeks()
    diary.phone_pct = left_pct
    diary.rest(diary.now_s + HOUR_S)
    left_s = diary.now_s
    there_s = diary.go(HOME)
    diary.rest(there_s + 12 * HOUR_S)
    heard = day_of(diary, tmp_path / "a.db", atlas, event(left_s + 600.0, HALL))
    night = [look for look in heard.looks if look.time_s > there_s + 2 * HOUR_S]
    assert 4 * 9 <= len(night) <= 4 * 11
    at_work = [look.time_s for look in heard.looks if look.time_s < left_s]
    per_hour = HOUR_S * len(at_work) / (at_work[-1] - at_work[0])
    assert planned / 2 < per_hour <= planned
    drive = [look for look in heard.looks if left_s <= look.time_s <= there_s]
    per_hour = HOUR_S * len(drive) / (there_s - left_s)
    assert on_a_drive / 2 < per_hour <= on_a_drive
