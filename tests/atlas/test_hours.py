"""Opening hours at the arrival instant, in the POI's own zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.atlas.hours import opening_at, parses
from hearthway.records.poi import OpenState

HELSINKI = (60.17, 24.94)
TOKYO = (35.68, 139.76)
NEW_YORK = (40.75, -73.99)
YES, C, U = OpenState.OPEN, OpenState.CLOSED, OpenState.UNKNOWN


def local(text: str, zone: str = "Europe/Helsinki") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def at(expression: str, text: str, where: tuple[float, float] = HELSINKI) -> OpenState:
    return opening_at(expression, *where, local(text)).state


@pytest.mark.parametrize(
    ("expression", "when", "state"),
    [
        ("Fr 18:00-02:00", "2024-03-15T17:59", C),
        ("Fr 18:00-02:00", "2024-03-15T18:00", YES),
        ("Fr 18:00-02:00", "2024-03-16T01:59", YES),
        ("Fr 18:00-02:00", "2024-03-16T02:00", C),
        ("Fr 18:00-02:00", "2024-03-15T01:00", C),
        ("24/7", "2024-03-15T03:00", YES),
        ("24/7; Su off", "2024-03-17T12:00", C),
        ("Mo-Fr 10:00-18:00; PH off", "2024-12-06T12:00", C),  # Finland's independence day
        ("Mo-Fr 10:00-18:00; PH off", "2024-12-05T12:00", YES),
        ("Mo-Fr 10:00-18:00", "2024-12-06T12:00", YES),
        ("sunrise-sunset", "2024-12-06T16:30", C),
        ("sunrise-sunset", "2024-06-06T16:30", YES),
        ("off", "2024-12-06T16:30", C),
        ("unknown", "2024-12-06T16:30", U),
        ('"by appointment"', "2024-12-06T16:30", U),
        ('Mo-Su 10:00-20:00 "ask first"', "2024-12-06T16:30", U),
        ('Mo-Su 10:00-20:00 open "ask first"', "2024-12-06T16:30", YES),
        ("Mo-Su 10:00–20:00", "2024-12-06T16:30", YES),  # typographic dash
        ("Mo-Su 17:00+", "2024-12-06T16:30", C),
        ("Mo-Su 17:00+", "2024-12-06T19:30", U),
        ("Mo-Su 10:00-14:00,17:00+", "2024-12-06T11:00", YES),
        ("Mo-Su 12:00-16:00+", "2024-12-06T13:00", YES),
        ("Mo-Su 12:00-16:00+", "2024-12-06T17:00", U),
        ("", "2024-12-06T16:30", U),
        ("  ", "2024-12-06T16:30", U),
        ("Seasonal, only summer time", "2024-12-06T16:30", U),
        ("+423 232 48 18", "2024-12-06T16:30", U),
    ],
)
def test_states(expression: str, when: str, state: OpenState) -> None:
    assert at(expression, when) is state


def test_the_zone_is_the_poi_s_own() -> None:
    noon_utc = datetime(2024, 3, 15, 12, 0, tzinfo=UTC).timestamp()
    states = [
        opening_at("Mo-Su 11:00-15:00", *w, noon_utc).state for w in (HELSINKI, TOKYO, NEW_YORK)
    ]
    assert states == [YES, C, C]  # 14:00, 21:00 and 08:00


def test_holidays_are_the_country_s_own() -> None:
    """1 August is Switzerland's, 15 August Liechtenstein's as well, 8 September Andorra's."""
    off = "Mo-Su 10:00-18:00; PH off"
    basel, vaduz, andorra = (47.55, 7.6), (47.14, 9.52), (42.51, 1.53)
    assert opening_at(off, *basel, local("2024-08-01T12:00")).state is C
    assert opening_at(off, *HELSINKI, local("2024-08-01T12:00")).state is YES
    assert opening_at(off, *NEW_YORK, local("2024-07-04T12:00", "America/New_York")).state is C
    assert opening_at(off, *vaduz, local("2024-12-25T12:00", "Europe/Vaduz")).state is C
    assert opening_at(off, *andorra, local("2024-12-25T12:00", "Europe/Andorra")).state is C
    nowhere = (-75.0, 0.0)  # Antarctica keeps no holidays
    assert opening_at(off, *nowhere, local("2024-12-25T12:00", "UTC")).state in (YES, C)


