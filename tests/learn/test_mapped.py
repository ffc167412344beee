"""What the report says of where: each predicted trip once, at the place it led to, and the ways no farther off than they may be."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.atlas.outlines import segment_m
from hearthway.learn import mapped as module
from hearthway.learn.backtest import backtest
from hearthway.learn.mapped import FINEST_M, LifeMap, Point, Ways, straightened
from hearthway.learn.report import PersonReport
from hearthway.learn.trips import Truth
from hearthway.records.geo import distance_m, offset
from hearthway.records.life import PlaceWord
from hearthway.records.poi import PoiIndex
from hearthway.records.signals import Fix

HOME = (60.20, 24.90)
WORK, SHOP, FAR = offset(*HOME, 500, 5_000), offset(*HOME, 4_000, 800), offset(*HOME, 2e5, 0)
START = 1_709_510_400.0  # Monday, 4 March 2024


def days(count: int) -> Iterator[Fix]:
    """Synthetic: to work and back, on Saturdays to the shop; once by a way that nobody recorded to a far place."""
    pick = random.Random(4)
    for day in range(count):
        t = START + day * 86_400.0
        goal = FAR if day == 20 else SHOP if day % 7 == 5 else WORK
        for hour, a, b in ((8.0, HOME, goal), (17.0, goal, HOME)):
            leave = t + hour * 3_600.0 + pick.gauss(0, 300)
            for i in range(1, 50 if goal is not FAR else 0):
                part = i / 50
                at = a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part
                yield Fix(time_s=leave + 10.0 * i, lat=at[0], lon=at[1])
            for i in range(60):
                lat, lon = offset(*b, pick.gauss(0, 8), pick.gauss(0, 8))
                yield Fix(time_s=leave + 600.0 + 60.0 * i, lat=lat, lon=lon)


def run(fixes: list[Fix], **more: Any) -> tuple[PersonReport, LifeMap]:
    person = backtest({"ada": lambda: fixes}, **more).people[0]
    assert person.map is not None
    return person, person.map


def test_each_predicted_trip_is_counted_once_and_what_was_named_is_what_the_table_says() -> None:
    person, drawn = run(list(days(28)))
    led = sum(place.led for place in drawn.places) + sum(end.ended for end in drawn.ends)
    named = sum(place.named for place in drawn.places) + sum(end.named for end in drawn.ends)
    half = person.legs.fractions[2].hit_rate
    assert half is not None
    assert led == person.trips == len(drawn.ways) > 40
    assert drawn.ways_older == 0
    assert named == round(half.mean * led)
    assert [place.stays for place in drawn.places] == sorted(
        (place.stays for place in drawn.places), reverse=True
    )
    assert sum(place.stays for place in drawn.places) == person.stays
    called = {place.called: place for place in drawn.places}
    assert {"home", "work"} <= called.keys()
    assert distance_m(called["home"].lat, called["home"].lon, *HOME) < 60.0
    assert called["home"].led > 20
    far = next(place for place in drawn.places if place.lat > 61.0)
    assert (far.led, far.stays) == (0, 1), "the way there was not recorded: nothing was predicted"
    (region,) = drawn.regions
    assert region.holds(*WORK)
    assert not region.holds(*FAR)


def test_a_trip_to_no_place_counts_where_it_ended() -> None:
    """The recording breaks off on the way, where nobody was seen to stay."""
    fixes = [Fix(time_s=START + 60.0 * i, lat=HOME[0], lon=HOME[1]) for i in range(40)]
    for i in range(1, 30):
        lat, lon = offset(*HOME, 100.0 * i, 0.0)
        fixes.append(Fix(time_s=START + 2_400.0 + 10.0 * i, lat=lat, lon=lon))
    fixes += [Fix(time_s=START + 9_000.0 + 60.0 * i, lat=HOME[0], lon=HOME[1]) for i in range(40)]
    _, drawn = run(fixes)
    (end,) = drawn.ends
    assert (end.ended, end.named) == (1, 0)
    assert (end.lat, end.lon) == pytest.approx(offset(*HOME, 2_900.0, 0.0), abs=1e-3)


def test_what_the_owner_calls_a_place_is_on_the_map_and_changes_no_prediction() -> None:
    fixes = list(days(28))
    word = PlaceWord(kind="name", time_s=START, lat=SHOP[0], lon=SHOP[1], name="Market <b>")
    nowhere = PlaceWord(kind="name", time_s=START, lat=0.5, lon=0.5, name="gone")
    joined = PlaceWord(
        kind="merge", time_s=START, lat=SHOP[0], lon=SHOP[1], to_lat=WORK[0], to_lon=WORK[1]
    )
    plain, bare = run(fixes)
    named, drawn = run(fixes, words={"ada": [word, nowhere, joined], "ben": [word]})
    assert "Market <b>" in {place.called for place in drawn.places}
    assert "Market <b>" not in {place.called for place in bare.places}
    same = msgspec.structs.replace(named, map=None)
    assert same == msgspec.structs.replace(plain, map=None)


def test_with_a_map_each_place_says_whether_it_is_on_it(two_houses: PoiIndex) -> None:
    fixes = list(days(8))
    quiet: dict[str, Any] = {"pois": two_houses}
    assert all(place.on_map is True for place in run(fixes, **quiet)[1].places)
    assert all(place.on_map is msgspec.UNSET for place in run(fixes)[1].places)


def test_a_history_without_a_stay_or_trip_has_no_map() -> None:
    fixes = [Fix(time_s=START + i, lat=HOME[0], lon=HOME[1]) for i in range(20)]
    assert backtest({"ada": lambda: fixes}).people[0].map is None


def test_trips_older_than_a_life_keeps_are_counted_at_the_nearest_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A life keeps 4,000 trips; what it forgot the way of still led somewhere."""
    monkeypatch.setattr("hearthway.context.destination.MAX_TRIPS", 16)
    person, drawn = run(list(days(28)))
    led = {place.called: place.led for place in drawn.places}
    assert sum(place.led for place in drawn.places) == person.trips
    assert led["home"] > 20
    assert led["work"] > 15


