"""A question asked in the car: read there, answered by its driver's phone as the rules say, or by the car's own instruments."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from tests.app.ask.test_voice import said as heard
from tests.app.ask.test_voice import speaking
from wyoming.asr import Transcript
from wyoming.intent import Recognize

from hearthway.app.ask import house_orders
from hearthway.app.ask.part import Asking
from hearthway.app.member import Member
from hearthway.app.models import Models
from hearthway.app.offload import Offloading
from hearthway.app.phone import PhoneNode
from hearthway.mesh.offload.placement import Choice
from hearthway.records.ask import CarQuestion, CarReply, Meaning
from hearthway.records.errors import HearthwayError
from hearthway.records.signals import Signal

pytestmark = pytest.mark.anyio
ROOM, HALL = "Home.Climate.Temperature", "Home.Lights.hall.OnOff"
SOC = "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current"
RANGE = "Vehicle.Powertrain.TractionBattery.Range"
WARM = "is the house warm"
AS_OWNER = """
[[rule]]
id = "this-car-asks-as-its-driver"
keys = ["Ask.AsOwner"]
from = "car"
to = ["phone"]
purpose = "ask"
"""


@asynccontextmanager
async def driving(household: Any) -> AsyncIterator[Any]:
    """Anna's phone, her car and a home; the house is warm."""
    async with household(people={"phone": ("anna", "adult")}, phone="phone", car="car") as nodes:
        phone = nodes["phone"]
        assert isinstance(phone, PhoneNode)
        phone.store.add_person("Anna", "anna")
        await phone._whose()
        await nodes.reach("phone", "car")
        now_s = phone.clock.now_s()
        for key, value in ((ROOM, 19.2), (HALL, True)):
            phone.latest[key] = Signal(key=key, value=value, time_s=now_s, source="house")
        yield nodes


async def said(nodes: Any, text: str, **how: Any) -> dict[str, Any]:
    reply: dict[str, Any] = await nodes.ask("car", "ask", text=text, **how)
    return reply


async def ruled(nodes: Any, changed: Callable[[str], str] | dict[str, str]) -> None:
    """Both nodes have other rules."""
    for name in ("phone", "car"):
        rules = nodes[name].paths.rules
        text = changed[name] if isinstance(changed, dict) else changed(rules.read_text())
        rules.write_text(text)
        await nodes.ask(name, "use-rules")


async def told(nodes: Any, **values: float) -> None:
    signals = [{"key": k, "value": v, "time_s": time.time()} for k, v in values.items()]
    await nodes.ask("car", "sense", signals=signals)


def receipts(node: Any, reply: dict[str, Any]) -> list[Any]:
    assert isinstance(node, Member)
    kept = [one for _, one in node.receipts.chain.receipts() if one is not None]
    return [one for one in kept if one.suggestion_id == reply["reply_id"]]


async def test_who_sits_in_the_car_is_a_guest_until_a_rule_says_the_driver(household: Any) -> None:
    async with driving(household) as nodes:
        reply = await said(nodes, WARM)
        assert (reply["outcome"], reply["intent"]) == ("denied", "house_warm")
        assert "19" not in reply["line"]
        assert (await nodes.ask("phone", "ask", text=WARM))["outcome"] == "answered", "its owner"
        await ruled(nodes, lambda text: text + AS_OWNER)
        reply = await said(nodes, WARM)
        assert (reply["outcome"], "19.2 °C" in reply["line"]) == ("answered", True)
        await ruled(nodes, lambda text: text.replace(AS_OWNER, ""))
        assert (await said(nodes, WARM))["outcome"] == "denied"


async def test_no_rule_no_question_and_no_words_back(household: Any) -> None:
    async with driving(household) as nodes:
        whole = nodes["phone"].paths.rules.read_text()
        for rule in ("ask-in-car", "answer-in-car"):
            head, _, rest = whole.partition(f'[[rule]]\nid = "{rule}"')
            assert rest
            less = head + rest[rest.index("[[") :]
            await ruled(nodes, {"phone": less, "car": less if rule == "ask-in-car" else whole})
            reply = await said(nodes, WARM)
            assert (reply["outcome"], reply["line"]) == (
                "denied",
                "No rule lets what is asked in the car go to the driver's phone.",
            )
            assert not receipts(nodes["phone"], reply)
            await ruled(nodes, {"phone": whole, "car": whole})
            reply = await said(nodes, WARM)
            assert "I may not tell" in reply["line"], "the control: it is asked"
            assert receipts(nodes["phone"], reply)


