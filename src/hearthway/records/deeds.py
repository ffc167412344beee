"""What a person then did, as far as the signals of phone, car and house tell it by themselves."""

from __future__ import annotations

from msgspec import Struct

LEFT = "left"  # a stay: (lat, lon) is where one stayed
PARKED = "parked"  # the car, at (lat, lon), for a stay of 20 minutes at least
CHARGED, UNCHARGED = "charged", "uncharged"  # the car, while it stood at (lat, lon)
HEATS, CAME_IN = "heats", "came in"  # the house began to heat; somebody is in where nobody was


class Deed(Struct, frozen=True, order=True, array_like=True):
    """Done at `time_s`, known since `known_s` (Unix s); where, if it was done somewhere."""

    time_s: float
    known_s: float
    what: str
    lat: float | None = None
    lon: float | None = None
