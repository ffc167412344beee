"""A person's calendar: a file comes in, its places are looked up where that needs no guess, the next entries go out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import UNSET
from msgspec.structs import replace

from hearthway.atlas.store import Atlas
from hearthway.context.day_kind import numbered
from hearthway.context.life import Life
from hearthway.context.tomorrow import hours_of
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.calendar import Change, days_off, entries, keep
from hearthway.mesh.state.store import Store
from hearthway.records.calendar import CalendarEntry
from hearthway.records.errors import InputError
from hearthway.records.household import Role
from hearthway.records.life import Person, Place
from hearthway.records.localtime import DAY_S, clock, local_day, utc_offset_s, zone_at
from hearthway.records.situation import Evidence, Situation

CALENDAR_KEY = "Person.Calendar"  # what the owner's rules call it; it is on no wire
ZONES_S = 26 * 3600.0  # between the first midnight of a day on the earth and the last
_EPOCH = date(1970, 1, 1)
AGENDA_S = 12 * 3600.0  # nobody gets ready for what is later
RECENT_S = 1800.0  # what is over so long may be what one comes from
PAST_S = 90 * 86_400.0  # how far back what was kept, and how, tells of habits
REACH_M = 50_000.0  # a name farther off than this may be anybody's namesake


def is_calendar(path: Path) -> bool:
    """Is this a calendar, by its name?"""
    return path.name.lower().endswith(".ics")


def owner_of_calendar(store: Store, name: str) -> Person:
    """Who is meant; InputError where nothing of that person is here: a calendar alone makes nobody."""
    try:
        return store.person(name)
    except InputError as why:
        step = f"Import a location history with --person first. {why.next_step}"
        raise InputError(why.message, step) from None


def import_calendar(
    store: Store,
    path: Path,
    life: Life,
    atlas: Atlas | None,
    rules: Rules,
    now_s: float,
    *,
    holidays: bool = False,
) -> dict[str, Any]:
    """Take a calendar file into a phone's store; what is there of it already is replaced unless it is newer.

    `holidays`: its whole days are days off. Where "learn" is true in what is given back, other days are off now, and whoever has
    this life learns it anew.
    """
    from hearthway.history.calendar import read_calendar

    if not rules.collects(CALENDAR_KEY, Role.PHONE):
        raise InputError(
            "Your rules collect no calendar here, so it cannot be taken in.",
            f'Name "{CALENDAR_KEY}" in a [[collect]] of rules.toml that is at the phone.',
        )
    here = _home_or_here(life)
    if here is None:
        raise InputError(
            "It is not known where this person lives, so times without a zone cannot be read.",
            "Import a location history first, or let the phone send a position.",
        )
    read = read_calendar(path, zone=zone_at(*here), now_s=now_s, holidays=holidays)
    places = life.places()
    changes = [
        Change(
            uid=series.uid,
            whole=series.whole,
            entries=tuple(_placed(entry, places, here, atlas) for entry in series.entries),
            version=(series.sequence, series.stamped_s),
            calendar=series.calendar,
        )
        for series in read.series
    ]
    mirrors = read.name if read.mirrors else ""
    kept = keep(store, life.person, changes, mirrors=mirrors, unread=read.unread, now_s=now_s)
    coming = [e for e in entries(store, life.person, now_s) if not e.cancelled]
    return {
        "person_id": life.person,
        "calendar": read.name,
        "entries": kept.entries,
        "older": kept.older,
        "gone": kept.gone,
        "unreadable": read.unreadable,
        "timed": read.timed,
        "days_off": len(set().union(*days_off(store, life.person).values())),
        "learn": kept.other_days,
        "coming": len(coming),
        "place_unknown": sum(e.lat is None for e in coming),
    }


def _home_or_here(life: Life) -> tuple[float, float] | None:
    home = next((place for place in life.places() if place.label == "home"), None)
    if home is not None:
        return home.lat, home.lon
    last = life.state.last
    return None if last is None else (last.lat, last.lon)


def _placed(
    entry: CalendarEntry, places: Sequence[Place], here: tuple[float, float], atlas: Atlas | None
) -> CalendarEntry:
    """With coordinates, where the calendar has them, or its words name one own place or one thing on the map."""
    if entry.lat is not None or not entry.location:
        return entry
    for words in dict.fromkeys((entry.location, entry.location.split(",")[0].strip())):
        said = words.casefold()
        own = [p for p in places if said and said in (p.name.casefold(), p.label.casefold())]
        if len(own) == 1:
            return replace(entry, lat=own[0].lat, lon=own[0].lon, place_from="own place")
        named = [] if atlas is None or not words else atlas.named(words, *here, REACH_M)
        if len(named) == 1:
            poi = named[0]
            return replace(entry, lat=poi.lat, lon=poi.lon, place_from=poi.osm_id)
    return entry


def days_off_of(store: Store, person_id: str) -> dict[int, int]:
    """This person's days off, as a life takes them."""
    return numbered(days_off(store, person_id))


def near_entries(store: Store, person_id: str, now_s: float) -> list[CalendarEntry]:
    """What is under way or begins within `AGENDA_S`."""
    return entries(store, person_id, now_s, now_s + AGENDA_S)


