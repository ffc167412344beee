"""The first reader: hassil with our own questions and Home Assistant's, both with the household's own names.

Exact and explainable: what it reads, it names the sentence of. Loaded at the first question and not before: a phone
at rest has no use for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from hearthway.assist.ask.intents import ELSEWHERE
from hearthway.assist.ask.labels import from_home_assistant
from hearthway.assist.ask.slots import CUISINES, DAYS, PERIODS, date_of, folded
from hearthway.records.ask import LANGUAGES, Meaning, Names
from hearthway.records.errors import ConfigError

from .wording import as_sentences_say, german_names, language_file

if TYPE_CHECKING:
    from hassil import Intents
    from hassil.intents import SlotList, TextSlotList
    from hassil.recognize import RecognizeResult

ANY_WORDS = ("HassGetState", "HassBroadcast", "HassRespond")
EVERY = {
    "en": ("all", "all the", "all of the", "all my", "all our", "every"),
    "de": ("alle", "das ganze", "überall das"),
}
A_DAY = {"en": "monday", "de": "montag"}  # any of `DAYS`
ARTICLES = ("the", "a", "an", "der", "die", "das", "dem", "den")
_MAY_BE_ANYTHING = re.compile(
    r"\[[^\]]*\]|\{[^}]*\}"
)  # of a sentence: what may be left out, and slots
WILD = ("near", "without", "venue", "entry", "anylight", "until")


class Entity(Struct, frozen=True, kw_only=True):
    """A thing by its name, as Home Assistant's sentences want it."""

    name: str
    domain: str
    area: str = ""


class Things(Struct, frozen=True, kw_only=True):
    """What Home Assistant's sentences may name."""

    entities: tuple[Entity, ...] = ()
    areas: tuple[str, ...] = ()
    floors: tuple[str, ...] = ()
    more: Mapping[str, tuple[str, ...]] = {}  # other lists, by name


def missing_extra() -> ConfigError:
    """What to do where hassil is not installed."""
    return ConfigError(
        "Questions in plain words need hassil, which is not installed.",
        'Install it with: pip install "hearthway[ask]"',
    )


@cache
def _ours(language: str) -> Intents:
    try:
        from hassil import Intents
    except ImportError:
        raise missing_extra() from None
    read = language_file(language)
    return Intents.from_dict(
        {
            "language": language,
            "intents": {name: {"data": [one]} for name, one in read["intents"].items()},
            "lists": {
                **{name: {"wildcard": True} for name in WILD},
                "cuisine": {"values": [{"in": k, "out": v} for k, v in CUISINES.items()]},
                "period": {"values": [{"in": k, "out": v} for k, v in PERIODS.items()]},
                "day": {"values": [{"in": k, "out": v} for k, v in DAYS.items()]},
                "degrees": {"range": {"from": 5, "to": 35, "fractions": "halves"}},
            },
            "expansion_rules": read["rules"],
            "skip_words": read["skip"],
        }
    )


@cache
def _theirs(language: str) -> Intents:
    try:
        from hassil import Intents
        from home_assistant_intents import get_intents
    except ImportError:
        raise missing_extra() from None
    found = get_intents(language)
    if found is None:
        raise ConfigError(
            f"Home Assistant has no sentences in {language!r}.", f"Use {', '.join(LANGUAGES)}."
        )
    return Intents.from_dict(found)


@cache
def _short(language: str) -> dict[str, str]:
    """What short answers mean: "ja" -> "yes"."""
    return {
        folded(text): meaning
        for meaning, texts in language_file(language)["answers"].items()
        for text in texts
    }


def short_answer(text: str, language: str) -> str:
    """yes, no, first, second or third; empty for anything else."""
    return _short(language).get(folded(text), "")


def _list(values: Sequence[tuple[str, str, dict[str, Any]]]) -> TextSlotList:
    from hassil.intents import TextSlotList

    return TextSlotList.from_tuples(values, allow_template=False)


