"""Calendar files: what is read of them, and that no file, however broken or hostile, does worse than a clear error."""

from __future__ import annotations

import builtins
import contextlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hearthway.history import calendar as reading
from hearthway.history import recurring
from hearthway.history.calendar import CalendarFile, read_calendar
from hearthway.records.calendar import CalendarEntry
from hearthway.records.errors import InputError

NOW_S = datetime(2025, 10, 1, tzinfo=UTC).timestamp()


def event(*lines: str, uid: str = "u1") -> str:
    return "\r\n".join(("BEGIN:VEVENT", f"UID:{uid}", *lines, "END:VEVENT"))


def calendar(*events: str, head: tuple[str, ...] = ()) -> bytes:
    lines = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//EN", *head, *events, "END:VCALENDAR")
    return ("\r\n".join(lines) + "\r\n").encode()


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def call(data: bytes, zone: str = "Europe/Helsinki", now_s: float = NOW_S) -> CalendarFile:
        file = tmp_path / "a.ics"
        file.write_bytes(data)
        return read_calendar(file, zone=zone, now_s=now_s)

    return call


def entries(found: CalendarFile) -> list[CalendarEntry]:
    return [entry for series in found.series for entry in series.entries]


def starts(found: CalendarFile) -> list[str]:
    return [f"{datetime.fromtimestamp(e.start_s, UTC):%m-%d %H:%M}" for e in entries(found)]


def test_one_entry_with_all_it_says(read: Any) -> None:
    found = read(
        calendar(
            event(
                "DTSTART;TZID=Europe/Helsinki:20251114T184500",
                "DTEND;TZID=Europe/Helsinki:20251114T210000",
                "SUMMARY:Concert\\, late",
                "LOCATION:Musiikkitalo\\, Mannerheimintie 13a",
                "GEO:60.1738;24.9354",
                "SEQUENCE:2",
                "LAST-MODIFIED:20250901T000000Z",
            ),
            head=("X-WR-CALNAME:Anna",),
        )
    )
    (entry,) = entries(found)
    assert datetime.fromtimestamp(entry.start_s, UTC) == datetime(2025, 11, 14, 16, 45, tzinfo=UTC)
    assert entry.end_s - entry.start_s == 2.25 * 3600
    assert (entry.title, entry.location) == (
        "Concert, late",
        "Musiikkitalo, Mannerheimintie 13a",
    )
    assert (entry.lat, entry.lon, entry.place_from) == (60.1738, 24.9354, "calendar")
    assert (entry.sequence, entry.calendar, entry.read_s) == (2, "Anna", NOW_S)
    assert not entry.all_day
    assert (found.name, found.mirrors, found.unreadable) == ("Anna", True, 0)


@pytest.mark.parametrize(
    ("start", "utc", "all_day"),
    [
        ("DTSTART:20251114T184500Z", "11-14 18:45", False),
        ("DTSTART;TZID=America/New_York:20251114T184500", "11-14 23:45", False),
        ("DTSTART;TZID=W. Europe Standard Time:20251114T184500", "11-14 17:45", False),
        ("DTSTART:20251114T184500", "11-14 16:45", False),  # floating: where the person lives
        ("DTSTART;VALUE=DATE:20251114", "11-13 22:00", True),
    ],
)
def test_zones(read: Any, start: str, utc: str, all_day: bool) -> None:
    found = read(calendar(event(start)))
    assert starts(found) == [utc]
    assert entries(found)[0].all_day is all_day


def test_a_zone_that_the_file_itself_defines(read: Any) -> None:
    zone = "\r\n".join(
        (
            "BEGIN:VTIMEZONE",
            "TZID:Somewhere of mine",
            "BEGIN:STANDARD",
            "DTSTART:20200101T000000",
            "TZOFFSETFROM:+0330",
            "TZOFFSETTO:+0330",
            "END:STANDARD",
            "END:VTIMEZONE",
        )
    )
    found = read(calendar(zone, event("DTSTART;TZID=Somewhere of mine:20251114T120000")))
    assert starts(found) == ["11-14 08:30"]


