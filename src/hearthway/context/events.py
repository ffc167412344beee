"""What a life tells as it happens. Stays and trips are said once they are certain, not before."""

from __future__ import annotations

from msgspec import Struct

from hearthway.records.life import Place, Stay, Trip
from hearthway.records.situation import MealVisit


class StayStarted(Struct, frozen=True, tag=True):
    """A stay has become certain (20 minutes after it began, in event time)."""

    stay: Stay
    place: Place


class StayEnded(Struct, frozen=True, tag=True):
    """The person has left; `stay` is final."""

    stay: Stay
    place: Place


class TripStarted(Struct, frozen=True, tag=True):
    """The first fix outside the stay. It becomes a Trip only if it ends > 500 m away."""

    time_s: float
    origin: Place


class TripEnded(Struct, frozen=True, tag=True):
    """A trip, known with its destination stay. `fixes` raw fixes lie between the stays (0: a recording hole)."""

    trip: Trip
    origin: Place
    destination: Place
    new: bool  # the destination had never been stayed at
    fixes: int


class LegEnded(Struct, frozen=True, tag=True):
    """Way from one stay, or one silence of 20 minutes, to the next, > 500 m; (lat, lon) is its last fix on the way.

    `origin` and `destination` are indices of places; a leg may begin where nobody has been (None).
    """

    start_s: float
    end_s: float
    lat: float
    lon: float
    origin: int | None
    destination: int


class MealVisited(Struct, frozen=True, tag=True):
    """A visit at a food POI is over."""

    visit: MealVisit


LifeEvent = StayStarted | StayEnded | TripStarted | TripEnded | LegEnded | MealVisited
