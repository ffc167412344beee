"""Silence is the default: each case differs from the positive control in one fact, with the same gate."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import hearthway.assist
from hearthway.assist import needs
from hearthway.assist.memory import Answered, Memory, Said
from hearthway.assist.settings import Dial, GateSettings
from hearthway.assist.shape import AnyNeed
from hearthway.assist.silences import SILENCES
from hearthway.records.geo import offset
from hearthway.records.localtime import local_day
from hearthway.records.poi import OpenState
from hearthway.records.situation import Destination
from hearthway.records.suggestion import AnswerKind, Silence, Suggestion

MEALS = {"node/1": 20, "node/2": 4}


def consider(world: Any, memory: Any = None, town: Any = "town", **changes: Any) -> Any:
    kept = {} if town == "town" else {"pois": town}
    return world.assistant(**kept).consider(
        world.drive(**changes), world.dining(MEALS) if memory is None else memory
    )


def code_of(result: Any) -> str:
    assert isinstance(result, Silence), "it spoke"
    assert result.words
    assert result.person == "anna"
    return result.code


def test_positive_control_speaks(world: Any) -> None:
    assert isinstance(consider(world), Suggestion)


def test_a_commute_at_eight(world: Any) -> None:
    morning = world.at(8.0)
    assert code_of(consider(world, time_s=morning, trip_start_s=morning - 1500)) == "not-mealtime"


def test_a_drive_home_after_dinner(world: Any) -> None:
    assert code_of(consider(world, last_meal_s=world.at(17.9))) == "ate-recently"


def test_a_drive_home_instead(world: Any) -> None:
    here = world.home.lat - 0.012, world.home.lon
    goals = (Destination(place=world.home, p=0.81), Destination(place=world.mall, p=0.08))
    result = consider(world, lat=here[0], lon=here[1], destinations=goals)
    assert code_of(result) == "heading-home"


def test_an_unknown_destination(world: Any) -> None:
    assert code_of(consider(world, destinations=(), p_new=1.0)) == "unknown-destination"
    vague = tuple(Destination(place=p, p=0.1) for p in (world.mall, world.home, world.work))
    assert code_of(consider(world, destinations=vague, p_new=0.7)) == "unknown-destination"
    assert code_of(consider(world, destinations=vague[:1], p_new=0.9)) == "unknown-destination"


def test_not_driving(world: Any) -> None:
    for mode in ("staying", "walking", "cycling", "riding"):
        assert code_of(consider(world, mode=mode)) == "not-driving"


@pytest.mark.parametrize("mode", ["moving", "unknown"])
def test_what_nobody_can_tell_is_not_said_to_be_so(world: Any, mode: str) -> None:
    result = consider(world, mode=mode)
    assert code_of(result) == "mode-unclear"
    assert result.words == "It is not clear whether you are driving."


def test_day_one_is_honest(world: Any) -> None:
    few = (world.routine("dinner", 18.5, days=2),)
    assert code_of(consider(world, routines=few)) == "no-routine-yet"
    assert code_of(consider(world, routines=())) == "no-routine-yet"
    tea = (world.routine("tea", 18.5),)
    assert code_of(consider(world, routines=tea)) == "no-routine-yet"


def test_the_routine_moves_the_moment(world: Any) -> None:
    """Nothing is fixed to a clock: who eats at 21 hears of it at 21, and not at 18."""
    late = (world.routine("dinner", 21.25),)
    memory = world.dining(MEALS, hour=21.25)
    assert code_of(consider(world, memory, routines=late)) == "not-mealtime"
    night = {"time_s": world.at(21.0), "trip_start_s": world.at(20.6)}
    assert isinstance(consider(world, memory, routines=late, **night), Suggestion)


def test_maps(world: Any) -> None:
    assert code_of(consider(world, town=None)) == "needs-a-map"
    off = world.town(world.pois, world.hours, on_map=False)
    assert code_of(consider(world, town=off)) == "off-map"
    assert code_of(consider(world, town=world.town((), {}))) == "no-places-near"
    shut = world.town(world.pois, {p.osm_id: OpenState.CLOSED for p in world.pois})
    assert code_of(consider(world, town=shut)) == "nothing-open"


def test_timing(world: Any) -> None:
    def near(share: float, **changes: Any) -> Any:
        lat = world.mall.lat + share * (world.drive().lat - world.mall.lat)
        return consider(world, lat=lat, **changes)

    assert code_of(near(4.0)) == "too-early"
    assert code_of(near(8.0)) == "too-far"
    assert code_of(near(0.1)) == "too-late"
    sure = (Destination(place=world.mall, p=0.99),)
    assert isinstance(near(1.6, destinations=sure, p_new=0.01), Suggestion), "sure: say it sooner"
    assert code_of(near(1.6)) == "too-early"


def test_high_driving_load(world: Any) -> None:
    assert code_of(consider(world, speed_mps=36.0)) == "high-driving-load"
    assert code_of(consider(world, trip_start_s=world.drive().time_s - 20)) == "high-driving-load"


def test_a_doubtful_destination_is_not_worth_it(world: Any) -> None:
    doubtful = (
        Destination(place=world.mall, p=0.4),
        Destination(place=world.home, p=0.35),
        Destination(place=world.work, p=0.2),
    )
    lat = world.mall.lat + 0.4 * (world.drive().lat - world.mall.lat)  # nothing left to wait for
    assert isinstance(consider(world, lat=lat), Suggestion)
    result = consider(world, lat=lat, destinations=doubtful, p_new=0.05)
    assert code_of(result) == "not-worth-interrupting"
    assert "0.60 is needed" in result.words
    lavish = world.assistant(settings=GateSettings(least_p=0.0))
    situation = world.drive(lat=lat, destinations=doubtful, p_new=0.05)
    by_minutes = lavish.consider(situation, world.dining(MEALS))
    assert code_of(by_minutes) == "not-worth-interrupting"
    assert "0.60 is needed" not in by_minutes.words


def said(world: Any, time_s: float, need: str = "dinner") -> Said:
    return Said(
        time_s=time_s,
        suggestion_id=f"s{time_s}",
        day=local_day(time_s, world.drive().utc_offset_s),
        need=need,
        p_useful=0.8,
    )


def test_said_already_and_budget(world: Any) -> None:
    memory = world.dining(MEALS)
    again = memory.spoke(said(world, world.at(18.0)))
    assert code_of(consider(world, again)) == "said-already"
    spent = memory.spoke(said(world, world.at(8), "breakfast")).spoke(
        said(world, world.at(12), "lunch")
    )
    assert code_of(consider(world, spent)) == "budget"
    yesterday = memory.spoke(said(world, world.at(18, 99))).spoke(said(world, world.at(12, 99)))
    assert isinstance(consider(world, yesterday), Suggestion)


def test_not_now_is_obeyed_and_passes(world: Any) -> None:
    def answered(hours_ago: float, kind: AnswerKind = AnswerKind.NOT_NOW) -> Any:
        return world.dining(MEALS).heard(
            Answered(
                time_s=world.drive().time_s - hours_ago * 3600,
                suggestion_id="x",
                kind=kind,
                need="dinner",
            )
        )

    assert code_of(consider(world, answered(1.0))) == "not-now"
    assert code_of(consider(world, answered(1.0, AnswerKind.DISMISS))) == "dismissed"
    assert isinstance(consider(world, answered(80.0)), Suggestion)
    assert isinstance(consider(world, answered(1.0, AnswerKind.ACCEPT)), Suggestion)


def test_the_dial(world: Any) -> None:
    """Quiet needs to be surer than normal, normal surer than eager."""
    needed = []
    for dial in (Dial.EAGER, Dial.NORMAL, Dial.QUIET):
        lowest = 1.0
        for step in range(100, 0, -2):
            goals = (Destination(place=world.mall, p=step / 100),)
            result = world.assistant(
                settings=GateSettings(dial=dial, min_destination_p=0.0)
            ).consider(world.drive(destinations=goals, p_new=1 - step / 100), world.dining(MEALS))
            if isinstance(result, Silence) and result.code == "not-worth-interrupting":
                break
            lowest = step / 100
        needed.append(lowest)
    assert needed[0] < needed[1] < needed[2]


def used_in(folder: Path, codes: Iterable[str]) -> set[str]:
    """Those of `codes` that stand as text in the modules right in `folder`, the tables apart."""
    return {
        str(node.value)
        for path in sorted(folder.glob("*.py"))
        if path.name != "silences.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in set(codes)
    }


def test_every_code_of_the_gate_is_used() -> None:
    """The app adds "forbidden": only it knows the owner's rules."""
    used = used_in(Path(hearthway.assist.__path__[0]), SILENCES) | {"forbidden"}
    assert used == set(SILENCES)


