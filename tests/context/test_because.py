"""What speaks for where a drive leads: each part says what it adds, by the model asked again without it."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from hearthway.context.because import PARTS, Part, log_odds, p_of, reasons, without
from hearthway.context.destination import DestinationModel, Posterior
from hearthway.context.fit import Tuning
from hearthway.context.places import KnownPlace
from hearthway.context.prior import Departure, PastTrip
from hearthway.context.routes import Follower, Track
from hearthway.records.geo import distance_m, offset
from hearthway.records.life import Place
from hearthway.records.situation import Planned
from hearthway.records.suggestion import Reason

HOME = (60.20, 24.90)
NOW_S = 1e9
WORK, SPORT = 1, 2
Points = list[tuple[float, float]]


def _at(north_m: float, east_m: float) -> tuple[float, float]:
    return offset(*HOME, north_m, east_m)


SPOTS = (HOME, _at(0, 6_000), _at(4_000, 3_000), _at(-3_000, 2_000))
LEAVING = Departure(0, NOW_S, 8 * 3600.0, 2)


def _way(points: Points) -> Points:
    found = [points[0]]
    for a, b in pairwise(points):
        steps = max(1, round(distance_m(*a, *b) / 50.0))
        found += [
            (a[0] + (b[0] - a[0]) * i / steps, a[1] + (b[1] - a[1]) * i / steps)
            for i in range(1, steps + 1)
        ]
    return found


def life() -> tuple[list[KnownPlace], list[PastTrip]]:
    """To work on weekday mornings, to sport on Saturdays and in the evening, and now and then to a third place from either."""
    rng = Random("because")
    places = [
        KnownPlace(index=i, lat=lat, lon=lon, visits=20, last_s=NOW_S - 86_400.0)
        for i, (lat, lon) in enumerate(SPOTS)
    ]
    trips = []
    for day in range(60, 0, -1):
        weekday = (2 - day) % 7
        where, hour = (WORK, 8.0) if weekday < 5 else (SPORT, 10.0)
        if rng.random() < 0.2:
            where, hour = 3, rng.uniform(8.0, 18.0)
        origin = 0 if rng.random() < 0.8 else 2 if where != SPORT else 1
        trips.append(
            PastTrip(
                origin=origin,
                destination=where,
                depart_s=NOW_S - day * 86_400.0,
                local_s=hour * 3600.0,
                weekday=weekday,
                new=False,
                length_m=6_000.0,
                duration_s=600.0,
                path=_way([SPOTS[origin], SPOTS[where]]) if day < 30 else [],
            )
        )
    return places, trips


PLACES, TRIPS = life()
DRIVEN = _way([HOME, _at(0, 2_500)])
PLANNED = (
    Planned(
        title="Gym",
        start_s=NOW_S + 3000.0,
        end_s=NOW_S + 6000.0,
        place=Place(place_id="p2", lat=SPOTS[SPORT][0], lon=SPOTS[SPORT][1], visits=20),
    ),
)


def told(
    model: DestinationModel, planned: tuple[Planned, ...] = PLANNED, points: Points = DRIVEN
) -> Posterior:
    """After these points, by this model."""
    track, follower = Track(), Follower(model.index)
    for at, point in enumerate(points):
        if track.extend(NOW_S + 5.0 * at, *point):
            follower.step(*point)
    return model.posterior(LEAVING, PLACES, track, follower, (), planned)


def found(goals: list[int], planned: tuple[Planned, ...] = PLANNED) -> dict[str, Reason]:
    model = DestinationModel(list(TRIPS))

    def ask(part: Part | None) -> Posterior:
        calendar = part is not None and part.calendar
        return told(without(model, part, LEAVING), () if calendar else planned)

    return {one.feature: one for one in reasons(ask, goals, planned=False)}


def anew(feature: str) -> Posterior:
    """The posterior of a model that was made without that part, from past trips to the last."""
    by_feature: dict[str, dict[str, Any]] = {
        "hour": {"local_s": LEAVING.local_s},
        "weekday": {"weekday": LEAVING.weekday},
        "origin": {"origin": LEAVING.origin},
    }
    alike = by_feature.get(feature, {})
    off = {
        "heading": Tuning(heading=0.0, leg_short=0.0, leg_long=0.0, detour_km=0.0),
        "nearing": Tuning(nearing=0.0),
        "following": Tuning(following=0.0, new_followed=0.0),
        "own-way": Tuning(own_way=inf),
    }.get(feature, Tuning())
    trips = [replace(trip, **alike) for trip in TRIPS]
    planned = () if feature == "calendar" else PLANNED
    return told(DestinationModel(trips, tuning=off), planned)


@pytest.mark.parametrize("goals", [[WORK], [SPORT], [WORK, 3]])
def test_without_a_part_the_score_is_less_by_what_it_says(goals: list[int]) -> None:
    whole = log_odds(p_of(told(DestinationModel(list(TRIPS))), goals, planned=False))
    said = found(goals)
    assert len(said) >= 4
    for part in PARTS:
        p = p_of(anew(part.feature), goals, planned=False)
        if part.feature not in said:
            assert log_odds(p) == pytest.approx(whole, abs=0.006), part.feature
            continue
        assert whole - said[part.feature].weight == pytest.approx(log_odds(p)), part.feature
        assert said[part.feature].words.endswith(f" (without it p {p:.2f})")


def test_each_part_speaks_for_what_it_speaks_for() -> None:
    """A Wednesday at eight from home, eastwards, with the gym in the calendar."""
    work, sport = found([WORK]), found([SPORT])
    assert work["weekday"].weight > 0.0 > sport["weekday"].weight
    assert work["heading"].weight > 0.0
    assert work["calendar"].weight < 0.0 < sport["calendar"].weight
    assert "calendar" not in found([WORK], ())
    weights = [abs(one.weight) for one in work.values()]
    assert weights == sorted(weights, reverse=True)


def test_asking_leaves_the_model_as_it_is() -> None:
    model = DestinationModel(list(TRIPS))
    before, trips = told(model), list(model.trips)
    for part in PARTS:
        told(without(model, part, LEAVING))
    assert told(model) == before
    assert model.trips == trips
    assert model.tuning == Tuning()


def test_what_is_certain_has_a_bound() -> None:
    assert log_odds(1.0) == pytest.approx(-log_odds(0.0))
    assert log_odds(0.5) == 0.0
    assert p_of(Posterior(((1, 0.5),), 0.2, 0.3), [1], planned=True) == pytest.approx(0.8)
