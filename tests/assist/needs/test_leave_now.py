"""When to leave for what the calendar has: its day, and the days that differ from it in one fact."""

from __future__ import annotations

from random import Random
from statistics import fmean
from typing import Any

import msgspec
import pytest

from hearthway.assist.explain import why
from hearthway.assist.memory import Memory
from hearthway.assist.moment import render
from hearthway.assist.needs.leave_now import settings
from hearthway.assist.needs.leave_now.need import NEED
from hearthway.assist.needs.leave_now.ready import ready
from hearthway.assist.needs.leave_now.travel import by_own_trips
from hearthway.learn.outcome import learn_said
from hearthway.records.geo import distance_m, offset
from hearthway.records.life import Place, Reached
from hearthway.records.poi import Route
from hearthway.records.situation import Agenda, Evidence, Kept, OwnTrip, Planned
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
    assert result.phone_only is True  # a calendar goes to no other device
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


CHANGE_S = 1_761_440_400.0  # 2025-10-26T01:00Z: at 04:00 the clocks of Helsinki go back to 03:00


@pytest.mark.parametrize(
    ("start_s", "says"),
    [
        (CHANGE_S - 600.0, "Leave by 03:18 to be at Musiikkitalo at 03:50"),
        (CHANGE_S + 1200.0, "Leave by 03:48 to be at Musiikkitalo at 03:20"),
        (CHANGE_S + 3600.0, "Leave by 03:28 to be at Musiikkitalo at 04:00"),
    ],
)
def test_in_the_night_of_the_change_each_time_is_by_the_clock_of_its_own_moment(
    world: Any, start_s: float, says: str
) -> None:
    entry = planned(world, start_s=start_s, end_s=start_s + 7200.0)
    now_s = start_s - 43.0 * 60.0
    before = 10_800 if now_s < CHANGE_S else 7_200
    situation = at_home(world, entry, hour=0.0, time_s=now_s, utc_offset_s=before)
    result = look(world, situation)
    assert isinstance(result, Suggestion), result
    assert result.headline == says


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
NEVER_DRIVEN = Place(place_id="p9", lat=HALL[0], lon=HALL[1], visits=4, reached=Reached(transit=4))


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (NOWHERE, "place-unknown"),
        ({"all_day": True}, "nothing-planned"),
        ({"place": BY_TRAIN, "trips_s": ()}, "farther-than-ever"),
        ({"place": NEVER_DRIVEN, "trips_s": OWN_TRIPS_S[:2]}, "never-driven"),
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
        ({"mode": "riding", "trip_start_s": 0.0, "speed_mps": 9.0}, "under-way"),
        ({"mode": "moving", "origin": None}, "under-way"),
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


@pytest.mark.parametrize(
    ("minutes_per_km", "kilometres", "speaks"),
    [
        ((1.5, 1.6, 2.0, 1.7, 3.0), 9.0, True),
        ((1.5, 1.6, 2.0, 1.7, 3.0), 7.0, True),
        ((1.5, 1.6, 2.0, 1.7), 9.0, False),  # too few
        ((1.5, 1.6, 2.0, 1.7, 3.0), 6.0, False),  # much shorter ways say little of this one
        ((1.5, 1.6, 2.0, 1.7, 0.1), 9.0, False),  # one was flown
        ((1.5, 1.6, 2.0, 1.7, 20.0), 9.0, False),  # one was no way there without a stop
    ],
)
def test_where_no_map_has_the_way_own_ways_about_as_far_tell(
    world: Any, minutes_per_km: tuple[float, ...], kilometres: float, speaks: bool
) -> None:
    """Four of five took 2 minutes a kilometre or less."""
    here = world.home.lat, world.home.lon
    far_km = distance_m(*here, *HALL) / 1000.0
    assert 12.0 < far_km < 14.0
    ways = tuple(
        OwnTrip(*here, *offset(*here, 1000.0 * kilometres, 0.0), 60.0 * kilometres * each)
        for each in minutes_per_km
    )
    situation = at_home(world, planned(world, trips_s=()), hour=18.0)
    agenda = msgspec.structs.replace(situation["agenda"], own_trips=ways)
    told, codes = [], set()
    for minute in range(70):
        now = {**situation, "agenda": agenda, "time_s": world.at(17.5) + minute * 60.0}
        result = look(world, now, roads=None)
        if isinstance(result, Suggestion):
            told.append(result)
        else:
            codes.add(result.code)
    assert bool(told) is speaks
    assert ("way-unknown" in codes) is not speaks
    if speaks:
        assert (
            f"{2.0 * far_km:.0f} min ({far_km:.1f} km by the bee-line, of which no map has the way; "
            "5 own ways about as far took 1.5-3.0 min for each)" in told[0].lines[1]
        )
        ready_s = world.at(START_H) - (2.0 * far_km + 15.0) * 60.0
        assert ready_s - 300.0 <= told[0].time_s <= ready_s