@pytest.mark.parametrize("need", needs.found(), ids=lambda need: str(need.name))
def test_every_code_of_a_need_is_used_there_or_words_one_of_the_gates(need: AnyNeed) -> None:
    used = used_in(Path(needs.__path__[0]) / need.name, need.silences)
    assert set(need.silences) - used <= set(SILENCES)
    assert {fact.code for fact in need.must_know} <= set(need.silences)


def test_the_words_of_every_silence_are_sentences() -> None:
    table = needs.silence_words()
    assert set(SILENCES) < set(table)
    assert all(words.endswith(".") for by in table.values() for words in by.values())


@pytest.mark.parametrize("field", ["routines", "destinations"])
def test_broken_facts_are_silence_and_not_a_crash(world: Any, field: str) -> None:
    broken = {
        "routines": (msgspec.structs.replace(world.routine("dinner", 18.5), density=(1.0,)),),
        "destinations": (Destination(place=world.mall, p=0.0),),
    }
    assert isinstance(consider(world, **{field: broken[field]}), Silence)


def beside_a(world: Any, north_m: float, meals: int = 12) -> Any:
    """Dinners that were all so far north of Ravintola A."""
    moved = [
        msgspec.structs.replace(m, lat=offset(m.lat, m.lon, north_m, 0)[0])
        for m in world.dining({"node/1": meals}).meals
    ]
    memory = Memory(person="anna")
    for note in moved:
        memory = memory.meal(note)
    return memory


