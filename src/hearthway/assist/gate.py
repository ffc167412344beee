"""Whether to speak: expected worth against the cost of interrupting, in minutes; and whether now.

Speaking is worth p·benefit - (1-p)·cost, silence is worth 0; and below a probability that the dial sets nothing is said,
whatever it is worth. The cost rises with the driving load, at
night, with what was said today and with recent refusals. The moment: speak as soon as waiting half a
minute more would cost more (benefit that can no longer be acted on) than it saves (doubt that the way
driven meanwhile would resolve: where it leads, and not whether one wants a meal or a car park there).
"""

from __future__ import annotations

from math import exp, expm1, fsum, log

from msgspec import UNSET, Struct

from hearthway.records.localtime import local_day, local_second
from hearthway.records.situation import Situation
from hearthway.records.suggestion import AnswerKind, Reason

from .memory import DAY_S, Memory, fade, since
from .settings import DECIDING_MIN, INTERRUPTION_MIN, GateSettings

STEP_S = 30.0  # the wait that is weighed against speaking now
RESOLVE_S = 300.0  # e-folding time in which the way driven tells the destination
ACT_S = 60.0  # reading a line, deciding and changing lane: what can be acted on e-folds in a minute
REFUSAL_HALF_LIFE_S = 7 * DAY_S
SETTING_OFF_S = 60.0
DAYS_APART_S = 3 * DAY_S  # two moments of one local day, by whatever clocks, lie less apart
LOAD_SETTING_OFF, LOAD_UNKNOWN = 0.9, 0.5
FAST_MPS = 40.0  # 144 km/h: full load by speed alone
TURNING_MPS2 = 1.5  # full load: a corner at 6 m/s has 1.9, and errors leave less of it sure
BRAKING_MPS2 = 3.0  # full load: firmer than for a light one saw coming
UNEVEN_MPS, LOAD_UNEVEN = 6.0, 0.4  # stop-and-go so uneven costs something and never forbids
TURN_NEAR_S, TURN_FAR_S, LOAD_TURN = 4.0, 10.0, 0.9  # before a turn of the way ahead
NIGHT_FROM_S, NIGHT_TO_S = 22 * 3600.0, 6 * 3600.0
LOAD_COST, NIGHT_COST, SAID_COST, REFUSAL_COST = 1.0, 0.5, 0.5, 0.5  # shares of the base cost each


class Verdict(Struct, frozen=True, kw_only=True):
    """What the gate weighed. `utility` is the sum of the weights of `reasons`."""

    p: float
    benefit_min: float
    cost_min: float
    utility: float
    threshold: float
    least_p: float  # the probability that the dial asks for
    wait_gain_min: float  # what waiting `STEP_S` saves, less what it costs
    reasons: tuple[Reason, ...]

    @property
    def speaks(self) -> bool:
        """Is speaking worth it at all?"""
        return self.utility >= self.threshold and self.p >= self.least_p

    @property
    def p_needed(self) -> float:
        """The probability of being useful at which the gate would just have spoken."""
        worth_it = (self.threshold + self.cost_min) / max(1e-9, self.benefit_min + self.cost_min)
        return max(self.least_p, worth_it)


def driving_load(situation: Situation) -> float:
    """0 (standing) to 1, the most of: the speed (0.5 where unknown), having only just set off, turning, braking, stop-and-go.

    Turning and braking show an intersection, a roundabout or a bend: the road situation decides how much attention is left
    (Verwey 2000, Ergonomics 43), and a word is held back as a workload manager diverts a call while one turns (Green
    2004). Nothing fitted; who is in the car is left out, for studies do not agree on which way it counts.
    """
    setting_off = (
        situation.trip_start_s is not None
        and situation.time_s - situation.trip_start_s < SETTING_OFF_S
    )
    if setting_off:
        return LOAD_SETTING_OFF
    parts = [LOAD_UNKNOWN if situation.speed_mps is None else situation.speed_mps / FAST_MPS]
    if situation.manoeuvre is not UNSET:
        now = situation.manoeuvre
        parts += [
            (now.lateral_mps2 or 0.0) / TURNING_MPS2,
            (now.braking_mps2 or 0.0) / BRAKING_MPS2,
            LOAD_UNEVEN * min(1.0, (now.uneven_mps or 0.0) / UNEVEN_MPS),
        ]
    return min(1.0, max(0.0, *parts))


