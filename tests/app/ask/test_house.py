"""Questions and orders about the house on real nodes, and what a child, a guest and another adult are told instead."""

from __future__ import annotations

import time
from typing import Any

import pytest

from hearthway.app.ask import house_orders
from hearthway.app.member import Member
from hearthway.app.ruling import Ruling
from hearthway.atlas.store import Atlas
from hearthway.mesh.policy.consent import ConsentState
from hearthway.records.errors import HearthwayError
from hearthway.records.household import Consent
from hearthway.records.signals import Fix, Signal
from hearthway.records.venue import Followed, Wait

pytestmark = pytest.mark.anyio
ROOM, SETPOINT = "Home.Climate.Temperature", "Home.Climate.Setpoint"
KITCHEN, CEILING, HALL = (f"Home.Lights.{n}.OnOff" for n in ("kitchen", "kitchen_ceiling", "hall"))
LIGHTS: dict[str, object] = {KITCHEN: True, HALL: True}


def receipts(node: Any) -> list[Any]:
    assert isinstance(node, Member)
    return [one for _, one in node.receipts.chain.receipts() if one is not None]


async def test_the_house_is_unknown_then_told_then_different(house: Any) -> None:
    async with house() as own:
        assert (await own.ask("is the house warm"))["outcome"] == "unknown"
        await own.tell({ROOM: 19.2, SETPOINT: 21.0})
        reply = await own.ask("is the house warm")
        assert reply["line"] == "Colder than wanted: 19.2 °C at home; 21.0 °C is wanted."
        assert {one["rule"] for one in reply["sources"]} == {"collect-on-phone"}
        await own.tell({ROOM: 21.4})
        assert (await own.ask("ist es zu hause warm"))["line"].startswith("Warm: 21.4 °C")
        home = await own.ask("is the house warm", name="home")
        assert home["line"].startswith("Warm: 21.4 °C")


async def test_is_it_cold_gets_no_yes_that_means_warm(house: Any) -> None:
    async with house() as own:
        await own.tell({ROOM: 17.0, SETPOINT: 21.0, "Home.Climate.IsHeating": True})
        for text in ("is the house cold", "is the heating on", "is the house warm"):
            reply = await own.ask(text)
            assert reply["intent"] == "house_warm"
            assert reply["line"] == "Colder than wanted: 17.0 °C at home; 21.0 °C is wanted."
            assert "The heating is on." in reply["more"]


async def test_each_is_told_what_the_rules_say(house: Any) -> None:
    async with house() as own:
        await own.tell({ROOM: 19.2})
        warm = {who: await own.ask("is the house warm", who) for who in ("ben", "mia", "sam")}
        assert [warm[who]["outcome"] for who in ("ben", "mia", "sam")] == [
            "answered",
            "answered",
            "denied",
        ]
        assert {one["rule"] for one in warm["mia"]["sources"]} == {"ask-on-phone"}
        assert "no rule lets sam have Home.Climate.Temperature" in warm["sam"]["line"]
        assert "Rule ask-on-phone gives it to adults and children alone" in warm["sam"]["more"][0]
        assert not any("19" in line for line in (warm["sam"]["line"], *warm["sam"]["more"]))
        for who in ("ben", "mia", "sam"):
            parked = await own.ask("where did I park", who)
            assert parked["outcome"] == "denied"
            assert "both must have consented" in parked["more"][0]
        assert (await own.ask("where did I park"))["outcome"] == "unknown", (
            "the control: its owner may"
        )


async def test_every_answer_about_somebody_has_a_receipt(house: Any) -> None:
    async with house() as own:
        await own.tell({ROOM: 19.2})
        replies = [await own.ask("is the house warm", who) for who in ("", "mia", "sam")]
        replies.append(await own.ask("what can you do"))
        assert [bool(one["reply_id"]) for one in replies] == [True, True, False, False]
        mine, hers = receipts(own.nodes["phone"])
        assert (mine.suggestion_id, hers.suggestion_id) == (
            replies[0]["reply_id"],
            replies[1]["reply_id"],
        )
        assert [field.key for field in mine.fields] == [ROOM]
        assert {(c.purpose, c.rule) for c in hers.crossings} == {("ask", "ask-on-phone")}
        assert [told.peer for told in hers.disclosures] == ["mia (child)"]
        assert not mine.disclosures


