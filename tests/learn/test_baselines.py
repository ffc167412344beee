"""What the peers keep of past trips names what going through all of them names; finding trips foretells none."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.context.conftest import weeks

from hearthway.context import destination
from hearthway.context.life import Life
from hearthway.context.places import KnownPlace
from hearthway.context.prior import priors_of
from hearthway.learn.backtest import backtest
from hearthway.learn.baselines import (
    MARKOV,
    SAME_HOUR,
    Leaving,
    Went,
    WentBefore,
    baselines,
)
from hearthway.learn.trips import find_trips
from hearthway.records.geo import offset
from hearthway.records.life import TRIP_MIN_M

SPOTS = [offset(60.2, 24.9, 350.0 * i, 0.0) for i in range(5)]

leavings = st.tuples(
    st.integers(0, 4), st.sampled_from([0.0, 3_600.0, 7_100.0, 9e3]), st.integers(0, 6)
)


def _through_all(leaving: Leaving, past: list[Went]) -> tuple[int | None, int | None]:
    """(most often from here, the last at this hour), of trips to places that can be named."""
    from_here = [trip for trip in past if trip.leaving.origin == leaving.origin]
    counts = Counter(trip.destination for trip in from_here)
    last = {trip.destination: trip.leaving.time_s for trip in from_here}
    often = max(counts, key=lambda to: (counts[to], last[to], -to)) if counts else None
    hour = int(leaving.local_s // 3600)
    then = [trip for trip in past if int(trip.leaving.local_s // 3600) == hour]
    kind = [trip for trip in then if (trip.leaving.weekday < 5) == (leaving.weekday < 5)]
    day = [trip for trip in then if trip.leaving.weekday == leaving.weekday]
    return often, next((one[-1].destination for one in (day, kind, then) if one), None)


@given(st.lists(st.tuples(leavings, st.integers(0, 4)), max_size=40), leavings)
def test_the_peers_name_what_going_through_all_trips_names(
    told: list[tuple[tuple[int, float, int], int]], now: tuple[int, float, int]
) -> None:
    places = [KnownPlace(index=i, lat=a, lon=b, visits=1 + i) for i, (a, b) in enumerate(SPOTS)]
    places[3].blank = True
    trips = [
        Went(Leaving(origin, float(at), local_s, day), to)
        for at, ((origin, local_s, day), to) in enumerate(told)
    ]
    leaving = Leaving(now[0], 1e6, now[1], now[2])
    named = baselines(leaving, places, WentBefore(trips))
    open_to = {i for i in range(5) if 350.0 * abs(i - now[0]) > TRIP_MIN_M and i != 3}
    often, last = _through_all(leaving, [trip for trip in trips if trip.destination in open_to])
    frequent = max(open_to, default=None)
    assert named[MARKOV] == (frequent if often is None else often)
    assert named[SAME_HOUR] == (frequent if last is None else last)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many legs each prior was made of."""
    legs, made = list[int](), priors_of

    def counted(*given: object, **more: object) -> object:
        legs.append(len(given[2]))  # type: ignore[arg-type]  # the trips
        return made(*given, **more)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(destination, "priors_of", counted)
    return legs


def test_a_life_that_only_finds_trips_foretells_none(
    asked: list[int],
) -> None:
    fixes = [*weeks(21)]
    found = find_trips("ada", fixes)
    assert asked == []
    life = Life("ada")
    for fix in fixes:
        life.observe(fix)
    assert life.trips == found.life.trips
    assert life.places() == found.life.places()
    assert len(asked) > len(life.trips) / 2


def test_a_backtest_asks_as_often_a_day_whatever_its_length(
    asked: list[int],
) -> None:
    def priors(days: int) -> int:
        asked.clear()
        backtest({"ada": lambda: weeks(days)})
        return len(asked)

    assert priors(56) <= 2.1 * priors(28)