def test_of_two_entries_the_one_to_leave_for_first(world: Any) -> None:
    near = planned(world, title="Near", start_s=world.at(18.5), trips_s=(60.0,) * 3)
    unknown = planned(world, title="Call", start_s=world.at(18.2), **NOWHERE)
    told, _ = evening(world, unknown, near, planned(world))
    assert titles(told) == ["Concert", "Near"]  # both at once: each has its word, and one decides
    alone, _ = evening(world, unknown, near)
    assert titles(alone) == ["Near"]


def test_the_next_entry_has_its_own_word(world: Any) -> None:
    first = planned(world, title="First", start_s=world.at(18.0), trips_s=(60.0,) * 3)
    second = planned(world, title="Second", start_s=world.at(19.9), trips_s=(60.0,) * 3)
    told, _ = evening(world, first, second)
    assert titles(told) == ["First", "Second"]


def titles(told: list[Suggestion]) -> list[str]:
    return [one.lines[0].split(" · ")[0] for one in told]


# -- two entries within an hour ----------------------------------------------------------------------------------------

CAFE = offset(60.1690, 24.9380, 0.0, 4000.0)


def two(world: Any, **second: Any) -> tuple[Planned, Planned]:
    """A coffee at six, and the concert 24 min later, reached from there in 10 min and from home in 27."""
    cafe = Place(place_id="p8", lat=CAFE[0], lon=CAFE[1], visits=4)
    first = planned(
        world, title="Coffee", start_s=world.at(18.0), end_s=world.at(18.1), place=cafe,
        trips_s=(900.0,) * 3,
    )  # fmt: skip
    facts = {"start_s": world.at(18.4), "from_before_s": (600.0,) * 3, **second}
    return first, planned(world, **facts)


def through(
    world: Any, entries: tuple[Planned, ...], *, goes: bool, **there: Any
) -> tuple[list[Suggestion], list[str]]:
    """From five to eight; who `goes` is under way from the word's time on, and then at the first entry until told."""
    memory, told, codes = Memory(person="anna"), [], []
    leaves_h, arrives_h = 18.0 - 20.0 / 60.0, 18.0 - 5.0 / 60.0
    for minute in range(180):
        hour = 17.0 + minute / 60.0
        changes: dict[str, Any] = {}
        if goes and leaves_h <= hour < arrives_h:
            changes = {"mode": "driving", "trip_start_s": world.at(leaves_h), "speed_mps": 9.0}
        elif goes and hour >= arrives_h:
            changes = {"lat": CAFE[0], "lon": CAFE[1], "trip_start_s": world.at(leaves_h), **there}
        result = look(world, at_home(world, *entries, hour=hour, **changes), memory)
        if isinstance(result, Suggestion):
            told.append(result)
            memory = learn_said(memory, result)
        else:
            codes.append(result.code)
    return told, codes


@pytest.mark.parametrize(
    "there",
    [
        pytest.param({"mode": "walking", "speed_mps": 1.0}, id="arrived a moment ago"),
        pytest.param({"mode": "unknown", "speed_mps": None}, id="sits there since a moment"),
    ],
)
def test_a_second_entry_is_reached_from_the_first(world: Any, there: dict[str, Any]) -> None:
    told, _ = through(world, two(world, trips_s=(2100.0,) * 3), goes=True, **there)
    assert titles(told) == ["Coffee", "Concert"]
    assert "10 min (3 own trips from here took 10-10)" in told[1].lines[1]
    ready_s = world.at(18.4) - (10.0 + 5.0 + 10.0) * 60.0
    assert ready_s - 300.0 <= told[1].time_s <= ready_s
    from_home_s = world.at(18.4) - (35.0 + 5.0 + 10.0) * 60.0
    assert told[0].time_s < from_home_s < world.at(18.0 - 20.0 / 60.0), "one was at home then"


