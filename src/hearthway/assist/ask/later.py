"""When something that is ordered is to be done. Nothing here waits: an order with a time is one that cannot be carried out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hearthway.records.ask import Meaning, Names

from .intents import LATER, TABLE

_FEW = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty",
    "eins|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|fünfzehn|zwanzig|dreißig",
)
_COUNTED = rf"(?:\d+(?:[.,]\d+)?|{'|'.join(_FEW)})"
_NUMBER = rf"(?:{_COUNTED}|an?|eine?[mnrs]?)"  # "an hour", "ein Uhr"
_COUNT = rf"(?:about |etwa )?(?:{_NUMBER}|half|some|(?:a )?few|halben?|paar|ein paar)(?: more| an)?"
_SPAN = (
    "(?:sec(?:ond)?s?|min(?:ute)?s?|hours?|days?|weeks?|moment|while|bit"
    "|sekunden?|minuten?|stunden?|tage?n?|wochen?|weile|augenblick)"
)
_DAY = "(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|(?:mon|diens|donners|frei|sams|sonn)tags?|mittwochs?)"
_PART = "(?:abend|nacht|morgen|mittag|nachmittag|vormittag|früh|wochenende|tag|woche|stunde|monat)"
_WHO = (
    "(?:i|we|you|he|she|they|it|the|my|our|(?:some|any|every)(?:body|one)"
    "|ich|wir|du|er|sie|es|man|jemand|alle|der|die|das|meine?|unsere?)"
)
_AT = "(?:at|by|from|until|till|before|after|around|um|ab|bis|gegen|vor|nach)(?: about| etwa)?"
_NAMED = (
    r"tomorrow(?: \w+ing)?|tonight|later|afterwards|overnight|midnight|noon|sunset|sunrise|dusk|dawn",
    "(?:this|next|every|each|in the|until the|by the) (?:morning|afternoon|evening|night|weekend|week|month|day|hour)",
    "at night|daily|nightly|hourly|(?<!guten )(?:über)?morgen|später|nachher|irgendwann|mitternacht",
    "sonnen(?:unter|auf)gang|(?:nacht|abend|morgen|mittag|nachmittag)s|täglich|stündlich",
    f"(?:heute|am|gegen|jeden|diesen|nächsten|in der|jede|diese|nächste) {_PART}",
    _DAY,
)
_FOR = rf"(?:in|for|after|within|every|für|nach|alle) {_COUNT} {_SPAN}"
_ONCE = (
    "(?:when(?:ever)?|once|as soon as|as long as|after|before|until|till|while"
    f"|wenn|sobald|solange|bevor|nachdem|während|bis) {_WHO} .+"
)
# "7 am" at the end, "at 7 am" and "7am" anywhere; but "Lampe 2 am Fenster" is where it stands.
_AM = rf"(?:{_AT} {_COUNTED} ?|\d)am\b|{_COUNTED} am(?=[ .,!?]*(?:$|please|today|tomorrow))"
_HOUR = rf"(?:{_AT} )?{_NUMBER}(?: ?(?:a\.m|p\.?m)\b| o'?clock| uhr)|{_AM}|(?:{_AT} )?\d\d?:\d\d"
_WHEN = re.compile(rf"\b(?:{'|'.join((*_NAMED, _FOR, _ONCE, _HOUR))})(?!\w)")
# "at 7", but neither "at 7 degrees" nor "by 20 %", "by a window" nor "by one of the windows".
_BARE = re.compile(
    rf"\b{_AT} {_COUNTED}(?![\w.,:])(?! ?(?:[°%]|degree|celsius|percent|grad|prozent|of |another))"
)
_NUMBERS = re.compile(rf"\b{_COUNTED}\b")


def at_once(meaning: Meaning, text: str, names: Names) -> Meaning:
    """The same; `LATER`, of the words that say when, where it is an order and `text` says when."""
    intent = TABLE.get(meaning.intent)
    if intent is None or not intent.command:
        return meaning
    when = said_when(text, names, degrees="degrees" in intent.needs)
    return meaning if not when else Meaning(intent=LATER, by=meaning.by, of=when)


def said_when(text: str, names: Names, *, degrees: bool = False) -> str:
    """The words that say when; "" where none do. `degrees`: a number that stands alone is one of these, and no hour."""
    found = _when(text, names, degrees=degrees)
    return "" if found is None else found[0].strip(" .,!?")


def untimed(text: str, names: Names) -> str:
    """The text without the words that say when; "" where none do."""
    found = _when(text, names)
    rest = () if found is None else (*text[: found.start()].split(), *text[found.end() :].split())
    return " ".join(rest).strip(" .,!?")


def _when(text: str, names: Names, *, degrees: bool = False) -> re.Match[str] | None:
    lower = "".join(one.lower()[:1] for one in text)  # as long as `text`: some have two small ones
    plain = _masked(lower, (*(said for said, _ in names.lights), *names.rooms))
    found = _WHEN.search(plain)
    if found is None and not (degrees and len(_NUMBERS.findall(plain)) < 2):
        found = _BARE.search(plain)
    return found


def _masked(text: str, names: Iterable[str]) -> str:
    """Nobody means a time by the name of a light, such as an evening lamp. As long as before."""
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"\b{re.escape(name.lower())}\b", lambda found: "·" * len(found[0]), text)
    return text
