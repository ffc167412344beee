"""What is ordered of a house, carried out by whatever program at home switches things."""

from __future__ import annotations

from msgspec import Struct

COLDEST_C, WARMEST_C = 5.0, 35.0


class LightOrder(Struct, frozen=True, kw_only=True):
    """These lights on, or off."""

    names: tuple[str, ...]
    on: bool


class HeatingOrder(Struct, frozen=True, kw_only=True):
    """The heating to so many degrees Celsius, COLDEST_C to WARMEST_C."""

    degrees: float


Order = LightOrder | HeatingOrder
