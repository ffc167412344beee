"""The plan against an exact table of all amounts in half kWh, and against what an optimum must fulfil."""

from __future__ import annotations

import sys
import time
from math import inf, nan

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hearthway.assist.charging.bill import extra_cost, most_kwh, pieces
from hearthway.assist.charging.fixed import at_once, in_window
from hearthway.assist.charging.plan import plan_charging
from hearthway.records.charging import Car, Plan, Slot
from hearthway.records.errors import ConfigError, InputError

HOUR_S = 3_600.0
UNIT = 0.5  # kWh; every amount of an example is a whole number of them
NEAR = 1e-4


def car(need_units: int, *, room_units: int = 0, charger_kw: float = 4.0) -> Car:
    """100 kWh without losses, so that a kWh is a point; so many halves to the target, and more to full."""
    target = need_units * UNIT
    return Car(
        battery_kwh=100.0,
        charge_pct=0.0,
        target_pct=target,
        full_pct=target + room_units * UNIT,
        charger_kw=charger_kw,
        efficiency=1.0,
    )


def hours(*slots: tuple[float, float, tuple[float, ...]]) -> tuple[Slot, ...]:
    """Whole hours, one after another: buy, sell, surpluses."""
    return tuple(
        Slot(begin_s=i * HOUR_S, end_s=(i + 1) * HOUR_S, buy=buy, sell=sell, surplus_kw=surplus)
        for i, (buy, sell, surplus) in enumerate(slots)
    )


def bill(slot: Slot, kwh: float) -> float:
    """The extra cost, written anew: bills of each likely surplus with and without the car."""

    def one(net: float) -> float:
        return max(net, 0.0) * slot.buy - max(-net, 0.0) * slot.sell

    nets = [-kw * slot.hours for kw in slot.surplus_kw]
    return sum(one(net + kwh) - one(net) for net in nets) / len(nets)


def least(car: Car, slots: tuple[Slot, ...], connection_kw: float | None = None) -> float:
    """The least cost of any plan in half kWh that misses as little as can be: dynamic programming over all."""
    best = {0: 0.0}
    for slot in slots:
        most = int(most_kwh(car, slot, connection_kw) / UNIT + 1e-9)
        grown: dict[int, float] = {}
        for units, cost in best.items():
            for more in range(most + 1):
                total = cost + bill(slot, more * UNIT)
                if (units + more) * UNIT <= car.room_kwh + 1e-9:
                    grown[units + more] = min(grown.get(units + more, inf), total)
        best = grown
    need = min(round(car.need_kwh / UNIT), max(best))
    return min(cost for units, cost in best.items() if units >= need)


def most_bent(car: Car, slots: tuple[Slot, ...], connection_kw: float | None) -> float:
    """By how much a slot in which selling earns more lies above the line from nothing to all, at most."""
    most = 0.0
    for slot in slots:
        full = most_kwh(car, slot, connection_kw)
        for units in range(int(full / UNIT) + 1 if slot.sell > slot.buy else 0):
            kwh = units * UNIT
            most = max(most, bill(slot, kwh) - bill(slot, full) * kwh / max(full, UNIT))
    return most


