"""The student as the second reader: what no sentence has, with its own tags and the household's names; and what it does not accept."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
from bench.voice import QUESTIONS
from tests.student.small import text_student_file

from hearthway.app.ask.part import Asking
from hearthway.app.ask.sentences import Sentences
from hearthway.app.ask.student import StudentReader
from hearthway.app.models import Models
from hearthway.assist.ask.cascade import understand
from hearthway.assist.ask.intents import CAR_ACT, ELSEWHERE
from hearthway.assist.ask.labels import SLURP, meaning_of
from hearthway.records.ask import Meaning, Names
from hearthway.records.errors import StudentError
from hearthway.records.life import Place
from hearthway.student.format import read

NAMES = Names(lights=(("bed room", "bed_room"), ("kitchen", "kitchen")))
FILE = text_student_file()


def test_what_no_sentence_has_the_student_reads() -> None:
    text = "light kitchen the turn off"
    reader = StudentReader(FILE, NAMES)
    assert understand(text, [Sentences(NAMES)]) is None
    found = understand(text, [Sentences(NAMES), reader])
    assert found is not None
    first = found.readings[0]
    assert (first.intent, first.slots, first.by) == ("light_off", {"light": "kitchen"}, "student")
    assert first.of == read(FILE).identity
    assert first.score is not None
    exact = understand("turn off the kitchen light", [Sentences(NAMES), reader])
    assert exact is not None
    assert exact.readings[0].by == "sentences", "what is exact goes first"


def test_what_the_bench_of_voice_asks_is_read_as_it_says_by_the_students_that_ship() -> None:
    kept = files("hearthway.student") / "data"
    shipped = [
        StudentReader((kept / f"{name}.student").read_bytes(), Names()) for name in ("home", "ask")
    ]
    for reader, text in QUESTIONS.items():
        found = understand(text, [Sentences(Names()), *shipped])
        assert found is not None, text
        assert [(one.intent, one.by) for one in found.readings] == [("battery", reader)]


def test_what_it_does_not_accept_is_not_read() -> None:
    reader = StudentReader(FILE, NAMES)
    for text in ("cafe", "the light", "", "x" * 500, "what is the meaning of life"):
        assert list(reader.readings(text, "en")) == []
    assert list(reader.readings("turn light off", "de")) == [], "it was trained on English"
    assert [m.intent for m in reader.readings("turn light off", "en")][:1] == ["light_off"], (
        "the control"
    )


def test_two_that_it_holds_as_likely_are_asked_about() -> None:
    reader = StudentReader(FILE, NAMES)
    found = understand("on off light", [reader])
    assert found is not None
    assert {one.intent for one in found.readings} == {"light_on", "light_off"}


@pytest.mark.parametrize("data", [b"", FILE[:100], FILE[:-1], b"x" * 1000])
def test_a_file_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(StudentError):
        StudentReader(data, NAMES)


def test_labels_of_a_house_are_ours_or_home_assistants() -> None:
    light = meaning_of("iot_hue_lightoff", {"house_place": "hall"}, {}, student="s", score=0.9)
    assert light is not None
    assert (light.intent, light.slots) == ("light_off", {"light": "hall"})
    vacuum = meaning_of("iot_cleaning", {}, {}, student="s", score=0.9)
    assert vacuum is not None
    assert (vacuum.intent, vacuum.of) == (ELSEWHERE, SLURP["iot_cleaning"])
    assert meaning_of("music_likeness", {}, {}, student="s", score=0.9) is None


@pytest.mark.anyio
async def test_a_node_asks_it_and_goes_on_without_one_that_is_broken(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = {"home": ("broken", FILE[:-1]), "ask": (read(FILE).identity, FILE)}
    async with house() as own:
        phone = own.nodes["phone"]
        models, gone = phone.part(Models), []

        async def failed(task: str, identity: str, why: str) -> None:
            gone.append((task, identity))
            served.pop(task)
            models._changed(task)  # as it does: the one before serves

        monkeypatch.setattr(models, "load", served.get)
        monkeypatch.setattr(models, "failed", failed)
        await own.tell({"Home.Lights.kitchen.OnOff": True})
        reply = await own.ask("light kitchen the turn off")
        assert (reply["outcome"], reply["line"]) == ("asks", "Off: kitchen: shall I?")
        assert reply["by"] == "student"
        assert (await own.ask("yes"))["outcome"] == "done"
        assert own.ordered == [{"light": "kitchen", "on": False}]
        assert gone == [("home", "broken")]
        served.clear()
        phone.part(Asking)._drop()
        assert (await own.ask("light kitchen the turn off"))["outcome"] == "not-understood"


@pytest.mark.anyio
async def test_which_places_its_owner_has_no_guest_hears(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is understood of a guest's words is the same whether or not the owner has a place of that name."""
    grandma = Place(place_id="p1", lat=60.2, lon=24.9, visits=9, name="Grandma's")
    async with house() as own:
        phone = own.nodes["phone"]
        monkeypatch.setattr(phone.part(Models), "load", {"home": (read(FILE).identity, FILE)}.get)
        heard = {}
        for places in ((), (grandma,)):
            monkeypatch.setattr(phone.brain.life, "places", lambda places=places: places)
            for who in ("", "ben", "sam", "nobody"):
                heard[who, len(places)] = await phone.part(Asking).read(
                    "turn light off at grandma's", who
                )
        assert heard["", 1].slots == {**heard["", 0].slots, "near": "Grandma's"}, "the control"
        for who in ("ben", "sam", "nobody"):
            assert heard[who, 1] == heard[who, 0] == heard["", 0]


