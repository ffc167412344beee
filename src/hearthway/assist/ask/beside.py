"""What is neither one question nor about now: two things at once, and how it was. Neither is guessed at."""

from __future__ import annotations

import re

from hearthway.records.ask import Meaning

from .intents import PAST, SEVERAL

# What each of these is answered by is kept only as it is now.
NOW = frozenset(
    (
        *("get_home", "range", "battery", "charged_when", "parked", "house_warm", "anybody_home"),
        *("light_state", "leave_when", "wait_at", "heading"),
    )
)
PARTS_MAX = 4
_BETWEEN = re.compile(r"[?!.;]+(?:\s+|$)|,?\s+(?:and|und)\s+", re.IGNORECASE)
_JOINING = re.compile(r"^(?:and|then|also|und|dann|auch)\s+", re.IGNORECASE)
_TENSES = {
    "was": "is",
    "were": "are",
    "had": "have",
    "war": "ist",
    "waren": "sind",
    "hatte": "hat",
    "hatten": "haben",
}
_PAST = re.compile(
    rf"\b(?:{'|'.join(_TENSES)})\b(?! (?:wondering|thinking|hoping|asking|just|going|about)\b)",
    re.IGNORECASE,
)
_AGO = re.compile(
    r"\b(?:yesterday(?: (?:morning|afternoon|evening|night))?|last (?:night|week|month|year|\w+day)"
    r"|(?:an?|\w+) (?:minutes?|hours?|days?|weeks?) ago|(?:vor)?gestern(?: (?:früh|morgen|vormittag|mittag|nachmittag|abend|nacht))?|letzte[nrs]? \w+"
    r"|vor (?:einer|einem|\w+) (?:minuten?|stunden?|tag(?:en)?|wochen?))(?!\w)",
    re.IGNORECASE,
)


def parts(text: str) -> tuple[str, ...]:
    """The things that a text may say one after the other; empty where it is one, or a speech."""
    found = [_JOINING.sub("", one.strip(" ,")) for one in _BETWEEN.split(text)]
    found = [one for one in found if one]
    return tuple(found) if 1 < len(found) <= PARTS_MAX else ()


def several(said: tuple[str, ...]) -> Meaning:
    """That it was more than one; `of` is the first."""
    return Meaning(intent=SEVERAL, by="sentences", of=said[0])


def past_words(text: str) -> str:
    """The word that says that it is over: "yesterday", else "was"; "" where none does."""
    found = _AGO.search(text) or _PAST.search(text)
    return "" if found is None else found[0]


def as_if_now(text: str) -> str:
    """The same question about now; "" where it is about nothing that is over."""
    if not past_words(text):
        return ""
    now = _PAST.sub(lambda found: _TENSES[found[0].casefold()], _AGO.sub(" ", text))
    return " ".join(now.split()).strip(" ,.!?")


def past(meaning: Meaning, text: str, now: str) -> Meaning | None:
    """That it is asked how it was, where `meaning` is answered only as it is now; None for another.

    `now`: how it is asked as it is now, where a sentence has that.
    """
    if meaning.intent not in NOW:
        return None
    slots = {"now": now} if now else {}
    return Meaning(intent=PAST, slots=slots, by=meaning.by, of=past_words(text))