async def test_both_ends_keep_who_was_asked_where_and_how_many_bytes(household: Any) -> None:
    async with driving(household) as nodes:
        await ruled(nodes, lambda text: text + AS_OWNER)
        reply = await said(nodes, WARM)
        [car] = receipts(nodes["car"], reply)
        assert {(c.key, c.sender, c.rule) for c in car.crossings} == {
            ("Ask.Question", "car", "ask-in-car"),
            ("Ask.Reply", "phone", "answer-in-car"),
        }
        assert car.measured.bytes_to["phone"] > 0
        assert [(one.stage, one.node) for one in car.computations] == [("assist", "car")]
        used, given = receipts(nodes["phone"], reply)
        assert [one.key for one in used.fields] == [ROOM]
        assert (given.disclosures[0].peer, given.disclosures[0].learned) == (
            "whoever sits in car",
            (ROOM,),
        )
        assert {c.rule for c in given.crossings} == {"ask-in-car", "answer-in-car"}
        assert given.measured.bytes_to["car"] > 0


async def test_a_moving_car_has_one_line_and_a_standing_one_all(household: Any) -> None:
    async with driving(household) as nodes:
        assert (await said(nodes, WARM))["more"] == [], "nobody says that it stands"
        await told(nodes, **{"Vehicle.Speed": 60.0})
        assert (await said(nodes, WARM))["more"] == []
        await told(nodes, **{"Vehicle.Speed": 0.0})
        assert len((await said(nodes, WARM))["more"]) == 1


async def test_without_the_phone_the_car_says_what_it_shows(household: Any) -> None:
    async with driving(household) as nodes:
        await told(nodes, **{SOC: 64.0, RANGE: 190_000.0})
        await nodes.down("phone")
        await nodes.until(lambda: not nodes["car"].mesh.ready("phone"))
        reply = await said(nodes, "how full is the battery")
        assert (reply["outcome"], reply["line"]) == ("answered", "The battery has 64 %.")
        reply = await said(nodes, "wie weit reicht der Akku")
        assert reply["line"] == "Etwa 190 km, wie das Auto selbst schätzt."
        [kept] = receipts(nodes["car"], reply)
        assert [one.key for one in kept.fields] == [RANGE]
        assert (kept.crossings, kept.measured.bytes_to) == ((), {})
        reply = await said(nodes, WARM)
        assert reply["outcome"] == "unknown"
        assert "not in reach" in reply["line"]
        await told(nodes, **{SOC: 40.0})
        assert "40 %" in (await said(nodes, "how full is the battery"))["line"]


async def test_nothing_is_ordered_of_a_car_nor_by_a_guest_of_the_house(
    household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house_orders, "DONE_S", 0.2)
    async with driving(household) as nodes:
        ordered: list[str] = []

        def watched(emit: Callable[..., None]) -> Callable[..., None]:
            def heard(event: str, **more: Any) -> None:
                ordered.append(event)
                emit(event, **more)

            return heard

        for name in ("home", "car", "phone"):
            control = nodes[name].control
            control.emit = watched(control.emit)
        await ruled(nodes, lambda text: text + AS_OWNER)
        reply = await said(nodes, "unlock the car")
        assert (reply["outcome"], reply["line"]) == (
            "refused",
            "I do nothing to a car: I only advise.",
        )
        assert "order" not in ordered
        await said(nodes, "turn off the hall light")
        assert "order" in ordered, "the control: its driver's own order of the house reaches it"
        ordered.clear()
        await ruled(nodes, lambda text: text.replace(AS_OWNER, ""))
        assert (await said(nodes, "turn off the hall light"))["outcome"] == "denied"
        assert "order" not in ordered


async def test_a_question_back_is_answered_in_the_car_and_there_alone(household: Any) -> None:
    async with driving(household) as nodes:
        assert (await said(nodes, "turn off the light"))["line"] == "Which light?"
        nobody = await nodes.ask("phone", "ask", text="hall", person="nobody")
        assert nobody["outcome"] == "not-understood", "a voice beside the phone was not asked"
        reply = await said(nodes, "hall")
        assert (reply["intent"], reply["outcome"]) == ("light_off", "denied"), (
            "a guest orders nothing"
        )


async def test_who_drives_is_asked_and_nobody_else(household: Any) -> None:
    people = {"phone": ("anna", "adult"), "other": ("ben", "adult")}
    async with household(people=people, phone="phone", other="phone", car="car") as nodes:
        for name, person in (("phone", "anna"), ("other", "ben")):
            nodes[name].store.add_person(person, person)
            await nodes[name]._whose()
        await nodes.reach("phone", "other", "car")
        reply = await said(nodes, WARM)
        assert "not certain who drives" in reply["line"]
        await nodes.ask("car", "wheel", person="ben")
        assert nodes["car"].driver() == "ben"
        reply = await said(nodes, WARM)
        assert receipts(nodes["other"], reply)
        assert not receipts(nodes["phone"], reply)
        with pytest.raises(HearthwayError, match="somebody else's phone"):
            await (
                nodes["car"]
                .paired()
                .request(
                    "other",
                    "Ask.Question",
                    CarQuestion(text=WARM, language="en"),
                    "ask",
                    CarReply,
                    5.0,
                )
            )


