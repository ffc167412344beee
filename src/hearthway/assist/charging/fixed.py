"""What people do without a plan: charge at once, or in the same window each night."""

from __future__ import annotations

from hearthway.records.charging import Car, Plan, Slot, check_car, check_slots

from .bill import most_kwh, priced


def at_once(car: Car, slots: tuple[Slot, ...], connection_kw: float | None = None) -> Plan:
    """From now until the target, as fast as the charger goes."""
    return in_window(car, slots, [True] * len(slots), connection_kw)


def in_window(
    car: Car, slots: tuple[Slot, ...], inside: list[bool], connection_kw: float | None = None
) -> Plan:
    """Until the target, as fast as the charger goes, in those slots only."""
    check_car(car)
    check_slots(slots)
    left = car.need_kwh
    kwh = []
    for slot, may in zip(slots, inside, strict=True):
        taken = min(left, most_kwh(car, slot, connection_kw)) if may else 0.0
        left -= taken
        kwh.append(taken)
    return priced(car, slots, kwh)
