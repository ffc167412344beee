"""The nouns of a person's days: stays, trips, places, routines. All are learned, none is typed in."""

from __future__ import annotations

from msgspec import Struct

STAY_MIN_S = 20 * 60.0
STAY_RADIUS_M = 200.0
TRIP_MIN_M = 500.0
HIT_RADIUS_M = 300.0


class Person(Struct, frozen=True, kw_only=True):
    """Somebody of the household. The id is random and stays; the name can be erased."""

    person_id: str
    name: str


class Stay(Struct, frozen=True, kw_only=True):
    """At least `STAY_MIN_S` within `STAY_RADIUS_M`: where and from when to when (Unix seconds)."""

    start_s: float
    end_s: float
    lat: float
    lon: float
    fixes: int = 1


class Trip(Struct, frozen=True, kw_only=True):
    """From the end of one stay to the start of the next, more than `TRIP_MIN_M` apart."""

    origin: Stay
    destination: Stay
    start_s: float
    end_s: float
    last_lat: (
        float  # the last raw fix before the destination stay: the truth predictions are held to
    )
    last_lon: float


class Place(Struct, frozen=True, kw_only=True):
    """A place of a life: where this person stays again and again. `label` is by habit or by the owner."""

    place_id: str
    lat: float
    lon: float
    visits: int
    label: str = ""  # "home", "work", a name the person gave, or empty
    last_s: float = 0.0


class Routine(Struct, frozen=True, kw_only=True):
    """When something happens for this person, as a distribution over the local day.

    `density[i]` is the share of evidence in quarter hour i (0 = midnight, 96 bins, sums to 1 or is all 0).
    """

    name: str  # "dinner", "lunch", "coffee"
    days: int  # distinct local days of evidence
    density: tuple[float, ...] = ()
    start_s: float = 0.0  # central 80 % of the evidence, seconds after local midnight
    end_s: float = 0.0
    mean_s: float = 0.0
    share_of_days: float = 0.0  # in how many of the days on which it could have happened it did
