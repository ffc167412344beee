"""What a student or a model leaves of a question is said, whatever it is; what a sentence has is all used."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.assist.ask.answers import answer
from hearthway.assist.ask.facts import Facts
from hearthway.assist.ask.intents import TABLE, UNUSED
from hearthway.assist.ask.slots import slots_of
from hearthway.assist.ask.unused import WORDS_MAX, with_unused
from hearthway.records.ask import LANGUAGES, Meaning, Names, Outcome
from hearthway.records.signals import Signal
from hearthway.sense.catalogue import SOC

NAMES = Names(lights=(("hall", "hall"),))
USUAL = frozenset(
    [
        "where",
        "can",
        "i",
        "eat",
        "a",
        "restaurant",
        "any",
        "good",
        "how",
        "full",
        "is",
        "the",
        "battery",
        "do",
        "have",
        "on",
        "my",
    ]
)


def left(text: str, intent: str, by: str = "student", **slots: str) -> str:
    meaning = Meaning(intent=intent, slots=slots_of(text, NAMES) | slots, by=by)
    usual = USUAL if by == "student" else None
    return with_unused(meaning, text, NAMES, usual).slots.get(UNUSED, "")


@pytest.mark.parametrize(
    ("text", "intent", "unused"),
    [
        ("any good sushi restaurant", "find_food", ""),
        ("any good cheap restaurant", "find_food", "cheap"),
        ("where can I eat on the terrace, quite late", "find_food", "terrace quite late"),
        ("any cheap restaurant for eight people", "find_food", "cheap, for eight people"),
        ("any restaurants", "find_food", ""),
        ("where can I eat tomorrow", "find_food", "tomorrow"),
        ("where can I eat today", "find_food", ""),
        ("do I have a dentist on monday", "calendar_next", "dentist"),
        ("what do I have on friday the 13th", "calendar_next", "what"),
        ("how full is the battery of my laptop", "battery", "of, laptop"),
        ("how full is the hall battery", "battery", "hall"),
        ("turn down the cosy hall", "light_off", ""),
    ],
)
def test_what_nothing_took_is_left(text: str, intent: str, unused: str) -> None:
    assert left(text, intent) == unused


def test_a_place_that_was_understood_is_none_of_it() -> None:
    assert left("any good restaurant close kamppi", "find_food", near="kamppi") == "close"


def test_of_a_sentence_only_a_slot_is_left_that_its_answer_goes_not_by() -> None:
    assert left("where can I eat cheap tonight", "find_food", "sentences") == "tonight"
    assert left("what is planned tonight", "calendar_next", "sentences") == ""


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("eat but not pizza", "pizza"),
        ("eat without a burger", "burger"),
        ("somewhere not too expensive", ""),
        ("not far from here", ""),
        ("i am not good today, any restaurant", ""),
    ],
)
def test_only_a_thing_is_left_out(text: str, without: str) -> None:
    meaning = Meaning(intent="find_food", slots=slots_of(text, NAMES), by="student")
    found = with_unused(meaning, text, NAMES, USUAL)
    assert found.slots.get("without", "") == without
    assert "cuisine" not in found.slots


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ein indisches Restaurant", "indian"),
        ("burgers please", "burger"),
        ("Döner", "kebab"),
        ("french, not pizza", "french"),
    ],
)
def test_kinds_of_food_are_read_in_words(text: str, kind: str) -> None:
    assert slots_of(text, NAMES)["cuisine"] == kind


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_says_first_what_it_goes_not_by(language: str) -> None:
    soc = Signal(key=SOC, value=41.0, time_s=0.0, source="car")
    facts = Facts(now_s=1.0, language=language, permits={SOC: "r"}, soc=soc)
    plain = answer(facts, Meaning(intent="battery", by="student"))
    told = answer(facts, Meaning(intent="battery", by="student", slots={UNUSED: "laptop"}))
    assert told.line == f"{told.line.removesuffix(plain.line)}{plain.line}"
    assert "laptop" in told.line.removesuffix(plain.line)
    nothing = answer(Facts(now_s=1.0), Meaning(intent="battery", slots={UNUSED: "laptop"}))
    assert nothing.outcome is Outcome.UNKNOWN
    assert "laptop" not in nothing.line


@given(
    st.lists(
        st.sampled_from(("cheap", "pizza", "on", "hall", "not", "may 3", "x'y", "today", "ß"))
    ),
    st.sampled_from(sorted(TABLE)),
)
def test_every_word_that_is_left_was_said(words: list[str], intent: str) -> None:
    text = " ".join(words)
    unused = left(text, intent).replace(",", " ").split()
    assert len(unused) <= WORDS_MAX
    assert set(unused) <= set(text.casefold().split())


@given(st.text(max_size=200), st.sampled_from(sorted(TABLE)))
def test_no_text_breaks_it(text: str, intent: str) -> None:
    assert len(left(text, intent).split()) <= WORDS_MAX
