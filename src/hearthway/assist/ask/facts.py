"""What an answer may be made of: gathered by the node as far as the rules let it, and nothing beside it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from hearthway.context.reach import Reach
from hearthway.records.ask import Source
from hearthway.records.calendar import CalendarEntry
from hearthway.records.localtime import DAY_S, clock, local_day, offset_in_s
from hearthway.records.receipts import Receipt
from hearthway.records.signals import Signal, Value
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Option, Suggestion
from hearthway.records.venue import Wait
from hearthway.sense.catalogue import row_of

JUST_NOW_S = 120.0


class CarAt(Struct, frozen=True, kw_only=True):
    """Where the car was last heard of. `moves` None: nobody tells."""

    lat: float
    lon: float
    time_s: float
    source: str
    moves: bool | None = None
    called: str = ""  # a place of the person's, or what the map calls it
    away_m: float | None = None  # from the person


class Leaving(Struct, frozen=True, kw_only=True):
    """When to leave for the calendar's next entry; `why_not` is the need's word where it cannot be said."""

    entry: CalendarEntry | None = None
    leave_by_s: float | None = None
    way_words: str = ""
    why_not: str = ""


class Food(Struct, frozen=True, kw_only=True):
    """Tables near a point, the best first. `around` is what the point is called; empty where it was not found."""

    around: str = ""
    options: tuple[Option, ...] = ()
    left_out: int = 0  # by what was not wanted
    closed: int = 0
    own_taste: bool = True
    why_not: str = ""  # "needs-a-map", "near-unknown", "off-map", "whereabouts-unknown"
    map_name: str = ""  # the map that was looked at
    heading: bool = False  # asked for where one is heading, and not for where one is


class Charging(Struct, frozen=True, kw_only=True):
    """How fast the charge has risen by the car's own readings; percent an hour. None: too few of them."""

    pct_an_hour: float | None = None
    readings: int = 0


class Planned(Struct, frozen=True, kw_only=True):
    """The charging plan of the car that is plugged in; Unix seconds. `begin_s` None: nothing is to be charged; `ready_s` None: not reached."""

    begin_s: float | None
    ready_s: float | None
    target_pct: float
    final_pct: float
    departure_s: float
    made_s: float


class Facts(Struct, frozen=True, kw_only=True):
    """Everything known that a question may be answered from. None: nobody told."""

    now_s: float
    zone: str = "UTC"  # IANA name, of where the person is
    language: str = "en"
    own: bool = True  # whoever asks is whose phone this is
    person: str = ""  # whom personal facts are about
    permits: Mapping[str, str] = {}
    situation: Situation | None = None
    soc: Signal | None = None
    plugged: Signal | None = None
    charging: Charging = Charging()
    charge_plan: Planned | None = None
    reach: Reach | None = None
    short_p: float | None = None  # that less than the reserve is left at home
    car: CarAt | None = None
    heading: str = ""  # what the likeliest destination is called, as in a suggestion
    house: Mapping[str, Signal] = {}
    lights: Mapping[str, Signal] = {}  # by name, as known
    receipts: tuple[Receipt, ...] = ()
    planned: tuple[CalendarEntry, ...] = ()
    days_off: tuple[CalendarEntry, ...] = ()  # of calendars of holidays; where a day was named
    off_calendars: tuple[str, ...] = ()  # every calendar of holidays here, by name
    leaving: Leaving = Leaving()
    food: Food = Food()
    wait: Wait | None = None
    venue: str = ""  # what was asked about, by its name on the map or as followed
    said: Suggestion | None = None
    why: tuple[str, ...] = ()  # the explanation of `said`
    synthetic: bool = False

    def offset_s(self, time_s: float) -> int:
        """Local time less Unix time, as it is at that time: a clock may change between now and then."""
        return offset_in_s(self.zone, time_s)

    def clock(self, time_s: float) -> str:
        """Local "18:05"."""
        return clock(time_s, self.offset_s(time_s))

    def day(self, time_s: float) -> int:
        """Local days since 1970."""
        return local_day(time_s, self.offset_s(time_s))

    def midnight_s(self, day: int) -> float:
        """When that local day begins (Unix s)."""
        plain_s = float(day * DAY_S)
        return plain_s - self.offset_s(plain_s - self.offset_s(plain_s))


class Cited:
    """Writes figures into words, and keeps where each came from."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.sources: list[Source] = []

    def __call__(
        self,
        key: str,
        shown: str,
        *,
        value: Value = None,
        source: str = "",
        age_s: float | None = None,
        personal: bool = False,
    ) -> str:
        """`shown`, with its source kept."""
        self.sources.append(
            Source(
                key=key,
                shown=shown,
                ago=ago_words(self.facts.language, age_s),
                value=value,
                source=source,
                age_s=age_s,
                rule=self.facts.permits.get(key, ""),
                person=self.facts.person if personal else "",
            )
        )
        return shown

    def signal(self, signal: Signal, shown: str, *, personal: bool = False) -> str:
        """The same for a reading."""
        return self(
            signal.key,
            shown,
            value=signal.value,
            source=signal.source,
            age_s=max(0.0, self.facts.now_s - signal.time_s),
            personal=personal,
        )


def ago_words(language: str, age_s: float | None) -> str:
    """ "3 min ago"; empty for what was told just now, or has no age."""
    if age_s is None or age_s < JUST_NOW_S:
        return ""
    for size_s, en, de in (
        (86_400.0, "days", "Tagen"),
        (3600.0, "h", "Std."),
        (60.0, "min", "Min."),
    ):
        if age_s >= 2 * size_s or size_s == 60.0:
            count = f"{age_s / size_s:.0f}"
            return f"vor {count} {de}" if language == "de" else f"{count} {en} ago"
    return ""


def stale(signal: Signal, now_s: float) -> bool:
    """Is it older than it may be acted on?"""
    row = row_of(signal.key)
    return row is not None and now_s - signal.time_s > row.freshness_s
