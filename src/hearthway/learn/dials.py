"""What each setting of the dial is worth to one person: on the days before it is switched on, and from what was answered.

A replay tells how often each setting would have spoken and how often the person then went there. What a person answered
is known only for words that were said, so the log prices a quieter dial (which of these words it would have kept) and
never one that speaks more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import fsum

from msgspec import Struct

from hearthway.assist.explain import BASE, said_at
from hearthway.assist.otherwise import WORTH
from hearthway.assist.settings import INTERRUPTION_MIN, LEAST_P, Dial
from hearthway.records.count import count_of
from hearthway.records.suggestion import Answer, AnswerKind, Suggestion

from .bootstrap import Interval, mean_interval, share_interval
from .came_true import Words
from .offpolicy import Logged, estimate

LEAST_JUDGED = 5  # words: of fewer a share is shown as unknown


class DialReplayed(Struct, frozen=True, kw_only=True):
    """One setting on a person's past days, walk-forward.

    `rightly` is over those words of which it is known what became of them; None where that is none.
    """

    dial: str
    spoken: int
    spoken_a_day: float
    rightly: Interval | None


class DialLogged(Struct, frozen=True, kw_only=True):
    """One setting judged by the words that were said and answered here.

    `kept` of the `answered` words it would have said at their moments; `welcome` is their share of accepted ones;
    `worth_min` the minutes an answered word brought under this setting, an unwanted one at the price of `priced_at`.
    """

    dial: str
    answered: int
    kept: int
    welcome: Interval | None
    worth_min: float
    priced_at: str
    more: bool  # it would have said others as well, and nobody knows how they would have been answered


def judged(
    dial: str, words: Words, days: int, told_by: Mapping[str, bool | None] | None = None
) -> DialReplayed:
    """What this setting said, and how much of it came true; `told_by`: by the word's id what tells more than a stay."""
    told = [(told_by or {}).get(one, right) for one, right in words.right.items()]
    known = [yes for yes in told if yes is not None]
    return DialReplayed(
        dial=dial,
        spoken=len(words.said),
        spoken_a_day=round(len(words.said) / max(1, days), 4),
        rightly=share_interval(sum(known), len(known)),
    )


def shown(one: DialReplayed) -> str:
    """The share that came true, for people; unknown where too few words tell."""
    if not one.spoken:
        return "nothing was said"
    found = one.rightly
    if found is None:
        return "unknown: of none it is known what became of it"
    if found.n < LEAST_JUDGED:
        return f"unknown: {found.n} word{'s tell' if found.n > 1 else ' tells'} too little"
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"


def log_lines(log: Sequence[DialLogged]) -> Iterator[str]:
    """What the answers tell, for people; nothing where nothing was answered."""
    if not log:
        return
    first = log[0]
    yield f"  of {count_of(first.answered, 'word')} said and answered here (an unwanted one at the price of {first.priced_at})"
    yield "  dial      would have kept   welcome                worth of a word"
    for told in log:
        found = told.welcome
        welcome = (
            "none kept"
            if found is None
            else f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"
        )
        more = "  and others: unknown" if told.more else ""
        yield f"  {told.dial:<8}  {told.kept:15}   {welcome:<22} {told.worth_min:+.1f} min{more}"


def speaks(suggestion: Suggestion, dial: Dial) -> bool | None:
    """Would this word have been said, then and there, at `dial`? None where its cost is not told."""
    lost = {r.feature: r.weight for r in suggestion.reasons if r.feature not in WORTH}
    unwanted = 1.0 - suggestion.p_useful
    if unwanted <= 0.0:
        return True
    if lost.get(BASE, 0.0) >= 0.0:
        return None
    ratio = INTERRUPTION_MIN[dial] * unwanted / -lost[BASE]
    gained = fsum(r.weight for r in suggestion.reasons if r.feature in WORTH)
    worth_it = gained + ratio * fsum(lost.values()) >= suggestion.threshold
    return worth_it and suggestion.p_useful >= LEAST_P[dial]


def benefit_min(suggestion: Suggestion) -> float:
    """Minutes that this word wins where it is welcome, as the gate took them."""
    gained = fsum(r.weight for r in suggestion.reasons if r.feature in WORTH)
    return gained / suggestion.p_useful if suggestion.p_useful > 0.0 else 0.0


def from_log(
    suggestions: Iterable[Suggestion], answers: Iterable[Answer], *, dial: Dial, seed: int = 0
) -> tuple[DialLogged, ...]:
    """Every setting on what was said and answered, an unwanted word priced as at `dial`; empty where nothing was."""
    last: dict[str, Answer] = {}
    for answer in sorted(answers, key=lambda a: (a.time_s, a.kind.value)):
        known = last.get(answer.suggestion_id)
        if known is None or answer.kind is not AnswerKind.IGNORED:  # silence takes no answer back
            last[answer.suggestion_id] = answer
    told = [
        (one, last[one.suggestion_id].kind is AnswerKind.ACCEPT)
        for one in suggestions
        if one.suggestion_id in last and speaks(one, dial) is not None
    ]
    if not told:
        return ()
    loudest = min(
        (INTERRUPTION_MIN[at] for one, _ in told if (at := said_at(one)) is not None), default=0.0
    )
    return tuple(_judged(told, each, dial, loudest, seed) for each in Dial)


def _judged(
    told: list[tuple[Suggestion, bool]], dial: Dial, priced_at: Dial, loudest: float, seed: int
) -> DialLogged:
    kept = {one.suggestion_id: yes for one, yes in told if speaks(one, dial)}
    log = [
        Logged(one.p_useful, one.propensity, yes, one.suggestion_id, benefit_min(one))
        for one, yes in told
    ]
    cost = INTERRUPTION_MIN[priced_at]
    found = estimate(log, cost, lambda entry: entry.name in kept)
    return DialLogged(
        dial=dial.value,
        answered=len(told),
        kept=len(kept),
        welcome=mean_interval([float(yes) for yes in kept.values()], seed=seed),
        worth_min=round(found.robust, 2),
        priced_at=priced_at.value,
        more=INTERRUPTION_MIN[dial] < loudest,
    )