NO_ORDERS = (
    "do not turn off the kitchen light",
    "why is the kitchen light off",
    "did you turn off the kitchen light",
    "I turned off the kitchen light",
    "turn off the kitchen light in grandma's house",
    "kitchen",
    "the kitchen please",
)


@pytest.mark.anyio
async def test_nothing_is_switched_by_what_is_no_order(house: Any) -> None:
    """With the students that ship: they take a question, and what is not to be done, for an order."""
    async with house() as own:
        await own.tell({"Home.Lights.kitchen.OnOff": True})
        outcomes = {(await own.ask(text))["outcome"] for text in NO_ORDERS}
        assert "asks" in outcomes, "some are read as orders"
        assert own.ordered == []
        assert (await own.ask("turn off the kitchen light"))["outcome"] == "done", "the control"
        assert own.ordered == [{"light": "kitchen", "on": False}]


class Wavering:
    """Holds two readings as equally likely."""

    def __init__(self, *intents: str) -> None:
        self._intents = intents

    def readings(self, text: str, language: str) -> list[Meaning]:
        return [
            Meaning(intent=one, slots={"light": "kitchen"}, by="student", of="x", score=0.4)
            for one in self._intents
        ]


@pytest.mark.anyio
async def test_what_is_not_done_here_is_not_offered(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house() as own:
        await own.tell({"Home.Lights.kitchen.OnOff": True})
        desk = await own.nodes["phone"].part(Asking)._opened()
        for first, second in (("light_off", ELSEWHERE), (ELSEWHERE, "light_off")):
            desk.forget()
            monkeypatch.setattr(desk, "_made", lambda _, a=first, b=second: [Wavering(a, b)])
            assert (await own.ask("kitchen light less"))["line"] == "Do you mean turn a light off?"
            assert (await own.ask("yes"))["outcome"] == "done"
        desk.forget()
        monkeypatch.setattr(desk, "_made", lambda _: [Wavering(CAR_ACT, ELSEWHERE)])
        assert (await own.ask("kitchen light less"))["outcome"] == "refused"
        assert own.ordered == [{"light": "kitchen", "on": False}] * 2
