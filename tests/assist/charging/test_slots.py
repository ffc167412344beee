"""Quarters until the departure, with the tariff's price at each, also on the days that are an hour short or long."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from hearthway.assist.charging.plan import plan_charging
from hearthway.assist.charging.slots import slots_until
from hearthway.records.charging import Car
from hearthway.records.errors import InputError
from hearthway.records.tariff import DAYS, Tariff, Told, Window, minute_of

HELSINKI = ZoneInfo("Europe/Helsinki")
CHEAP = Window(begin="01:00", to="05:00", buy=0.1)
TARIFF = Tariff(zone="Europe/Helsinki", currency="EUR", buy=0.3, sell=0.02, windows=(CHEAP,))


def at(*when: int) -> float:
    return datetime(*when, tzinfo=HELSINKI).timestamp()  # type: ignore[misc,arg-type]


def nothing(_: float) -> tuple[float, ...]:
    return (0.0,)


def test_the_first_and_the_last_are_cut() -> None:
    found = slots_until(
        at(2026, 11, 29, 0, 40), at(2026, 11, 29, 0, 10), TARIFF.price, lambda time_s: (time_s,)
    )
    assert [slot.hours * 60 for slot in found] == pytest.approx([5.0, 15.0, 10.0])
    assert [slot.surplus_kw[0] for slot in found] == [slot.begin_s for slot in found]


@pytest.mark.parametrize(
    ("day", "cheap_h"), [((2026, 3, 29), 3.0), ((2026, 6, 1), 4.0), ((2026, 10, 25), 5.0)]
)
def test_a_window_is_as_long_as_its_night(day: tuple[int, int, int], cheap_h: float) -> None:
    """Clocks go forward at 03:00 and back at 04:00: from 01:00 to 05:00 are three, four or five hours."""
    slots = slots_until(at(*day, 8), at(*day, 0), TARIFF.price, nothing)
    assert sum(slot.hours for slot in slots if slot.buy == 0.1) == cheap_h
    assert sum(slot.hours for slot in slots) == cheap_h + 4.0
    one = Car(
        battery_kwh=60.0, charge_pct=0.0, target_pct=80.0, charger_kw=10.0, efficiency=0.96
    )  # 50 kWh at the plug
    plan = plan_charging(one, slots)
    assert plan.cost == pytest.approx(
        10.0 * cheap_h * 0.1 + (50.0 - 10.0 * cheap_h) * 0.3, abs=1e-4
    )


def test_a_window_past_midnight_belongs_to_the_day_it_begins_on() -> None:
    friday = Window(begin="22:00", to="06:00", buy=0.1, sell=0.07, days=("fri",))
    tariff = Tariff(zone="Europe/Helsinki", currency="EUR", buy=0.3, windows=(friday,))
    assert tariff.price(at(2026, 11, 27, 23)) == (0.1, 0.07)  # a Friday
    assert tariff.price(at(2026, 11, 28, 5, 45)) == (0.1, 0.07)
    assert tariff.price(at(2026, 11, 28, 6)) == (0.3, 0.0)
    assert tariff.price(at(2026, 11, 28, 23)) == (0.3, 0.0)
    assert tariff.price(at(2026, 11, 27, 5)) == (0.3, 0.0)
    assert DAYS[datetime(2026, 11, 27).weekday()] == "fri"


def test_told_prices_stand_first_and_end() -> None:
    told = (Told(at(2026, 11, 28, 20), 0.5, 0.4), Told(at(2026, 11, 28, 21), -0.1, -0.2))
    tariff = Tariff(
        zone="Europe/Helsinki", currency="EUR", told=told, told_until_s=at(2026, 11, 28, 22)
    )
    assert tariff.price(at(2026, 11, 28, 20, 59)) == (0.5, 0.4)
    assert tariff.price(at(2026, 11, 28, 21)) == (-0.1, -0.2)
    for beyond in (at(2026, 11, 28, 22), at(2026, 11, 28, 19, 59)):
        with pytest.raises(InputError, match="no price for 2026-11-28"):
            tariff.price(beyond)


@pytest.mark.parametrize("seconds", [0.0, -60.0])
def test_a_departure_that_is_past_is_refused(seconds: float) -> None:
    now = at(2026, 11, 28, 20)
    assert slots_until(now + 60.0, now, TARIFF.price, nothing)
    with pytest.raises(InputError, match="not after now"):
        slots_until(now + seconds, now, TARIFF.price, nothing)


def test_a_departure_weeks_away_is_refused() -> None:
    now = at(2026, 11, 28, 20)
    assert len(slots_until(now + 10 * 86_400, now, TARIFF.price, nothing)) == 960
    with pytest.raises(InputError, match="more than 10 days"):
        slots_until(now + 11 * 86_400, now, TARIFF.price, nothing)


@pytest.mark.parametrize("clock", ["", "7", "25:00", "24:15", "07:10", "07:1", "7:-5", "a:00"])
def test_what_is_no_quarter_is_refused(clock: str) -> None:
    assert (minute_of("07:15"), minute_of("24:00")) == (435, 1_440)
    with pytest.raises(InputError, match="full quarter"):
        minute_of(clock)
