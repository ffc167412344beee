"""Answers from the calendar: what is next in it, and what it has on a day that was named."""

from __future__ import annotations

from datetime import date, timedelta

from hearthway.assist.moment import plain
from hearthway.records.ask import Meaning
from hearthway.records.calendar import CalendarEntry
from hearthway.records.localtime import DAY_S, weekday

from .facts import Cited, Facts
from .intents import CALENDAR
from .slots import MONTHS
from .words import Draft, answered, listed, say, unknown

WEEKDAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
}
_NAMES = tuple(one.casefold() for one in WEEKDAYS["en"])
_SATURDAY = 5
_EPOCH = date(1970, 1, 1)
EVENING_S = 17 * 3600.0  # local: from then on it is tonight
LINE_MAX = 3  # entries in the first line, which is all that a speaker says


def calendar_next(facts: Facts, meaning: Meaning) -> Draft:
    """The next entry that begins after now; of a day that was named, everything that is not over."""
    cite = Cited(facts)
    asked = meaning.slots.get("day", "")
    if asked:
        return _on(cite, asked)
    ahead = [one for one in facts.planned if one.start_s >= facts.now_s and not one.cancelled]
    if not ahead:
        return unknown(
            cite,
            "Nothing is known to be next: the calendar here has nothing in the coming days.",
            "Es ist nichts bekannt: Der Kalender hier hat nichts in den nächsten Tagen.",
        )
    return answered(cite, f"{_entry(cite, ahead[0])}.")


def _on(cite: Cited, asked: str) -> Draft:
    facts = cite.facts
    first, last = days_meant(asked, facts.day(facts.now_s))
    since_s = max(facts.midnight_s(first), facts.now_s)
    if asked == "tonight":
        since_s = max(since_s, facts.midnight_s(first) + EVENING_S)
    until_s = facts.midnight_s(last + 1)
    found = [
        one
        for one in sorted((*facts.days_off, *facts.planned), key=lambda one: one.start_s)
        if not one.cancelled and _lies(one, facts.midnight_s(first), since_s, until_s)
    ]
    when = _day_words(facts, asked, first)
    # Whether there is an entry is told of the person as much as one is.
    cite(CALENDAR, when, source="calendar file", personal=True)
    if not found and not facts.planned:
        return unknown(
            cite,
            f"{when}: nothing is known, the calendar here has nothing in that time.",
            f"{when}: Es ist nichts bekannt, der Kalender hier hat in dieser Zeit nichts.",
        )
    if not found:
        more = facts.day(facts.now_s) == first
        return answered(
            cite,
            say(
                facts,
                f"{when}: nothing{' more' if more else ''} in the calendar here.",
                f"{when}: nichts{' mehr' if more else ''} im Kalender hier.",
            ),
        )
    single = first == last
    told = [_entry(cite, one, on=first if single else None) for one in found]
    return answered(cite, f"{when}: {'; '.join(told[:LINE_MAX])}.", *told[LINE_MAX:])


def day_off(facts: Facts, meaning: Meaning) -> Draft:
    """Which of the days that are meant are off by the calendars of holidays here; without one, the next that is."""
    cite = Cited(facts)
    if not facts.off_calendars:
        return unknown(
            cite,
            "That is not known: no calendar of holidays is here.",
            "Das ist nicht bekannt: Hier ist kein Kalender mit Feiertagen.",
            say(
                facts,
                "`hearthway import FILE.ics --holidays` takes one in.",
                "`hearthway import DATEI.ics --holidays` nimmt einen auf.",
            ),
        )
    asked, today = meaning.slots.get("day", ""), facts.day(facts.now_s)
    by = listed(facts.language, [plain(one) for one in facts.off_calendars])
    cite(CALENDAR, by, source="calendar of holidays", personal=True)
    off = sorted(
        ((one.off, one) for one in facts.days_off if one.off is not None and not one.cancelled),
        key=lambda pair: (pair[0], pair[1].title),
    )
    if not asked:
        ahead = [(days, one) for days, one in off if days[1] >= today]
        if ahead:
            return answered(cite, f"{_off(cite, ahead[0][1], max(ahead[0][0][0], today))}.")
        return unknown(
            cite,
            f"No day ahead is off in {by}, as far as it goes.",
            f"In {by} ist kein Tag mehr frei, so weit er reicht.",
        )
    first, last = days_meant(asked, today)
    found = [(days, one) for days, one in off if days[0] <= last and days[1] >= first]
    if found:
        told = [_off(cite, one, max(days[0], first)) for days, one in found]
        return answered(cite, f"{'; '.join(told[:LINE_MAX])}.", *told[LINE_MAX:])
    when = _day_words(facts, asked, first)
    weekend = ""
    if first == last and weekday(first) >= _SATURDAY:
        weekend = say(facts, " It is a weekend.", " Es ist Wochenende.")
    if not any(days[0] > last for days, _ in off):  # last year's file tells nothing of this one
        return unknown(
            cite,
            f"{when}: not known, no day off so late is in {by}.{weekend}",
            f"{when}: nicht bekannt, so spät ist kein freier Tag in {by}.{weekend}",
        )
    return answered(
        cite,
        say(
            facts,
            f"{when}: no day off in {by}.{weekend}",
            f"{when}: kein freier Tag in {by}.{weekend}",
        ),
    )


