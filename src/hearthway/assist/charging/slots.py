"""The time until a departure, in the quarters of the clock."""

from __future__ import annotations

from collections.abc import Callable

from hearthway.records.charging import MOST_SLOTS, Slot
from hearthway.records.errors import InputError
from hearthway.records.tariff import QUARTER_S

Price = Callable[[float], tuple[float, float]]  # what a kWh costs and earns at a Unix time
Surpluses = Callable[[float], tuple[float, ...]]


def slots_until(
    departure_s: float, now_s: float, price: Price, surpluses: Surpluses
) -> tuple[Slot, ...]:
    """Quarters, of which the first and the last may be shorter; InputError where the departure is past or too far."""
    if departure_s <= now_s:
        raise InputError("The departure is not after now.", "Give a later departure.")
    if departure_s - now_s > (MOST_SLOTS - 1) * QUARTER_S:
        days = MOST_SLOTS * QUARTER_S // 86_400
        raise InputError(f"The departure is more than {days} days away.", "Give an earlier one.")
    found = []
    begin = now_s
    while begin < departure_s:
        end = min(departure_s, (begin // QUARTER_S + 1) * QUARTER_S)
        buy, sell = price(begin)
        found.append(
            Slot(begin_s=begin, end_s=end, buy=buy, sell=sell, surplus_kw=surpluses(begin))
        )
        begin = end
    return tuple(found)
