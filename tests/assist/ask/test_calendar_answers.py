"""The calendar of a day that was named: that day's entries and no other's, and nothing where it has none."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.assist.ask.answers import answer
from hearthway.assist.ask.calendar_answers import days_meant
from hearthway.assist.ask.facts import Facts
from hearthway.assist.ask.slots import DAYS, slots_of
from hearthway.records.ask import Meaning, Names, Outcome, Reply
from hearthway.records.calendar import CalendarEntry
from hearthway.records.localtime import weekday

NOW_S = datetime(2025, 11, 14, 16, 40, tzinfo=UTC).timestamp()  # a Friday, 18:40 in Helsinki
EPOCH = date(1970, 1, 1)
TODAY = (date(2025, 11, 14) - EPOCH).days


def entry(title: str, day: int, hour: float, hours: float = 1.0, **more: Any) -> CalendarEntry:
    """On that day of November, by the clock of Helsinki."""
    start_s = datetime(2025, 11, day, tzinfo=UTC).timestamp() + (hour - 2.0) * 3600.0
    return CalendarEntry(
        uid=title,
        occurs_s=start_s,
        start_s=start_s,
        end_s=start_s + hours * 3600.0,
        title=title,
        read_s=NOW_S,
        **more,
    )


PLANNED = (
    entry("Gym", 14, 18, 1),  # goes on
    entry("Choir", 14, 20),
    entry("Dentist", 15, 11),
    entry("Sauna", 16, 0, 24, all_day=True),
    entry("Fair", 18, 22, 30),  # until early on the 20th
    entry("Old", 15, 9, cancelled=True),
)


def known(
    planned: tuple[CalendarEntry, ...],
    language: str,
    days_off: tuple[CalendarEntry, ...],
    off_calendars: tuple[str, ...] = (),
) -> Facts:
    return Facts(
        now_s=NOW_S,
        zone="Europe/Helsinki",
        language=language,
        person="anna",
        permits={"Person.Calendar": "r"},
        planned=planned,
        days_off=days_off,
        off_calendars=off_calendars,
    )


def ask(
    planned: tuple[CalendarEntry, ...] = PLANNED,
    language: str = "en",
    days_off: tuple[CalendarEntry, ...] = (),
    **slots: str,
) -> Reply:
    meaning = Meaning(intent="calendar_next", slots=slots)
    return answer(known(planned, language, days_off), meaning)


@pytest.mark.parametrize(
    ("day", "line"),
    [
        ("today", "Today: Gym, at 18:00; Choir, at 20:00."),
        ("tonight", "This evening: Gym, at 18:00; Choir, at 20:00."),
        ("tomorrow", "Tomorrow: Dentist, at 11:00."),
        ("day-after-tomorrow", "Sunday: Sauna, all day."),
        ("saturday", "Saturday: Dentist, at 11:00."),
        ("monday", "Monday: nothing in the calendar here."),
        ("next-friday", "Friday: nothing in the calendar here."),
        ("tuesday", "Tuesday: Fair, at 22:00."),
        ("wednesday", "Wednesday: Fair, since Tuesday at 22:00."),
        ("weekend", "At the weekend: Dentist, Saturday at 11:00; Sauna, Sunday, all day."),
        (
            "week",
            "This week: Gym, at 18:00; Choir, at 20:00; Dentist, Saturday at 11:00.",
        ),
        ("next-week", "Next week: Fair, Tuesday at 22:00."),
        ("11-16", "Sunday 16 November: Sauna, all day."),
        ("18", "Tuesday 18 November: Fair, at 22:00."),
    ],
)
def test_a_day_that_is_named_has_its_own_entries(day: str, line: str) -> None:
    reply = ask(day=day)
    assert (reply.outcome, reply.line) == (Outcome.ANSWERED, line)
    assert {source.key for source in reply.sources} == {"Person.Calendar"}
    shown = " ".join(one.shown for one in reply.sources)
    assert set(re.findall(r"\d+", line)) <= set(re.findall(r"\d+", shown))


def test_in_german_too_and_without_a_day_it_is_what_is_next() -> None:
    assert ask(language="de", day="tomorrow").line == "Morgen: Dentist, um 11:00."
    assert ask(language="de", day="monday").line == "Montag: nichts im Kalender hier."
    assert ask(language="de", day="03-03").line.startswith("Dienstag, 3. März: nichts")
    assert ask().line == "Choir, at 20:00."


def test_a_day_off_is_told_with_its_calendar() -> None:
    off = entry("Fair day", 15, 0, 24, all_day=True, calendar="Finland", off=(TODAY + 1, TODAY + 1))
    for language, line in (
        ("en", "Tomorrow: Fair day, day off (Finland); Dentist, at 11:00."),
        ("de", "Morgen: Fair day, freier Tag (Finland); Dentist, um 11:00."),
    ):
        assert ask(language=language, days_off=(off,), day="tomorrow").line == line
    alone = ask((), days_off=(off,), day="tomorrow")
    assert (alone.outcome, alone.line) == (
        Outcome.ANSWERED,
        "Tomorrow: Fair day, day off (Finland).",
    )
    assert ask((), days_off=(off,), day="monday").outcome is Outcome.UNKNOWN
    assert ask(days_off=(off,)).line == "Choir, at 20:00."


def off_day(title: str, first: int, last: int, calendar: str = "Finland") -> CalendarEntry:
    """Off on those days from today."""
    start_s = (TODAY + first) * 86_400.0 - 2 * 3600.0
    return CalendarEntry(
        uid=title,
        occurs_s=start_s,
        start_s=start_s,
        end_s=start_s + (last - first + 1) * 86_400.0,
        title=title,
        all_day=True,
        calendar=calendar,
        off=(TODAY + first, TODAY + last),
        read_s=NOW_S,
    )


def whether_off(
    *days_off: CalendarEntry,
    calendars: tuple[str, ...] = ("Finland",),
    language: str = "en",
    **slots: str,
) -> Reply:
    facts = known((), language, days_off, off_calendars=calendars)
    return answer(facts, Meaning(intent="day_off", slots=slots))


def test_whether_a_day_is_off_is_told_by_the_calendars_of_holidays_alone() -> None:
    fair, term = off_day("Fair day", 3, 3), off_day("Autumn break", 10, 16, "School")
    both = ("Finland", "School")
    told = whether_off(term, fair, calendars=both)
    assert told.line == "Monday 17 November: Fair day (Finland)."
    assert {source.key for source in told.sources} == {"Person.Calendar"}
    assert {source.person for source in told.sources} == {"anna"}
    asked = whether_off(term, fair, calendars=both, day="monday")
    assert asked.line == "Monday 17 November: Fair day (Finland)."
    later = off_day("Independence Day", 22, 22)
    assert whether_off(fair, later, day="tuesday").line == "Tuesday: no day off in Finland."
    saturday = whether_off(fair, term, calendars=both, day="saturday")
    assert saturday.line == "Saturday: no day off in Finland or School. It is a weekend."
    within = whether_off(term, calendars=both, day="11-26")
    assert within.line == "Wednesday 26 November: Autumn break (School)."
    week = whether_off(off_day("A", 3, 3), off_day("B", 4, 9), day="next-week")
    assert week.line == "Monday 17 November: A (Finland); Tuesday 18 November: B (Finland)."
    german = whether_off(fair, language="de", day="monday")
    assert german.line == "Montag, 17. November: Fair day (Finland)."
    assert whether_off(fair, language="de", day="sunday").line.endswith("Es ist Wochenende.")


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "Wednesday 24 December: not known, no day off so late is in Finland."),
        ("de", "Mittwoch, 24. Dezember: nicht bekannt, so spät ist kein freier Tag in Finland."),
    ],
)
def test_of_a_day_after_the_last_that_a_calendar_has_nothing_is_known(
    language: str, line: str
) -> None:
    told = whether_off(off_day("Fair day", 3, 3), language=language, day="12-24")
    assert (told.outcome, told.line) == (Outcome.UNKNOWN, line)


def test_a_day_off_that_goes_on_is_the_next() -> None:
    assert whether_off(off_day("Break", -3, 2)).line == "Friday 14 November: Break (Finland)."


def test_without_a_calendar_of_holidays_nothing_is_known_and_how_to_get_one_is_said() -> None:
    none = whether_off(calendars=(), day="monday")
    assert none.outcome is Outcome.UNKNOWN
    assert "--holidays" in none.more[0]
    over = whether_off()
    assert (over.outcome, over.line) == (
        Outcome.UNKNOWN,
        "No day ahead is off in Finland, as far as it goes.",
    )


def test_of_an_empty_calendar_nothing_is_known() -> None:
    assert ask((), day="monday").outcome is Outcome.UNKNOWN
    over = ask((entry("Breakfast", 14, 7), *PLANNED[2:]), day="today")
    assert over.line == "Today: nothing more in the calendar here."


def test_more_than_a_speaker_says_stands_below() -> None:
    many = tuple(entry(f"No {hour}", 15, hour) for hour in range(8, 13))
    reply = ask(many, day="tomorrow")
    assert reply.line.count(";") == 2
    assert reply.more == ("No 11, at 11:00", "No 12, at 12:00")


@given(st.sampled_from(sorted(set(DAYS.values()))), st.integers(0, 40_000))
def test_every_day_is_today_or_soon_and_what_it_is_called(asked: str, today: int) -> None:
    first, last = days_meant(asked, today)
    assert today <= first <= last <= today + 13
    name = (EPOCH + timedelta(days=first)).strftime("%A").lower()
    if asked.removeprefix("next-") == name or asked == name:
        assert first == last
    if asked == "next-week":
        assert (weekday(first), weekday(last)) == (0, 6)
    if asked == f"next-{name}":
        assert first > today


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("what's on my calendar tomorrow", "tomorrow"),
        ("when is today's meeting", "today"),
        ("anything next monday", "next-monday"),
        ("was habe ich am Samstag vor", "saturday"),
        ("what's on the 17th of March", "03-17"),
        ("do I have plans on march 2nd", "03-02"),
        ("am 3. März", "03-03"),
        ("and on the 31st", "31"),
        ("is friday the 13th free", "13"),
        ("what is on february 30", ""),
        ("may I have the 2nd one", "2"),
        ("at 17", ""),
    ],
)
def test_days_are_read_in_words(text: str, day: str) -> None:
    assert slots_of(text, Names()).get("day", "") == day


@given(st.dates(date(2000, 1, 1), date(2090, 1, 1)), st.dates(date(2000, 1, 1), date(2000, 12, 31)))
def test_a_date_is_the_next_of_its_name(today: date, named: date) -> None:
    at = (today - EPOCH).days
    first, last = days_meant(f"{named:%m-%d}", at)
    found = EPOCH + timedelta(days=first)
    assert first == last >= at
    assert (found.month, found.day) == (named.month, named.day)
