"""What stands in a person's calendar, one record an occurrence: what is known of it, and nothing guessed."""

from __future__ import annotations

from msgspec import Struct


class CalendarEntry(Struct, frozen=True, kw_only=True):
    """One occurrence. Times are Unix seconds; `lat` and `lon` are None where nobody can tell where it is."""

    uid: str
    occurs_s: float  # the start its series gave it: with `uid` its identity, also once it was moved
    start_s: float
    end_s: float
    all_day: bool = False
    cancelled: bool = False
    title: str = ""
    location: str = ""  # as the calendar has it
    lat: float | None = None
    lon: float | None = None
    place_from: str = ""  # what told the coordinates: "calendar", "own place", an OSM id, or ""
    sequence: int = 0  # RFC 5545 3.8.7.4; of two versions the higher counts
    stamped_s: float = 0.0  # LAST-MODIFIED, else DTSTAMP: decides between equal sequences
    calendar: str = ""  # the name the calendar gives itself
    read_s: float = 0.0  # when its file was imported: how old this knowledge is
    # Where it is no appointment, but days of a calendar of holidays: its first and last local day since 1970-01-01.
    off: tuple[int, int] | None = None
    # Whole days have no zone (RFC 5545 3.3.4): first and last local day, wherever one is; None at a time of day, and in old rows.
    days: tuple[int, int] | None = None