def test_a_habit_next_door_to_a_table_is_no_meal(world: Any) -> None:
    """Always on one spot, and the map has no table there: a pool, a church. At the table itself it speaks."""
    visited = msgspec.structs.replace(world.mall, visits=12)
    sure = {"destinations": (Destination(place=visited, p=0.99),), "p_new": 0.01}
    assert isinstance(consider(world, beside_a(world, 0.0), **sure), Suggestion)
    assert code_of(consider(world, beside_a(world, 45.0), **sure)) == "next-door-to-a-table"


def test_meals_stay_with_the_nearest_place_however_improbable_it_is_now(world: Any) -> None:
    """Who lives 300 m from the usual table is not hungry on every way home, once the table is out of the question."""
    at_table = world.pois[0]
    home = msgspec.structs.replace(
        world.home, lat=offset(at_table.lat, at_table.lon, 300, 0)[0], lon=at_table.lon
    )
    table = msgspec.structs.replace(
        world.mall, place_id="t", lat=at_table.lat, lon=at_table.lon, visits=12
    )
    homeward = {
        "destinations": (Destination(place=home, p=0.985), Destination(place=table, p=0.005)),
        "p_new": 0.01,
        "home": home,
    }
    memory = world.dining({"node/1": 12})
    assert code_of(consider(world, memory, **homeward)) == "heading-home"
    there = homeward | {"destinations": (Destination(place=table, p=0.99),)}
    assert isinstance(consider(world, memory, **there), Suggestion)
