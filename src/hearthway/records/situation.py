"""What is going on now, and where it leads: the input of every suggestion."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from .life import Place, Routine


class Via(Struct, frozen=True, kw_only=True):
    """A usual stop on the way that is still to come: `times` of the latest `of` like ways made it, for `seconds`."""

    lat: float
    lon: float
    seconds: float
    times: int
    of: int


class Destination(Struct, frozen=True, kw_only=True):
    """One candidate of the posterior over this person's places."""

    place: Place
    p: float
    via: Via | UnsetType = UNSET
    came: tuple[tuple[int, int], ...] | UnsetType = (
        UNSET  # in which quarter hours of the local day stays there began, and how many in each
    )


class Stand(Struct, frozen=True, kw_only=True):
    """One place as a car's: how long one usually stays, and whether it charges there (None: not known)."""

    stays: int  # the latest ones, which tell the usual length
    usual_s: float | None = None  # the middle one of them
    stood: int = 0  # how often it is known whether the car was charged; old ones fade
    charged: int = 0
    charges: bool | None = None


class Tomorrow(Struct, frozen=True, kw_only=True):
    """The next day's first trip as equally likely ways, and the charge after each where nothing is charged before."""

    source: str  # "calendar", "own trips"
    kind: str  # "Mondays", "workdays": of which past days
    days: int  # how many of them tell
    p_drives: float  # that the car is driven at all
    ways_m: tuple[float, ...]
    left_pct: tuple[float, ...]  # below 0 it is not reached
    high_pct: tuple[float, ...]  # upper end of each 90 % interval


class Battery(Struct, frozen=True, kw_only=True):
    """State of charge now and as expected; percentages. None reads "unknown"."""

    soc_pct: float
    age_s: float
    at_arrival_pct: float | None = None
    at_home_pct: float | None = None
    at_home_low_pct: float | None = None  # of the 90 % interval
    at_home_high_pct: float | None = None
    pct_per_km: float | None = None  # on the way ahead
    air_c: float | None = None  # the outside temperature that was used
    trips: int = 0  # how many past trips the consumption was learned from
    capacity_kwh: float | UnsetType = UNSET  # usable, as the car told
    there: Stand | UnsetType = UNSET  # the likeliest destination
    home: Stand | UnsetType = UNSET
    tomorrow: Tomorrow | UnsetType = UNSET


class Evidence(Struct, frozen=True, kw_only=True):
    """A datum that was used: for the receipt and for `why`."""

    key: str
    source: str
    age_s: float
    person: str = ""


class Kept(Struct, frozen=True):
    """How a past entry of the calendar was kept. Durations only: when it was is not kept here."""

    left_s: float | None  # from the word to leave until one left; None where no word was said
    arrived_s: float  # after its beginning; below 0 before it


class Planned(Struct, frozen=True, kw_only=True):
    """What stands in the calendar next. `place` is None where nobody can tell where it is."""

    title: str
    start_s: float
    end_s: float
    all_day: bool = False
    location: str = ""  # as the calendar has it
    place: Place | None = None
    place_from: str = ""  # what told the place: "calendar", "own place", an OSM id
    trips_s: tuple[float, ...] = ()  # own trips from where one is to there, the latest last
    from_before_s: tuple[float, ...] = ()  # the same from the place of the entry before it
    kept: tuple[Kept, ...] = ()  # past entries there, the latest last

    @property
    def about(self) -> str:
        """By this what was said of it is remembered: moved to another time it is another one."""
        return about(self.start_s)


def about(start_s: float) -> str:
    """The mark of what begins then, in what was said of it."""
    return f"{start_s:.0f}"


class OwnTrip(Struct, frozen=True):
    """Where a past trip began and ended, and how long it took."""

    lat: float
    lon: float
    to_lat: float
    to_lon: float
    seconds: float


class Agenda(Struct, frozen=True, kw_only=True):
    """The next calendar entries that have begun or begin within half a day, by start, and those just over."""

    planned: tuple[Planned, ...]
    farthest_m: float  # the longest trip ever made, by its bee-line
    own_trips: tuple[OwnTrip, ...] = ()  # the latest between each two of several places
    kept: tuple[Kept, ...] = ()  # past entries anywhere, the latest last


class Manoeuvre(Struct, frozen=True, kw_only=True):
    """What the car does just now; None where the fixes do not tell. All at least 0."""

    lateral_mps2: float | None = None  # speed times the rate of turning
    braking_mps2: float | None = None
    uneven_mps: float | None = None  # standard deviation of the speed in the last minute