PRICES = st.integers(-20, 40).map(lambda cents: cents / 100)
HALVES = st.integers(-8, 8).map(lambda halves: halves * UNIT)
SLOTS = st.lists(
    st.tuples(PRICES, PRICES, st.lists(HALVES, min_size=1, max_size=3).map(tuple)),
    min_size=1,
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(SLOTS, st.integers(0, 30), st.integers(0, 20), st.sampled_from([None, 3.0, 6.0]))
@example([(0.1, 0.3, (2.0,)), (-0.2, 0.1, (-1.0, 1.0, 3.0))], 4, 4, None)
def test_no_plan_is_cheaper(
    told: list[tuple[float, float, tuple[float, ...]]], need: int, room: int, limit: float | None
) -> None:
    """Also at negative prices and where nothing reaches the target; but for one slot in which selling earns more."""
    one, slots = car(need, room_units=room), hours(*told)
    plan = plan_charging(one, slots, limit)
    assert plan.cost == pytest.approx(sum(map(bill, slots, plan.kwh)), abs=1e-9)
    cheapest = least(one, slots, limit)
    assert cheapest - NEAR <= plan.cost <= cheapest + most_bent(one, slots, limit) + NEAR
    assert plan.cost <= at_once(one, slots, limit).cost + 1e-9
    assert all(
        -1e-9 <= kwh <= most_kwh(one, slot, limit) + 1e-6
        for slot, kwh in zip(slots, plan.kwh, strict=True)
    )
    assert plan.total_kwh <= one.room_kwh + 1e-9
    possible = sum(most_kwh(one, slot, limit) for slot in slots)
    assert plan.short_kwh == pytest.approx(max(0.0, one.need_kwh - possible), abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 0.5), st.floats(-3.0, 3.0)), min_size=2, max_size=60),
    st.floats(0.0, 60.0),
)
def test_one_price_parts_what_is_taken_from_what_is_left(
    told: list[tuple[float, float]], need: float
) -> None:
    """Complementary slackness: no kWh that was taken costs more than one that was left."""
    slots = hours(*((buy, 0.01, (surplus,)) for buy, surplus in told))
    one = Car(battery_kwh=100.0, charge_pct=0.0, target_pct=need, charger_kw=4.0, efficiency=0.8)
    plan = plan_charging(one, slots)
    taken, left = [-inf], [inf]
    for slot, kwh in zip(slots, plan.kwh, strict=True):
        begun = 0.0
        for piece in pieces(slot, most_kwh(one, slot, None)):
            if kwh > begun + 1e-5:
                taken.append(piece.price)
            begun += piece.kwh
            if kwh < begun - 1e-5:
                left.append(piece.price)
    assert plan.short_kwh == pytest.approx(max(0.0, one.need_kwh - 4.0 * len(slots)), abs=1e-5)
    assert max(taken) <= min(left) + 1e-7 * len(slots) + 1e-9
    assert plan.cost <= at_once(one, slots).cost + NEAR


def test_equal_prices_are_taken_early() -> None:
    plan = plan_charging(car(10), hours(*[(0.2, 0.05, (0.0,))] * 6))
    assert plan.kwh == pytest.approx((4.0, 1.0, 0.0, 0.0, 0.0, 0.0))


def test_the_sun_is_taken_before_the_night_where_it_earns_less() -> None:
    slots = hours((0.15, 0.06, (0.0,)), (0.30, 0.06, (3.0,)), (0.30, 0.06, (-1.0,)))
    assert plan_charging(car(8), slots).kwh == pytest.approx((1.0, 3.0, 0.0))


def test_an_unlikely_sun_is_not_relied_on() -> None:
    """2 kW come in one of four cases: a kWh of it is expected to cost 0.24, the night's 0.15."""
    doubtful = hours((0.30, 0.06, (0.0, 0.0, 0.0, 2.0)), (0.15, 0.06, (0.0,)))
    assert plan_charging(car(4), doubtful).kwh == pytest.approx((0.0, 2.0))
    sure = hours((0.30, 0.06, (2.0, 2.0, 2.0, 2.0)), (0.15, 0.06, (0.0,)))
    assert plan_charging(car(4), sure).kwh == pytest.approx((2.0, 0.0))


def test_a_price_below_nothing_is_taken_until_the_battery_is_full() -> None:
    slots = hours((0.20, 0.05, (0.0,)), (-0.05, -0.08, (0.0,)), (-0.02, -0.08, (0.0,)))
    plan = plan_charging(car(6, room_units=6), slots)
    assert plan.kwh == pytest.approx((0.0, 4.0, 2.0))
    assert plan.cost == pytest.approx(-0.24)
    assert plan_charging(car(6), slots).kwh == pytest.approx((0.0, 3.0, 0.0))


def test_the_connection_bounds_the_car_at_the_least_likely_surplus() -> None:
    slots = hours((0.1, 0.0, (-1.0, -5.0)), (0.3, 0.0, (-1.0, -1.0)))
    assert plan_charging(car(12), slots, 6.0).kwh == pytest.approx((1.0, 4.0))
    assert plan_charging(car(12), slots, 6.0).short_kwh == pytest.approx(1.0)
    assert plan_charging(car(12), slots).kwh == pytest.approx((4.0, 2.0))


def test_nothing_is_needed() -> None:
    plan = plan_charging(car(0), hours((0.2, 0.05, (3.0,))))
    assert (plan.kwh, plan.cost, plan.short_kwh) == ((0.0,), 0.0, 0.0)


def test_what_cannot_be_reached_is_reached_as_far_as_can_be() -> None:
    plan = plan_charging(car(60), hours((0.9, 0.05, (0.0,)), (0.2, 0.05, (0.0,))))
    assert plan.kwh == pytest.approx((4.0, 4.0))
    assert plan.short_kwh == pytest.approx(22.0)
    assert plan.final_pct == pytest.approx(8.0)


