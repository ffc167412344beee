"""What is ordered of a house, carried out by whatever program at home switches things."""

from __future__ import annotations

from msgspec import Struct


class LightOrder(Struct, frozen=True, kw_only=True):
    """These lights on, or off."""

    names: tuple[str, ...]
    on: bool


class HeatingOrder(Struct, frozen=True, kw_only=True):
    """The heating to so many degrees Celsius."""

    degrees: float


Order = LightOrder | HeatingOrder