class Sentences:
    """An Understander by exact sentences (records.ask)."""

    def __init__(self, names: Names, things: Things | None = None) -> None:
        """`things`: what Home Assistant's sentences may name; None: the household's lights and rooms."""
        self._names = names
        self._lights = frozenset(name.casefold() for name, _ in names.lights)
        self._things = _things_of(names) if things is None else things

    def readings(self, text: str, language: str) -> Sequence[Meaning]:
        """Ours first: what both know is about this household."""
        if language not in LANGUAGES:
            return ()
        ours = self._own(text, language)
        if ours is not None:
            return (ours,)
        found = self._found(text, language)
        if found is None or _says_nothing(found):
            return ()
        intent, slots = found.intent.name, _values(found)
        meaning = from_home_assistant(intent, slots, self._lights)
        if meaning.intent == ELSEWHERE and intent in ANY_WORDS:
            return ()  # "who is ..." fits whatever is asked of the world
        return (meaning,)

    def _own(self, text: str, language: str) -> Meaning | None:
        intents = _ours(language)
        from hassil import recognize_all

        lights: list[tuple[str, str, dict[str, Any]]] = [
            (said, known, {}) for said, known in self._names.lights
        ]
        lights += [(room, room, {}) for room in self._names.rooms]
        if language == "de":
            lights += [(room, known, {}) for room, known in german_names(self._names)]
        every = EVERY[language]
        lights += [(word, "all", {}) for word in every]
        lists: dict[str, SlotList] = {"light": _list(lights)}

        def read(words: str) -> RecognizeResult | None:
            plain = as_sentences_say(words, language, self._names)
            fitting = recognize_all(plain, intents, slot_lists=lists, language=language)
            return min(fitting, key=_left_open, default=None)

        found, date = read(text), date_of(text)
        if found is None and date is not None:
            # a date stands where a sentence has a day
            found = read(folded(text).replace(date.words, A_DAY[language]))
            if found is None or "day" not in found.entities:
                return None
        elif found is None:
            return None
        else:
            date = None
        slots = {name: _plain(entity.value) for name, entity in found.entities.items()}
        if date is not None:
            slots["day"] = date.value
        matched = found.intent_sentence
        sentence = "" if matched is None else matched.text or ""
        return Meaning(
            intent=found.intent.name,
            slots={name: value for name, value in slots.items() if value},
            by="sentences",
            of=sentence,
        )

    def home_assistant(
        self, text: str, language: str, context: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]] | None:
        """The intent and slots that Home Assistant's own sentences give; None where none fits."""
        found = self._found(text, language, context)
        return None if found is None else (found.intent.name, _values(found))

    def _found(
        self, text: str, language: str, context: Mapping[str, Any] | None = None
    ) -> RecognizeResult | None:
        intents = _theirs(language)
        from hassil import recognize_best

        return recognize_best(
            text,
            intents,
            slot_lists=self._slot_lists(),
            intent_context=dict(context or {}),
            language=language,
            best_slot_name="name",
        )

    def _slot_lists(self) -> dict[str, SlotList]:
        things = self._things
        names = []
        for one in things.entities:
            context: dict[str, Any] = {"domain": one.domain}
            if one.area:
                context["area"] = one.area
            names.append((one.name, one.name, context))
        lists: dict[str, SlotList] = {
            "name": _list(names),
            "area": _list([(area, area, {}) for area in things.areas]),
            "floor": _list([(floor, floor, {}) for floor in things.floors]),
        }
        for name, values in things.more.items():
            lists[name] = _list([(value, value, {}) for value in values])
        return lists


def _values(found: RecognizeResult) -> dict[str, Any]:
    return {name: one.value for name, one in found.entities.items()}


def _says_nothing(found: RecognizeResult) -> bool:
    """Is it a name alone? Home Assistant takes "kitchen" for an order to switch it on."""
    sentence = found.intent_sentence
    return sentence is not None and not _MAY_BE_ANYTHING.sub("", sentence.text or "").strip()


def _left_open(found: RecognizeResult) -> tuple[int, int]:
    """How much of the text a sentence left to words of any kind: the one that says most itself is meant."""
    wild = sum(len(one.text) for one in found.entities.values() if one.is_wildcard)
    return wild, -found.text_chunks_matched


def _plain(value: object) -> str:
    """A slot as it was said, without the article before it; a whole number as one."""
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    words = str(value).strip(" .,!?").split()
    return " ".join(words[1:] if len(words) > 1 and words[0].casefold() in ARTICLES else words)


def _things_of(names: Names) -> Things:
    return Things(
        entities=tuple(Entity(name=said, domain="light") for said, _ in names.lights),
        areas=names.rooms,
    )
