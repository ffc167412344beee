"""Nobody is told the name of an intent: whatever Home Assistant's sentences or a student may read has words."""

from __future__ import annotations

import pytest
from home_assistant_intents import get_intents

from hearthway.assist.ask.answers import not_mine
from hearthway.assist.ask.intents import ELSEWHERE
from hearthway.assist.ask.labels import NOT_DONE, SLURP
from hearthway.assist.ask.not_done import WANTED
from hearthway.records.ask import LANGUAGES, Meaning, Outcome


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_one_that_is_read_has_words(language: str) -> None:
    theirs = get_intents(language)
    assert theirs is not None
    names = {*theirs["intents"], *SLURP.values(), *NOT_DONE}
    assert names - set(WANTED) == set()
    for name in (*names, "HassSomethingNew"):
        reply = not_mine(language, Meaning(intent=ELSEWHERE, of=name))
        assert reply is not None
        assert (reply.outcome, reply.of) == (Outcome.REFUSED, name), "a source is still named"
        assert name not in reply.line
        assert "Hass" not in reply.line
        assert "_" not in reply.line


def test_the_weather_is_called_so() -> None:
    reply = not_mine("en", Meaning(intent=ELSEWHERE, of="HassGetWeather"))
    assert reply is not None
    assert reply.line == "You want to know the weather, and that is nothing that I do."
