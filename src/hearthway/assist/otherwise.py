"""What would have put another option first, or nothing on the screen: each sentence holds if that alone is changed.

Compared is in the order shown: what is known to be open stands before what keeps no hours, whatever their minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, fsum

from hearthway.records.poi import OpenState
from hearthway.records.suggestion import Option, Suggestion

from .moment import called

WORTH = ("deciding-early", "best-option")
TOP = 3
# Minutes. Sums of the same parts differ by less, and what is as good does not come before.
TIED = 1e-9


def below(p: float) -> str:
    """`p` in two decimals, never rounded up: what is below it is below `p` too."""
    return f"{floor(p * 100.0 + 1e-9) / 100.0:.2f}"


def otherwise(suggestion: Suggestion, needed: float | None, useful: str) -> list[str]:
    """What one change would have made of it; `needed`: the p at which it would just have been said, `useful`: of what."""
    options = suggestion.options
    lines: list[str] = []
    if len(options) > 1:
        first = options[0]
        # Of those that stand before or behind by nothing but their minutes the next one is the best.
        rival = next((o for o in options[1:] if o.comes_last is first.comes_last), None)
        lines += _known_open(options)
        if rival is None:
            known = (
                "where you have eaten often at this hour"
                if first.opening.state is OpenState.UNKNOWN
                else "what is known to be open"
            )
            lines.append(
                f"Whatever the wait at {called(first.poi)}, what has unknown hours stays behind {known}."
            )
        else:
            lines += _alike(first, rival)
            lines += _longer_wait(suggestion, first, rival)
    if needed is not None:
        lines.append(
            f"Had it been less likely that {useful} (p below {below(needed)} "
            f"instead of {suggestion.p_useful:.2f}), nothing would have been said."
        )
    return lines


def _weights(option: Option) -> dict[str, float]:
    return {r.feature: r.weight for r in option.reasons}


def _known_open(options: Sequence[Option]) -> list[str]:
    """Of which options only the unknown hours stand before their being first."""
    first = options[0]
    lead = float("-inf") if first.comes_last else first.utility
    return [
        f"Were {called(o.poi)} known to be open well beyond your coming, it would come first: its hours unknown put it behind."
        for o in options[1:]
        if o.comes_last and o.utility - _weights(o).get("open", 0.0) > lead
    ]


def _alike(first: Option, rival: Option) -> list[str]:
    """The reasons each of which decides between these two."""
    gap, ours, theirs = first.utility - rival.utility, _weights(first), _weights(rival)
    words = {r.feature: r.words for r in (*rival.reasons, *first.reasons)}
    ahead = {f: ours.get(f, 0.0) - theirs.get(f, 0.0) for f in words}
    decisive = sorted((f for f in words if ahead[f] > gap + TIED), key=lambda f: (-ahead[f], f))
    lead, other = called(first.poi), called(rival.poi)
    if not decisive:
        return [f"No single reason: {lead} leads {other} by {gap:.1f} min."]
    return [
        f"Were both alike in “{words[f]}”, {other} would come before {lead}."
        for f in decisive[:TOP]
    ]


def _longer_wait(suggestion: Suggestion, first: Option, rival: Option) -> list[str]:
    """From which wait on the first is no longer that, or is not worth a word any more."""
    charged = _weights(first).get("wait")
    if charged is None and first.wait.minutes is None:
        return []  # of these nobody tells a wait
    wait_min = ceil(first.utility - rival.utility - (charged or 0.0))
    lead = called(first.poi)
    left = max(o.utility for o in suggestion.options if o is not first)
    if _worth(suggestion, left) < suggestion.threshold:
        return [
            f"A wait above {wait_min} min at {lead} would have left nothing worth an interruption."
        ]
    return [f"A wait above {wait_min} min at {lead} would put {called(rival.poi)} first."]


def _worth(suggestion: Suggestion, best_min: float) -> float:
    """What speaking would have been expected to win with `best_min` as the best option's minutes."""
    lost = max(o.utility for o in suggestion.options) - best_min
    benefit = fsum(r.weight for r in suggestion.reasons if r.feature in WORTH)
    cost = fsum(r.weight for r in suggestion.reasons if r.feature not in WORTH)
    return max(0.0, benefit - suggestion.p_useful * lost) + cost