def test_weekly_over_the_end_of_summer_time_keeps_its_local_hour(read: Any) -> None:
    found = read(
        calendar(
            event(
                "DTSTART;TZID=Europe/Helsinki:20251015T180000",
                "DURATION:PT1H",
                "RRULE:FREQ=WEEKLY;COUNT=4",
                "EXDATE;TZID=Europe/Helsinki:20251022T180000",
                "RDATE;TZID=Europe/Helsinki:20251107T090000",
            )
        )
    )
    assert starts(found) == ["10-15 15:00", "10-29 16:00", "11-05 16:00", "11-07 07:00"]


def test_a_local_time_that_the_clock_skips_is_an_hour_later(read: Any) -> None:
    found = read(
        calendar(event("DTSTART;TZID=Europe/Helsinki:20260328T033000", "RRULE:FREQ=DAILY;COUNT=3"))
    )
    assert starts(found) == ["03-28 01:30", "03-29 01:30", "03-30 00:30"]


def test_until_a_day_or_an_instant(read: Any) -> None:
    for until in ("20251104", "20251104T070000Z"):
        rule = f"RRULE:FREQ=DAILY;UNTIL={until}"
        found = read(calendar(event("DTSTART;TZID=Europe/Helsinki:20251102T090000", rule)))
        assert starts(found) == ["11-02 07:00", "11-03 07:00", "11-04 07:00"], until


def test_without_an_end_it_goes_on_for_a_year_from_now_and_no_longer(read: Any) -> None:
    data = calendar(event("DTSTART:20190101T080000Z", "RRULE:FREQ=DAILY"))
    found = entries(read(data))
    assert found[0].start_s >= NOW_S - reading.PAST_S
    assert NOW_S + reading.AHEAD_S - 86_400 < found[-1].start_s <= NOW_S + reading.AHEAD_S
    later = entries(read(data, now_s=NOW_S + 90 * 86_400))
    assert later[-1].start_s > found[-1].start_s


def test_one_occurrence_is_moved_and_one_called_off(read: Any) -> None:
    found = read(
        calendar(
            event("DTSTART:20251103T080000Z", "RRULE:FREQ=WEEKLY;COUNT=3", "SUMMARY:old"),
            event("RECURRENCE-ID:20251110T080000Z", "DTSTART:20251111T100000Z", "SUMMARY:moved"),
            event("RECURRENCE-ID:20251117T080000Z", "DTSTART:20251117T080000Z", "STATUS:CANCELLED"),
        )
    )
    assert len(found.series) == 1
    assert found.series[0].whole
    assert starts(found) == ["11-03 08:00", "11-11 10:00", "11-17 08:00"]
    assert [e.cancelled for e in entries(found)] == [False, False, True]
    assert entries(found)[1].occurs_s == datetime(2025, 11, 10, 8, tzinfo=UTC).timestamp()


def test_an_invitation_changes_one_and_mirrors_nothing(read: Any) -> None:
    change = event("RECURRENCE-ID:20251110T080000Z", "DTSTART:20251111T100000Z")
    found = read(calendar(change, head=("METHOD:REQUEST", "X-WR-CALNAME:Anna")))
    assert not found.series[0].whole
    assert not found.mirrors
    called_off = read(calendar(event("DTSTART:20251110T080000Z"), head=("METHOD:CANCEL",)))
    assert entries(called_off)[0].cancelled