PARAPHRASE = "could you tell me what meetings i have got today please"


async def test_what_no_sentence_has_the_student_reads_where_it_is_soonest(household: Any) -> None:
    async with driving(household) as nodes:
        await ruled(nodes, lambda text: text + AS_OWNER)
        car: Offloading = nodes["car"].part(Offloading)
        found = nodes["car"].part(Models).load("ask")
        assert found is not None
        reply = await said(nodes, PARAPHRASE)
        assert (reply["intent"], reply["by"]) == ("calendar_next", "student")
        [kept] = receipts(nodes["car"], reply)
        where = {(one.stage, one.node, one.model) for one in kept.computations if one.used}
        assert ("student", "car", found[0]) in where
        assert car.worker._process is None, "in this process, and in no worker"
        place = car.placement.place
        car.placement.place = lambda *a: Choice("phone", None, 9.0)  # type: ignore[method-assign]  # what was measured
        reply = await said(nodes, PARAPHRASE)
        [kept] = receipts(nodes["car"], reply)
        assert (reply["intent"], reply["by"]) == ("calendar_next", "student")
        where = {(one.stage, one.node, one.model) for one in kept.computations if one.used}
        assert ("student", "phone", found[0]) in where
        assert ("Offload.Run", "computed-by-phone") in {(c.key, c.rule) for c in kept.crossings}
        car.placement.place = place  # type: ignore[method-assign]


async def test_without_the_rule_the_student_reads_in_the_car(household: Any) -> None:
    async with driving(household) as nodes:
        await ruled(
            nodes,
            lambda text: text.replace(', "Ask.Question"]\nfrom = "car"', ']\nfrom = "car"', 1),
        )
        reply = await said(nodes, PARAPHRASE)
        [kept] = receipts(nodes["car"], reply)
        assert {one.node for one in kept.computations} == {"car"}
        assert not [c for c in kept.crossings if c.purpose == "offload"]
        assert reply["intent"] == "calendar_next", "the question itself still goes to the phone"


MEANT = Meaning(intent="house_warm", by="sentences")
WRONG = {
    "no words": CarQuestion(text="?!", language="en"),
    "too long": CarQuestion(text="x" * 501, language="en"),
    "another language": CarQuestion(text=WARM, language="fr"),
    "an intent of nobody's": CarQuestion(
        text=WARM, language="en", readings=(Meaning(intent="erase"),)
    ),
    "many": CarQuestion(text=WARM, language="en", readings=(MEANT,) * 3),
    "long slots": CarQuestion(
        text=WARM, language="en", readings=(Meaning(intent="wait_at", slots={"venue": "x" * 501}),)
    ),
}


async def test_what_no_car_asks_is_refused(household: Any) -> None:
    async with driving(household) as nodes:
        car = nodes["car"].paired()
        good = CarQuestion(text=WARM, language="en", readings=(MEANT,))
        for name, wrong in WRONG.items():
            with pytest.raises(HearthwayError) as why:
                await car.request(
                    "phone", "Ask.Question", wrong, "ask", CarReply, 5.0, about="anna"
                )
            assert "failed while answering" not in str(why.value), name
        reply = await car.request("phone", "Ask.Question", good, "ask", CarReply, 5.0, about="anna")
        assert reply.intent == "house_warm", "the control"


async def test_nobody_is_told_apart_by_name_in_a_car(household: Any) -> None:
    async with driving(household) as nodes:
        with pytest.raises(HearthwayError, match="told apart"):
            await said(nodes, WARM, person="anna")
        for text in ("", "?!", "x" * 100_000):
            with pytest.raises(HearthwayError):
                await said(nodes, text)
        assert (await said(nodes, WARM, person="nobody"))["intent"] == "house_warm"
        meaning = await nodes["car"].part(Asking).read(WARM)
        assert meaning is not None
        assert meaning.intent == "house_warm"


async def test_a_microphone_in_the_car_hears_one_line(household: Any) -> None:
    async with driving(household) as nodes:
        await ruled(nodes, lambda text: text + AS_OWNER)
        own = SimpleNamespace(nodes=nodes)
        async with speaking(own, "nobody", "car") as service:
            meant, warm = await heard(service, Recognize(text=WARM), Transcript(text=WARM))
        assert meant.data["name"] == "house_warm"
        assert (warm.type, warm.data["text"]) == ("handled", "19.2 °C at home.")
        await ruled(nodes, lambda text: text.replace(AS_OWNER, ""))
        async with speaking(own, "nobody", "car") as service:
            (denied,) = await heard(service, Transcript(text=WARM))
        assert denied.type == "not-handled"
        assert "19" not in denied.data["text"]
