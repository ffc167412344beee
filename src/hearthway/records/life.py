"""The nouns of a person's days: stays, trips, places, routines. All are learned, none is typed in."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

STAY_MIN_S = 20 * 60.0
STAY_RADIUS_M = 200.0
TRIP_MIN_M = 500.0
HIT_RADIUS_M = 300.0
LIVED = ("home", "work")
LIFE_MODEL = "life"  # the name of what was learned of a person, among a node's models
WordKind = Literal["name", "home", "work", "merge", "split"]

# transit: bus, train, aeroplane
TravelMode = Literal["foot", "bicycle", "car", "transit", "unknown"]
MODES: tuple[TravelMode, ...] = ("foot", "bicycle", "car", "transit")
OTHERWISE_TRIPS = 3  # so many trips by other means alone, and one does not drive there


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


class Reached(Struct, frozen=True, kw_only=True):
    """How a place was reached: trips there by mode."""

    foot: int = 0
    bicycle: int = 0
    car: int = 0
    transit: int = 0
    unknown: int = 0

    def plus(self, other: Reached) -> Reached:
        """Both together."""
        return Reached(
            foot=self.foot + other.foot,
            bicycle=self.bicycle + other.bicycle,
            car=self.car + other.car,
            transit=self.transit + other.transit,
            unknown=self.unknown + other.unknown,
        )

    @property
    def never_by_car(self) -> bool:
        """Did every trip there whose mode is known go by other means, more than chance and than those of unknown mode?"""
        others = self.foot + self.bicycle + self.transit
        return self.car == 0 and others >= max(OTHERWISE_TRIPS, self.unknown + 1)


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
    mode: TravelMode = "unknown"  # of the longest part
    mode_p: float = 0.0


class Place(Struct, frozen=True, kw_only=True):
    """A place of a life: where this person stays again and again. `label` is by habit, `name` by the owner."""

    place_id: str
    lat: float
    lon: float
    visits: int
    label: str = ""  # "home", "work", "regular" or empty
    last_s: float = 0.0
    name: str = ""
    reached: Reached | UnsetType = UNSET  # where no trip led there the bytes are as before

    @property
    def called(self) -> str:
        """What it is called to people: the owner's name, else home or work; empty for any other."""
        return self.name or (self.label if self.label in LIVED else "")


class PlaceWord(Struct, frozen=True, kw_only=True):
    """What the owner says of a place, bound to where it is: ids may move when a part of the history is forgotten.

    `time_s` is just after the last thing that was known when it was said. `merge` makes the place at the first point
    a part of that at the second; `split` says that the two points belong to two places.
    """

    kind: WordKind
    time_s: float
    lat: float
    lon: float
    to_lat: float | None = None
    to_lon: float | None = None
    name: str = ""


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