def test_known_to_stay_at_the_first_the_trips_from_there_are_those_from_here(world: Any) -> None:
    stays = {"mode": "staying", "origin": two(world)[0].place, "trip_start_s": None}
    told, _ = through(world, two(world, trips_s=(660.0,) * 3), goes=True, **stays)
    assert titles(told) == ["Coffee", "Concert"]
    assert "11 min (3 own trips from here took 11-11)" in told[1].lines[1]


def test_without_own_trips_from_the_first_the_map_tells_from_there(world: Any) -> None:
    walking = {"mode": "walking", "speed_mps": 1.0}
    told, _ = through(world, two(world, from_before_s=()), goes=True, **walking)
    assert titles(told) == ["Coffee", "Concert"]
    map_min = distance_m(*CAFE, *HALL) / 10.0 / 60.0
    assert f"({map_min:.0f} by the map" in told[1].lines[1]


def test_who_does_not_go_to_the_first_is_told_of_the_second_from_here(world: Any) -> None:
    told, _ = through(world, two(world), goes=False)
    assert titles(told) == ["Coffee", "Concert"]
    assert "27 min (6 own trips from here took 24-33)" in told[1].lines[1]
    given_up_s = world.at(18.0) - (15.0 + 5.0) * 60.0 + settings.LATE_MIN * 60.0
    assert given_up_s < told[1].time_s <= given_up_s + 60.0
    assert "min late for 18:24" in told[1].headline


def test_three_entries_from_a_place_that_is_not_the_one_before(world: Any) -> None:
    """Who is still at the first when the second begins has no own trips from the second to the third."""
    first, concert = two(world)
    missed = planned(
        world, title="Missed", start_s=world.at(18.4), end_s=world.at(18.6), trips_s=(60.0,) * 3
    )
    agenda = Agenda(planned=(first, missed, concert), farthest_m=20_000.0)
    at_first = {"mode": "walking", "lat": CAFE[0], "lon": CAFE[1], "speed_mps": 1.0}
    result = look(world, at_home(world, hour=18.55, agenda=agenda, **at_first))
    assert isinstance(result, Silence) or "by the map" in result.lines[1]


# -- how long it takes to get ready ------------------------------------------------------------------------------------


def kept(*left_min: float, early_min: float = 3.0) -> tuple[Kept, ...]:
    return tuple(Kept(60.0 * one, -60.0 * early_min) for one in left_min)


def minutes(anywhere: tuple[Kept, ...], there: tuple[Kept, ...], world: Any) -> float:
    agenda = Agenda(planned=(), farthest_m=0.0, kept=anywhere)
    return ready(agenda, planned(world, kept=there)).minutes


def test_the_assumed_minutes_count_as_four_entries(world: Any) -> None:
    assert minutes((), (), world) == 10.0
    assert minutes(kept(20.0), (), world) == pytest.approx((40.0 + 20.0) / 5)
    assert minutes(kept(*[20.0] * 4), (), world) == pytest.approx(15.0)
    assert minutes(kept(*[17.0] * 20), (), world) == pytest.approx(17.0, abs=1.2)


def test_a_place_has_its_own_and_backs_off_to_all(world: Any) -> None:
    slow, quick = kept(*[20.0] * 12), kept(*[6.0] * 4)
    anywhere = minutes(slow + quick, (), world)
    there = minutes(slow + quick, quick, world)
    assert 6.0 < there < anywhere < 20.0
    assert there == pytest.approx((4 * anywhere + 4 * 6.0) / 8)


def test_one_odd_evening_is_bounded(world: Any) -> None:
    assert minutes(kept(500.0), (), world) == minutes(kept(settings.READY_MOST_MIN), (), world)
    assert minutes(kept(*[0.0] * 200), (), world) >= settings.READY_LEAST_MIN


def test_without_a_word_being_late_tells_that_it_takes_longer(world: Any) -> None:
    late, early = (tuple(Kept(None, 60.0 * by) for _ in range(6)) for by in (8.0, -12.0))
    assert minutes(late, (), world) > 14.0
    assert minutes(early, (), world) < 8.0


