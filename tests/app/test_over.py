"""What is over goes: from the phone's page, from the car's surface, and from what waits for the next drive."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest
from msgspec import UNSET
from msgspec.structs import replace

from hearthway.app.brain import IGNORED_AFTER_S
from hearthway.app.handoff import Tasks
from hearthway.app.speaking import Speaking, for_the_car, surface_of
from hearthway.assist.standing import stands
from hearthway.records.errors import HearthwayError
from hearthway.records.life import Place
from hearthway.records.messages import Surface
from hearthway.records.signals import Signal
from hearthway.records.situation import Destination, Situation
from hearthway.records.suggestion import Suggestion
from hearthway.records.tasks import WaitingSuggestion
from hearthway.web.present import state_view
from hearthway.web.service import NodePage

ANNA = {"phone": ("anna", "adult")}


def word(time_s: float, mode: str = "driving") -> Suggestion:
    """Said on a trip that began ten minutes before."""
    situation = Situation(
        time_s=time_s,
        utc_offset_s=0,
        person="anna",
        mode=mode,
        lat=60.17,
        lon=24.94,
        trip_start_s=time_s - 600.0 if mode == "driving" else None,
    )
    return Suggestion(
        suggestion_id="abcdefabcdef",
        need="dinner",
        person="anna",
        time_s=time_s,
        utc_offset_s=0,
        headline="dinner?",
        lines=(),
        options=(),
        reasons=(),
        p_useful=0.9,
        utility=3.0,
        threshold=1.0,
        propensity=1.0,
        situation=situation,
    )


def test_a_word_stands_as_long_as_what_it_was_said_on() -> None:
    said = word(1e9)
    on = said.situation
    assert stands(said, 1e9 + 600.0, replace(on, time_s=1e9 + 600.0))
    assert not stands(said, 1e9 + 1800.0, replace(on, time_s=1e9 + 1800.0, trip_start_s=None))
    assert not stands(said, 1e9 + 1800.0, replace(on, time_s=1e9 + 1800.0, trip_start_s=1e9 + 9.0))
    assert not stands(said, 1e9 + IGNORED_AFTER_S)
    assert stands(said, 1e9 + IGNORED_AFTER_S - 1.0)
    assert stands(said, 1e9 + 60.0, replace(on, time_s=1e9 - 60.0, trip_start_s=None))  # older news


def test_a_word_ends_when_it_says_so() -> None:
    at_rest = replace(word(1e9, "staying"), until_s=1e9 + 900.0)
    assert stands(at_rest, 1e9 + 899.0, at_rest.situation)
    assert not stands(at_rest, 1e9 + 900.0, at_rest.situation)
    left = replace(at_rest.situation, time_s=1e9 + 60.0, trip_start_s=1e9 + 50.0)
    assert not stands(at_rest, 1e9 + 60.0, left)


def test_a_word_kept_before_words_had_an_end_is_read() -> None:
    fields = msgspec.to_builtins(word(1e9))
    assert "until_s" not in fields
    assert msgspec.convert(fields, Suggestion) == word(1e9)


def test_the_car_takes_away_what_is_over(household: Any) -> None:
    async def main() -> None:
        async with household(people=ANNA, phone="phone", car="car") as nodes:
            phone, car = nodes["phone"], nodes["car"]
            said = word(time.time())
            phone.suggestion, phone.situation = said, said.situation
            speaking = phone.part(Speaking)
            await speaking._show_elsewhere(surface_of(said, ["dinner?"]))
            await nodes.until(lambda: car.shown() is not None)
            await speaking.withdraw(said.time_s + 60.0)
            assert phone.suggestion is said  # the control: it still stands
            arrived = replace(said.situation, time_s=said.time_s + 1800.0, trip_start_s=None)
            phone.situation = arrived
            await speaking.withdraw(arrived.time_s)
            assert [phone.suggestion] == [None]
            await nodes.until(lambda: car.shown() is None)
            with pytest.raises(HearthwayError, match="Nothing is shown"):
                await nodes.ask("car", "answer", kind="accept")

    asyncio.run(main())


@pytest.mark.parametrize("phone_only", [True, UNSET])
def test_what_is_not_for_the_car_is_not_withdrawn_there_either(phone_only: Any) -> None:
    """Even without its lines it would name places on the map."""
    said = replace(word(1e9), phone_only=phone_only)
    assert for_the_car(said) is (phone_only is UNSET)


def test_where_the_phone_is_away_the_cars_own_clock_does(household: Any) -> None:
    async def main() -> None:
        async with household(people=ANNA, phone="phone", car="car") as nodes:
            car, now_s = nodes["car"], time.time()
            surface = Surface(
                suggestion_id="s",
                person="anna",
                time_s=now_s - IGNORED_AFTER_S + 30.0,
                utc_offset_s=0,
                lines=("dinner?",),
                osm_ids=(),
            )
            car.show(surface)
            assert car.shown() == surface
            car.show(replace(surface, person="eve", over=True))  # nobody takes away another's
            car.show(replace(surface, suggestion_id="t", over=True))
            assert car.shown() == surface
            car._shown = replace(surface, time_s=now_s - IGNORED_AFTER_S)
            assert car.shown() is None
            car.show(replace(surface, time_s=now_s - IGNORED_AFTER_S))  # nor does it come so late
            assert car.shown() is None

    asyncio.run(main())


@pytest.mark.parametrize(("age_s", "rides"), [(60.0, True), (12 * 3600.0, False)])
def test_last_nights_word_does_not_ride_along(household: Any, age_s: float, rides: bool) -> None:
    async def main() -> None:
        async with household(people=ANNA, phone="phone", car="car") as nodes:
            phone, car, now_s = nodes["phone"], nodes["car"], time.time()
            surface = surface_of(word(now_s - age_s), ["dinner?"])
            tasks = phone.part(Tasks)
            tasks.start(WaitingSuggestion(surface=surface), "anna", surface.time_s, "abc")
            moving = Signal(
                key="Vehicle.Speed", value=40.0, time_s=now_s, unit="km/h", source="car"
            )
            await nodes.ask("car", "sense", signals=[msgspec.to_builtins(moving)])
            await nodes.until(lambda: tasks.held() == [])
            if rides:
                await nodes.until(lambda: car.shown() == surface)
            else:
                assert all(task.done for task in tasks._all())
                assert car.part(Tasks)._all() == []
                assert car.shown() is None

    asyncio.run(main())


@pytest.mark.parametrize(("age_s", "stays"), [(600.0, True), (IGNORED_AFTER_S + 60.0, False)])
def test_a_page_of_a_phone_at_rest_goes_by_the_clock(
    household: Any, age_s: float, stays: bool
) -> None:
    """Nothing has come in since the word was said, so the phone has not looked."""

    async def main() -> None:
        async with household(people=ANNA, phone="phone") as nodes:
            phone = nodes["phone"]
            phone.store.add_person("Anna", "anna")
            said = word(time.time() - age_s)
            phone.suggestion, phone.situation = said, said.situation
            assert (NodePage(phone).snapshot().suggestion is said) is stays

    asyncio.run(main())


@pytest.mark.parametrize(
    ("age_s", "mode", "doing"),
    [
        (60.0, "driving", "Driving, likely to home (90%)"),
        (1000.0, "driving", ""),
        (3000.0, "staying", "Staying"),
    ],
)
def test_nobody_drives_for_hours_because_nothing_was_heard(
    household: Any, age_s: float, mode: str, doing: str
) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone = nodes["phone"]
            phone.store.add_person("Anna", "anna")
            home = Place(place_id="p0", lat=60.2, lon=24.9, visits=9, label="home")
            goals = (Destination(place=home, p=0.9),) if mode == "driving" else ()
            now = word(time.time() - age_s, mode).situation
            phone.situation = replace(now, destinations=goals)
            view = state_view(NodePage(phone).snapshot())
            assert view["doing"] == doing
            assert (view["map"]["destination"] is not None) is ("home" in doing)
            assert view["map"]["position"] == [60.17, 24.94]  # where one was seen last

    asyncio.run(main())
