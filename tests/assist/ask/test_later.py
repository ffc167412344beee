"""An order for another time than now is told apart from one for now: nothing here waits to carry it out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.assist.ask.answers import not_mine
from hearthway.assist.ask.intents import LATER
from hearthway.assist.ask.later import at_once, said_when, untimed
from hearthway.records.ask import Meaning, Names, Outcome

NAMES = Names(lights=(("evening lamp", "evening_lamp"), ("hall", "hall")), rooms=("morning room",))
NOW = (
    "turn on the hall light",
    "turn on the hall light now please",
    "good morning, turn on the hall light",
    "good night, all lights off",
    "turn on the evening lamp",
    "switch off the lights in the morning room",
    "dim the hall light to 20 %",
    "turn the hall light down by 20 percent",
    "turn on one light",
    "turn the light at the door on",
    "make the hall as bright as before",
    "guten morgen, mach das licht an",
    "mach das licht in der hall jetzt an",
    "mach das licht um 20 prozent dunkler",
    "schalte das licht nach vorne raus an",
    "turn on the light by a window",
    "turn on the lamp at a desk",
    "turn on the light by one of the windows",
    "turn off the lights one after another",
    "schalte das licht vor einer garage ein",
    "mach lampe 2 am fenster an",
    "mach die eine am fenster an",
)
LATE = {
    "turn on the light tomorrow": "tomorrow",
    "Turn on the light TOMORROW morning!": "tomorrow morning",
    "turn the hall light off at 7": "at 7",
    "turn the hall light off at seven please": "at seven",
    "turn the hall light off at 7:30": "at 7:30",
    "turn the hall light off around 11 pm": "around 11 pm",
    "in ten minutes turn off the light": "in ten minutes",
    "turn off the light in half an hour": "in half an hour",
    "turn on the hall light for 5 more minutes": "for 5 more minutes",
    "turn on the light when I get home": "when i get home",
    "turn off the light as soon as everybody is asleep": "as soon as everybody is asleep",
    "lights on at sunset": "sunset",
    "turn on the hall light every evening": "every evening",
    "turn on the hall light on monday": "monday",
    "lights off tonight": "tonight",
    "turn it on later": "later",
    "turn on the evening lamp in the evening": "in the evening",
    "mach morgen das licht an": "morgen",
    "mach übermorgen früh das licht an": "übermorgen",
    "mach das licht um 7 uhr an": "um 7 uhr",
    "mach das licht um sieben aus": "um sieben",
    "mach das licht in zehn minuten aus": "in zehn minuten",
    "mach heute abend das licht an": "heute abend",
    "mach das licht an, wenn ich heimkomme": "wenn ich heimkomme",
    "mach das licht bei sonnenuntergang an": "sonnenuntergang",
    "mach montags das licht an": "montags",
    "mach das licht später aus": "später",
    "turn on the hall light at one": "at one",
    "turn on the hall light 7 am please": "7 am",
    "at 7 am turn on the hall light": "at 7 am",
    "turn on the hall light 7am, thanks": "7am",
    "mach das licht um eins an": "um eins",
    "mach das licht um ein uhr am fenster an": "um ein uhr",
    "mach das licht in einer stunde an": "in einer stunde",
}
HEATING_NOW = (
    "set the heating to 21",
    "set the heating at 21 degrees",
    "heating at 21",
    "set the heating at 21 in a room",
    "heizung auf 21 grad",
)
HEATING_LATE = (
    "set the heating to 21 at 7",
    "at 7 set the heating to 21 degrees",
    "set the heating to 21 tomorrow",
    "turn the heating on at 7 am",
    "heizung um 7 auf 21 grad",
    "heizung um 7 uhr an",
    "warm the house in 2 hours",
)  # fmt: skip


@pytest.mark.parametrize("text", NOW)
def test_an_order_for_now_says_no_time(text: str) -> None:
    assert said_when(text, NAMES) == ""
    order = Meaning(intent="light_on", slots={"light": "hall"}, by="student")
    assert at_once(order, text, NAMES) is order


@pytest.mark.parametrize("text", LATE)
def test_a_time_is_told_back_in_its_own_words(text: str) -> None:
    assert said_when(text, NAMES) == LATE[text]
    meaning = at_once(Meaning(intent="light_off", by="sentences", of="x"), text, NAMES)
    assert (meaning.intent, meaning.of, meaning.by) == (LATER, LATE[text], "sentences")


@pytest.mark.parametrize("text", HEATING_NOW)
def test_a_number_alone_is_degrees(text: str) -> None:
    assert at_once(Meaning(intent="heating_set"), text, NAMES).intent == "heating_set"


@pytest.mark.parametrize("text", HEATING_LATE)
def test_beside_degrees_a_number_is_an_hour(text: str) -> None:
    assert at_once(Meaning(intent="heating_set"), text, NAMES).intent == LATER


def test_the_rest_of_an_order_is_what_its_time_leaves() -> None:
    assert (
        untimed("Set the heating to 21 tonight, please", NAMES) == "Set the heating to 21 , please"
    )
    assert untimed("turn on the Evening Lamp at 7", NAMES) == "turn on the Evening Lamp"
    assert untimed("turn on the evening lamp", NAMES) == ""
    assert untimed("İİ turn on the hall light at 7 now", NAMES) == "İİ turn on the hall light now"


def test_a_question_may_name_a_time() -> None:
    for intent in ("calendar_next", "leave_when", "house_warm", "elsewhere"):
        asked = Meaning(intent=intent)
        assert at_once(asked, "what is on tomorrow at 7", NAMES) is asked


@pytest.mark.parametrize(("language", "words"), [("en", "not possible"), ("de", "geht nicht")])
def test_what_is_said_to_it(language: str, words: str) -> None:
    reply = not_mine(language, Meaning(intent=LATER, of="tomorrow"))
    assert reply is not None
    assert (reply.outcome, reply.intent) == (Outcome.REFUSED, LATER)
    assert words in reply.line
    assert "tomorrow" in reply.line
    assert reply.more


@given(st.text(max_size=400))
def test_no_text_breaks_it(text: str) -> None:
    assert isinstance(said_when(text, NAMES, degrees=True), str)
    assert len(untimed(text, NAMES)) <= len(text)