def test_who_leaves_at_once_is_told_so_late_that_it_is_just_in_time(world: Any) -> None:
    """Told, ready in 16 min, away: the word comes ever nearer to 16 min before one has to leave, and stays there."""
    past: tuple[Kept, ...] = ()
    for _ in range(40):
        past = (*past, *kept(16.0))[-20:]
    assert minutes(past, (), world) == pytest.approx(15.0)  # of 24: the assumed four stay


@pytest.mark.parametrize("usual_min", [5.0, 14.0, 20.0, 28.0])
def test_somebody_who_gets_ready_when_told_leaves_nearer_to_the_right_time(
    world: Any, usual_min: float
) -> None:
    """Forty entries of an invented person: how far from the right time one leaves, against the minutes assumed."""
    rng = Random(f"ready/{usual_min}")
    past: tuple[Kept, ...] = ()
    learned, assumed = [], []
    for _ in range(40):
        takes_min = max(1.0, rng.gauss(usual_min, 3.0))
        learned.append(abs(takes_min - minutes(past, past, world)))
        assumed.append(abs(takes_min - settings.READY_MIN))
        past = (*past, *kept(takes_min))[-20:]
    assert fmean(learned[20:]) < 3.5
    assert fmean(learned) < fmean(assumed)


def test_the_word_comes_earlier_for_who_takes_longer_and_says_why(world: Any) -> None:
    agenda = Agenda(planned=(planned(world),), farthest_m=20_000.0, kept=kept(*[18.0] * 6))
    memory, told = Memory(person="anna"), []
    for minute in range(120):
        situation = at_home(world, hour=17.0 + minute / 60.0, agenda=agenda)
        result = look(world, situation, memory)
        if isinstance(result, Suggestion):
            told.append(result)
            memory = learn_said(memory, result)
    (one,) = told
    expected = (4 * 10.0 + 6 * 18.0) / 10
    ready_s = world.at(leave_h(world)) - expected * 60.0
    assert ready_s - 300.0 <= one.time_s <= ready_s
    assert one.lines[1].endswith(
        "15 min to get ready (10 assumed, as 4 times; you usually leave 18 min after the word, "
        "6 times; on time by 3 min, 6 times)"
    )


def test_the_words_of_one_who_was_never_told(world: Any) -> None:
    agenda = Agenda(planned=(), farthest_m=0.0, kept=(Kept(None, 240.0),))
    words = ready(agenda, planned(world)).words
    assert words.endswith(
        "(10 assumed, as 4 times; without a word you were there 4 min late, once)"
    )


def test_the_words_tell_what_this_place_adds(world: Any) -> None:
    """Every minute of the sum can be worked out from the line, that of the place as well."""
    quick = kept(6.0, 6.0)
    found = ready(Agenda(planned=(), farthest_m=0.0, kept=quick), planned(world, kept=quick))
    anywhere = (4 * 10.0 + 2 * 6.0) / 6
    assert found.minutes == pytest.approx((4 * anywhere + 2 * 6.0) / 6)
    assert found.words == (
        "8 min to get ready (10 assumed, as 4 times; you usually leave 6 min after the word, 2 times; "
        "on time by 3 min, 2 times; for this place 6 min, 2 times)"
    )


def test_what_was_seen_once_is_no_usual(world: Any) -> None:
    words = ready(Agenda(planned=(), farthest_m=0.0, kept=kept(18.0)), planned(world)).words
    assert "you left 18 min after the word, once; on time by 3 min, once)" in words


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
    longest_min = settings.READY_MOST_MIN + settings.LATE_MIN + 5.0
    assert longest_min * 60.0 < settings.REPEAT_S


@pytest.mark.parametrize(
    ("reached", "trips_s", "speaks"),
    [
        (Reached(transit=4), OWN_TRIPS_S, True),  # own trips tell, whatever one went by
        (Reached(transit=4, car=1), (), True),  # the map's time by car is one's own way too
        (Reached(transit=4), (), False),
    ],
)
def test_the_time_by_car_is_told_of_no_place_that_one_never_drove_to(
    world: Any, reached: Reached, trips_s: tuple[float, ...], speaks: bool
) -> None:
    place = Place(place_id="p9", lat=HALL[0], lon=HALL[1], visits=4, reached=reached)
    told, codes = evening(world, planned(world, place=place, trips_s=trips_s))
    assert bool(told) is speaks
    assert ("never-driven" in codes) is not speaks
