"""Slots found in a question by the words themselves and the household's own names, for whoever understands the intent alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from msgspec import Struct

from hearthway.records.ask import Names

_WORD = re.compile(r"[\w'-]+")
_DEGREES = re.compile(r"\b(\d{1,2}(?:[.,]\d)?)\s*(?:°|degrees?|grad|celsius)?", re.IGNORECASE)
PERIODS: dict[str, str] = {
    "today": "today",
    "heute": "today",
    "yesterday": "yesterday",
    "gestern": "yesterday",
    "this week": "week",
    "diese woche": "week",
    "in dieser woche": "week",
    "last week": "last-week",
    "letzte woche": "last-week",
    "this month": "month",
    "diesen monat": "month",
    "lately": "month",
    "recently": "month",
    "in letzter zeit": "month",
}
_WEEKDAYS = (
    ("monday", "montag"),
    ("tuesday", "dienstag"),
    ("wednesday", "mittwoch"),
    ("thursday", "donnerstag"),
    ("friday", "freitag"),
    ("saturday", "samstag", "sonnabend"),
    ("sunday", "sonntag"),
)
DAYS: dict[str, str] = {
    "today": "today",
    "heute": "today",
    "heute morgen": "today",
    "tonight": "tonight",
    "this evening": "tonight",
    "heute abend": "tonight",
    "tomorrow": "tomorrow",
    "morgen": "tomorrow",
    "day after tomorrow": "day-after-tomorrow",
    "the day after tomorrow": "day-after-tomorrow",
    "übermorgen": "day-after-tomorrow",
    **{word: names[0] for names in _WEEKDAYS for word in names},
    **{f"next {names[0]}": f"next-{names[0]}" for names in _WEEKDAYS},
    **{f"nächsten {word}": f"next-{names[0]}" for names in _WEEKDAYS for word in names[1:]},
    "weekend": "weekend",
    "this weekend": "weekend",
    "the weekend": "weekend",
    "wochenende": "weekend",
    "dieses wochenende": "weekend",
    "this week": "week",
    "diese woche": "week",
    "dieser woche": "week",
    "next week": "next-week",
    "nächste woche": "next-week",
    "nächster woche": "next-week",
}
MONTHS = (
    ("january", "januar", "jan"),
    ("february", "februar", "feb"),
    ("march", "märz", "mar"),
    ("april", "april", "apr"),
    ("may", "mai"),
    ("june", "juni", "jun"),
    ("july", "juli", "jul"),
    ("august", "august", "aug"),
    ("september", "september", "sep", "sept"),
    ("october", "oktober", "oct", "okt"),
    ("november", "november", "nov"),
    ("december", "dezember", "dec", "dez"),
)
_MONTH = {name: number for number, names in enumerate(MONTHS, 1) for name in names}
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # days of a month at most
_NAMED = "|".join(sorted(_MONTH, key=len, reverse=True))
_ON = rf"(?:(?:{'|'.join(word for names in _WEEKDAYS for word in names)}) )?(?:the |den )?"
_TH = r"(\d{1,2})(?:st|nd|rd|th)"
_DATES = (  # of folded words
    re.compile(rf"\b{_ON}{_TH}?(?: of)? (?P<month>{_NAMED})\b"),
    re.compile(rf"\b{_ON}(?P<month>{_NAMED}) (?:the )?{_TH}?\b"),
    re.compile(rf"\b{_ON}{_TH}\b"),
)
_DISHES = ("pizza", "burger", "steak", "salad", "kebab")
_CUISINES = (
    *_DISHES,
    *("sushi", "thai", "indian", "italian", "chinese", "japanese", "vietnamese", "korean"),
    *("mexican", "greek", "turkish", "nepalese", "lebanese", "spanish", "french", "american"),
    *("vegan", "vegetarian", "seafood", "noodles", "ramen", "coffee", "asian"),
)
_GERMAN = {
    "indisch": "indian",
    "italienisch": "italian",
    "chinesisch": "chinese",
    "japanisch": "japanese",
    "griechisch": "greek",
    "türkisch": "turkish",
    "mexikanisch": "mexican",
    "vietnamesisch": "vietnamese",
    "koreanisch": "korean",
    "nepalesisch": "nepalese",
    "spanisch": "spanish",
    "französisch": "french",
    "asiatisch": "asian",
    "vegetarisch": "vegetarian",
}
CUISINES: dict[str, str] = {
    **{name: name for name in _CUISINES},
    **{f"{name}s": name for name in _DISHES},
    "noodle": "noodles",
    **{
        f"{word}{end}": kind
        for word, kind in _GERMAN.items()
        for end in ("", "e", "en", "er", "es")
    },
    "veganes": "vegan",
    "döner": "kebab",
    "kaffee": "coffee",
}
NOT = ("not", "no", "without", "except", "nicht", "kein", "keine", "keinen", "ohne")
NEAR = ("near", "close to", "around", "at", "by", "in der nähe von", "bei", "am", "beim")


# After "not" these name nothing that could be left out: "not too expensive", "not far".
_NO_KIND = (
    "too",
    "so",
    "very",
    "that",
    "far",
    "sure",
    "only",
    "just",
    "really",
    "to",
    "in",
    "zu",
    "weit",
    "nur",
    "so",
    "sehr",
    "sicher",
)
_ARTICLES = ("a", "an", "the", "any", "ein", "eine", "einen", "der", "die", "das")


class Found(Struct, frozen=True):
    """A slot, its value, and the words of the question that give it."""

    slot: str
    value: str
    words: str


def folded(text: str) -> str:
    """Lower case, one space between words, composed letters."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFC", text).casefold()))


