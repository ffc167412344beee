"""Slots found in a question by the household's own names, for whoever understands the intent alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

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
NOT = ("not", "no", "without", "except", "nicht", "kein", "keine", "keinen", "ohne")
NEAR = ("near", "close to", "around", "at", "by", "in der nähe von", "bei", "am", "beim")


def folded(text: str) -> str:
    """Lower case, one space between words, composed letters."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFC", text).casefold()))


def slots_of(text: str, names: Names) -> dict[str, str]:
    """Every slot that the words themselves give; nothing is guessed."""
    said = folded(text)
    found: dict[str, str] = {}
    light = _longest(said, [name for name, _ in names.lights] + list(names.rooms))
    if light:
        found["light"] = light
    degrees = _DEGREES.search(text)
    if degrees:
        found["degrees"] = degrees[1].replace(",", ".")
    period = _longest(said, PERIODS)
    if period:
        found["period"] = PERIODS[period]
    without = next((said.split(f" {word} ", 1)[1] for word in NOT if f" {word} " in said), "")
    if without:
        found["without"] = without.split(" ")[0]
    return found


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
