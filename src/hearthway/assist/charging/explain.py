"""A plan in one sentence, beside charging at once. Every number in it is computed from the two plans."""

from __future__ import annotations

from collections.abc import Callable
from math import floor

from msgspec import Struct

from hearthway.records.charging import Car, Plan

Clock = Callable[[float], str]  # local time of a Unix time
KWH = 0.05  # less than this is not missed


class Reading(Struct, frozen=True, kw_only=True):
    """What the sentence says, for a program."""

    ready_s: float | None  # when the target is reached; None where it is not
    final_pct: float
    short_kwh: float
    cost: float
    at_once_cost: float
    cheaper: float  # than charging at once; both reach as much
    forecast: bool  # the costs are expected ones: more than one surplus was likely in a slot


def reading(plan: Plan, once: Plan) -> Reading:
    """The plan beside charging at once, for the same car and slots."""
    return Reading(
        ready_s=ready_s(plan),
        final_pct=plan.final_pct,
        short_kwh=plan.short_kwh,
        cost=plan.cost,
        at_once_cost=once.cost,
        cheaper=once.cost - plan.cost,
        forecast=any(len(slot.surplus_kw) > 1 for slot in plan.slots),
    )


def ready_s(plan: Plan) -> float | None:
    """When the plan reaches the target: the end of the slot that brings it there, its begin where nothing is needed."""
    if plan.short_kwh > KWH:
        return None
    left = plan.car.need_kwh - KWH
    if left <= 0.0:
        return plan.slots[0].begin_s
    for slot, kwh in zip(plan.slots, plan.kwh, strict=True):
        left -= kwh
        if left <= 0.0:
            return slot.end_s
    return None


def sentence(plan: Plan, once: Plan, clock: Clock, currency: str) -> str:
    """Such as "Full by 07:00 (departure 07:10), 2.90 EUR cheaper than charging at once (1.20 instead of 4.10)."."""
    told = reading(plan, once)
    leaves = clock(plan.departure_s)
    if plan.car.need_kwh <= KWH and plan.total_kwh <= KWH:
        return f"{_level(plan.car.charge_pct)} already, nothing to charge until {leaves}."
    if told.ready_s is None:
        begin = (
            f"Not {_goal(plan.car, lower=True)}: only {_level(floor(told.final_pct))} by {leaves}, "
            f"{told.short_kwh:.1f} kWh too little"
        )
    elif told.ready_s == plan.departure_s:
        begin = f"{_goal(plan.car)} by {leaves}"
    elif plan.car.need_kwh <= KWH:
        begin = f"{_level(told.final_pct)} by {leaves}, more than the {_level(plan.car.target_pct)} wanted"
    else:
        begin = f"{_goal(plan.car)} by {clock(told.ready_s)} (departure {leaves})"
    return f"{begin}{_price(told, currency)}."


def _price(told: Reading, currency: str) -> str:
    about = "about " if told.forecast else ""
    cost, once = round(told.cost, 2) + 0.0, round(told.at_once_cost, 2) + 0.0
    if once <= cost:
        return f", no cheaper than charging at once ({about}{cost:.2f} {currency})"
    return (
        f", {about}{once - cost:.2f} {currency} cheaper than charging at once "
        f"({cost:.2f} instead of {once:.2f})"
    )


def _goal(car: Car, *, lower: bool = False) -> str:
    if car.target_pct >= 100.0:
        return "full" if lower else "Full"
    return _level(car.target_pct)


def _level(pct: float) -> str:
    return f"{pct:.0f} %"
