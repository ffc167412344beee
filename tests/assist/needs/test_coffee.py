"""A coffee out: told once to who is on the way to one as always, and to nobody else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hearthway.assist.explain import why
from hearthway.assist.gate import driving_load
from hearthway.assist.memory import Meal, Memory
from hearthway.assist.needs.meal.enquire import enquire
from hearthway.assist.needs.meal.hunger import appetite
from hearthway.assist.needs.meal.sorts import COFFEE_OUT, coffee_at, was_coffee
from hearthway.assist.needs.meal.table import habit_ratio, spots_of, stay_ratio
from hearthway.assist.settings import GateSettings
from hearthway.assist.shape import Enquiry, Known, Scene
from hearthway.learn.outcome import learn_said, learn_visit
from hearthway.records.geo import distance_m, offset
from hearthway.records.life import Place
from hearthway.records.poi import OpenState, Poi
from hearthway.records.situation import Destination, MealVisit, Situation
from hearthway.records.suggestion import Silence, Suggestion

MALL = (60.1690, 24.9380)
CORNER = offset(*MALL, 900, 900)  # away from the restaurants about the mall
AT = 16.25


def cafe(number: int, name: str, north_m: float, east_m: float, kind: str = "cafe") -> Poi:
    lat, lon = offset(*CORNER, north_m, east_m)
    return Poi(osm_id=f"node/{number}", kind=kind, name=name, lat=lat, lon=lon)


CAFES = (cafe(21, "Kahvila", 0, 0), cafe(22, "Kuppila", 500, 100))
OPENED = dict.fromkeys(("node/21", "node/22"), OpenState.OPEN)
CORNER_PLACE = Place(place_id="corner", lat=CORNER[0], lon=CORNER[1], visits=14)


def having(
    world: Any, days: int, *, minutes: float = 40.0, hour: float = AT, at: Poi = CAFES[0]
) -> Memory:
    """So many stays at one spot, three days apart, the last three days before day 100."""
    memory, town = Memory(person="anna"), world.town((*world.pois, *CAFES, at), OPENED)
    for n in range(days):
        start_s = world.at(hour, 97 - 3 * n)
        visit = MealVisit(
            start_s=start_s, end_s=start_s + 60 * minutes, osm_id=at.osm_id, lat=at.lat, lon=at.lon
        )
        memory = learn_visit(memory, visit, town)
    return memory


def driving(world: Any, days: int = 14, **changes: Any) -> Situation:
    """On the way there, five minutes before a quarter past four."""
    lat, lon = offset(*CORNER, 1800, 0)
    place = msgspec.structs.replace(CORNER_PLACE, visits=days)
    facts: dict[str, Any] = {
        "time_s": world.at(AT - 0.1),
        "trip_start_s": world.at(AT - 0.4),
        "lat": lat,
        "lon": lon,
        "destinations": (
            Destination(place=place, p=0.9, came=((int(AT * 4), days),)),
            Destination(place=world.home, p=0.06),
        ),
        "p_new": 0.04,
        "routines": (
            world.routine("lunch", 12.0),
            world.routine("coffee", AT, days=days, share=0.2),
            world.routine("dinner", 18.5),
        ),
    }
    return Situation(**{**msgspec.structs.asdict(world.drive()), **facts, **changes})


def said(
    world: Any,
    situation: Situation,
    memory: Memory,
    pois: tuple[Poi, ...] = CAFES,
    hours: dict[str, OpenState] = OPENED,
) -> Suggestion | Silence:
    town = world.town((*world.pois, *pois), {**world.hours, **hours})
    answer: Suggestion | Silence = world.assistant(pois=town).consider(situation, memory)
    return answer


def test_the_coffee_of_a_firm_habit_is_told_once_calmly_in_time(world: Any) -> None:
    situation, memory = driving(world), having(world, 14)
    word = said(world, situation, memory)
    assert isinstance(word, Suggestion), word
    assert word.need == "coffee"
    assert word.lines[0] == "coffee time for you is 15:30-17:00 (14 days) · 2 open when you arrive:"
    assert [o.poi.name for o in word.options] == ["Kahvila", "Kuppila"], "and no restaurant"
    assert driving_load(situation) <= GateSettings().max_load
    lead_s = word.options[0].arrive_s - situation.time_s
    assert lead_s >= GateSettings().min_lead_s
    again = said(world, situation, learn_said(memory, word))
    assert isinstance(again, Silence)
    assert again.code == "said-already"
    text = "\n".join(why(word))
    assert "14 of them for coffee, the hour beside them counting as 0." in text
    assert "); at a café, not next door to one, " in text
    assert "less 10 min: nobody searches as long for coffee" in text
    assert "your coffee routine: 14 days of it, 15:30-17:00" in text
    worth = next(r for r in word.reasons if r.feature == "best-option")
    assert worth.weight == pytest.approx(word.p_useful * (word.options[0].utility - 10.0))


def silence_of(answer: Suggestion | Silence) -> str:
    assert isinstance(answer, Silence), answer
    return answer.code


def test_days_that_differ_in_one_fact_are_silent(world: Any) -> None:
    drive, memory = driving(world), having(world, 14)
    few = driving(world, 4)
    assert isinstance(said(world, few, having(world, 4)), Silence), "four days are no habit"
    bare = tuple(r for r in drive.routines if r.name != "coffee")
    assert isinstance(said(world, driving(world, routines=bare), memory), Silence)
    morning = driving(world, time_s=world.at(9.0), trip_start_s=world.at(8.7))
    assert silence_of(said(world, morning, memory)) == "not-mealtime"
    closed = dict.fromkeys(OPENED, OpenState.CLOSED)
    assert silence_of(said(world, drive, memory, hours=closed)) == "nothing-open"
    home = (Destination(place=world.home, p=0.9), *drive.destinations[1:1])
    assert isinstance(said(world, driving(world, destinations=home), memory), Silence)
    often = driving(world, destinations=(Destination(place=CORNER_PLACE, p=0.9, came=((65, 60),)),))
    assert isinstance(said(world, often, memory), Silence), "one arrival in four is for coffee"


def test_an_errand_next_door_is_no_coffee(world: Any) -> None:
    """A lesson of 45 minutes, 25 m from a café; and one of two hours and a half at its very door."""
    lesson = cafe(21, "Kahvila", 25, 0)
    beside = (msgspec.structs.replace(lesson), CAFES[1])
    memory = having(world, 14, minutes=45.0)
    moved = msgspec.structs.replace(
        memory,
        meals=tuple(msgspec.structs.replace(m, lat=CORNER[0], lon=CORNER[1]) for m in memory.meals),
    )
    assert silence_of(said(world, driving(world), moved, beside)) == "next-door-to-a-table"
    assert isinstance(said(world, driving(world), having(world, 14, minutes=150.0)), Silence)


def test_many_stays_speak_for_it_no_more_than_one_and_against_it_the_more(world: Any) -> None:
    def told(count: int, minutes: float) -> float:
        return habit_ratio(spots_of(having(world, count, minutes=minutes).meals)[0], COFFEE_OUT)

    assert told(14, 40) == pytest.approx(told(1, 40))
    assert told(1, 40) > 1.0 > told(1, 150) > told(14, 150)


def test_what_was_had_before(world: Any) -> None:
    """A coffee today is the coffee of today; a late lunch leaves room for one sooner than for a dinner."""
    drive, memory = driving(world), having(world, 14)
    had_s = world.at(15.4)
    visit = MealVisit(
        start_s=had_s, end_s=had_s + 1500, osm_id="node/21", lat=CORNER[0], lon=CORNER[1]
    )
    town = world.town((*world.pois, *CAFES), OPENED)
    later = driving(world, time_s=world.at(16.6), trip_start_s=world.at(16.3))
    today = learn_visit(memory, msgspec.structs.replace(visit, start_s=world.at(15.6)), town)
    assert isinstance(said(world, later, today), Silence)
    coffee, dinner = (
        world.routine(name, hour) for name, hour in (("coffee", 18.5), ("dinner", 18.5))
    )
    arrive_s = world.at(18.5)
    ate = msgspec.structs.replace(drive, last_meal_s=world.at(16.75), time_s=world.at(18.4))
    left = [appetite(ate, [], r, arrive_s, lambda _: 1.0) for r in (coffee, dinner)]
    assert left[0] > left[1] > 0.0
    fresh = msgspec.structs.replace(drive, last_meal_s=world.at(18.0), time_s=world.at(18.4))
    assert appetite(fresh, [], coffee, arrive_s, lambda _: 1.0) == 0.0


def test_a_coffee_does_not_take_the_dinner_away(world: Any) -> None:
    """The dinner's day with a coffee at four is as it is without."""
    memory = world.dining({"node/1": 20})
    with_coffee = learn_visit(
        memory,
        MealVisit(
            start_s=world.at(16.0),
            end_s=world.at(16.6),
            osm_id="node/21",
            lat=CORNER[0],
            lon=CORNER[1],
        ),
        world.town((*world.pois, *CAFES), OPENED),
    )
    drive = world.drive(last_meal_s=world.at(16.6))
    first, second = said(world, world.drive(), memory), said(world, drive, with_coffee)
    assert isinstance(first, Suggestion)
    assert isinstance(second, Suggestion)
    assert first.need == second.need == "dinner"
    assert not {o.poi.kind for o in second.options} & {"cafe"}


