"""When to leave for what the calendar has: its day, and the days that differ from it in one fact."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hearthway.assist.explain import why
from hearthway.assist.memory import Memory
from hearthway.assist.moment import render
from hearthway.assist.needs.leave_now import settings
from hearthway.assist.needs.leave_now.need import NEED
from hearthway.assist.needs.leave_now.travel import by_own_trips
from hearthway.learn.outcome import learn_said
from hearthway.records.geo import distance_m, offset
from hearthway.records.life import Place
from hearthway.records.poi import Route
from hearthway.records.situation import Agenda, Evidence, OwnTrip, Planned
from hearthway.records.suggestion import Silence, Suggestion

HALL = offset(60.1690, 24.9380, 0.0, 9000.0)
OWN_TRIPS_S = tuple(60.0 * minutes for minutes in (24.0, 26.0, 33.0, 25.0, 27.0, 25.0))
START_H = 18.75


def planned(world: Any, **changes: Any) -> Planned:
    facts: dict[str, Any] = {
        "title": "Concert",
        "start_s": world.at(START_H),
        "end_s": world.at(21.0),
        "location": "Musiikkitalo, Mannerheimintie 13a",
        "place": Place(place_id="p9", lat=HALL[0], lon=HALL[1], visits=4),
        "place_from": "calendar",
        "trips_s": OWN_TRIPS_S,
    }
    return Planned(**{**facts, **changes})


def at_home(world: Any, *entries: Planned, hour: float, **changes: Any) -> dict[str, Any]:
    """At home, since long, with that in the calendar."""
    agenda = Agenda(planned=entries or (planned(world),), farthest_m=20_000.0)
    facts: dict[str, Any] = {
        "mode": "staying",
        "time_s": world.at(hour),
        "lat": world.home.lat,
        "lon": world.home.lon,
        "speed_mps": None,
        "trip_start_s": None,
        "destinations": (),
        "p_new": 1.0,
        "origin": world.home,
        "agenda": agenda,
        "evidence": (Evidence(key="Person.Location.Latitude", source="phone", age_s=600.0),),
    }
    return {**facts, **changes}


def look(
    world: Any, situation: dict[str, Any], memory: Memory | None = None, **assistant: Any
) -> Any:
    asked = world.assistant(among=[NEED], **assistant)
    return asked.consider(world.drive(**situation), memory or Memory(person="anna"))


def code_of(result: Any) -> str:
    assert isinstance(result, Silence), f"it spoke: {result.headline}"
    return result.code


def leave_h(world: Any) -> float:
    """The local hour by which to leave: 27 min of travel, 5 to the door."""
    return START_H - 32.0 / 60.0


def evening(world: Any, *entries: Planned, **assistant: Any) -> tuple[list[Suggestion], set[str]]:
    """From five to eight, a look a minute."""
    memory, told, codes = Memory(person="anna"), [], set()
    for minute in range(180):
        situation = at_home(world, *entries, hour=17.0 + minute / 60.0)
        result = look(world, situation, memory, **assistant)
        if isinstance(result, Suggestion):
            told.append(result)
            memory = learn_said(memory, result)
        else:
            codes.add(result.code)
    return told, codes


def test_its_day_speaks_once_with_time_to_get_ready(world: Any) -> None:
    told, codes = evening(world)
    assert len(told) == 1
    ready_s = world.at(leave_h(world)) - settings.READY_MIN * 60.0
    assert ready_s - 300.0 <= told[0].time_s <= ready_s
    assert codes == {"too-far", "too-early", "said-already", "too-late", "nothing-planned"}


def test_the_words(world: Any) -> None:
    result = look(world, at_home(world, hour=leave_h(world) - 11.0 / 60.0))
    assert isinstance(result, Suggestion), result
    assert render(result) == [
        "18:02:00  Leave by 18:13 to be at Musiikkitalo at 18:45",
        "          Concert · your calendar has the place",
        "          27 min (6 own trips from here took 24-33) · 5 min to park and walk in · 10 min to get ready (assumed)",
        "          why · not now",
    ]
    said = "\n".join(why(result))
    assert (
        "not coming late is worth 20 min, with p 0.90 (it is in your calendar: 0.90 assumed)"
        in said
    )
    assert "less likely that you were going there and had not left yet" in said


def test_learned_late_it_says_how_late(world: Any) -> None:
    result = look(world, at_home(world, hour=leave_h(world) + 10.0 / 60.0))
    assert isinstance(result, Suggestion)
    assert result.headline == "Leave now for Musiikkitalo: about 10 min late for 18:45"
    assert code_of(look(world, at_home(world, hour=leave_h(world) + 16.0 / 60.0))) == "too-late"


def test_without_own_trips_the_map_tells_with_its_doubt(world: Any) -> None:
    entry = planned(world, trips_s=OWN_TRIPS_S[:2])
    way_s = distance_m(world.home.lat, world.home.lon, *HALL) / 10.0
    told, _ = evening(world, entry)
    (one,) = told
    assert (
        f"{way_s * 1.25 / 60:.0f} min by car ({way_s / 60:.0f} by the map, 25% allowed"
        in one.lines[1]
    )
    ready_s = world.at(START_H) - way_s * 1.25 - 15.0 * 60.0
    assert ready_s - 300.0 <= one.time_s <= ready_s


@pytest.mark.parametrize(
    ("times", "factor", "words"),
    [
        ((1.1, 1.2, 1.3, 1.4, 1.6), 1.4, "5 own ways took 1.1-1.6 times the map's"),
        ((1.1, 1.2, 1.3, 1.4, 1.6, 9.0, 0.1), 1.4, "5 own ways took 1.1-1.6 times the map's"),
        ((1.1, 1.2, 1.3, 1.4), 1.25, "25% allowed for traffic"),
        ((1.1, 1.2, 1.3, 1.4, 9.0), 1.25, "25% allowed for traffic"),  # one was no drive
    ],
)
def test_own_ways_tell_how_long_the_map_takes_for_this_person(
    world: Any, times: tuple[float, ...], factor: float, words: str
) -> None:
    here = world.home.lat, world.home.lon
    map_s = distance_m(*here, *HALL) / 10.0
    ways = tuple(OwnTrip(*here, *HALL, one * map_s) for one in times)
    situation = at_home(world, planned(world, trips_s=()), hour=18.0)
    agenda = msgspec.structs.replace(situation["agenda"], own_trips=ways)
    told = []
    for minute in range(70):
        now = {**situation, "agenda": agenda, "time_s": world.at(17.5) + minute * 60.0}
        result = look(world, now)
        if isinstance(result, Suggestion):
            told.append(result)
    assert (
        f"{map_s * factor / 60:.0f} min by car ({map_s / 60:.0f} by the map, {words})"
        in told[0].lines[1]
    )
    ready_s = world.at(START_H) - map_s * factor - 15.0 * 60.0
    assert ready_s - 300.0 <= told[0].time_s <= ready_s


class NoWay:
    """A map on which nothing leads there."""

    def route(self, a: tuple[float, float], b: tuple[float, float]) -> Route | None:
        return None

    def covers(self, lat: float, lon: float) -> bool:
        return True


NOWHERE = {"place": None, "place_from": "", "trips_s": ()}
BY_TRAIN = Place(place_id="", lat=61.4978, lon=23.7610, visits=0)


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (NOWHERE, "place-unknown"),
        ({"all_day": True}, "nothing-planned"),
        ({"place": BY_TRAIN, "trips_s": ()}, "farther-than-ever"),
    ],
)
def test_days_with_another_entry_are_silent(world: Any, entry: dict[str, Any], code: str) -> None:
    told, codes = evening(world, planned(world, **entry))
    assert told == []
    assert code in codes


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"mode": "driving", "trip_start_s": 0.0, "speed_mps": 9.0}, "under-way"),
        ({"mode": "unknown"}, "whereabouts-unknown"),
        ({"lat": HALL[0], "lon": HALL[1]}, "there-already"),
        (
            {"evidence": (Evidence(key="Person.Location.Latitude", source="phone", age_s=2e4),)},
            None,
        ),
        ({"evidence": ()}, None),
        ({"agenda": msgspec.UNSET}, "nothing-planned"),
    ],
)
def test_moments_that_differ_in_one_fact_are_silent(
    world: Any, changes: dict[str, Any], code: str | None
) -> None:
    hour = leave_h(world) - 11.0 / 60.0
    assert isinstance(look(world, at_home(world, hour=hour)), Suggestion)
    result = look(world, at_home(world, hour=hour, **changes))
    assert code_of(result) == (code or "whereabouts-unknown")


def test_walking_about_at_home_is_no_trip_and_walking_off_is(world: Any) -> None:
    hour = leave_h(world) - 11.0 / 60.0
    for away_m, speaks in ((100.0, True), (300.0, False)):
        lat, lon = offset(world.home.lat, world.home.lon, away_m, 0.0)
        walking = {"mode": "walking", "lat": lat, "lon": lon, "speed_mps": 1.2}
        result = look(world, at_home(world, hour=hour, **walking))
        assert isinstance(result, Suggestion) is speaks, away_m


def test_a_way_that_nobody_knows_is_not_guessed(world: Any) -> None:
    entry = planned(world, trips_s=())
    for roads in (None, NoWay()):
        told, codes = evening(world, entry, roads=roads)
        assert told == []
        assert "way-unknown" in codes


def test_of_two_entries_the_one_to_leave_for_first(world: Any) -> None:
    near = planned(world, title="Near", start_s=world.at(18.5), trips_s=(60.0,) * 3)
    unknown = planned(world, title="Call", start_s=world.at(18.2), **NOWHERE)
    told, _ = evening(world, unknown, near, planned(world))
    assert [one.lines[0].split(" · ")[0] for one in told] == ["Concert"]
    alone, _ = evening(world, unknown, near)
    assert [one.lines[0].split(" · ")[0] for one in alone] == ["Near"]


def test_the_next_entry_has_its_own_word(world: Any) -> None:
    first = planned(world, title="First", start_s=world.at(18.0), trips_s=(60.0,) * 3)
    second = planned(world, title="Second", start_s=world.at(19.9), trips_s=(60.0,) * 3)
    told, _ = evening(world, first, second)
    assert [one.lines[0].split(" · ")[0] for one in told] == ["First", "Second"]


def test_hostile_words_of_a_calendar_stay_one_line(world: Any) -> None:
    entry = planned(world, title="a\nb\x1b[31m" + "x" * 90, location="c\x07d" + "y" * 90)
    result = look(world, at_home(world, entry, hour=leave_h(world) - 11.0 / 60.0))
    assert isinstance(result, Suggestion)
    for line in render(result):
        assert line.isprintable()
        assert len(line) < 160


@pytest.mark.parametrize(
    ("trips", "minutes"),
    [
        ((), None),
        ((600.0, 600.0), None),
        ((600.0,) * 3, 10.0),
        ((60.0, 120.0, 180.0, 240.0, 3000.0), 4.0),
    ],
)
def test_own_trips(trips: tuple[float, ...], minutes: float | None) -> None:
    found = by_own_trips(trips)
    assert (found and found.seconds / 60.0) == minutes


def test_no_second_word_about_the_same_entry_fits_into_its_time() -> None:
    longest_min = settings.READY_MIN + settings.LATE_MIN + 5.0
    assert longest_min * 60.0 < settings.REPEAT_S