def load_before_turn(seconds: float) -> float:
    """The load of a turn of the way ahead in so many seconds: high from `TURN_NEAR_S` on, none before `TURN_FAR_S`."""
    ahead = (TURN_FAR_S - seconds) / (TURN_FAR_S - TURN_NEAR_S)
    return LOAD_TURN * min(1.0, max(0.0, ahead))


def said_today(situation: Situation, memory: Memory) -> int:
    """Suggestions made on this local day so far."""
    today = local_day(situation.time_s, situation.utc_offset_s)
    lately = since(memory.said, situation.time_s - DAYS_APART_S)
    return sum(n.day == today and n.time_s <= situation.time_s for n in lately)


def refusals(situation: Situation, memory: Memory) -> float:
    """Recent refusals, fading: a dismissal counts 1, "not now" a half, an ignored one a quarter."""
    weight = {AnswerKind.DISMISS: 1.0, AnswerKind.NOT_NOW: 0.5, AnswerKind.IGNORED: 0.25}
    return fsum(
        weight.get(n.kind, 0.0) * fade(situation.time_s - n.time_s, REFUSAL_HALF_LIFE_S)
        for n in memory.answers
        if n.time_s <= situation.time_s
    )


def costs(situation: Situation, memory: Memory, settings: GateSettings) -> tuple[Reason, ...]:
    """What an unwanted word costs now, minute by minute, each part with its words."""
    base = INTERRUPTION_MIN[settings.dial]
    load, said = driving_load(situation), said_today(situation, memory)
    refused = refusals(situation, memory)
    second = local_second(situation.time_s, situation.utc_offset_s)
    night = second >= NIGHT_FROM_S or second < NIGHT_TO_S
    parts = (
        ("interruption", base, f"an unwanted word costs {base:.0f} min (dial: {settings.dial})"),
        ("load", base * LOAD_COST * load, f"driving load {load:.2f}"),
        ("night", base * NIGHT_COST * night, "it is night"),
        ("said-today", base * SAID_COST * said, f"{said} said today already"),
        ("refusals", base * REFUSAL_COST * refused, f"recent refusals, faded: {refused:.2f}"),
    )
    return tuple(Reason(feature=f, weight=w, words=t) for f, w, t in parts if w > 0)


def shift(p: float, offset: float) -> float:
    """`p` moved by `offset` log-odds; 0 and 1 stay."""
    p = min(1.0, max(0.0, p))
    odds = p * exp(offset)
    return odds / (odds + (1.0 - p))


def fading_s(minutes: float) -> float:
    """The time left at which waiting costs of a benefit of so many minutes just what it lasts; 0 where nothing is left of it."""
    lasts_min = STEP_S / 60.0
    return (
        max(0.0, ACT_S * log(minutes / lasts_min * expm1(STEP_S / ACT_S))) if minutes > 0.0 else 0.0
    )


def weigh(
    situation: Situation,
    memory: Memory,
    settings: GateSettings,
    *,
    p: float,
    lead_s: float,
    option_utility: float,
    p_words: str = "",
    option_words: str = "",
    early_min: float = DECIDING_MIN,
    early_words: str = "deciding early",
    p_way: float | None = None,
) -> Verdict:
    """Speaking now against silence: `p` of being useful, `lead_s` until it is too late, best option's minutes.

    `early_min` is what knowing it early is worth by itself. `p_way` is the probability that this drive leads where the word is
    about: only that doubt the way resolves (None: all there is), so only for that one waits.
    """
    benefit = max(0.0, early_min + option_utility)
    parts = costs(situation, memory, settings)
    cost = fsum(r.weight for r in parts)
    reasons = [
        Reason(
            feature="deciding-early",
            weight=p * early_min,
            words=f"{early_words} is worth {early_min:.0f} min, with p {p:.2f}{p_words}",
        ),
        Reason(
            feature="best-option",
            weight=p * (benefit - early_min),
            words=option_words,
        ),
        *(Reason(feature=r.feature, weight=-(1.0 - p) * r.weight, words=r.words) for r in parts),
    ]
    open_p = 1.0 - (p if p_way is None else max(p, p_way))
    doubt = open_p * cost * (1.0 - exp(-STEP_S / RESOLVE_S))
    later_s = max(0.0, lead_s - STEP_S)
    lost = p * benefit * (exp(-later_s / ACT_S) - exp(-lead_s / ACT_S))
    return Verdict(
        p=p,
        benefit_min=benefit,
        cost_min=cost,
        utility=fsum(r.weight for r in reasons),
        threshold=settings.threshold_min,
        least_p=settings.asked_p,
        wait_gain_min=doubt - lost,
        reasons=tuple(reasons),
    )
