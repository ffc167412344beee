"""Everything a life has learned and has open: one struct, so that stopping and going on changes nothing."""

from __future__ import annotations

from msgspec import Struct, field

from hearthway.records.life import PlaceWord, Stay
from hearthway.sense.fixes import Open

from .battery import BatteryState
from .charging import CarState
from .deeds import DeedState
from .halts import SetOut
from .house import HouseState
from .items import ItemsState
from .modes import ModeState
from .places import KnownPlace
from .prior import Departure, PastTrip
from .regularity import Regularity
from .routes import Track
from .routines import Meal
from .settling import Settling
from .stays import Window

VERSION = 11


class Moment(Struct, frozen=True, array_like=True):
    """A recent fix, with its own speed (`told`) or the one it implies."""

    time_s: float
    lat: float
    lon: float
    speed_mps: float | None = None
    accuracy_m: float | None = None
    told: bool = False


class LifeState(Struct, kw_only=True):
    """The fold of all fixes and signals of one person so far."""

    version: int = VERSION
    person: str = ""
    first_s: float | None = None
    last: Moment | None = None
    recent: list[Moment] = field(default_factory=list)
    source: str = ""
    prefix: str = ""
    accuracy_m: float | None = None
    had_speed: bool = False
    dropped: int = 0  # fixes not newer than the one before, or too unsure to tell of another place
    unsure_s: float | None = None  # the latest of the latter
    last_day: int = -1
    days: int = 0
    stays: int = 0
    window: Window = field(default_factory=Window)
    dwell: Window = field(default_factory=Window)
    dwell_at_food: bool = False
    halt: Window = field(default_factory=Window)
    halts: list[Stay] = field(default_factory=list)  # stops of this leg
    set_out: SetOut | None = None  # from the stop for which this leg may have been
    since: Track = field(default_factory=Track)  # the way from there
    places: list[KnownPlace] = field(default_factory=list)
    words: list[PlaceWord] = field(default_factory=list)  # of the owner, that fit no place so far
    settling: Settling = field(default_factory=Settling)
    here: int | None = None  # place of the stay that is going on
    began: Stay | None = None  # that stay when it became certain
    previous: Stay | None = None  # the last finished stay: a trip's origin
    previous_place: int | None = None
    trip_start_s: float | None = None  # first fix after the last stay
    trip_fixes: int = 0
    trip_way_m: float = 0.0
    departure: Departure | None = None  # of this leg: from the last stay, or from a presumed one
    track: Track = field(default_factory=Track)  # of this leg
    trips: list[PastTrip] = field(default_factory=list)
    regular: Regularity = field(default_factory=Regularity)
    trip_count: int = 0
    way_m: float = 0.0  # of all trips, along the way
    direct_m: float = 0.0  # of all trips, bee-line
    battery: BatteryState = field(default_factory=BatteryState)
    car: CarState = field(default_factory=CarState)
    deeds: DeedState = field(default_factory=DeedState)
    odometer_m: float | None = None
    odometer_start_m: float | None = None
    house: HouseState = field(default_factory=HouseState)
    items: ItemsState = field(default_factory=ItemsState)
    meals: list[Meal] = field(default_factory=list)
    modes: ModeState = field(default_factory=ModeState)
    streams: list[Open] = field(default_factory=list)  # positions that wait for their other half
