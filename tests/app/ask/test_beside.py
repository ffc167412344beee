"""On a real node: what a student leaves of a question, two questions at once, how it was, and a named day of the calendar."""

from __future__ import annotations

import time
from typing import Any

import pytest
from msgspec.structs import replace

from hearthway.app.ask.part import Asking
from hearthway.app.charge_watch import ChargePlans
from hearthway.assist.ask.facts import Planned
from hearthway.assist.ask.intents import ELSEWHERE, PAST, SEVERAL, UNUSED
from hearthway.assist.ask.slots import slots_of
from hearthway.mesh.state.calendar import Change, keep
from hearthway.records.ask import Meaning, Names
from hearthway.records.calendar import CalendarEntry
from hearthway.records.life import Place
from hearthway.records.localtime import DAY_S
from hearthway.records.signals import Signal
from hearthway.sense.catalogue import SOC

pytestmark = pytest.mark.anyio
ROOM = "Home.Climate.Temperature"


class Student:
    """Reads the same intent in any text, as a student may that is sure."""

    def __init__(self, intent: str, by: str) -> None:
        self._meaning = Meaning(intent=intent, by=by, of="x", score=0.9)

    def readings(self, text: str, language: str) -> list[Meaning]:
        slots = slots_of(text, Names())
        return [replace(self._meaning, slots=slots)] if language == "en" else []


@pytest.fixture
def believing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """believing(own, intent): after the sentences there is one student, which reads that intent in anything."""

    async def put(own: Any, intent: str, by: str = "student") -> None:
        desk = await own.nodes["phone"].part(Asking)._opened()
        made = desk._made
        desk.forget()
        monkeypatch.setattr(desk, "_made", lambda names: [*made(names)[:1], Student(intent, by)])

    return put


async def test_what_a_student_leaves_of_a_question_is_said(house: Any, believing: Any) -> None:
    async with house() as own:
        await own.tell({ROOM: 19.2})
        await believing(own, "house_warm")
        reply = await own.ask("tell me how warm it is in grandma's cellar")
        assert reply["slots"] == {UNUSED: "grandma's cellar"}
        assert reply["line"] == ("I cannot take “grandma's cellar” into account. 19.2 °C at home.")
        assert (await own.ask("tell me how warm it is please"))["line"] == "19.2 °C at home."
        assert (await own.ask("is the house warm"))["line"] == "19.2 °C at home."


async def test_of_a_language_models_reading_a_kind_or_a_time_is_left_and_no_paraphrase(
    house: Any, believing: Any
) -> None:
    async with house() as own:
        asking = own.nodes["phone"].part(Asking)
        for intent, text, unused in (
            ("house_warm", "am I going to freeze in there", ""),
            ("house_warm", "am I going to freeze in there tomorrow", "tomorrow"),
            ("find_food", "where to eat cheap", "cheap"),
        ):
            await believing(own, intent, by="model")
            assert (await asking.read(text)).slots.get(UNUSED, "") == unused