def situation_at(
    store: Store, life: Life, now_s: float, words: Mapping[str, float] | None = None
) -> Situation:
    """What is going on, with what the calendar has next and tomorrow, and since when that is known.

    `words`: when something was said about each entry, by its mark (`Memory.said_about`).
    """
    tomorrow = of_tomorrow(store, life, now_s)
    last = life.state.last
    zone = None if last is None else zone_at(last.lat, last.lon)
    recent = entries_in(store, life.person, now_s - RECENT_S, now_s + AGENDA_S, zone)
    used = [entry for entry in recent if entry.end_s > now_s and not entry.cancelled]
    agenda = life.agenda(recent) if used else None
    situation = life.situation(now_s, tomorrow, agenda)
    if (
        agenda is not None and situation.mode != "driving"
    ):  # on a drive nobody is told when to leave
        past = entries(store, life.person, now_s - PAST_S, now_s)
        over = (entry for entry in past if entry.start_s < now_s - RECENT_S)
        agenda = life.agenda(recent, over, words)
    if agenda is None:
        used = []
    battery = situation.battery
    if battery is not None and battery.tomorrow is not UNSET:
        used = [*used, *(tomorrow if battery.tomorrow.source == "calendar" else ())]
    if life.days_off:  # today's kind of day is known from there, whatever it is
        used = [*used, *entries(store, life.person, now_s, now_s + 1.0, off=True)]
    if not used:
        return situation
    read = Evidence(
        key=CALENDAR_KEY,
        source=used[0].calendar or "calendar file",
        age_s=max(0.0, now_s - max(entry.read_s for entry in used)),
        person=life.person,
    )
    return replace(
        situation,
        agenda=UNSET if agenda is None else agenda,
        evidence=(*situation.evidence, read),
    )


def of_tomorrow(store: Store, life: Life, now_s: float) -> list[CalendarEntry]:
    """What begins tomorrow, by start; asked only of a car on its way, whose charge may have to do for it."""
    last, charge = life.state.last, life.state.battery.soc_pct
    if last is None or charge is None or life.state.here is not None:
        return []
    begin_s, end_s = hours_of(now_s, last.lat, last.lon)
    found = entries(store, life.person, begin_s, end_s)
    return [entry for entry in found if entry.start_s >= begin_s]


def entries_in(
    store: Store,
    person_id: str,
    since_s: float,
    until_s: float,
    zone: str | None,
    *,
    off: bool | None = False,
) -> list[CalendarEntry]:
    """As `entries`, with whole days from midnight to midnight of this zone; None: of the one where they were read."""
    if zone is None:
        return entries(store, person_id, since_s, until_s, off=off)
    wide = entries(store, person_id, since_s - ZONES_S, until_s + ZONES_S, off=off)
    found = [_whole_days_in(entry, zone) for entry in wide]
    inside = (one for one in found if one.end_s > since_s and one.start_s < until_s)
    return sorted(inside, key=lambda one: (one.start_s, one.uid, one.occurs_s))


def _whole_days_in(entry: CalendarEntry, zone: str) -> CalendarEntry:
    if entry.days is None:
        return entry
    there, (first, last) = ZoneInfo(zone), entry.days

    def midnight_s(day: int) -> float:
        return datetime.combine(_EPOCH + timedelta(days=day), time(), there).timestamp()

    return replace(entry, start_s=midnight_s(first), end_s=midnight_s(last + 1))


def coming(
    store: Store,
    person: Person,
    now_s: float,
    days: int,
    zone: str | None,
    *,
    off: bool | None = False,
) -> list[CalendarEntry]:
    """What the calendar has from now on, for who is in this zone; cancelled entries left out; with days off where `off` is None."""
    until_s = now_s + days * 86_400.0
    found = entries_in(store, person.person_id, now_s, until_s, zone, off=off)
    return [e for e in found if not e.cancelled]


def calendar_lines(found: Sequence[CalendarEntry], here: tuple[float, float]) -> list[str]:
    """One line an entry: the local day and time at `here`, the title, and where, or "place unknown"."""
    lines = []
    for entry in found:
        offset_s = utc_offset_s(*here, entry.start_s)
        when = f"{_day(local_day(entry.start_s, offset_s))}  {_until(entry, offset_s, here)}"
        title = entry.title or "without a title"
        if entry.off is not None:
            lines.append(f"{when}  {title} · day off ({entry.calendar})")
            continue
        lines.append(f"{when}  {title} · {_where(entry)}")
    return lines


def _day(local: int) -> str:
    return f"{datetime.fromtimestamp(local * DAY_S, UTC):%a %d %b}"


def _until(entry: CalendarEntry, offset_s: int, here: tuple[float, float]) -> str:
    """From when until when; with the last day where that is another, and more than a night past midnight."""
    end_offset_s = utc_offset_s(*here, entry.end_s)
    first = local_day(entry.start_s, offset_s)
    # An end at midnight is the end of the day before.
    last = max(first, local_day(entry.end_s - 1.0, end_offset_s))
    if entry.all_day:
        return "all day    " if last == first else f"all day, until {_day(last)}"
    begin, end = clock(entry.start_s, offset_s), clock(entry.end_s, end_offset_s)
    over = last > first and entry.end_s - entry.start_s >= DAY_S / 2
    return f"{begin} until {_day(last)} {end}" if over else f"{begin}-{end}"


def _where(entry: CalendarEntry) -> str:
    if entry.lat is None:
        return f"{entry.location} (place unknown)" if entry.location else "place unknown"
    at = entry.location or f"{entry.lat:.5f}, {entry.lon:.5f}"
    return f"{at} ({entry.place_from})"