def _off(cite: Cited, entry: CalendarEntry, day: int) -> str:
    """The day, by its date, and what it is."""
    facts = cite.facts
    source = entry.calendar or "calendar file"
    title = plain(entry.title) or say(facts, "day off", "freier Tag")
    shown = cite(CALENDAR, _date_words(facts, day), value=day, source=source, personal=True)
    cite(CALENDAR, title, value=entry.title, source=source, personal=True)
    return f"{shown}: {title} ({plain(source)})"


def _lies(entry: CalendarEntry, midnight_s: float, since_s: float, until_s: float) -> bool:
    """Is any of it between these? A whole day of another zone's begins some hours off, and is that day all the same."""
    if entry.all_day:
        shared_s = min(entry.end_s, until_s) - max(entry.start_s, midnight_s)
        return shared_s >= DAY_S / 2
    return entry.start_s < until_s and entry.end_s > since_s


def days_meant(asked: str, today: int) -> tuple[int, int]:
    """The first and the last local day (since 1970) of a slot `day`: a value of `slots.DAYS`, or a date."""
    at = weekday(today)
    to_monday = 7 - at
    if asked in ("tomorrow", "day-after-tomorrow"):
        day = today + (1 if asked == "tomorrow" else 2)
        return day, day
    if asked == "weekend":
        return max(today, today - at + _SATURDAY), today - at + _SATURDAY + 1
    if asked == "week":
        return today, today + to_monday - 1
    if asked == "next-week":
        return today + to_monday, today + to_monday + 6
    name = asked.removeprefix("next-")
    if name in _NAMES:
        ahead = (_NAMES.index(name) - at) % 7
        day = today + (7 if asked != name and not ahead else ahead)
        return day, day
    if asked[:1].isdigit():
        day = _next_date(asked, today)
        return day, day
    return today, today


def _next_date(asked: str, today: int) -> int:
    """The next "03-17", or "17" of a month, from today on."""
    month, _, day_of = asked.rpartition("-")
    at = _EPOCH + timedelta(days=today)
    while at.day != int(day_of) or (month and at.month != int(month)):
        at += timedelta(days=1)  # at most to the next leap year's end of February
    return (at - _EPOCH).days


def _day_words(facts: Facts, asked: str, first: int) -> str:
    known = {
        "today": ("Today", "Heute"),
        "tonight": ("This evening", "Heute Abend"),
        "tomorrow": ("Tomorrow", "Morgen"),
        "weekend": ("At the weekend", "Am Wochenende"),
        "week": ("This week", "Diese Woche"),
        "next-week": ("Next week", "Nächste Woche"),
    }
    if asked in known:
        return say(facts, *known[asked])
    name = WEEKDAYS["de" if facts.language == "de" else "en"][weekday(first)]
    if not asked[:1].isdigit():
        return name
    return _date_words(facts, first)


def _date_words(facts: Facts, day: int) -> str:
    name = WEEKDAYS["de" if facts.language == "de" else "en"][weekday(day)]
    at = _EPOCH + timedelta(days=day)
    en, de = (one.capitalize() for one in MONTHS[at.month - 1][:2])
    return say(facts, f"{name} {at.day} {en}", f"{name}, {at.day}. {de}")


def _entry(cite: Cited, entry: CalendarEntry, on: int | None = None) -> str:
    facts = cite.facts
    source = entry.calendar or "calendar file"
    title = plain(entry.title) or say(facts, "something without a title", "etwas ohne Titel")
    when = entry_time(cite, entry, source, on=on)
    cite(CALENDAR, title, value=entry.title, source=source, personal=True)
    where = plain(entry.location)
    if where:
        cite(CALENDAR, where, value=where, source=source, personal=True)
    return f"{title}, {when}" + (f", {where}" if where else "")


def entry_time(cite: Cited, entry: CalendarEntry, source: str, on: int | None = None) -> str:
    """When it begins: with its weekday where that is neither today nor the day `on` that is spoken of."""
    facts = cite.facts
    day = facts.day(entry.start_s)
    name = WEEKDAYS["de" if facts.language == "de" else "en"][weekday(day)]
    if entry.all_day:
        whole = say(facts, "all day", "ganztägig")
        if entry.off is not None:
            off = say(facts, "day off", "freier Tag")
            whole = f"{off} ({plain(entry.calendar)})"
        if on is None:
            whole = f"{name}, {whole}"
        return cite(CALENDAR, whole, value=entry.start_s, source=source, personal=True)
    at = cite(
        CALENDAR,
        facts.clock(entry.start_s),
        value=entry.start_s,
        source=source,
        age_s=max(0.0, facts.now_s - entry.read_s),
        personal=True,
    )
    if day == (facts.day(facts.now_s) if on is None else on):
        return say(facts, f"at {at}", f"um {at}")
    if on is not None:
        return say(facts, f"since {name} at {at}", f"seit {name} um {at}")
    return say(facts, f"{name} at {at}", f"{name} um {at}")