def test_two_calendars_in_one_file_are_not_one_by_their_uids(read: Any) -> None:
    """Programs that count from 1 write the same in each."""
    parts = [
        calendar(
            event("DTSTART:20251112T180000Z", f"SUMMARY:{title}", uid="1"),
            head=(f"X-WR-CALNAME:{name}",),
        )
        for name, title in (("Anna", "Dentist"), ("Ben", "Football"))
    ]
    found = read(b"".join(parts)).series
    told = [(one.uid, one.calendar, [e.title for e in one.entries]) for one in found]
    assert told == [("1", "Anna", ["Dentist"]), ("1", "Ben", ["Football"])]


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART:garbage",),
        ("DTSTART;TZID=Nowhere/Land:20251110T080000",),  # another zone would be a guess
        (
            "DTSTART:20251110T080000Z",
            "RRULE:FREQ=DAILY",
            "EXDATE;TZID=Nowhere/Land:20251110T080000",
        ),
        ("SUMMARY:no start",),
        ("DTSTART:20251110T080000Z", "DTEND:20251109T080000Z"),
        ("DTSTART:20251110T080000Z", "DTEND:20351109T080000Z"),
        ("DTSTART:20251110T080000Z", "DURATION:-PT1H"),
        ("DTSTART:20251110T080000Z", "RRULE:FREQ=SECONDLY"),
        ("DTSTART:20251110T080000Z", "RRULE:FREQ=DAILY;BYHOUR=1,2,3"),
        ("DTSTART:20251110T080000Z", "RRULE:FREQ=DAILY;INTERVAL=0"),
        ("DTSTART:20251110T080000Z", "RRULE:FREQ=NOPE"),
        ("DTSTART:20251110T080000Z", "SEQUENCE:99999999999999999999"),
        ("DTSTART:20251110T080000Z", "RECURRENCE-ID;RANGE=THISANDFUTURE:20251110T080000Z"),
    ],
)
def test_what_is_not_understood_is_left_out_and_counted(read: Any, lines: tuple[str, ...]) -> None:
    found = read(calendar(event(*lines), event("DTSTART:20251110T080000Z", uid="good")))
    assert [series.uid for series in found.series] == ["good"]
    assert (found.unreadable, found.unread) == (1, {"u1"})


@pytest.mark.parametrize("geo", ["0;0", "91;0", "nan;1", "1;inf", "99999;1"])
def test_a_place_that_is_none_is_unknown(read: Any, geo: str) -> None:
    found = read(calendar(event("DTSTART:20251110T080000Z", f"GEO:{geo}")))
    for entry in entries(found):
        assert (entry.lat, entry.lon, entry.place_from) == (None, None, "")