def test_losses_are_paid_at_the_plug() -> None:
    one = Car(battery_kwh=50.0, charge_pct=20.0, target_pct=38.0, charger_kw=11.0, efficiency=0.9)
    plan = plan_charging(one, hours((0.2, 0.0, (0.0,))))
    assert plan.total_kwh == pytest.approx(10.0)
    assert plan.final_pct == pytest.approx(38.0)


def test_a_slot_in_which_selling_earns_more_is_taken_whole() -> None:
    """2 kWh from a sun that sells at 0.20, then 2 from the grid that pays 0.10: a mean of 0.05, not 0.20 first."""
    bent = hours((-0.10, 0.20, (2.0,)), (0.10, 0.05, (0.0,)))
    (whole,) = pieces(bent[0], 4.0)
    assert whole.kwh == 4.0
    assert whole.price == pytest.approx(0.05)
    assert plan_charging(car(8), bent).kwh == pytest.approx((4.0, 0.0))
    dear = hours((-0.10, 0.20, (2.0,)), (0.04, 0.05, (0.0,)))
    assert plan_charging(car(8), dear).kwh == pytest.approx((0.0, 4.0))


def test_it_is_never_dearer_than_charging_at_once() -> None:
    """The mean of 0.05 is too cheap for a single kWh, which costs 0.20: at once, it costs 0.10."""
    slots = hours((0.10, 0.05, (0.0,)), (-0.10, 0.20, (2.0,)))
    plan = plan_charging(car(2), slots)
    assert plan.kwh == pytest.approx((1.0, 0.0))
    assert plan.cost == pytest.approx(0.10)


def test_ten_days_of_quarters_take_no_time() -> None:
    """Nor where each slot bends: a program with whole numbers took minutes."""
    slots = tuple(
        Slot(
            begin_s=i * 900.0,
            end_s=(i + 1) * 900.0,
            buy=-0.02,
            sell=0.08,
            surplus_kw=tuple((i * k * 7 % 23) / 3 - 2 for k in range(9)),
        )
        for i in range(960)
    )
    begun_s = time.process_time()
    assert plan_charging(car(190, charger_kw=11.0), slots).short_kwh == 0.0
    assert time.process_time() - begun_s < 5.0


def test_windows_wait_and_may_lack() -> None:
    slots = hours(*[(0.2, 0.05, (0.0,))] * 3)
    plan: Plan = in_window(car(12), slots, [False, True, False])
    assert plan.kwh == pytest.approx((0.0, 4.0, 0.0))
    assert plan.short_kwh == pytest.approx(2.0)
    assert at_once(car(12), slots).kwh == pytest.approx((4.0, 2.0, 0.0))
    assert plan.cost == pytest.approx(sum(map(extra_cost, slots, plan.kwh)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"battery_kwh": 0.0}, "The battery cannot be 0"),
        ({"battery_kwh": nan}, "The battery"),
        ({"charge_pct": 101.0}, "The state of charge"),
        ({"charge_pct": -1.0}, "The state of charge"),
        ({"charger_kw": inf}, "The charger"),
        ({"efficiency": 0.0}, "The efficiency"),
        ({"target_pct": 90.0, "full_pct": 80.0}, "above the battery's limit"),
    ],
)
def test_a_car_that_cannot_be_is_refused(change: dict[str, float], words: str) -> None:
    good = {
        "battery_kwh": 50.0,
        "charge_pct": 20.0,
        "target_pct": 80.0,
        "full_pct": 100.0,
        "charger_kw": 11.0,
        "efficiency": 0.9,
    }
    slots = hours((0.2, 0.0, (0.0,)))
    assert plan_charging(Car(**good), slots).total_kwh > 0.0
    with pytest.raises(InputError, match=words):
        plan_charging(Car(**{**good, **change}), slots)


@pytest.mark.parametrize(
    ("slots", "words"),
    [
        ((), "no time left"),
        (hours((nan, 0.0, (0.0,))), "not a number"),
        (hours((0.2, 0.0, (inf,))), "not a number"),
        (hours((0.2, 0.0, ())), "empty"),
        (hours(*[(0.2, 0.0, (0.0,))] * 3)[::2], "hole"),
        (hours(*[(0.2, 0.0, (0.0,))] * 1_001), "1000 can be planned"),
    ],
)
def test_slots_that_cannot_be_are_refused(slots: tuple[Slot, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        plan_charging(car(4), slots)


def test_without_the_solver_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "highspy", None)
    with pytest.raises(ConfigError, match=r"hearthway\[charging\]"):
        plan_charging(car(4), hours((0.2, 0.0, (0.0,))))