async def test_a_place_of_the_owner_s_is_understood_and_not_left(
    house: Any, believing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    grandma = Place(place_id="p1", lat=60.2, lon=24.9, visits=9, name="Grandma's")
    async with house() as own:
        phone = own.nodes["phone"]
        await believing(own, "find_food")
        monkeypatch.setattr(phone.brain.life, "places", lambda: (grandma,))
        read = {
            who: await phone.part(Asking).read("got anything cheap to eat near grandma's", who)
            for who in ("", "ben")
        }
        assert read[""].slots == {"near": "Grandma's", UNUSED: "cheap"}
        assert read["ben"].slots == {UNUSED: "cheap, grandma's"}


async def test_the_students_that_ship_drop_no_word_unsaid(house: Any) -> None:
    async with house() as own:
        asking = own.nodes["phone"].part(Asking)
        for text, unused in (
            ("show me cheap restaurants nearby", "cheap"),
            ("recommend a restaurant for eight people", "eight people"),
            ("name a good restaurant near me", ""),
        ):
            read = await asking.read(text)
            assert (read.intent, read.by) == ("find_food", "student")
            assert read.slots.get(UNUSED, "") == unused
        at_mall = await asking.read("show me cheap restaurants near the mall")
        assert at_mall.slots == {"near": "mall", UNUSED: "cheap"}


@pytest.mark.parametrize("misread", [ELSEWHERE, "battery"])
async def test_how_it_was_and_two_at_once_no_student_answers(
    house: Any, believing: Any, misread: str
) -> None:
    async with house() as own:
        await own.tell({ROOM: 19.2})
        await believing(own, misread)
        was = await own.ask("how warm was the house yesterday")
        assert (was["intent"], was["outcome"]) == (PAST, "unknown")
        assert was["more"] == ["Ask “how warm is the house” for now."]
        both = await own.ask("will I get home? and is the house warm?")
        assert (both["intent"], both["outcome"]) == (SEVERAL, "refused")
        assert not both["sources"]
        assert not both["reply_id"]
        assert (await own.ask("is the house warm?"))["intent"] == "house_warm", "the control"


async def test_a_student_s_own_reading_of_the_past_is_no_answer(house: Any, believing: Any) -> None:
    async with house() as own:
        await believing(own, "battery")
        assert (await own.ask("the juice we had last night"))["intent"] == PAST
        assert (await own.ask("I was wondering about our juice"))["intent"] == "battery"


async def test_two_orders_in_one_are_none(house: Any) -> None:
    lights: dict[str, object] = {f"Home.Lights.{one}.OnOff": True for one in ("kitchen", "hall")}
    async with house() as own:
        await own.tell(lights)
        reply = await own.ask("turn off the kitchen light and turn off the hall light")
        assert reply["intent"] == SEVERAL
        assert own.ordered == []
        assert (await own.ask("mach das küchenlicht aus"))["outcome"] == "done"
        assert own.ordered == [{"light": "kitchen", "on": False}]


async def test_what_is_understood_and_not_done_is_said_without_a_name_of_ours(house: Any) -> None:
    async with house() as own:
        reply = await own.ask("what's the weather")
        assert reply["line"] == "You want to know the weather, and that is nothing that I do."


async def test_the_calendar_of_a_named_day_is_that_day_s(house: Any) -> None:
    async with house() as own:
        phone = own.nodes["phone"]
        now_s = time.time()
        # In twelve days, which is farther than what is next is looked for.
        start_s = now_s + 12 * DAY_S
        for title, at_s in (("Choir", now_s + 60.0), ("Fair", start_s)):
            one = CalendarEntry(
                uid=title, occurs_s=at_s, start_s=at_s, end_s=at_s + 600.0, title=title
            )
            keep(
                phone.store,
                "anna",
                [Change(uid=title, whole=True, entries=(one,), version=(0, 0.0))],
            )
        assert (await own.ask("what is next in my calendar"))["line"].startswith("Choir, at ")
        date = time.strftime("%B %d", time.localtime(start_s))
        reply = await own.ask(f"what do I have on {date}")
        assert "Fair, at " in reply["line"]
        assert "Choir" not in reply["line"]
        empty = await own.ask(
            f"what do I have on {time.strftime('%B %d', time.localtime(start_s - DAY_S))}"
        )
        assert "nothing in the calendar here" in empty["line"]


async def test_the_charging_plan_is_told_its_owner_and_nobody_else(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house() as own:
        phone, now_s = own.nodes["phone"], time.time()
        phone.latest[SOC] = Signal(key=SOC, value=35.0, time_s=now_s, source="car")
        plan = Planned(
            begin_s=now_s + 3600.0,
            ready_s=now_s + 7200.0,
            target_pct=80.0,
            final_pct=80.0,
            departure_s=now_s + 36_000.0,
            made_s=now_s,
        )
        monkeypatch.setattr(phone.part(ChargePlans), "planned", lambda: plan)
        told = await own.ask("when will the car be full")
        assert told["line"].startswith("Planned: 80 % by "), told
        assert (await own.ask("wann ist das Auto voll"))["line"].startswith("Geplant: 80 % um ")
        for other in ("ben", "sam"):
            reply = await own.ask("when will the car be full", person=other)
            assert "80 %" not in "\n".join((reply["line"], *reply["more"]))


async def test_a_day_off_stands_in_the_calendar_of_its_day(house: Any) -> None:
    async with house() as own:
        begin_s = (time.time() // DAY_S + 1) * DAY_S
        for title, off, at_s, hours in (
            ("Midsummer", (int(begin_s / DAY_S),) * 2, begin_s, 24),
            ("Choir", None, begin_s + 46_800.0, 1),
        ):
            one = CalendarEntry(
                uid=title,
                occurs_s=at_s,
                start_s=at_s,
                end_s=at_s + 3600.0 * hours,
                title=title,
                all_day=off is not None,
                calendar="Finland" if off else "Mine",
                off=off,
            )
            change = Change(uid=title, whole=True, entries=(one,), version=(0, 0.0))
            keep(own.nodes["phone"].store, "anna", [change])
        told = (await own.ask("what do I have tomorrow"))["line"]
        assert told.startswith("Tomorrow: Midsummer, day off (Finland); Choir, at "), told
        assert (await own.ask("what is next in my calendar"))["line"].startswith("Choir, ")
