"""Where to next, with a calendar: to what it has, in time; and not home while something is on here tonight."""

from __future__ import annotations

from typing import Any

import pytest

from hearthway.context.next_planned import as_planned
from hearthway.context.places import KnownPlace
from hearthway.context.where_next import NextPlaces
from hearthway.records.geo import offset
from hearthway.records.life import Place
from hearthway.records.situation import Planned

WORK = (60.17, 24.94)
NOW = 1_768_230_000.0
LEAVE = NOW + 1800.0
USUAL = NextPlaces(((1, 0.9), (2, 0.05)), 0.05, LEAVE)


def known(index: int, north_m: float) -> KnownPlace:
    lat, lon = offset(*WORK, north_m, 0.0)
    return KnownPlace(index=index, lat=lat, lon=lon, visits=9)


PLACES = [known(0, 0.0), known(1, 25_000.0), known(2, 3_000.0)]


def planned(start_s: float, north_m: float, **changes: Any) -> Planned:
    lat, lon = offset(*WORK, north_m, 0.0)
    place = Place(place_id="", lat=lat, lon=lon, visits=0)
    facts = {"title": "Concert", "start_s": start_s, "end_s": start_s + 7200.0, "place": place}
    return Planned(**{**facts, **changes})


def told(*entries: Planned) -> NextPlaces:
    found = as_planned(USUAL, PLACES, WORK, NOW, entries)
    assert sum(p for _, p in found.places) + found.new + found.planned == pytest.approx(1.0)
    return found


def test_a_concert_elsewhere_is_next_and_one_leaves_in_time() -> None:
    found = told(planned(NOW + 40 * 60.0, -8_000.0))
    assert found.planned > 0.8
    assert dict(found.places)[1] < 0.15
    assert found.leave_s < LEAVE
    assert found.leave_s + 8_000.0 * 1.35 / 11.0 == pytest.approx(NOW + 40 * 60.0)


def test_a_concert_here_tonight_keeps_one_here() -> None:
    """Home is next as always, after it."""
    entry = planned(LEAVE + 3000.0, 50.0)
    assert told(entry).leave_s == entry.end_s
    assert told(entry).places == USUAL.places
    on = planned(NOW - 3600.0, 50.0)  # it has begun an hour ago
    assert told(on).leave_s == on.end_s


@pytest.mark.parametrize(
    "entry",
    [
        planned(LEAVE + 6 * 3600.0, 50.0),  # time to go home, and to come back
        planned(NOW - 3 * 3600.0, 50.0),  # over
        planned(LEAVE, 50.0, all_day=True),
        planned(LEAVE, 50.0, place=None),
    ],
)
def test_what_leaves_the_evening_as_it_is(entry: Planned) -> None:
    assert told(entry) == USUAL
