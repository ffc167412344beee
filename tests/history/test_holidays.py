"""A calendar of holidays: its whole days, by number, of long ago and far ahead; and what is no such thing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hearthway.history.calendar import CalendarFile, read_calendar
from hearthway.records.errors import InputError

NOW_S = datetime(2025, 10, 1, tzinfo=UTC).timestamp()


def day_no(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def event(first: str, *lines: str, uid: str = "", end: str = "") -> str:
    ends = [f"DTEND;VALUE=DATE:{end}"] if end else []
    start = f"DTSTART;VALUE=DATE:{first}"
    return "\r\n".join(("BEGIN:VEVENT", f"UID:{uid or first}", start, *ends, *lines, "END:VEVENT"))


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def call(
        *events: str, name: str = "Finland", zone: str = "Europe/Helsinki", file: str = "a.ics"
    ) -> CalendarFile:
        head = ("BEGIN:VCALENDAR", "VERSION:2.0", *([f"X-WR-CALNAME:{name}"] if name else []))
        (tmp_path / file).write_text("\r\n".join((*head, *events, "END:VCALENDAR", "")), newline="")
        return read_calendar(tmp_path / file, zone=zone, now_s=NOW_S, holidays=True)

    return call


def off(found: CalendarFile) -> list[tuple[int, int] | None]:
    entries = (entry for series in found.series for entry in series.entries)
    return [e.off for e in sorted(entries, key=lambda e: e.start_s)]


@pytest.mark.parametrize("zone", ["Europe/Helsinki", "Pacific/Auckland", "Pacific/Midway"])
def test_whole_days_by_number_in_every_zone(read: Any, zone: str) -> None:
    found = read(
        event("20251225", "SUMMARY:Christmas"),
        event("20251231", end="20251231"),  # some programs end a day on itself
        event("20260216", "GEO:60.1;24.9", "LOCATION:here", end="20260221"),
        event("20260328", end="20260330"),  # over the change to summer time
        zone=zone,
    )
    assert off(found) == [
        (day_no("2025-12-25"),) * 2,
        (day_no("2025-12-31"),) * 2,
        (day_no("2026-02-16"), day_no("2026-02-20")),
        (day_no("2026-03-28"), day_no("2026-03-29")),
    ]
    entries = [entry for series in found.series for entry in series.entries]
    assert {(e.calendar, e.lat, e.lon, e.location) for e in entries} == {
        ("Finland", None, None, "")
    }
    assert (found.unreadable, found.timed, found.mirrors) == (0, 0, True)


def test_what_has_a_time_of_day_is_left_out_and_what_is_held_of_it_stays(read: Any) -> None:
    timed = "BEGIN:VEVENT\r\nUID:work\r\nDTSTART:20251110T080000Z\r\nEND:VEVENT"
    found = read(event("20251225"), timed)
    assert [series.uid for series in found.series] == ["20251225"]
    assert (found.timed, found.unread) == (1, frozenset({"work"}))
    with pytest.raises(InputError, match="of 1 entry none is a whole day") as refused:
        read(timed)
    assert "without --holidays" in refused.value.next_step


def test_what_ends_before_it_begins_or_lasts_for_years_is_left_out(read: Any) -> None:
    backwards, years = event("20251225", end="20251220"), event("19900101", end="20400101")
    found = read(event("20260101"), backwards, years)
    assert off(found) == [(day_no("2026-01-01"),) * 2]
    assert found.unreadable == 2
    for events in ([backwards], [years], []):
        with pytest.raises(InputError, match="no day off in these years"):
            read(*events)


def test_fifty_years_of_them_are_read_from_ten_ago_until_three_ahead(read: Any) -> None:
    found = read(event("19800101", "RRULE:FREQ=YEARLY", uid="new year"))
    years = [one[0] for one in off(found) if one is not None]
    assert [years[0], years[-1]] == [day_no("2016-01-01"), day_no("2028-01-01")]
    assert len(years) == 13


def test_ten_thousand_days_are_read(read: Any) -> None:
    first = date(2010, 1, 1)
    days = [f"{first + timedelta(days=n):%Y%m%d}" for n in range(10_000)]
    found = read(*(event(day) for day in days))
    # until the day the file ends; what is more than ten years ago is not read
    assert 8_000 - 3_000 < len(off(found)) < 10_000
    assert min(one[0] for one in off(found) if one) > day_no("2015-09-01")


def test_called_off_it_is_no_day_off(read: Any) -> None:
    found = read(event("20251225", "STATUS:CANCELLED"), event("20251226"))
    assert off(found) == [None, (day_no("2025-12-26"),) * 2]


def test_without_a_name_it_is_called_after_its_file(read: Any) -> None:
    found = read(event("20251225"), name="", file="Schools of Helsinki.ics")
    (series,) = found.series
    assert found.name == series.entries[0].calendar == "Schools of Helsinki"
    assert not found.mirrors
