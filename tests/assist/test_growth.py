"""What a look asks of the notes costs the same however many there are: counted, not timed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.context.counted import Counted

from hearthway.assist import gate, memory, needs
from hearthway.assist.look import Look
from hearthway.assist.memory import KEEP, LIVING_M, Answered, Meal, Memory, Said, since
from hearthway.assist.needs.meal import hunger
from hearthway.assist.needs.meal.hunger import meals_by_place
from hearthway.assist.needs.meal.settings import PLACE_REACH_M
from hearthway.assist.settings import GateSettings
from hearthway.assist.shape import Aim, Scene
from hearthway.records.geo import distance_m, offset
from hearthway.records.life import Place
from hearthway.records.suggestion import AnswerKind

AT = (60.2, 24.9)
NOW_S = 1_760_475_600.0


def _meal(number: int, north_m: float = 0.0) -> Meal:
    lat, lon = offset(*AT, north_m, 0.0)
    start_s = NOW_S + 3_600.0 * number
    return Meal(time_s=start_s, end_s=start_s + 3_000.0, quarter=50, day=number, lat=lat, lon=lon)


def _place(number: int, north_m: float, visits: int) -> Place:
    lat, lon = offset(*AT, north_m, 0.0)
    return Place(place_id=f"p{number}", lat=lat, lon=lon, visits=visits)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One member for each distance that was worked out."""
    done = list[int]()

    def counted(*points: float) -> float:
        done.append(1)
        return distance_m(*points)

    monkeypatch.setattr(memory, "distance_m", counted)
    monkeypatch.setattr(hunger, "distance_m", counted)
    return done


@given(st.lists(st.floats(0.0, 9.0), max_size=20).map(sorted), st.floats(-1.0, 10.0))
def test_what_was_lately_is_what_going_through_all_notes_finds(
    times_s: list[float], from_s: float
) -> None:
    notes = [Said(time_s=one, suggestion_id="", day=0, need="", p_useful=0.5) for one in times_s]
    assert [*since(notes, from_s)] == [note for note in notes if note.time_s >= from_s]


@given(
    st.lists(st.floats(-300.0, 300.0), max_size=12),
    st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=12),
)
def test_meals_out_are_those_of_going_through_all(
    norths_m: list[float], asked: list[tuple[int, bool]]
) -> None:
    known = Memory(
        person="ada", meals=tuple(_meal(at, north_m) for at, north_m in enumerate(norths_m))
    )
    for hours, at_home in asked:
        now_s, living = NOW_S + 3_600.0 * hours, [AT] if at_home else []
        wanted = [
            meal
            for meal in known.meals
            if meal.end_s <= now_s
            and all(distance_m(meal.lat, meal.lon, *point) > LIVING_M for point in living)
        ]
        assert known.meals_out(now_s, living) == wanted


def test_how_far_meals_are_from_home_is_worked_out_once(measured: list[int]) -> None:
    known = Memory(person="ada", meals=tuple(_meal(at, 500.0) for at in range(50)))
    assert len(known.meals_out(NOW_S + 1e6, (AT,))) == len(measured) == 50
    known.meals_out(NOW_S + 1e6 + 5.0, (AT,))
    assert len(measured) == 50
    known.meal(_meal(50, 500.0)).meals_out(NOW_S + 1e6, (AT,))
    assert len(measured) == 101


def test_what_is_worked_out_once_is_worked_out_anew_of_something_else() -> None:
    known, made = Memory(person="ada"), list[int]()

    def work() -> int:
        made.append(len(made))
        return made[-1]

    assert [known.once("a", of, work) for of in (1, 1, 2, 2, 1)] == [0, 0, 1, 1, 2]
    assert known.once("b", 1, work) == 3
    assert known.said_about() is known.said_about()
    assert known.dump() == Memory(person="ada").dump()  # nothing of it is kept


def _all_by_place(places: Sequence[Place], meals: Sequence[Meal]) -> dict[str, list[Meal]]:
    """The same, with the distance to every place."""
    reached = []
    for at, meal in enumerate(meals):
        away = sorted((distance_m(meal.lat, meal.lon, p.lat, p.lon), p.place_id) for p in places)
        within = [place_id for metres, place_id in away if metres <= PLACE_REACH_M]
        if within:
            reached.append((away[0][0], at, within))
    room = {p.place_id: p.visits for p in places}
    found: dict[str, list[tuple[int, Meal]]] = {}
    for _, at, within in sorted(reached):
        place_id = next((one for one in within if room[one] > 0), within[0])
        room[place_id] -= 1
        found.setdefault(place_id, []).append((at, meals[at]))
    return {place_id: [meal for _, meal in sorted(mine)] for place_id, mine in found.items()}


@given(
    st.lists(st.tuples(st.floats(-2_000.0, 2_000.0), st.integers(0, 3)), max_size=6),
    st.lists(st.floats(-2_000.0, 2_000.0), max_size=12),
)
def test_meals_belong_to_the_places_that_all_distances_tell(
    stood: list[tuple[float, int]], norths_m: list[float]
) -> None:
    places = [_place(at, *one) for at, one in enumerate(stood)]
    meals = [_meal(at, north_m) for at, north_m in enumerate(norths_m)]
    assert meals_by_place(places, meals) == _all_by_place(places, meals)


def test_a_place_out_of_reach_costs_no_distance(measured: list[int]) -> None:
    meals = [_meal(at) for at in range(30)]
    near, far = _place(0, 300.0, 40), [_place(n, 600.0 * n, 9) for n in range(1, 20)]
    assert [*meals_by_place([near, *far], meals)] == ["p0"]
    assert len(measured) == len(meals)


def _repeats(world: Any, notes: int) -> int:
    """How many of so many notes of years a look goes through."""
    situation = world.drive()
    said = Counted(
        Said(
            time_s=situation.time_s - 8e4 * (notes - at),
            suggestion_id=str(at),
            day=0,
            need="meal",
            p_useful=0.5,
        )
        for at in range(notes)
    )
    answers = Counted(
        Answered(time_s=one.time_s, suggestion_id="", kind=AnswerKind.ACCEPT, need="meal")
        for one in said
    )
    known = Memory(person="ada", said=said, answers=answers)  # type: ignore[arg-type]  # both count
    said.seen = answers.seen = 0
    look = Look(Scene(situation, known, GateSettings()))
    assert look.asked_for_quiet() is None
    assert gate.said_today(situation, known) == 0
    aim = Aim(topic="lunch", p_useful=0.5, at_most_min=1.0)
    assert all(look._repeated(need, aim) is None for need in needs.found())
    return said.seen + answers.seen


def test_what_was_said_years_ago_is_not_gone_through(world: Any) -> None:
    assert _repeats(world, KEEP) <= _repeats(world, 100) + 30
