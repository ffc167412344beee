"""What a kWh into the car adds to the bill of a slot, where the surplus of the sun is known only as likely values.

The meter settles each slot as a whole: what is drawn costs `buy`, what is left over earns `sell`. Charging first takes
the surplus and so gives up its sale. Of n equally likely surpluses k may be larger than what is charged already: the
next kWh then costs sell * k/n + buy * (n - k)/n.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from hearthway.records.charging import Car, Plan, Slot

TINY_KWH = 1e-9


class Piece(Struct, frozen=True):
    """So many kWh of a slot at one price each."""

    kwh: float
    price: float


def extra_cost(slot: Slot, kwh: float) -> float:
    """Expected bill of the slot with `kwh` charged, less that without."""
    total = 0.0
    for surplus_kw in slot.surplus_kw:
        surplus = surplus_kw * slot.hours
        total += _settled(slot, kwh - surplus) - _settled(slot, -surplus)
    return total / len(slot.surplus_kw)


def _settled(slot: Slot, net_kwh: float) -> float:
    return net_kwh * (slot.buy if net_kwh > 0.0 else slot.sell)


def most_kwh(car: Car, slot: Slot, connection_kw: float | None) -> float:
    """What the charger can give in the slot; with a limit of the connection, even at the least likely surplus."""
    power_kw = car.charger_kw
    if connection_kw is not None:
        power_kw = min(power_kw, max(0.0, connection_kw + min(slot.surplus_kw)))
    return power_kw * slot.hours


def pieces(slot: Slot, most: float) -> list[Piece]:
    """The slot's price of one kWh after another, up to `most`, never falling.

    Where selling earns more than buying costs each further kWh is cheaper, and the slot is one piece at its mean price: as
    good as all or nothing, and too cheap for what lies between.
    """
    if slot.sell > slot.buy and most > TINY_KWH:
        return [Piece(most, extra_cost(slot, most) / most)]
    count = len(slot.surplus_kw)
    edges = sorted(max(0.0, kw * slot.hours) for kw in slot.surplus_kw)
    found: list[Piece] = []
    begin = 0.0
    for below, edge in enumerate([*edges, most]):
        end = min(edge, most)
        if end - begin > TINY_KWH:
            share = below / count
            found.append(Piece(end - begin, slot.buy * share + slot.sell * (1.0 - share)))
            begin = end
    return found


def priced(car: Car, slots: tuple[Slot, ...], kwh: Iterable[float]) -> Plan:
    """The plan of these amounts, with its cost and what it lacks."""
    amounts = tuple(kwh)
    return Plan(
        car=car,
        slots=slots,
        kwh=amounts,
        cost=sum(extra_cost(slot, each) for slot, each in zip(slots, amounts, strict=True)),
        short_kwh=max(0.0, car.need_kwh - sum(amounts)),
    )
