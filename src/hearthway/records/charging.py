"""Words of charging by a departure: the car, the time until then in slots, and a plan. Energy is at the plug unless said.

Money has no unit here: prices are of one currency a kWh, costs of that currency.
"""

from __future__ import annotations

from itertools import pairwise
from math import isfinite

from msgspec import Struct

from .errors import InputError

HOUR_S = 3_600.0
MOST_SLOTS = 1_000  # ten days of quarters


class Car(Struct, frozen=True, kw_only=True):
    """What charges. `efficiency` is what reaches the battery of a kWh at the plug."""

    battery_kwh: float
    charge_pct: float
    target_pct: float
    charger_kw: float
    full_pct: float = 100.0  # the battery takes no more than this
    efficiency: float = 0.9

    @property
    def need_kwh(self) -> float:
        """What the plug has to give until the target."""
        return self._until(self.target_pct)

    @property
    def room_kwh(self) -> float:
        """What the plug can give until the battery is full."""
        return self._until(self.full_pct)

    def pct_after(self, kwh: float) -> float:
        """State of charge after so much from the plug."""
        return self.charge_pct + kwh * self.efficiency / self.battery_kwh * 100.0

    def _until(self, pct: float) -> float:
        return max(0.0, pct - self.charge_pct) / 100.0 * self.battery_kwh / self.efficiency


class Slot(Struct, frozen=True, kw_only=True):
    """A piece of time with one price, and equally likely surpluses (PV less the house; negative: the house draws)."""

    begin_s: float  # Unix
    end_s: float
    buy: float  # a kWh from the grid
    sell: float  # a kWh into the grid
    surplus_kw: tuple[float, ...] = (0.0,)

    @property
    def hours(self) -> float:
        """Its length."""
        return (self.end_s - self.begin_s) / HOUR_S


class Plan(Struct, frozen=True, kw_only=True):
    """How much is charged in which slot, what that is expected to add to the bill, and what is missing."""

    car: Car
    slots: tuple[Slot, ...]
    kwh: tuple[float, ...]  # one a slot
    cost: float  # beyond what the house costs anyway; negative: it earns
    short_kwh: float = 0.0  # missing at the plug until the target

    @property
    def departure_s(self) -> float:
        """The end of its last slot."""
        return self.slots[-1].end_s

    @property
    def total_kwh(self) -> float:
        """All that is charged."""
        return sum(self.kwh)

    @property
    def final_pct(self) -> float:
        """State of charge at departure."""
        return self.car.pct_after(self.total_kwh)


def check_car(car: Car) -> None:
    """InputError where the car cannot be as said."""
    for name, value, low, high, unit in (
        ("The battery", car.battery_kwh, 1.0, 1_000.0, " kWh"),
        ("The charger", car.charger_kw, 0.1, 400.0, " kW"),
        ("The efficiency", car.efficiency, 0.3, 1.0, ""),
        ("The state of charge", car.charge_pct, 0.0, 100.0, " %"),
        ("The target", car.target_pct, 0.0, 100.0, " %"),
        ("The limit of the battery", car.full_pct, 0.0, 100.0, " %"),
    ):
        if not (isfinite(value) and low <= value <= high):
            raise InputError(
                f"{name} cannot be {value:g}{unit}.", f"Give {low:g} to {high:g}{unit}."
            )
    if car.target_pct > car.full_pct:
        raise InputError(
            f"The target of {car.target_pct:g} % is above the battery's limit of {car.full_pct:g} %.",
            "Lower the target, or raise the limit.",
        )


def check_slots(slots: tuple[Slot, ...]) -> None:
    """InputError where there is no time to plan, slots do not follow each other, or a number is none."""
    if not slots:
        raise InputError("There is no time left before the departure.", "Give a later departure.")
    if len(slots) > MOST_SLOTS:
        raise InputError(
            f"The departure is {len(slots)} slots away; {MOST_SLOTS} can be planned.",
            "Give an earlier departure.",
        )
    if any(a.end_s != b.begin_s for a, b in pairwise(slots)):
        raise InputError("The slots leave a hole in time.", "Give one after the other.")
    for slot in slots:
        if slot.end_s <= slot.begin_s or not slot.surplus_kw:
            raise InputError("A slot is empty.", "Give it a length and at least one surplus.")
        if not all(map(isfinite, (slot.buy, slot.sell, *slot.surplus_kw))):
            raise InputError("A price or surplus is not a number.", "Give one for each slot.")
