"""Whether home is short of charge, when somebody asks: also where nothing need be said of it."""

from __future__ import annotations

from hearthway.assist.shape import Enquiry, Known, Scene, Unfit

from .short import home_short_p


def enquire(scene: Scene, enquiry: Enquiry) -> Known | Unfit:
    """The probability of less than the reserve at home."""
    battery = scene.situation.battery
    if battery is None:
        return Unfit(code="battery-unknown")
    if battery.at_home_pct is None:
        return Unfit(code="home-unknown" if scene.situation.home is None else "consumption-unknown")
    return Known(p=home_short_p(battery))
