"""How an answer speaks: one of two languages, ages, and the sentences that every kind of answer may need."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from hearthway.records.ask import Outcome, Source
from hearthway.records.signals import Signal

from .facts import Cited, Facts, ago_words, stale
from .intents import TABLE


class Draft(Struct, frozen=True, kw_only=True):
    """An answer before it is a reply."""

    outcome: Outcome
    line: str
    more: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()


def say(facts: Facts | str, en: str, de: str) -> str:
    """Whichever is spoken."""
    language = facts if isinstance(facts, str) else facts.language
    return de if language == "de" else en


def answered(cite: Cited, line: str, *more: str) -> Draft:
    """Known, and said."""
    return Draft(
        outcome=Outcome.ANSWERED,
        line=line,
        more=tuple(one for one in more if one),
        sources=tuple(cite.sources),
    )


def unknown(cite: Cited, en: str, de: str, *more: str) -> Draft:
    """Asked for, and nobody told."""
    line = say(cite.facts, en, de)
    return Draft(outcome=Outcome.UNKNOWN, line=line, more=more, sources=tuple(cite.sources))


def aged(facts: Facts, signal: Signal) -> str:
    """ " (3 min ago)", or that it is too old to rely on; empty for what was told just now."""
    ago = ago_words(facts.language, facts.now_s - signal.time_s)
    if not ago:
        return ""
    if stale(signal, facts.now_s):
        return say(
            facts,
            f" (last told {ago}: it may be different now)",
            f" (zuletzt {ago} gemeldet: es kann jetzt anders sein)",
        )
    return f" ({ago})"


def listed(language: str, names: Sequence[str]) -> str:
    """ "a, b or c"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {say(language, 'or', 'oder')} {names[-1]}"


def can_say(language: str) -> str:
    """What can be asked, in one sentence."""
    return listed(language, [one.words(language) for one in TABLE.values() if one.name != "help"])