def test_which_stays_are_coffees(world: Any) -> None:
    mine = having(world, 1).meals[0]
    assert was_coffee(mine)
    assert not was_coffee(having(world, 1, hour=12.5).meals[0]), "a lunch at a café"
    assert not was_coffee(world.dining({"node/1": 1}).meals[0])
    shared = msgspec.structs.replace(mine, tags=(("kind:cafe", 0.5), ("kind:restaurant", 0.5)))
    assert not was_coffee(shared)
    assert not was_coffee(msgspec.structs.replace(mine, tags=()))
    assert [coffee_at(int(hour * 4)) for hour in (4, 8, 12, 15.25, 15.5, 18, 22.75, 23)] == [
        *[False] * 4,
        *[True] * 3,
        False,
    ]


def test_the_hour_and_length_of_a_coffee(world: Any) -> None:
    def told(hour: float, minutes: float) -> float:
        start_s = world.at(hour)
        return stay_ratio(
            Meal(
                time_s=start_s,
                end_s=start_s + 60 * minutes,
                quarter=int(hour * 4),
                day=1,
                lat=0.0,
                lon=0.0,
            ),
            COFFEE_OUT,
        )

    assert 1.0 < told(16.0, 35) < 6.0
    assert told(16.0, 150) < 0.1
    assert told(21.0, 35) < 0.3
    mean = sum(told(q / 4, 35) * share for q, share in _errands()) / told(16.0, 35)
    assert mean < 1.0, "over its hours a stay tells less than at its own"


def _errands() -> list[tuple[int, float]]:
    hours = [q for q in range(96) if coffee_at(q)]
    return [(q, 1.0 / len(hours)) for q in hours]


def test_the_town_of_these_tests() -> None:
    assert distance_m(*CORNER, *MALL) > 1_000.0


@pytest.mark.parametrize(
    ("wanted", "names"), [("coffee", {"Kahvila", "Kuppila"}), ("", set()), ("pizza", set())]
)
def test_asked_for_coffee_cafes_are_named(world: Any, wanted: str, names: set[str]) -> None:
    town = world.town((*world.pois, *CAFES), {**world.hours, **OPENED})
    scene = Scene(driving(world), Memory(person="anna"), GateSettings(), pois=town)
    known = enquire(scene, Enquiry(place=CORNER_PLACE, wanted=wanted))
    assert isinstance(known, Known)
    cafes = {one.osm_id: one.name for one in CAFES}
    assert {cafes[osm_id] for osm_id in known.arrivals if osm_id in cafes} == names
    if wanted == "coffee":
        assert set(known.arrivals) == set(cafes), "and no restaurant"