class Told(Struct, frozen=True):
    """A fresh reading: what it says, how old it is, and who says it."""

    value: float | bool
    age_s: float
    source: str


class Usual(Struct, frozen=True, kw_only=True):
    """How warm the house usually is at a time with somebody in: the median of so many days."""

    time_s: float
    celsius: float | None
    days: int


class HouseHabits(Struct, frozen=True, kw_only=True):
    """What the house's own readings of the last weeks taught."""

    usual: tuple[Usual, ...]  # now and each hour ahead
    warmings: tuple[tuple[float, float], ...]  # past warmings: degrees, and in how many seconds
    heated_age_s: float | None  # since the heating was last on
    alone_days: int  # of the last two weeks' days like this: the heating began about now, nobody in


class House(Struct, frozen=True, kw_only=True):
    """What is freshly known of the house. None: nobody told, or too long ago."""

    room: Told | None = None
    setpoint: Told | None = None
    heating: Told | None = None
    next_heating: Told | None = None
    occupied: Told | None = None
    habits: HouseHabits | None = None  # worked out only where nobody is in


class Habit(Struct, frozen=True, kw_only=True):
    """On how many trips of a kind a thing went along."""

    place_id: str = ""  # where they led to
    title: str = ""  # or what stood in the calendar
    like: str  # "on Tuesdays"
    along: int
    times: int


class Thing(Struct, frozen=True, kw_only=True):
    """A thing with a tag: who sees it now, and when it went along. None: nobody told, or too long ago."""

    name: str
    at_home: Told | None = None
    with_phone: Told | None = None
    habits: tuple[Habit, ...] = ()  # by where the trip leads
    planned: Habit | None = None  # by what the calendar has next


class Aboard(Struct, frozen=True, kw_only=True):
    """Somebody whose phone rides along, and by what that may be known here."""

    person: str
    kind: str  # what the household lists them as: "adult", "child", "guest"
    called: str = ""  # their name, where they told it with their taste
    source: str  # the car
    age_s: float
    rule: str  # that lets the car tell it
    consent: str  # id of what both agreed to


class NextPlaces(Struct, frozen=True, kw_only=True):
    """Where somebody who stays will likely go from here, the most probable first, and when he will likely leave."""

    places: tuple[Destination, ...]
    p_new: float  # "somewhere new"
    leave_s: float


class Situation(Struct, frozen=True, kw_only=True):
    """Who, where, doing what, heading where, with what battery. Derived; never stored by another node."""

    time_s: float
    utc_offset_s: int
    person: str
    mode: str  # "driving", "riding" (bus, train), "cycling", "walking", "moving", "staying", "unknown"
    lat: float
    lon: float
    speed_mps: float | None = None
    trip_start_s: float | None = None
    trip_distance_m: float = 0.0
    origin: Place | None = None
    destinations: tuple[Destination, ...] = ()  # the most probable first
    p_new: float = 1.0  # "somewhere new"
    places_known: int = 0
    stays_known: int = 0
    days_known: int = 0  # days of history: day one is honest about itself
    routines: tuple[Routine, ...] = ()
    home: Place | None = None
    battery: Battery | None = None
    evidence: tuple[Evidence, ...] = ()
    last_meal_s: float | None = None  # end of the last visit at a food POI
    manoeuvre: Manoeuvre | UnsetType = UNSET  # under way, where fixes are frequent enough
    mode_p: float | UnsetType = UNSET  # of `mode`, while one moves
    agenda: Agenda | UnsetType = UNSET  # where no calendar entry is near, the bytes are as before
    house: House | UnsetType = UNSET  # where nothing fresh is known of it, the same
    things: tuple[Thing, ...] | UnsetType = UNSET  # of the first minutes away from home only
    next_places: NextPlaces | UnsetType = (
        UNSET  # while staying; where one is under way, the bytes are as before
    )
    aboard: tuple[Aboard, ...] | UnsetType = (
        UNSET  # by id; who has no phone, or does not let it be told, is unknown: unset is never "alone"
    )

    @property
    def position_age_s(self) -> float:
        """How old `lat` and `lon` are, as the evidence tells; 0 without any."""
        return next((one.age_s for one in self.evidence if one.key.endswith(".Latitude")), 0.0)


class MealVisit(Struct, frozen=True, kw_only=True):
    """A stay at a food POI: what routines and tastes are learned from."""

    start_s: float
    end_s: float
    osm_id: str  # the nearest candidate; empty where several fit equally
    candidates: tuple[str, ...] = ()
    cuisines: tuple[str, ...] = ()
    lat: float = 0.0
    lon: float = 0.0