def test_until() -> None:
    found = opening_at("Fr 18:00-02:00", *HELSINKI, local("2024-03-15T23:00"))
    assert found.until_s == local("2024-03-16T02:00")
    found = opening_at("Mo-Fr 10:00-18:00", *HELSINKI, local("2024-03-16T12:00"))
    assert (found.state, found.until_s) == (C, local("2024-03-18T10:00"))
    assert opening_at("24/7", *HELSINKI, local("2024-03-16T12:00")).until_s is None
    twice = opening_at(
        '10:00-12:00 open "a", 12:00-14:00 open "b"', *HELSINKI, local("2024-03-16T11:00")
    )
    assert twice.until_s == local(
        "2024-03-16T14:00"
    )  # the comment changes at noon, the state does not


def test_daylight_saving_moves_the_instant() -> None:
    # Clocks go forward on 2024-03-31: 11:00 local is 09:00 UTC before and 08:00 UTC after.
    for day, hour in (("2024-03-30", 9), ("2024-03-31", 8)):
        opens = datetime.fromisoformat(f"{day}T{hour:02d}:00").replace(tzinfo=UTC).timestamp()
        assert opening_at("Mo-Su 11:00-15:00", *HELSINKI, opens - 60).state is C
        assert opening_at("Mo-Su 11:00-15:00", *HELSINKI, opens).state is YES
    # A night across the change back (2024-10-27, 04:00 becomes 03:00) is an hour longer.
    evening = local("2024-10-26T23:00")
    found = opening_at("Sa 22:00-05:00", *HELSINKI, evening)
    assert found.until_s == evening + 7 * 3600


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 23),
    st.integers(1, 23),
    st.integers(0, 366 * 24),
    st.sampled_from([HELSINKI, TOKYO, NEW_YORK]),
)
def test_daily_hours_equal_the_clock_on_the_wall(
    start: int, length: int, hour: int, where: tuple[float, float]
) -> None:
    end = start + length
    zone = {HELSINKI: "Europe/Helsinki", TOKYO: "Asia/Tokyo", NEW_YORK: "America/New_York"}[where]
    moment = datetime(2024, 1, 1, 0, 30, tzinfo=UTC) + timedelta(hours=hour)
    wall = moment.astimezone(ZoneInfo(zone)).hour
    text = f"{start:02d}:00-{end:02d}:00" if end <= 24 else f"{start:02d}:00-{end - 24:02d}:00"
    expected = start <= wall < end or wall + 24 < end
    found = opening_at(text, *where, moment.timestamp())
    assert found.state is (YES if expected else C)
    assert found.until_s is None or found.until_s > moment.timestamp()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "Mo",
                "Tu",
                "Sa-Su",
                "PH",
                "SH",
                "off",
                "24/7",
                "10:00-12:00",
                "25:99",
                "sunset",
                "week",
                "53",
                "[",
                "]",
                ";",
                ",",
                "+",
                "-",
                "||",
                "easter",
                "Jan",
                "31",
                "2024",
                '"x"',
                "unknown",
                "(",
                ")",
                "\x00",
                "é",
                "18:00-26:00",
                "48:00",
                "17:00+",
            ]
        ),
        max_size=8,
    ),
    st.one_of(st.floats(), st.floats(0, 4e9)),
)
def test_whatever_is_tagged_gives_an_answer(parts: list[str], at_s: float) -> None:
    opening_at(" ".join(parts), *HELSINKI, at_s)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_gives_an_answer(text: str) -> None:
    if not parses(text):
        assert opening_at(text, *HELSINKI, 1.7e9).state is U


def test_far_from_any_clock() -> None:
    for at_s in (-1e18, 1e18, float("nan"), float("inf"), -3e9, 1e11):
        assert opening_at("24/7", *HELSINKI, at_s).state is U
