"""Two questions at once and questions about the past are told apart from one about now."""

from __future__ import annotations

import pytest

from hearthway.assist.ask.answers import not_mine
from hearthway.assist.ask.beside import NOW, as_if_now, parts, past, several
from hearthway.assist.ask.intents import PAST, SEVERAL, TABLE
from hearthway.records.ask import LANGUAGES, Meaning, Outcome


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("will I get home? and is the house warm?", ("will I get home", "is the house warm")),
        ("Ist es warm und wie voll ist der Akku", ("Ist es warm", "wie voll ist der Akku")),
        ("is the house warm?", ()),
        ("is it at 20.5 degrees", ()),
        ("a and b and c and d and e and f", ()),
        ("?!", ()),
    ],
)
def test_parts_are_what_stands_between_marks_and_and(text: str, pieces: tuple[str, ...]) -> None:
    assert parts(text) == pieces


@pytest.mark.parametrize(
    ("text", "now"),
    [
        ("how warm was the house yesterday", "how warm is the house"),
        ("were the lights on last night?", "are the lights on"),
        ("where was the car two hours ago", "where is the car"),
        ("war es gestern Abend warm zu Hause", "ist es warm zu Hause"),
        ("wie voll war der Akku vor einer Stunde", "wie voll ist der Akku"),
        ("how warm is the house", ""),
        ("I was wondering how warm the house is", ""),
    ],
)
def test_a_question_of_the_past_is_known_by_its_words(text: str, now: str) -> None:
    assert as_if_now(text) == now


def test_only_what_is_kept_as_it_is_now_is_refused_of_the_past() -> None:
    assert set(TABLE) > NOW
    for intent in TABLE:
        found = past(Meaning(intent=intent, by="student"), "was it so yesterday", "is it so")
        assert (found is not None) == (intent in NOW)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_is_said_in_words_with_what_to_do(language: str) -> None:
    was = past(Meaning(intent="battery"), "how full was it yesterday", "how full is it")
    assert was is not None
    reply = not_mine(language, was)
    assert reply is not None
    assert (reply.intent, reply.outcome) == (PAST, Outcome.UNKNOWN)
    assert "yesterday" in reply.line
    assert "how full is it" in reply.more[0]
    both = not_mine(language, several(("is it warm", "is it full")))
    assert both is not None
    assert (both.intent, both.outcome) == (SEVERAL, Outcome.REFUSED)
    assert "is it warm" in both.more[0]
