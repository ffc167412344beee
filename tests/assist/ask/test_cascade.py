"""Who understands what: the order of readers, two near readings, missing slots, the answer to a question back, bad input."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.assist.ask.answers import asks_confirm, asks_slot, asks_which
from hearthway.assist.ask.cascade import clean, missing_slot, taken, understand
from hearthway.assist.ask.intents import ELSEWHERE, TABLE
from hearthway.assist.ask.labels import CLINC, NOT_DONE, from_home_assistant, intent_of, meaning_of
from hearthway.assist.ask.slots import near_of, slots_of
from hearthway.records.ask import LANGUAGES, TEXT_MAX, Meaning, Names, Outcome
from hearthway.records.errors import InputError


class Reader:
    """Reads what it is told to, and counts how often it was asked."""

    def __init__(self, *readings: Meaning, language: str = "en") -> None:
        self.found, self.language, self.asked = readings, language, 0

    def readings(self, text: str, language: str) -> Sequence[Meaning]:
        self.asked += 1
        return self.found if language == self.language else ()


def meant(intent: str, score: float | None = None, **slots: str) -> Meaning:
    return Meaning(intent=intent, score=score, slots=slots)


def test_the_first_that_reads_it_decides() -> None:
    first, second = Reader(meant("battery")), Reader(meant("range"))
    found = understand("x", [first, second])
    assert found is not None
    assert (found.readings[0].intent, second.asked) == ("battery", 0)
    found = understand("x", [Reader(), second])
    assert found is not None
    assert found.readings[0].intent == "range"
    assert understand("x", [Reader(), Reader()]) is None


def test_the_language_is_that_in_which_it_was_read() -> None:
    german = Reader(meant("battery"), language="de")
    for order in (LANGUAGES, ("de", "en")):
        found = understand("x", [german], order)
        assert found is not None
        assert found.language == "de"


@pytest.mark.parametrize(
    ("scores", "left"),
    [((0.6, 0.55), 2), ((0.6, 0.5), 1), ((0.9, 0.1), 1), ((None, None), 1), ((0.6, None), 1)],
)
def test_two_near_readings_are_asked_about(scores: tuple[float | None, ...], left: int) -> None:
    found = understand("x", [Reader(meant("battery", scores[0]), meant("range", scores[1]))])
    assert found is not None
    assert len(found.readings) == left


def test_the_same_meaning_twice_is_one() -> None:
    found = understand("x", [Reader(meant("battery", 0.6), meant("battery", 0.6))])
    assert found is not None
    assert len(found.readings) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "?!",
        "\x00",
        "…",
        "\n\t",
        "🙂🙂",
        "x" * (TEXT_MAX + 1),
        "y" * 100_000,
        "a\ud800b",
        7,
        None,
        b"x",
        ["x"],
    ],
)
def test_what_is_no_question_is_refused_in_words(text: object) -> None:
    with pytest.raises(InputError) as why:
        clean(text)
    assert why.value.next_step
    assert len(why.value.message) < 100


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  will   I\tget home? ", "will I get home?"),
        ("a\x1b[31mb", "a [31mb"),
        ("où est ma voiture", "où est ma voiture"),
        ("私の車はどこ", "私の車はどこ"),
        ("u\u0308ber", "über"),
        ("where\u2019s my car", "where's my car"),
    ],
)
def test_other_scripts_are_questions_too(text: str, plain: str) -> None:
    assert clean(text) == plain


@given(st.text(max_size=600))
def test_no_text_breaks_it(text: str) -> None:
    try:
        plain = clean(text)
    except InputError:
        return
    assert plain.isprintable()
    assert slots_of(plain, Names(lights=(("hall", "hall"),))) is not None
    assert near_of(plain, ("Forum",)) in ("", "Forum")


def test_what_is_missing_is_asked_for_and_taken() -> None:
    meaning = meant("light_off")
    assert missing_slot(meaning) == "light"
    assert missing_slot(meant("light_off", light="hall")) == missing_slot(meant("battery")) == ""
    reply, expected = asks_slot("en", meaning, "light")
    assert (reply.outcome, reply.line) == (Outcome.ASKS, "Which light?")
    got = taken(expected, "hall", "")
    assert got is not None
    assert (got.intent, got.slots, got.by) == ("light_off", {"light": "hall"}, "your answer")
    assert taken(expected, "no", "no") is None
    assert taken(expected, "actually what is next in my calendar", "") is None


def test_a_confirmation_is_yes_and_nothing_else() -> None:
    _, expected = asks_confirm("de", meant("heating_set", degrees="21"), "Die Heizung auf 21 °C")
    got = taken(expected, "ja", "yes")
    assert got is not None
    assert got.slots == {"degrees": "21"}
    assert taken(expected, "vielleicht", "") is taken(expected, "zwei", "second") is None


@pytest.mark.parametrize(
    ("said", "answer", "intent"),
    [
        ("the first", "first", "battery"),
        ("two", "second", "range"),
        ("how far", "", "range"),
        ("third", "third", None),
        ("eh", "", None),
    ],
)
def test_which_of_two_is_said_by_place_or_by_a_word_of_its_own(
    said: str, answer: str, intent: str | None
) -> None:
    reply, expected = asks_which("en", (meant("battery", 0.6), meant("range", 0.55)))
    assert reply.line == "Do you mean how full the battery is or how far the battery reaches?"
    got = taken(expected, said, answer)
    assert (None if got is None else got.intent) == intent


def test_slots_are_the_words_that_were_said() -> None:
    names = Names(lights=(("kitchen", "kitchen"), ("kitchen ceiling", "kitchen_ceiling")))
    assert slots_of("dim the Kitchen Ceiling", names) == {"light": "kitchen ceiling"}
    assert slots_of("eat near the Forum but not pizza today", names) == {
        "without": "pizza",
        "period": "today",
        "day": "today",
    }
    assert slots_of("21,5 Grad bitte", names) == {"degrees": "21.5"}
    assert slots_of("nothing of it", names) == {}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("eat near the Forum but not pizza", "Forum"),
        ("noodles at forum west", "Forum West"),
        ("sushi bei grandma's", "Grandma's"),
        ("how far is the Forum", ""),
        ("eat near the forums", ""),
        ("eat near the mall", ""),
    ],
)
def test_one_s_own_place_is_near_where_it_is_said_so(text: str, place: str) -> None:
    assert near_of(text, ("Forum", "Forum West", "Grandma's", "")) == place
    assert near_of(text, ()) == ""


COSTS = (
    "how much does gas cost",
    "what is the price of gas",
    "how much is gas these days",
    "how much is a gallon of gas",
    "where is gas cheapest",
)
FILLS = (
    "how much gas is left",
    "do i have enough gas to get to work",
    "is my tank full",
    "what is my gas level at",
)


@pytest.mark.parametrize("text", [*COSTS, *FILLS])
def test_what_gas_costs_is_no_question_about_the_battery(text: str) -> None:
    found = meaning_of("gas", {}, {}, student="f" * 64, score=0.8, text=text)
    assert (found is None) == (text in COSTS)
    if found is not None:
        assert found.intent == "battery"


@pytest.mark.parametrize(
    ("intent", "slots", "ours", "filled"),
    [
        ("HassTurnOff", {"name": "Hall"}, "light_off", {"light": "Hall"}),
        ("HassTurnOn", {"area": "kitchen", "domain": "light"}, "light_on", {"light": "kitchen"}),
        ("HassTurnOff", {"domain": "light"}, "light_off", {"light": "all"}),
        ("HassTurnOff", {"name": "Front Door", "domain": "lock"}, ELSEWHERE, {}),
        ("HassTurnOn", {"name": "TV"}, ELSEWHERE, {}),
        ("HassClimateGetTemperature", {}, "house_warm", {}),
        ("HassClimateSetTemperature", {"temperature": "21"}, "heating_set", {"degrees": "21"}),
        ("HassGetState", {"name": "hall", "state": "on"}, "light_state", {"light": "hall"}),
        ("HassGetState", {"name": "hall", "state": "locked"}, ELSEWHERE, {}),
        ("HassStartTimer", {"minutes": "5"}, ELSEWHERE, {}),
    ],
)
def test_home_assistants_intents_are_ours_or_nobodys(
    intent: str, slots: dict[str, str], ours: str, filled: dict[str, str]
) -> None:
    found = from_home_assistant(intent, slots, frozenset({"hall"}))
    assert (found.intent, found.slots, found.of) == (ours, filled, intent)


def test_labels_of_others_are_ours_or_nothing() -> None:
    assert all(intent_of(name) == name for name in TABLE)
    assert all(intent_of(label) in TABLE for label in CLINC)
    assert [intent_of(one) for one in ("oos", "translate", "", "HassTurnOn")] == [None] * 4


def test_an_order_that_nothing_here_carries_out_is_read_as_that_and_by_its_name() -> None:
    for label in NOT_DONE:
        meaning = meaning_of(label, {}, {}, student="f" * 64, score=0.9)
        assert meaning is not None
        assert (meaning.intent, meaning.of) == (ELSEWHERE, label)
    asked = meaning_of("calendar_query", {}, {}, student="f" * 64, score=0.9)
    assert asked is None  # a question: the next reader may have an answer


def test_a_reminder_for_a_meeting_is_not_made_the_calendar_by_the_next_reader() -> None:
    sure = meaning_of("calendar_set", {}, {}, student="f" * 64, score=0.9)
    assert sure is not None
    calendar = Meaning(intent="calendar_next", by="student", score=0.9)
    first, second = Reader(sure), Reader(calendar)
    found = understand("remind me about my meeting", [first, second])
    assert found is not None
    assert found.readings == (sure,)
    control = understand("what is my next meeting", [Reader(), second])
    assert control is not None
    assert control.readings == (calendar,)
