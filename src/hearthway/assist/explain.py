"""Why it was said: what weighed most, what would have changed it, and what data was used at what age.

Everything here is computed from the suggestion itself, so `hearthway why ID` answers long after the moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from msgspec import UNSET

from hearthway.records.count import count_of
from hearthway.records.localtime import clock
from hearthway.records.situation import Battery
from hearthway.records.suggestion import Option, Reason, Suggestion

from .deeds import Became
from .moment import SYNTHETIC, ago, called, plain, render
from .needs import of_topic
from .otherwise import TOP, WORTH, below, otherwise
from .settings import INTERRUPTION_MIN, LEAST_P, Dial

BASE = "interruption"  # the part of the cost that the dial sets; the others are shares of it
NEGLIGIBLE_MIN = 0.05
NOTABLE_P = 0.005


def why(suggestion: Suggestion) -> list[str]:
    """The explanation as lines of plain text; figures in minutes of the person's time."""
    lines = [render(suggestion)[0]]
    if suggestion.synthetic:
        lines.append(SYNTHETIC)
    lines.append("")
    lines.extend(_speaking(suggestion))
    for rank, option in enumerate(suggestion.options, start=1):
        lines.append("")
        behind = option.utility > suggestion.options[0].utility
        lines.extend(_option(rank, option, behind=behind))
    need = of_topic(suggestion.need)
    useful = need.useful_words if need is not None else "it would help you"
    changed = otherwise(suggestion, p_needed(suggestion), useful)
    if changed:
        lines += ["", "What would change it:", *(f"  {line}" for line in changed)]
    lines += ["", "Data used:", *(f"  {line}" for line in _data(suggestion))]
    return lines


def became_lines(pieces: Sequence[Became], suggestion: Suggestion) -> list[str]:
    """What the person then did with it, as far as facts tell, and what that counts beside a plain answer."""
    return [
        f"What then came of it: {one.words} (known {_later(one.time_s - suggestion.time_s)}); "
        f"counts {'for' if one.yes else 'against'} such words, {one.weight:g} of an answer."
        for one in pieces
    ]


def _later(seconds: float) -> str:
    minutes = max(0.0, seconds) / 60.0
    return f"{minutes:.0f} min later" if minutes < 90.0 else f"{minutes / 60.0:.0f} h later"


def _strongest(reasons: Sequence[Reason], count: int) -> list[Reason]:
    notable = [r for r in reasons if abs(r.weight) >= NEGLIGIBLE_MIN]
    return sorted(notable, key=lambda r: (-abs(r.weight), r.feature))[:count]


def _speaking(suggestion: Suggestion) -> list[str]:
    won = f"speaking was expected to win {suggestion.utility:.1f} min"
    asked = f"where {suggestion.threshold:.1f} are asked for"
    lines = [f"Useful with p {suggestion.p_useful:.2f}: {won}, {asked}."]
    lines += [f"  {r.weight:+6.1f}  {r.words}" for r in _strongest(suggestion.reasons, 6)]
    if suggestion.heading is not UNSET:
        lines += heading_lines(suggestion.heading)
    before = suggestion.p_before
    if before is not None and abs(before - suggestion.p_useful) >= NOTABLE_P:
        lines.append(
            f"  Your own answers and deeds moved p from {before:.2f} to {suggestion.p_useful:.2f}."
        )
    needed = p_needed(suggestion)
    if needed is not None:
        lines.append(f"  Below p {below(needed)} it would have stayed silent.")
    return lines


def heading_lines(reasons: Sequence[Reason]) -> list[str]:
    """What speaks most for where one is heading; nothing where nothing does."""
    if not reasons:
        return []
    told = (f"    {r.weight:+6.1f}  {r.words}" for r in reasons[:TOP])
    return ["  Heading there by, each taken alone, in log-odds:", *told]


def p_needed(suggestion: Suggestion) -> float | None:
    """The probability at which the gate would just have spoken, recomputed from the reasons."""
    p = suggestion.p_useful
    if not 0.0 < p < 1.0:
        return None
    benefit = fsum(r.weight for r in suggestion.reasons if r.feature in WORTH) / p
    cost = -fsum(r.weight for r in suggestion.reasons if r.feature not in WORTH) / (1.0 - p)
    if benefit + cost <= 0.0:
        return None
    dial = said_at(suggestion)
    # A word said below its dial's least probability is from before there was one.
    least = LEAST_P[dial] if dial is not None and p >= LEAST_P[dial] else 0.0
    return min(1.0, max(least, (suggestion.threshold + cost) / (benefit + cost)))


def said_at(suggestion: Suggestion) -> Dial | None:
    """The dial at which it was said, by what an unwanted word cost then; None where that cannot be told."""
    unwanted = 1.0 - suggestion.p_useful
    base = -fsum(r.weight for r in suggestion.reasons if r.feature == BASE)
    if unwanted <= 0.0:
        return None
    return min(
        (d for d in Dial if abs(INTERRUPTION_MIN[d] * unwanted - base) < 1e-6 * max(1.0, base)),
        default=None,
    )


def _option(rank: int, option: Option, *, behind: bool) -> list[str]:
    head = f"{rank}. {called(option.poi)} ({option.poi.osm_id}): {option.utility:+.1f} min"
    if behind:
        head += ", and behind: its hours are unknown"
    return [head, *(f"  {r.weight:+6.1f}  {r.words}" for r in _strongest(option.reasons, 6))]


def _data(suggestion: Suggestion) -> list[str]:
    situation = suggestion.situation
    lines = [
        f"{e.key} from {e.source or 'unknown'}, {ago(e.age_s)}"
        for e in sorted(situation.evidence, key=lambda e: (e.key, e.source))
    ]
    lines += [
        f"{plain(one.called) or one.person[:8]} is with you: told by {one.source} "
        f"by rule {one.rule} and consent {one.consent}"
        for one in (() if situation.aboard is UNSET else situation.aboard)
    ]
    routine = next((r for r in situation.routines if r.name == suggestion.need), None)
    if routine is not None:
        lines.append(
            f"your {routine.name} routine: {count_of(routine.days, 'day')} of it, "
            f"{clock(routine.start_s, 0)}-{clock(routine.end_s, 0)}"
        )
    lines.append(
        f"your history: {count_of(situation.places_known, 'place')}, {count_of(situation.stays_known, 'stay')}, "
        f"{count_of(situation.days_known, 'day')}"
    )
    if suggestion.others is not UNSET:
        lines.append(
            f"what other people said yes to: the student {suggestion.others[:12]}, for the order of kinds"
        )
    for option in suggestion.options:
        hours = plain(option.poi.opening_hours) or "unknown"
        lines.append(f"hours of {called(option.poi)}: {hours} ({option.poi.osm_id}, the map)")
        if option.wait.minutes is not None and option.wait.age_s is not None:
            source = option.wait.source or "source unknown"
            lines.append(f"wait at {called(option.poi)}: {source}, {ago(option.wait.age_s)}")
    if situation.battery is not None:
        lines.append(
            f"battery {situation.battery.soc_pct:.0f} %, {ago(situation.battery.age_s)}; "
            f"consumption from {count_of(situation.battery.trips, 'trip')}, {_outside(situation.battery)}"
        )
    return lines or ["unknown"]


def _outside(battery: Battery) -> str:
    return (
        "outside temperature unknown" if battery.air_c is None else f"{battery.air_c:.0f} C outside"
    )
