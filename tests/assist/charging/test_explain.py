"""The sentence says what the plan does: each number is computed again from prices and amounts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.assist.charging.explain import reading, sentence
from hearthway.assist.charging.fixed import at_once
from hearthway.assist.charging.plan import plan_charging
from hearthway.records.charging import Car, Plan, Slot

QUARTER_S = 900.0
NIGHT = tuple(0.35 if i < 20 else 0.15 for i in range(40))  # dear until 05:00


def car(**change: float) -> Car:
    good = {"battery_kwh": 60.0, "charge_pct": 40.0, "target_pct": 100.0, "charger_kw": 11.0}
    return Car(**{**good, **change})


def slots(
    prices: tuple[float, ...], surplus: tuple[float, ...] = (0.0,), sell: float = 0.05
) -> tuple[Slot, ...]:
    return tuple(
        Slot(
            begin_s=i * QUARTER_S,
            end_s=(i + 1) * QUARTER_S,
            buy=price,
            sell=sell,
            surplus_kw=surplus,
        )
        for i, price in enumerate(prices)
    )


def clock(time_s: float) -> str:
    return f"{int(time_s // 3600):02d}:{int(time_s % 3600 // 60):02d}"


def both(one: Car, when: tuple[Slot, ...]) -> tuple[Plan, Plan, str]:
    plan, once = plan_charging(one, when), at_once(one, when)
    return plan, once, sentence(plan, once, clock, "EUR")


def test_full_and_cheaper() -> None:
    plan, once, words = both(car(), slots(NIGHT))
    assert words == (
        "Full by 08:45 (departure 10:00), 8.00 EUR cheaper than charging at once (6.00 instead of 14.00)."
    )
    assert pytest.approx(3.636, abs=0.001) == 40.0 / 11.0  # from 05:00 on: until 08:39
    assert reading(plan, once).ready_s == 8.75 * 3600


def test_as_good_as_at_once() -> None:
    _, _, words = both(car(), slots((0.2,) * 40))
    assert words == "Full by 03:45 (departure 10:00), no cheaper than charging at once (8.00 EUR)."


def test_just_in_time_is_not_said_twice() -> None:
    _, _, words = both(car(target_pct=80.0, charge_pct=63.5), slots((0.2, 0.3, 0.1, 0.1, 0.1, 0.1)))
    assert words.startswith("80 % by 01:30, 0.8")


def test_what_is_missing_is_said() -> None:
    plan, once, words = both(car(), slots((0.2,) * 8))
    assert plan.total_kwh == once.total_kwh == pytest.approx(22.0)
    assert words == (
        "Not full: only 73 % by 02:00, 18.0 kWh too little, no cheaper than charging at once (4.40 EUR)."
    )


def test_nothing_to_do() -> None:
    _, _, words = both(car(charge_pct=85.0, target_pct=80.0), slots((0.2,) * 8))
    assert words == "85 % already, nothing to charge until 02:00."


def test_more_than_wanted_where_it_is_paid_for() -> None:
    plan, _, words = both(car(charge_pct=80.0, target_pct=80.0, full_pct=90.0), slots((-0.1,) * 8))
    assert plan.final_pct == pytest.approx(90.0)
    assert words.startswith("90 % by 02:00, more than the 80 % wanted, 0.67 EUR cheaper")


def test_expected_costs_say_about() -> None:
    when = slots(NIGHT, (0.0, 2.0))
    assert (
        ", about 7.37 EUR cheaper than charging at once (5.50 instead of 12.87)"
        in both(car(), when)[2]
    )
    assert "about" not in both(car(), slots(NIGHT))[2]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-0.1, 0.6), min_size=4, max_size=40),
    st.lists(st.floats(-4.0, 4.0), min_size=1, max_size=3),
    st.floats(0.0, 100.0),
)
def test_every_number_is_true(prices: list[float], surplus: list[float], charge: float) -> None:
    one = car(charge_pct=charge)
    when = slots(tuple(prices), tuple(surplus), -0.2)
    plan, once, words = both(one, when)

    def cost(kwh: tuple[float, ...]) -> float:
        total = 0.0
        for slot, each in zip(when, kwh, strict=True):
            for kw in surplus:
                bills = [
                    net * (slot.buy if net > 0.0 else slot.sell)
                    for net in (each - kw * 0.25, -kw * 0.25)
                ]
                total += (bills[0] - bills[1]) / len(surplus)
        return total

    missing = max(0.0, (100.0 - charge) / 100.0 * 60.0 / 0.9 - sum(plan.kwh))
    assert ("Not full" in words) == (missing > 0.05)
    if found := re.search(r"(-?[\d.]+) kWh too little", words):
        assert float(found[1]) == pytest.approx(missing, abs=0.0501)
        assert sum(once.kwh) == pytest.approx(sum(plan.kwh), abs=1e-4)
    if found := re.search(r"Full by (\d\d):(\d\d)", words):
        by_s = int(found[1]) * 3600 + int(found[2]) * 60
        done = [kwh for slot, kwh in zip(when, plan.kwh, strict=True) if slot.end_s <= by_s]
        assert sum(done) >= (100.0 - charge) / 100.0 * 60.0 / 0.9 - 0.051
        assert sum(done[:-1]) < (100.0 - charge) / 100.0 * 60.0 / 0.9 - 0.049 or len(done) == 0
    if found := re.search(r"([\d.]+) EUR cheaper .* \((-?[\d.]+) instead of (-?[\d.]+)\)", words):
        less, mine, theirs = (float(each) for each in found.groups())
        assert mine == pytest.approx(cost(plan.kwh), abs=0.00501)
        assert theirs == pytest.approx(cost(once.kwh), abs=0.00501)
        assert less == pytest.approx(theirs - mine, abs=1e-9)
        assert less > 0.0
