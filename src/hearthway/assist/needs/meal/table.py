"""Was a stay beside a table a meal at it? What the map says of the spot, against how often an errand ends beside a table too.

A spot is where several stays lie. Its likelihood ratio is that of the distance to the nearest table: under a meal, the
receiver's error and the size of a house; under anything else, how far the next table is from where one stops
thereabouts, which the shops around tell (a Poisson field, its density by maximum likelihood). And that of how long one
stays there and when one comes: about an hour and at people's mealtimes under a meal, any length that a meal may have and
any hour of the day under anything else. What share of this
person's spots beside tables are tables is unknown: the same for all spots, with a Beta prior, summed over a grid. So one
spot in a town's middle says little, one in a village more, and several, each right at a table, say it by being several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import islice
from math import exp, log, pi, sqrt

from msgspec import Struct

from hearthway.assist.memory import Meal
from hearthway.context.routines import MAX_MEAL_S, MIN_MEAL_S
from hearthway.records.geo import distance_m
from hearthway.records.poi import MEAL, SHOPPING, OpenState, PoiIndex

from .clockwork import by_the_clock
from .settings import (
    ABOUT,
    ALIKE,
    AT_ANY_HOUR,
    FIX_M,
    HABIT_PRIOR,
    HOUSE_M,
    NEWEST_SPOTS,
    NO_TABLE_M,
    ODD_STAY,
    ONE_SPOT_M,
    SHOP_REACH_M,
    SHOPS,
    SITS_SPREAD,
    TABLE_REACH_M,
    TABLES,
)
from .sorts import MEAL_OUT, Sort, coffee_at

_GRID = tuple((i + 0.5) / 24 for i in range(24))


class Spot(Struct, kw_only=True):
    """Stays within `ONE_SPOT_M` of one another: the newest comes first."""

    lat: float
    lon: float
    meals: list[Meal]


def spots_of(meals: Sequence[Meal]) -> list[Spot]:
    """The spots of these stays, the newest `NEWEST_SPOTS`; each stay belongs to the first spot that it is near."""
    spots: list[Spot] = []
    for meal in sorted(meals, reverse=True):
        spot = next(
            (s for s in spots if distance_m(s.lat, s.lon, meal.lat, meal.lon) <= ONE_SPOT_M), None
        )
        if spot is None:
            if len(spots) < NEWEST_SPOTS:
                spots.append(Spot(lat=meal.lat, lon=meal.lon, meals=[meal]))
            continue
        spot.meals.append(meal)
        spot.lat += (meal.lat - spot.lat) / len(spot.meals)
        spot.lon += (meal.lon - spot.lon) / len(spot.meals)
    return spots


def tables_per_m2(pois: PoiIndex, lat: float, lon: float, kinds: tuple[str, ...] = MEAL) -> float:
    """How dense tables are where one stops thereabouts, by the shops around and one that is far from any."""
    squares = NO_TABLE_M**2
    count = 1
    for shop in islice(pois.near(lat, lon, SHOP_REACH_M, SHOPPING), SHOPS):
        near = pois.near(shop.lat, shop.lon, NO_TABLE_M, kinds)
        away_m = distance_m(shop.lat, shop.lon, near[0].lat, near[0].lon) if near else NO_TABLE_M
        squares += away_m**2
        count += 1
    return count / (pi * squares)


def stay_ratio(meal: Meal, sort: Sort = MEAL_OUT) -> float:
    """How many times likelier a stay that long begins at that hour if one has something there than if not."""
    hour, seconds = (meal.quarter + 0.5) / 4.0, max(meal.end_s - meal.time_s, 1.0)
    eats = sum(
        share * _bell((hour - at) / spread) / spread * _bell(log(seconds / sits_s) / SITS_SPREAD)
        for share, at, spread, sits_s in sort.sits_down
    )
    ratio = log(MAX_MEAL_S / MIN_MEAL_S) / SITS_SPREAD * eats / _errand(hour)
    return ratio * _of_such_hours(sort) if sort.late else ratio


def _errand(hour: float) -> float:
    """How likely anything else begins at that hour of the day, for each hour."""
    first, early, late, last = ABOUT
    about = min(1.0, (hour - first) / (early - first), (last - hour) / (last - late))
    even = 0.5 * (last - first + late - early)
    return AT_ANY_HOUR / 24.0 + (1.0 - AT_ANY_HOUR) * max(0.0, about) / even


@cache
def _of_such_hours(sort: Sort) -> float:
    """What stays that are counted at some hours alone tell less by their hour: either way they are of these."""
    hours = [(quarter + 0.5) / 4.0 for quarter in range(96) if coffee_at(quarter)]
    sits = sum(
        share * _bell((hour - at) / spread) / spread
        for hour in hours
        for share, at, spread, _ in sort.sits_down
    )
    return sum(map(_errand, hours)) / sits


def _bell(away: float) -> float:
    return exp(-0.5 * away * away) / sqrt(2.0 * pi)


def habit_ratio(spot: Spot, sort: Sort = MEAL_OUT) -> float:
    """How many times likelier stays of such lengths, at such hours, are if one eats there than if not.

    One stay may say anything: a phone slept through half of it, or it was a late coffee. And stays of one habit are alike: what
    sets them apart from other people's is half the habit's and half the day's, so n of them tell as much as n / (1 + (n - 1) / 2);
    what speaks for a coffee is all the habit's.
    """
    count = len(spot.meals)
    told = sum(log((1.0 - ODD_STAY) * stay_ratio(meal, sort) + ODD_STAY) for meal in spot.meals)
    alike = sort.alike if told > 0.0 else ALIKE
    return exp(told / (1.0 + (count - 1) * alike))


def ratio(spot: Spot, pois: PoiIndex, open_share: float, sort: Sort = MEAL_OUT) -> float:
    """How many times likelier this spot is if one eats there than if not; 0 where no table is near that may have been open.

    `open_share`: of the tables whose hours are known, those open at this hour; it stands for a table without hours.
    """
    newest = spot.meals[0]
    half_way_s = 0.5 * (newest.time_s + newest.end_s)
    first = _first_table(pois, spot.lat, spot.lon, half_way_s, sort.tables)  # type: ignore[arg-type]  # a map, by its identity
    if first is None:
        return 0.0
    square, is_open, density = first
    variance = HOUSE_M**2 + FIX_M**2 / len(spot.meals)
    here = exp(-0.5 * square / variance) / (2.0 * pi * variance)
    opened = 1.0 if is_open else open_share
    habit = habit_ratio(spot, sort) * (1.0 if sort.late else by_the_clock(spot.meals))
    return opened * habit * here / (density * exp(-pi * density * square))


# A spot stays where it is until one sits there again, and is asked about at every moment of a drive.
@lru_cache(maxsize=64)
def _first_table(
    pois: PoiIndex, lat: float, lon: float, time_s: float, kinds: tuple[str, ...]
) -> tuple[float, bool, float] | None:
    """Of the nearest table that may have been open then: (squared metres to it, was it open, tables a square metre)."""
    for poi in islice(pois.near(lat, lon, TABLE_REACH_M, kinds), TABLES):
        state = pois.opening(poi, time_s).state
        if state is OpenState.CLOSED:
            continue
        square = distance_m(lat, lon, poi.lat, poi.lon) ** 2
        return square, state is OpenState.OPEN, tables_per_m2(pois, lat, lon, kinds)
    return None


def shares(ratios: Sequence[float], prior: tuple[float, float] = HABIT_PRIOR) -> list[float]:
    """The probability that each spot is a table, given all their likelihood ratios."""
    yes, no = prior
    weights = []
    for share in _GRID:
        weight = share ** (yes - 1.0) * (1.0 - share) ** (no - 1.0)
        for each in ratios:
            weight *= share * each + 1.0 - share
        weights.append(weight)
    total = sum(weights)
    return [
        sum(
            w * share * each / (share * each + 1.0 - share)
            for w, share in zip(weights, _GRID, strict=True)
        )
        / total
        for each in ratios
    ]


def tables_of(
    meals: Sequence[Meal], pois: PoiIndex, open_share: float, sort: Sort = MEAL_OUT
) -> dict[Meal, float]:
    """The probability that at each of these stays something of that sort was had; those at spots older than the newest `NEWEST_SPOTS` are left out."""
    spots = spots_of(meals)
    likely = shares([ratio(spot, pois, open_share, sort) for spot in spots], sort.prior)
    return {meal: p for spot, p in zip(spots, likely, strict=True) for meal in spot.meals}


class AtTable(Struct, frozen=True, kw_only=True):
    """Of the stays that speak for a meal: how probably one was, and how surely those that were are known to have been."""

    p: float
    sure: float


def at_table(there: Sequence[tuple[float, Sequence[Meal]]], found: Mapping[Meal, float]) -> AtTable:
    """Were the stays `there` meals? `found`: how probably each of this person's was one.

    `there`: of each place one may be heading to, how probably one goes there for a meal, and the stays that say so; where none
    do, all of this person's.
    """
    told = whole = squares = 0.0
    for weight, here in there:
        likely = [found[meal] for meal in here or found if meal in found]
        if likely:
            told += weight * sum(likely) / len(likely)
            squares += weight * sum(p * p for p in likely) / len(likely)
        whole += weight
    return AtTable(p=told / whole if whole else 0.0, sure=squares / told if told else 0.0)