# ways -----------------------------------------------------------------------------------------------------------


def fix(time_s: float, north_m: float, east_m: float) -> Fix:
    lat, lon = offset(*HOME, north_m, east_m)
    return Fix(time_s=time_s, lat=lat, lon=lon)


def truth(start_s: float, end_s: float) -> Truth:
    return Truth(start_s, end_s, *HOME)


def test_ways_are_those_of_the_trips_alone_the_latest_first() -> None:
    ways = Ways([truth(10.0, 20.0), truth(30.0, 40.0), truth(60.0, 61.0)], 0.0)
    for second in range(50):
        ways.take(fix(second, 100.0 * second, 0.0))
    latest = ways.latest()
    ends = [(way[0], way[-1]) for way in latest]
    expected = [
        tuple((round(f.lat, 5), round(f.lon, 5)) for f in (fix(0, a, 0.0), fix(0, b, 0.0)))
        for a, b in ((3_000.0, 4_000.0), (1_000.0, 2_000.0))
    ]
    assert ends == expected, "of the third nothing was recorded"
    assert all(len(way) == 2 for way in latest), "a straight way needs its ends alone"


def test_the_last_fix_ends_a_way_even_where_it_is_near_the_one_before() -> None:
    ways = Ways([truth(0.0, 3.0)], 50.0)
    for second, east_m in enumerate((0.0, 200.0, 400.0, 410.0)):
        ways.take(fix(second, 0.0, east_m))
    (way,) = ways.latest()
    assert way[-1] == pytest.approx(offset(*HOME, 0.0, 410.0), abs=1e-5)


def test_a_life_of_many_years_has_the_latest_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_POINTS", 21)
    monkeypatch.setattr(module, "MOST_WAYS", 50)
    ways = Ways([truth(10.0 * n, 10.0 * n + 5.0) for n in range(400)], 0.0)
    for second in range(4_000):
        ways.take(fix(second, 50.0 * second % 9_000, 0.0))
    latest = ways.latest()
    assert 1 <= sum(len(way) for way in latest) <= 21
    assert ways.older + len(latest) == 400
    assert latest[0][-1] == pytest.approx(offset(*HOME, 50.0 * 3_995 % 9_000, 0.0), abs=1e-5)


def test_a_trip_without_an_end_does_not_grow_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRACK_POINTS", 100)
    ways = Ways([truth(0.0, 1e9)], 0.0)
    pick = random.Random(2)
    for second in range(20_000):
        ways.take(fix(second, 20.0 * second, pick.uniform(-900.0, 900.0)))
    (way,) = ways.latest()
    assert 20 < len(way) <= 101
    middle = offset(*HOME, 200_000.0, 0.0)[0]
    early = sum(lat < middle for lat, _ in way)
    assert 0.4 < early / len(way) < 0.6, "as fine at its beginning as at its end"


TRACKS = st.lists(
    st.tuples(st.floats(-3_000, 3_000), st.floats(-3_000, 3_000)).map(
        lambda m: offset(60.0, 24.0, *m)
    ),
    min_size=2,
    max_size=60,
)


@given(TRACKS, st.floats(FINEST_M, 300.0))
def test_no_point_left_out_lies_farther_off_than_allowed(
    track: list[Point], apart_m: float
) -> None:
    kept = straightened(track, apart_m)
    assert (kept[0], kept[-1]) == (track[0], track[-1])
    for point in track:
        nearest = min(segment_m(*point, a, b) for a, b in pairwise(kept))
        assert nearest <= apart_m * 1.01 + 0.01