def finds(text: str, names: Names) -> tuple[Found, ...]:
    """Every slot that the words themselves give; nothing is guessed."""
    said = folded(text)
    found: list[Found] = []
    light = _longest(said, [name for name, _ in names.lights] + list(names.rooms))
    if light:
        found.append(Found("light", light, folded(light)))
    degrees = _DEGREES.search(text)
    if degrees:
        found.append(Found("degrees", degrees[1].replace(",", "."), folded(degrees[0])))
    plain = said.replace("'s", "")  # "today's"
    date = date_of(text)
    for slot, known in (("period", PERIODS), ("day", DAYS)):
        words = _longest(plain, known)
        if words and not (slot == "day" and date is not None):
            found.append(Found(slot, known[words], words))
    if date is not None:
        found.append(date)
    without = _without(said)
    rest = f" {said} "
    if without is not None:
        found.append(without)
        rest = rest.replace(f" {without.words} ", " ")
    cuisine = _longest(rest.strip(), CUISINES)
    if cuisine:
        found.append(Found("cuisine", CUISINES[cuisine], cuisine))
    return tuple(found)


def date_of(text: str) -> Found | None:
    """A day of the year as "03-17", or of a month as "17"."""
    said = folded(text)
    for pattern in _DATES:
        found = pattern.search(said)
        if found is None:
            continue
        named, day = (
            found.groupdict().get("month", ""),
            next(n for n in found.groups() if n[0].isdigit()),
        )
        if not 1 <= int(day) <= (31 if not named else _LONGEST[_MONTH[named] - 1]):
            continue
        value = f"{_MONTH[named]:02d}-{int(day):02d}" if named else f"{int(day)}"
        return Found("day", value, found[0])
    return None


def _without(said: str) -> Found | None:
    """What follows "not" and is a thing."""
    for word in NOT:
        _, at, after = f" {said} ".partition(f" {word} ")
        words = after.split()
        skipped = [words.pop(0)] if len(words) > 1 and words[0] in _ARTICLES else []
        if at and words and words[0] not in _NO_KIND:
            return Found("without", words[0], " ".join((word, *skipped, words[0])))
    return None


def slots_of(text: str, names: Names) -> dict[str, str]:
    """The same as slots alone."""
    return {one.slot: one.value for one in finds(text, names)}


def near_of(text: str, places: Iterable[str]) -> str:
    """Which of one's own places is named as where something is to be near; "" where none is."""
    said = f" {folded(text)} "
    place = _longest(said.strip(), places)
    at = folded(place)
    return (
        place
        if at and any(f" {w} {at} " in said or f" {w} the {at} " in said for w in NEAR)
        else ""
    )


def _longest(said: str, names: Iterable[str]) -> str:
    fitting = [one for one in names if one and f" {folded(one)} " in f" {said} "]
    return max(fitting, key=len, default="")
