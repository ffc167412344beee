"""Left without the bag: the morning on which it is worth a word, and mornings that differ from it in one fact."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hearthway.assist.explain import why
from hearthway.assist.memory import Memory
from hearthway.assist.moment import render
from hearthway.assist.needs.forgotten.need import NEED, posterior
from hearthway.learn.outcome import learn_said
from hearthway.records.geo import offset
from hearthway.records.life import Place
from hearthway.records.situation import Destination, Habit, Thing, Told
from hearthway.records.suggestion import Silence, Suggestion

HOUR = 7.7


def said(value: bool, age_s: float = 30.0, source: str = "home") -> Told:
    return Told(value=value, age_s=age_s, source=source)


def to_work(world: Any, along: int = 24, times: int = 24, like: str = "on weekdays") -> Habit:
    return Habit(place_id=world.work.place_id, like=like, along=along, times=times)


def bag(world: Any, **changes: Any) -> Thing:
    facts: dict[str, Any] = {
        "name": "Sports_bag",
        "at_home": said(value=True),
        "habits": (to_work(world),),
    }
    return Thing(**{**facts, **changes})


def leaving(world: Any, *things: Thing, minutes: float = 2.0, **changes: Any) -> Any:
    """So many minutes after leaving home, probably for work."""
    lat, lon = offset(world.home.lat, world.home.lon, -500.0 * minutes, 0.0)
    p_work = changes.pop("p_work", 0.9)
    facts: dict[str, Any] = {
        "time_s": world.at(HOUR) + 60.0 * minutes,
        "trip_start_s": world.at(HOUR),
        "origin": world.home,
        "lat": lat,
        "lon": lon,
        "speed_mps": 9.0,
        "destinations": (
            Destination(place=world.work, p=p_work),
            Destination(place=world.mall, p=0.97 - p_work),
        ),
        "p_new": 0.03,
        "things": things or (bag(world),),
    }
    return world.drive(**{**facts, **changes})


def look(world: Any, situation: Any, memory: Memory | None = None) -> Any:
    return world.assistant(among=[NEED]).consider(situation, memory or Memory(person="anna"))


def code_of(result: Any) -> str:
    assert isinstance(result, Silence), f"it spoke: {result.headline}"
    return result.code


def drive_off(world: Any, *things: Thing, **changes: Any) -> tuple[list[Suggestion], set[str]]:
    """From the first minute to the twelfth, a look every five seconds."""
    memory, told, codes = Memory(person="anna"), [], set()
    for n in range(1, 145):
        situation = leaving(world, *things, minutes=n / 12.0, **changes)
        result = look(world, situation, memory)
        if isinstance(result, Suggestion):
            told.append(result)
            memory = learn_said(memory, result)
        else:
            codes.add(result.code)
    return told, codes


def test_its_morning_speaks_once_at_the_first_calm_moment(world: Any) -> None:
    told, codes = drive_off(world)
    assert len(told) == 1
    assert 60.0 <= told[0].time_s - world.at(HOUR) <= 65.0
    assert codes == {"whereabouts-unknown", "high-driving-load", "said-already", "too-late"}


def test_the_words(world: Any) -> None:
    keys = bag(world, name="Keys", habits=(to_work(world, 30, 31, "on any day"),))
    result = look(world, leaving(world, bag(world), keys))
    assert isinstance(result, Suggestion), result
    assert render(result) == [
        "07:44:00  Sports bag and Keys are still at home (home, just now)",
        "          Sports bag: along 24 of 24 times on trips from home to Forum on weekdays",
        "          Keys: along 30 of 31 times on trips from home to Forum on any day",
        "          turning back costs about 4 min now",
        "          why · not now",
    ]
    assert result.phone_only is msgspec.UNSET
    explained = "\n".join(why(result))
    assert "not noticing it only there is worth 20 min" in explained
    assert "turning back costs 4 min" in explained


MORNINGS = [
    ({"at_home": None}, "whereabouts-unknown"),
    ({"at_home": said(value=True, age_s=130.0)}, "whereabouts-unknown"),  # before one left
    ({"at_home": said(value=False)}, "nothing-left"),
    ({"with_phone": said(value=True, source="phone")}, "nothing-left"),
    ({"habits": ()}, "too-few-leavings"),
]


@pytest.mark.parametrize(("changes", "code"), MORNINGS)
def test_things_of_which_one_fact_differs_are_not_named(
    world: Any, changes: dict[str, Any], code: str
) -> None:
    assert isinstance(look(world, leaving(world)), Suggestion)
    assert code_of(look(world, leaving(world, bag(world, **changes)))) == code


def test_what_the_phone_does_not_see_is_left_as_well(world: Any) -> None:
    unseen = bag(world, with_phone=said(value=False, source="phone"))
    assert isinstance(look(world, leaving(world, unseen)), Suggestion)


@pytest.mark.parametrize(
    ("along", "times", "speaks"),
    [(24, 24, True), (22, 24, True), (21, 24, False), (0, 24, False), (5, 5, True), (4, 5, False)],
)
def test_only_what_went_along_on_nearly_all_such_trips(
    world: Any, along: int, times: int, speaks: bool
) -> None:
    thing = bag(world, habits=(to_work(world, along, times),))
    result = look(world, leaving(world, thing, p_work=0.96))
    assert isinstance(result, Suggestion) is speaks
    if not speaks:
        assert code_of(result) == "rarely-along"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"mode": "staying"}, "not-leaving"),
        ({"mode": "unknown"}, "not-leaving"),
        ({"trip_start_s": None}, "not-leaving"),
        ({"home": None}, "not-leaving"),
        ({"minutes": 10.5}, "too-late"),
        ({"things": msgspec.UNSET}, "whereabouts-unknown"),
        ({"p_work": 0.4}, "rarely-along"),
        ({"p_work": 0.55}, "not-worth-interrupting"),
        ({"minutes": 0.9}, "high-driving-load"),
    ],
)
def test_moments_that_differ_in_one_fact_are_silent(
    world: Any, changes: dict[str, Any], code: str
) -> None:
    assert code_of(look(world, leaving(world, **changes))) == code


def test_a_trip_from_elsewhere_is_no_leaving(world: Any) -> None:
    assert code_of(look(world, leaving(world, origin=world.mall))) == "not-leaving"
    same = Place(place_id=world.home.place_id, lat=0.0, lon=0.0, visits=9)
    assert isinstance(look(world, leaving(world, origin=same)), Suggestion)


@pytest.mark.parametrize(
    ("mode", "mps"), [("walking", 1.3), ("cycling", 4.6), ("riding", 9.0), ("moving", 9.0)]
)
def test_by_whatever_one_moves(world: Any, mode: str, mps: float) -> None:
    """A bag is missed in a bus as well, and where nobody can tell what it is."""
    assert isinstance(look(world, leaving(world, mode=mode, speed_mps=mps)), Suggestion)


def test_what_the_calendar_has_next_tells_as_well(world: Any) -> None:
    """Wherever it leads: swimming is in the calendar, and the bag went along the last six times."""
    swim = Habit(title="Swimming\nlesson", like="before it", along=6, times=6)
    thing = bag(world, habits=(), planned=swim)
    result = look(world, leaving(world, thing, p_work=0.3))
    assert isinstance(result, Suggestion), result
    assert result.lines[0] == 'Sports bag: along 6 of 6 times when "Swimming lesson" came next'
    assert result.p_before == pytest.approx(0.9 * 7.0 / 8.0)
    assert (
        result.phone_only is True
    )  # a calendar goes to no other device, least of all by its title
    rarely = msgspec.structs.replace(swim, along=4)
    assert code_of(look(world, leaving(world, bag(world, habits=(), planned=rarely)))) == (
        "rarely-along"
    )


def test_of_several_things_the_word_is_as_old_as_the_oldest(world: Any) -> None:
    keys = bag(world, name="Keys", at_home=said(value=True, age_s=200.0, source="hall"))
    result = look(world, leaving(world, bag(world), keys, minutes=4.0))
    assert isinstance(result, Suggestion), result
    assert result.headline == "Keys and Sports bag are still at home (hall, 3 min ago)"


def test_beside_a_probable_thing_an_improbable_one_is_not_named(world: Any) -> None:
    umbrella = bag(world, name="Umbrella", habits=(to_work(world, 3, 24),))
    result = look(world, leaving(world, umbrella, bag(world)))
    assert isinstance(result, Suggestion)
    assert "Umbrella" not in "\n".join(render(result))


def test_each_minute_makes_it_worth_less(world: Any) -> None:
    worth = []
    for minutes in (2.0, 4.0, 6.0):
        result = look(world, leaving(world, minutes=minutes, p_work=0.97))
        assert isinstance(result, Suggestion)
        worth.append(result.utility)
    assert worth[0] > worth[1] > worth[2]
    assert code_of(look(world, leaving(world, minutes=9.5, p_work=0.97))) == (
        "not-worth-interrupting"
    )


def test_the_posterior() -> None:
    assert posterior(Habit(like="", along=9, times=10)) == pytest.approx(10.0 / 12.0)
    assert posterior(Habit(like="", along=8, times=10)) == 0.0


def test_every_silence_can_be_met() -> None:
    met = {code for _, code in MORNINGS} | {"rarely-along", "too-late", "said-already"}
    assert met | {"not-leaving"} == set(NEED.silences)
