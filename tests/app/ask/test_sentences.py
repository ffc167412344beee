"""Our own sentences: each reads as its own intent, in both languages; theirs after ours; nothing is read that was not meant."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from itertools import islice

import pytest

from hearthway.app.ask.sentences import Entity, Sentences, Things, short_answer
from hearthway.app.ask.wording import usual_words
from hearthway.assist.ask.cascade import understand
from hearthway.assist.ask.intents import CAR_ACT, ELSEWHERE, TABLE
from hearthway.assist.ask.slots import CUISINES
from hearthway.records.ask import LANGUAGES, Names

NAMES = Names(
    lights=(("kitchen", "kitchen"), ("hall lamp", "hall_lamp")),
    rooms=("bedroom",),
)
SENTENCES = Sentences(NAMES)
SAMPLES = 12  # of each sentence; some have thousands


def sampled(language: str) -> Iterator[tuple[str, str]]:
    """(intent, a text that one of its sentences stands for)."""
    from hassil import Intents
    from hassil.intents import SlotList, TextSlotList
    from hassil.parse_expression import parse_sentence
    from hassil.sample import sample_expression

    text = files("hearthway.app.ask").joinpath("sentences", f"{language}.toml").read_text("utf-8")
    read = tomllib.loads(text)
    words = {
        "light": "kitchen",
        "anylight": "attic",
        "period": {"en": "this week", "de": "diese woche"}[language],
        "day": {"en": "tomorrow", "de": "morgen"}[language],
        "until": {"en": "seven", "de": "sieben"}[language],
        "near": "forum",
        "without": "pizza",
        "cuisine": "thai",
        "venue": "mama mia",
        "degrees": "21",
        "entry": "choir",
    }
    lists: dict[str, SlotList] = {
        name: TextSlotList.from_strings([word], name=name) for name, word in words.items()
    }
    rules = Intents.from_dict(
        {"language": language, "intents": {}, "expansion_rules": read["rules"]}
    )
    for intent, data in read["intents"].items():
        for template in data["sentences"]:
            found = sample_expression(
                parse_sentence(template).expression,
                lists,
                rules.expansion_rules,
            )
            for one in islice(found, SAMPLES):
                yield intent, one


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_read_as_its_own_intent(language: str) -> None:
    wrong, count = [], 0
    for intent, text in sampled(language):
        found = SENTENCES.readings(text, language)
        count += 1
        if not found or found[0].intent != intent:
            wrong.append((intent, text, found[0].intent if found else None))
    assert count > 300
    assert wrong == []


def test_every_intent_has_sentences_in_both_languages() -> None:
    for language in LANGUAGES:
        text = (
            files("hearthway.app.ask").joinpath("sentences", f"{language}.toml").read_text("utf-8")
        )
        assert set(tomllib.loads(text)["intents"]) == {*TABLE, CAR_ACT}


@pytest.mark.parametrize(
    ("text", "intent", "slots"),
    [
        ("will I get home?", "get_home", {}),
        ("where did I park", "parked", {}),
        ("is the house warm", "house_warm", {}),
        ("who used my location this week", "location_use", {"period": "week"}),
        ("find dinner near the mall, not pizza", "find_food", {"near": "mall", "without": "pizza"}),
        ("turn off the kitchen light", "light_off", {"light": "kitchen"}),
        ("Turn off the hall lamp, please.", "light_off", {"light": "hall_lamp"}),
        ("turn off all the lights", "light_off", {"light": "all"}),
        ("turn on the lights in the bedroom", "light_on", {"light": "bedroom"}),
        ("turn off the attic light", "light_off", {"light": "attic"}),
        ("wie weit reicht der Akku", "range", {}),
        ("Komme ich noch nach Hause?", "get_home", {}),
        ("when do I have to leave", "leave_when", {}),
        ("what is next in my calendar", "calendar_next", {}),
        ("is tomorrow a holiday", "day_off", {"day": "tomorrow"}),
        ("am I off on monday", "day_off", {"day": "monday"}),
        ("do I have friday off", "day_off", {"day": "friday"}),
        ("when is the next public holiday", "day_off", {}),
        ("ist morgen ein Feiertag", "day_off", {"day": "tomorrow"}),
        ("habe ich am Montag frei", "day_off", {"day": "monday"}),
        ("Ist der 24. Dezember ein Feiertag?", "day_off", {"day": "12-24"}),
        ("wann ist der nächste Feiertag", "day_off", {}),
        ("how long is the wait at Mama Mia", "wait_at", {"venue": "Mama Mia"}),
        ("how full is the battery", "battery", {}),
        ("when will it be full", "charged_when", {}),
        ("why did you say that", "why", {}),
        ("set the heating to 21 degrees", "heating_set", {"degrees": "21"}),
        ("set the heating to 20.5 degrees", "heating_set", {"degrees": "20.5"}),
        (
            "find me an indian restaurant near Forum",
            "find_food",
            {"cuisine": "indian", "near": "Forum"},
        ),
        ("where's the car parked", "parked", {}),
        ("wheres my car", "parked", {}),
        ("whos at home", "anybody_home", {}),
        ("whats my range", "range", {}),
        ("whats the battery at", "battery", {}),
        ("is the battery enough for the way home", "get_home", {}),
        ("will it be full by seven", "charged_when", {"until": "seven"}),
        ("wird das Auto bis acht voll", "charged_when", {"until": "acht"}),
        ("dinner near kamppi", "find_food", {"near": "kamppi"}),
        ("where can I eat italian", "find_food", {"cuisine": "italian"}),
        ("any good sushi around here", "find_food", {"cuisine": "sushi"}),
        ("is there an indian restaurant near here", "find_food", {"cuisine": "indian"}),
        ("wo kann ich sushi essen", "find_food", {"cuisine": "sushi"}),
        ("wo kann ich hier einen Kaffee trinken", "find_food", {"cuisine": "coffee"}),
        ("wo gibt es Kaffee", "find_food", {"cuisine": "coffee"}),
        (
            "zeig mir griechische Restaurants bei Forum",
            "find_food",
            {"cuisine": "greek", "near": "Forum"},
        ),
        ("did anyone use my location today", "location_use", {"period": "today"}),
        ("which devices used my location this week", "location_use", {"period": "week"}),
        ("hat gestern jemand meinen Standort benutzt", "location_use", {"period": "yesterday"}),
        ("what's on my calendar tomorrow", "calendar_next", {"day": "tomorrow"}),
        ("what do I have on monday", "calendar_next", {"day": "monday"}),
        ("do we have anything planned this weekend", "calendar_next", {"day": "weekend"}),
        ("habe ich morgen etwas im kalender", "calendar_next", {"day": "tomorrow"}),
        ("was steht am montag an", "calendar_next", {"day": "monday"}),
        ("Was steht am 24. Dezember an?", "calendar_next", {"day": "12-24"}),
        ("was habe ich am 3. März vor", "calendar_next", {"day": "03-03"}),
        ("was steht am Dienstag, den 24. Dezember an", "calendar_next", {"day": "12-24"}),
        ("what's on december 24th", "calendar_next", {"day": "12-24"}),
        ("make it warmer", "heating_set", {}),
        ("mach es wärmer", "heating_set", {}),
        ("mach das küchenlicht aus", "light_off", {"light": "kitchen"}),
        ("mach die Küchenlampe an", "light_on", {"light": "kitchen"}),
        ("schalte das Licht im Schlafzimmer aus", "light_off", {"light": "bedroom"}),
        ("unlock the car", CAR_ACT, {}),
        ("start a timer for five minutes", ELSEWHERE, {}),
    ],
)
def test_what_is_asked_is_understood(text: str, intent: str, slots: dict[str, str]) -> None:
    found = understand(text, [SENTENCES])
    assert found is not None
    assert (found.readings[0].intent, found.readings[0].slots) == (intent, slots)
    assert found.readings[0].of, "it names the sentence that matched"


@pytest.mark.parametrize(
    "text",
    [
        "who is the coach of the chicago bulls",
        "how far is the moon",
        "when will the concert be over",
        "where is my mind",
        "turn off the news about the war",
        "tell me a joke",
        "is the pope catholic",
        "unlock the mystery of life",
        "how do I charge my phone abroad",
        "私の車はどこですか",
        "where did the romans park their chariots",
        "wie weit ist es bis zum mond",
    ],
)
def test_what_was_not_meant_is_not_read(text: str) -> None:
    assert understand(text, [SENTENCES]) is None


def test_a_house_that_has_german_names_is_asked_by_them() -> None:
    german = Sentences(Names(lights=(("küche", "küche"), ("stehlampe", "stehlampe"))))
    for text, light in (
        ("mach das Küchenlicht aus", "küche"),
        ("mach die Stehlampe aus", "stehlampe"),
        ("mach das Kellerlicht aus", "keller"),  # that nobody knows it is said by its name
    ):
        found = understand(text, [german])
        assert found is not None
        assert (found.readings[0].intent, found.readings[0].slots) == (
            "light_off",
            {"light": light},
        )


@pytest.mark.parametrize("intent", TABLE)
def test_words_of_its_own_sentences_are_what_an_intent_is_asked_with(intent: str) -> None:
    usual = usual_words(intent)
    assert {"the", "der", "please", "bitte"} <= usual
    assert not {"near}", "{near}", "<i>", "cheap", "günstig", "laptop", "tomorrow"} & usual
    assert "restaurants" in usual_words("find_food")


def test_theirs_have_the_households_names() -> None:
    things = Things(
        entities=(
            Entity(name="Overhead Light", domain="light"),
            Entity(name="Front Door", domain="lock"),
        ),
        areas=("Kitchen",),
    )
    own = Sentences(Names(), things)
    assert own.home_assistant("turn off the overhead light in the kitchen", "en") == (
        "HassTurnOff",
        {"name": "Overhead Light", "area": "Kitchen"},
    )
    assert own.home_assistant("unlock front door in the kitchen", "en") is not None
    assert own.home_assistant("turn off the sofa", "en") is None
    assert Sentences(Names()).home_assistant("unlock front door in the kitchen", "en") is None


def test_short_answers() -> None:
    said = [
        short_answer(one, "en") for one in ("Yes!", "yes please", "no", "the second", "hall", "ja")
    ]
    assert said == ["yes", "yes", "no", "second", "", ""]
    assert [short_answer(one, "de") for one in ("Ja, bitte", "nein", "das zweite")] == [
        "yes",
        "no",
        "second",
    ]
    assert CUISINES["italienisch"] == "italian"


def test_another_language_is_nobodys() -> None:
    assert list(SENTENCES.readings("how full is the battery", "fr")) == []


def test_without_the_extra_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['hassil'] = None\n"
        "from hearthway.app.ask.sentences import Sentences\n"
        "from hearthway.records.ask import Names\n"
        "from hearthway.records.errors import ConfigError\n"
        "try: Sentences(Names()).readings('x', 'en')\n"
        "except ConfigError as why: print(why)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert 'pip install "hearthway[ask]"' in done.stdout