async def test_a_light_is_switched_and_the_house_says_so(house: Any) -> None:
    async with house() as own:
        await own.tell(LIGHTS)
        reply = await own.ask("turn off the kitchen light")
        assert (reply["outcome"], own.ordered) == ("done", [{"light": "kitchen", "on": False}])
        assert reply["sources"][0]["rule"] == "command-home"
        await own.nodes.until(lambda: own.nodes["phone"].latest[KITCHEN].value is False)
        assert "off" in (await own.ask("is the kitchen light on"))["line"]
        assert "on" in (await own.ask("is the hall light on"))["line"]
        assert (await own.ask("schalte das licht in der kitchen an"))["outcome"] == "done"
        assert own.ordered[-1] == {"light": "kitchen", "on": True}


async def test_only_adults_order(house: Any) -> None:
    async with house() as own:
        await own.tell(LIGHTS)
        for who in ("mia", "sam"):
            reply = await own.ask("turn off the hall light", who)
            assert reply["outcome"] == "denied"
            assert "Command.Home.Light" in reply["line"]
            assert "command-home (adults)" in reply["more"][0]
        assert own.ordered == []
        assert (await own.ask("turn off the hall light", "ben"))["outcome"] == "done"


async def test_what_was_not_done_is_not_called_done(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house() as own:
        await own.tell(LIGHTS)
        own.obeys = False
        reply = await own.ask("turn off the hall light")
        assert (reply["outcome"], reply["line"]) == ("refused", "That was not done.")
        assert "the bulb is dead" in reply["more"][0]
        own.obeys = None
        monkeypatch.setattr(house_orders, "DONE_S", 0.2)
        reply = await own.ask("turn off the hall light")
        assert reply["outcome"] == "refused"
        assert "No program at home says that it switched the hall light." in reply["more"]


async def test_what_has_consequences_is_confirmed(house: Any) -> None:
    async with house() as own:
        await own.tell({**LIGHTS, CEILING: True})
        reply = await own.ask("set the heating to 21 degrees")
        assert (reply["outcome"], reply["line"]) == ("asks", "The heating to 21 °C: shall I?")
        assert (await own.ask("no"))["line"] == "All right, nothing was done."
        assert (await own.ask("yes"))["outcome"] == "not-understood", "nothing is asked any more"
        assert own.ordered == []
        await own.ask("set the heating to 21 degrees")
        assert (await own.ask("yes please"))["outcome"] == "done"
        assert own.ordered == [{"heating": 21.0}]
        assert (await own.ask("turn off all the lights"))["outcome"] == "asks"
        assert (await own.ask("do it"))["outcome"] == "done"
        assert [one["light"] for one in own.ordered[1:]] == ["hall", "kitchen", "kitchen_ceiling"]


async def test_a_question_back_is_a_task_and_each_has_their_own(house: Any) -> None:
    async with house() as own:
        await own.tell(LIGHTS)
        assert (await own.ask("turn off the light"))["line"] == "Which light?"
        held = (await own.nodes.ask("phone", "tasks"))["tasks"]
        assert [one["kind"] for one in held if not one["done"]] == ["conversation"]
        assert (await own.ask("yes", "ben"))["outcome"] == "not-understood", (
            "it was not Ben who was asked"
        )
        assert (await own.ask("hall"))["outcome"] == "done"
        assert own.ordered == [{"light": "hall", "on": False}]
        assert (await own.ask("turn off the light", "ben"))["outcome"] == "asks"
        assert (await own.ask("hall", "ben"))["outcome"] == "done"


async def test_something_else_said_is_not_an_answer(house: Any) -> None:
    async with house() as own:
        await own.tell({**LIGHTS, ROOM: 19.2})
        await own.ask("set the heating to 21")
        assert (await own.ask("is the house warm"))["intent"] == "house_warm"
        assert (await own.ask("yes"))["outcome"] == "not-understood"
        assert (await own.ask("turn off the light"))["line"] == "Which light?"
        assert (await own.ask("is the house warm"))["intent"] == "house_warm"
        assert own.ordered == []


SAID = (
    ("unlock the car", "refused", "I do nothing to a car"),
    ("öffne den kofferraum", "refused", "Am Auto tue ich nichts"),
    ("set the heating to 99 degrees", "not-understood", "I do not know that."),
    ("turn off the attic light", "refused", "No light called attic is known here"),
    ("start a timer for 5 minutes", "refused", "You want to start a timer"),
    ("what is the meaning of life", "not-understood", "I do not know that."),
    ("where did the romans park", "not-understood", "I do not know that."),
)


async def test_what_is_not_done_or_known_is_said(house: Any) -> None:
    async with house() as own:
        await own.tell(LIGHTS)
        for text, outcome, words in SAID:
            reply = await own.ask(text)
            assert (reply["outcome"], words in reply["line"]) == (outcome, True), reply
        assert own.ordered == []


async def test_what_is_no_question_is_refused(house: Any) -> None:
    async with house() as own:
        for text in ("", "?!", "x" * 100_000):
            with pytest.raises(HearthwayError):
                await own.ask(text)
        with pytest.raises(HearthwayError, match="nobody of this household"):
            await own.ask("is the house warm", "stranger")
        with pytest.raises(HearthwayError, match="not spoken here"):
            await own.nodes.ask("phone", "ask", text="is the house warm", language="fr")
        assert (await own.ask("what can you do"))["outcome"] == "answered"


async def test_what_was_forgotten_is_not_told(house: Any) -> None:
    async with house() as own:
        await own.tell(LIGHTS)
        assert (await own.ask("is the hall light on"))["outcome"] == "answered"
        await own.nodes["phone"].forgotten()
        assert (await own.ask("is the hall light on"))["outcome"] == "unknown"


async def test_other_rules_are_other_answers(house: Any) -> None:
    async with house() as own:
        await own.tell({ROOM: 19.2})
        rules = own.nodes["phone"].paths.rules
        assert (await own.ask("is the house warm", "mia"))["outcome"] == "answered"
        text = rules.read_text()
        rules.write_text(
            text.replace(
                'keys = ["Vehicle.Powertrain.TractionBattery.*", "Home.*"]',
                'keys = ["Home.Presence.*"]',
                1,
            )
        )
        await own.nodes.ask("phone", "use-rules")
        assert (await own.ask("is the house warm", "mia"))["outcome"] == "denied"
        rules.write_text(text.replace('    "Home.*",\n]\nat = ["phone"]', ']\nat = ["phone"]', 1))
        await own.nodes.ask("phone", "use-rules")
        reply = await own.ask("is the house warm")
        assert reply["outcome"] == "denied"
        assert "do not collect it" in reply["more"][0]


EACH_OTHER = """
[[rule]]
id = "ask-each-other"
keys = ["Person.Location.*", "Vehicle.CurrentLocation.*"]
from = "phone"
to = ["phone"]
purpose = "ask"
whose = "adults"
"""


async def test_another_adult_is_told_where_once_both_agreed(house: Any) -> None:
    async with house() as own:
        phone = own.nodes["phone"]
        position = {
            "Vehicle.CurrentLocation.Latitude": 60.17,
            "Vehicle.CurrentLocation.Longitude": 24.94,
        }
        for key, value in position.items():
            phone.latest[key] = Signal(
                key=key, value=value, time_s=phone.clock.now_s(), source="car"
            )
        text = phone.paths.rules.read_text()
        asked = "where did I park"

        async def told_ben(rule: str, *agreed: ConsentState) -> str:
            phone.paths.rules.write_text(text + rule)
            await own.nodes.ask("phone", "use-rules")
            phone.part(Ruling).agreed(agreed)
            return str((await own.ask(asked, "ben"))["outcome"])

        consent = Consent(
            giver="anna", receiver="ben", keys=("Person.*", "Vehicle.*"), purpose="ask"
        )
        both = ConsentState(consent_id="0" * 16, consent=consent, state="in force")
        assert await told_ben("") == "denied"
        assert await told_ben("", both) == "denied", "no rule, whoever agreed"
        assert await told_ben(EACH_OTHER) == "denied", "nobody agreed"
        assert await told_ben(EACH_OTHER + 'precision = "500m"\n', both) == "denied", (
            "an answer is exact"
        )
        assert await told_ben(EACH_OTHER, both) == "answered"
        assert (await own.ask(asked, "mia"))["outcome"] == "denied", "the rule names adults"
        assert [r.disclosures[0].peer for r in receipts(phone)] == ["ben (adult)"]


async def test_an_order_for_later_is_not_possible_and_nothing_is_done(house: Any) -> None:
    """The time is not dropped: neither at once, nor where a light or a meaning was asked back for."""
    async with house() as own:
        await own.tell(LIGHTS)
        for text in (
            "turn on the light tomorrow",
            "turn off the hall light at 7 pm",
            "set the heating to 21 degrees tonight",
            "schalte morgen das licht in der kitchen aus",
        ):
            reply = await own.ask(text)
            assert (reply["outcome"], reply["intent"]) == ("refused", "later"), text
        assert "“tomorrow”" in (await own.ask("turn on the light tomorrow"))["line"]
        assert (await own.ask("turn off the light"))["line"] == "Which light?"
        assert (await own.ask("the hall tomorrow"))["intent"] == "later"
        assert (await own.ask("yes"))["outcome"] == "not-understood", "nothing is asked any more"
        assert own.ordered == []
        assert (await own.ask("turn off the hall light"))["outcome"] == "done", "the control"


async def test_which_venues_its_owner_follows_no_guest_hears(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told or not, the answer is the one that somebody gets of whom nothing is followed."""
    followed = Followed(osm_id="node/1", name="Mama Mia", address="192.0.2.1:7450", key=b"k" * 32)
    asked = "how long is the wait at Mama Mia"
    async with house() as own:
        phone = own.nodes["phone"]
        told = {"node/1": Wait(osm_id="node/1", minutes=15.0, age_s=60.0, source="the place")}
        monkeypatch.setattr(phone, "waits", lambda arrivals, now_s: told)
        before = {who: (await own.ask(asked, who))["line"] for who in ("", "ben", "sam")}
        phone.store.follow(followed, "anna")
        assert "15 min" in (await own.ask(asked))["line"]
        for who in ("ben", "sam"):
            assert (await own.ask(asked, who))["line"] == before[who]


async def test_who_stands_off_the_map_is_told_which_map_and_may_name_a_place_on_it(
    house: Any,
) -> None:
    async with house() as own:
        phone = own.nodes["phone"]
        phone.atlas = Atlas.bundled()
        phone.brain = phone.brain_of(phone.owner)
        now_s = time.time()
        at = Fix(time_s=now_s, lat=61.50, lon=23.76)
        await phone.take_own([at], [])
        reply = await own.ask("find dinner")
        assert reply["line"] == "I cannot say: where you are is not on the map here (Helsinki)."
        assert "hearthway map build" in reply["more"][0]
        there = await own.ask("find dinner near Forum")
        assert "is not on the map" not in there["line"]
        assert "is known here" not in there["line"]
        assert there["line"].startswith(("Near Forum", "Nothing that fits is known near Forum"))
        phone.atlas.close()
