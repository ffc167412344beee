"""A stay is at least 20 min within 200 m: nothing less, nothing assumed."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hearthway.context.stays import StayDetector
from hearthway.records.geo import distance_m, offset
from hearthway.records.life import Stay
from hearthway.records.signals import Fix

AT = (60.2, 24.9)


def _fix(time_s: float, north_m: float, east_m: float = 0.0) -> Fix:
    lat, lon = offset(*AT, north_m, east_m)
    return Fix(time_s=time_s, lat=lat, lon=lon)


def _run(fixes: list[Fix]) -> tuple[list[Stay], list[Stay], Stay | None]:
    detector = StayDetector()
    started, ended = [], []
    for fix in fixes:
        out = detector.feed(fix)
        if out.ended:
            ended.append(out.ended)
        if out.started:
            started.append(out.started)
    return started, ended, detector.current()


def test_twenty_minutes_are_a_stay_and_nineteen_are_none() -> None:
    assert _run([_fix(0, 0), _fix(1199, 10), _fix(1200, 900)])[0] == []
    started, ended, _ = _run([_fix(0, 0), _fix(1200, 10), _fix(1300, 900)])
    assert len(started) == len(ended) == 1
    assert (ended[0].start_s, ended[0].end_s, ended[0].fixes) == (0, 1200, 2)


def test_beyond_the_radius_is_no_stay() -> None:
    assert _run([_fix(0, 0), _fix(1200, 201)])[0] == []
    assert len(_run([_fix(0, 0), _fix(1200, 199)])[0]) == 1


def test_a_hole_counts_only_if_both_ends_lie_within() -> None:
    night = 8 * 3600.0
    assert len(_run([_fix(0, 0), _fix(night, 30)])[0]) == 1
    assert _run([_fix(0, 0), _fix(night, 600)])[0] == []


def test_driving_is_never_a_stay() -> None:
    assert _run([_fix(5.0 * i, 60.0 * i) for i in range(2000)])[0] == []


def test_the_way_in_does_not_pull_the_centre() -> None:
    way = [_fix(5.0 * i, 1000 - 20.0 * i) for i in range(50)]
    _, _, stay = _run([*way, _fix(250, 0), _fix(20_000, 5)])
    assert stay is not None
    assert distance_m(stay.lat, stay.lon, *AT) < 15.0


def test_the_date_line_is_no_border() -> None:
    fixes = [
        Fix(time_s=60.0 * i, lat=10.0, lon=179.9999 if i % 2 else -179.9999) for i in range(40)
    ]
    _, _, stay = _run(fixes)
    assert stay is not None
    assert distance_m(stay.lat, stay.lon, 10.0, 180.0) < 15.0


@given(
    st.lists(
        st.tuples(st.integers(1, 900), st.integers(-400, 400), st.integers(-400, 400)),
        max_size=60,
    )
)
def test_stays_are_long_enough_in_order_and_apart(steps: list[tuple[int, int, int]]) -> None:
    time_s, fixes = 0.0, []
    for gap_s, north_m, east_m in steps:
        time_s += gap_s
        fixes.append(_fix(time_s, north_m, east_m))
    started, ended, current = _run(fixes)
    assert len(started) == len(ended) + (current is not None)
    for stay in ended:
        assert stay.end_s - stay.start_s >= 1200.0
        assert stay.fixes >= 2
    for before, after in pairwise(ended):
        assert before.end_s < after.start_s