def test_words_are_one_line_of_bounded_length(read: Any) -> None:
    (entry,) = entries(
        read(calendar(event("DTSTART:20251110T080000Z", "SUMMARY:a\\nb\x1b[31m" + "x" * 9000)))
    )
    assert entry.title.isprintable()
    assert len(entry.title) <= reading.MAX_TEXT


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is no calendar"),
        (b"hello", "is no calendar"),
        (b"PK\x03\x04 zip", "is no calendar"),
        (calendar(event("DTSTART:20251110T080000Z"))[:80], "cut short"),
        (b"BEGIN:VCALENDAR\r\n" * 3000, "cut short"),
        (b"END:VCALENDAR\r\nBEGIN:VCALENDAR\r\n", "cut short"),
    ],
)
def test_no_calendar_or_half_of_one(read: Any, data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        read(data)
    assert refused.value.next_step


def test_a_file_that_is_not_there_or_too_large(
    read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_calendar(tmp_path / "none.ics", zone="UTC", now_s=NOW_S)
    monkeypatch.setattr(reading, "MAX_BYTES", 1 << 20)
    with pytest.raises(InputError, match="larger than 1 MB"):
        read(calendar("X-A:" + "a" * (1 << 20)))


def test_more_repetitions_than_any_life_has(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    daily = [event("DTSTART:20240101T080000Z", "RRULE:FREQ=DAILY", uid=str(n)) for n in range(2)]
    monkeypatch.setattr(recurring, "MAX_STEPS", 2 * 1010)
    assert len(read(calendar(*daily)).series) == 2  # 1,005 days each
    monkeypatch.setattr(recurring, "MAX_STEPS", 2 * 1000)
    with pytest.raises(InputError, match="too many to work out"):
        read(calendar(*daily))
    many = "RRULE:FREQ=YEARLY;BYYEARDAY=" + ",".join(map(str, range(1, 367)))
    with pytest.raises(InputError, match="too many to work out"):
        read(calendar(event("DTSTART:20150101T080000Z", many)))
    monkeypatch.setattr(reading, "MAX_ENTRIES", 300)
    with pytest.raises(InputError, match="more than 300 entries"):
        read(calendar(event("DTSTART:20251001T080000Z", "RRULE:FREQ=DAILY")))


def test_a_day_that_never_comes_ends(read: Any) -> None:
    rule = "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"
    assert len(entries(read(calendar(event("DTSTART:20251110T080000Z", rule))))) == 1


def test_without_the_library_it_says_what_to_install(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "icalendar":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(InputError, match="not installed") as refused:
        read(calendar())
    assert "hearthway[calendar]" in refused.value.next_step


VALUES = st.sampled_from(
    [
        *("DTSTART:20251110T080000Z", "DTSTART;VALUE=DATE:20251110", "DTSTART:20251110T080000"),
        *("DTSTART;TZID=Nowhere/Land:20251110T080000", "DTSTART:99991231T235959", "DTSTART:"),
        *("DTEND:20251110T090000Z", "DTEND;VALUE=DATE:20251111", "DURATION:P1W", "DURATION:PT"),
        *(
            "RRULE:FREQ=DAILY;COUNT=3",
            "RRULE:FREQ=WEEKLY;BYDAY=XX",
            "RRULE:FREQ=MONTHLY;BYDAY=-1FR",
        ),
        *("RRULE:FREQ=YEARLY;UNTIL=0", "RRULE:COUNT=2", "RRULE:", "EXDATE:20251111T080000Z"),
        *("EXDATE;VALUE=DATE:20251111", "EXDATE:x", "RDATE;VALUE=PERIOD:20251112T080000Z/PT1H"),
        *("RECURRENCE-ID:20251111T080000Z", "RECURRENCE-ID:y", "GEO:1", "GEO:60.1;24.9", "GEO:a;b"),
        *("SEQUENCE:-1", "SEQUENCE:x", "STATUS:CANCELLED", "SUMMARY", "LOCATION:a\\", "DTSTAMP:z"),
        *("BEGIN:VALARM", "END:VALARM", "BEGIN:VEVENT", "END:VEVENT", ":", ";", "UID:", "X=:;"),
    ]
)
PIECES = st.lists(VALUES | st.text(max_size=20), max_size=8).map(lambda lines: event(*lines))


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(events=st.lists(PIECES, max_size=4), cut=st.none() | st.integers(0, 400))
def test_whatever_comes_it_is_entries_or_a_clear_error(
    read: Any, events: list[str], cut: int | None
) -> None:
    data = calendar(*events).decode().encode("utf-8", "surrogatepass")[:cut]
    found = None
    with contextlib.suppress(InputError):  # anything else is a fault
        found = read(data)
    for entry in () if found is None else entries(found):
        assert entry.end_s >= entry.start_s
        assert entry.end_s >= NOW_S - reading.PAST_S
        assert (entry.lat is None) == (entry.lon is None)
        assert entry.uid


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    zone=st.sampled_from(["Europe/Helsinki", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    start=st.datetimes(datetime(2025, 10, 2), datetime(2026, 4, 30)),  # local
    step=st.sampled_from(["DAILY", "WEEKLY", "DAILY;INTERVAL=3", "WEEKLY;BYDAY=MO,SU"]),
    count=st.integers(1, 200),
)
def test_a_repetition_keeps_its_local_time_where_the_clock_has_it(
    read: Any, zone: str, start: datetime, step: str, count: int
) -> None:
    start = start.replace(microsecond=0)
    begins = f"DTSTART;TZID={zone}:{start:%Y%m%dT%H%M%S}"
    found = entries(read(calendar(event(begins, f"RRULE:FREQ={step};COUNT={count}"))))
    times = [entry.start_s for entry in found]
    assert times == sorted(set(times))
    assert times[0] == start.replace(tzinfo=ZoneInfo(zone)).timestamp()
    assert len(times) <= count + 1  # a start that the rule does not name counts beside it
    assert times[-1] <= NOW_S + reading.AHEAD_S
    for time_s in times:
        local = datetime.fromtimestamp(time_s, ZoneInfo(zone))
        meant = local.replace(hour=start.hour, minute=start.minute)
        skipped = datetime.fromtimestamp(meant.timestamp(), ZoneInfo(zone)) == local != meant
        assert local.time() == start.time() or skipped


def test_the_file_of_the_how_to(read: Any) -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "calendar.md"
    text = page.read_text("utf-8").partition("<<END\n")[2].partition("\nEND\n")[0]
    found = read(re.sub(r"\$\(date[^)]*\)", "20251114", text).encode())
    assert (found.name, found.mirrors, found.unreadable) == ("Mine", True, 0)
    concert, team = found.series
    assert (concert.entries[0].title, concert.entries[0].lat) == ("Concert", 60.17382)
    assert concert.entries[0].location == "Musiikkitalo, Mannerheimintie 13a"
    assert len(team.entries) > 40
