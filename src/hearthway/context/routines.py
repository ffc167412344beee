"""When this person eats: distributions over the local day, learned from visits at food POIs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import accumulate
from math import exp, log

from msgspec import Struct

from hearthway.records.life import Routine, Stay
from hearthway.records.localtime import local_day, local_second, utc_offset_s, weekday
from hearthway.records.poi import FOOD, PoiIndex
from hearthway.records.situation import MealVisit

from .flat import gap_m

BINS = 96
BIN_S = 900
MIN_MEAL_S = 20 * 60.0
MAX_MEAL_S = 3.5 * 3600.0
NEAR_FOOD_M = 60.0
EQUAL_M = 15.0  # two POIs whose distances differ by less fit a visit equally
WINDOWS = {  # a visit belongs to the meal in whose window it begins, local time
    "breakfast": (5.0, 10.5),
    "lunch": (10.5, 15.5),
    "coffee": (15.5, 16.5),  # at a cafe; elsewhere a late lunch or an early dinner
    "dinner": (16.5, 23.0),
}
SMOOTH_BINS = 1.5
MAX_VISITS = 1_500
CHANGE_VISITS = 40  # the latest of one meal, among which a change of hours is looked for
P_CHANGE = (
    0.1  # that there is one: two months of such meals, and hours that change every second year
)
P_WITH_LIFE = 0.5  # that hours are others since a home or a work is
BIN_H = 1.0
PRIOR = 0.1  # of each such hour, in meals: one keeps to few


class Meal(Struct):
    """A visit, with what its routine needs: local day and second of its start, and the place it stood at."""

    visit: MealVisit
    day: int
    local_s: float
    weekday: int
    place: int  # index of the person's place there; -1 where it is none
    coffee: bool = False  # only cafes stood there


def visit_of(stay: Stay, pois: PoiIndex, place: int) -> Meal | None:
    """The visit that a stay was, at the person's place of that index; None where it was none."""
    if not MIN_MEAL_S <= stay.end_s - stay.start_s <= MAX_MEAL_S:
        return None
    near = pois.near(stay.lat, stay.lon, NEAR_FOOD_M, FOOD)
    if not near:
        return None
    away = [gap_m(stay.lat, stay.lon, poi.lat, poi.lon) for poi in near]
    sure = len(near) == 1 or away[1] - away[0] > EQUAL_M
    visit = MealVisit(
        start_s=stay.start_s,
        end_s=stay.end_s,
        osm_id=near[0].osm_id if sure else "",
        candidates=tuple(poi.osm_id for poi in near[:8]),
        cuisines=near[0].cuisines if sure else (),
        lat=stay.lat,
        lon=stay.lon,
    )
    offset = utc_offset_s(stay.lat, stay.lon, stay.start_s)
    day = local_day(stay.start_s, offset)
    return Meal(
        visit=visit,
        day=day,
        local_s=local_second(stay.start_s, offset),
        weekday=weekday(day),
        place=place,
        coffee=all(poi.kind == "cafe" for poi in near),
    )


def meal_of(local_s: float, *, coffee: bool) -> str:
    """Which meal a visit is: by the hour; only a cafe, outside breakfast and lunch hours, is coffee."""
    hour = local_s / 3600.0
    for name, (begin, end) in WINDOWS.items():
        if begin <= hour < end:
            if coffee and name == "dinner":
                return "coffee"
            if not coffee and name == "coffee":
                return "lunch" if hour < (begin + end) / 2 else "dinner"
            return name
    return ""


def routines_of(
    meals: list[Meal], days_known: int, changed_s: Sequence[float] = ()
) -> tuple[Routine, ...]:
    """One routine a meal that was observed at all, in the order of the day; `changed_s`: since when another home or work."""
    out = []
    for name in ("breakfast", "lunch", "coffee", "dinner"):
        mine = [meal for meal in meals if meal_of(meal.local_s, coffee=meal.coffee) == name]
        if mine:
            out.append(_routine(name, mine, days_known, changed_s))
    return tuple(out)


def _routine(name: str, meals: list[Meal], days_known: int, changed_s: Sequence[float]) -> Routine:
    mass = [0.0] * BINS
    firsts = {sum(meal.visit.start_s < since_s for meal in meals) for since_s in changed_s}
    shares = still_so([meal.local_s for meal in meals], firsts)
    for meal, share in zip(meals, shares, strict=True):
        centre = meal.local_s / BIN_S - 0.5
        low = int(centre) - 5
        kernel = [exp(-0.5 * ((low + i - centre) / SMOOTH_BINS) ** 2) for i in range(12)]
        norm = sum(kernel)
        for i, part in enumerate(kernel):
            mass[(low + i) % BINS] += share * part / norm
    total = sum(mass)
    starts = sorted(zip((meal.local_s for meal in meals), shares, strict=True))
    days = len({meal.day for meal in meals})
    return Routine(
        name=name,
        days=days,
        density=tuple(part / total for part in mass),
        start_s=_quantile(starts, 0.1),
        end_s=_quantile(starts, 0.9),
        mean_s=sum(at_s * share for at_s, share in starts) / sum(shares),
        share_of_days=min(1.0, days / max(1, days_known)),
    )


def still_so(starts_s: list[float], likely: Collection[int] = ()) -> list[float]:
    """How probably each of these times, in their order, is from the hours kept now: 1 for the last, less before a change.

    One change at most among the last `CHANGE_VISITS`; before and after it the hours come from two unknown distributions over
    `BIN_H` hours (Dirichlet), and where it lies is integrated out (Chernoff & Zacks 1964, for counts). So a meal at an
    odd hour now and then is no change, and neither are two usual hours. At those numbered `likely` a home or work changed.
    """
    late = [int(start / (BIN_H * 3600.0)) for start in starts_s[-CHANGE_VISITS:]]
    count = len(late)
    if count < 2:
        return [1.0] * len(starts_s)
    before, after = _evidence(late), _evidence(late[::-1])[::-1]
    priors = [P_CHANGE / (count - 1)] * count
    for at in likely:
        if 0 < at - (len(starts_s) - count) < count:
            priors[at - (len(starts_s) - count)] += P_WITH_LIFE
    logs = [log(1.0 - P_CHANGE) + before[count]]
    logs += [log(priors[at]) + before[at] + after[at] for at in range(1, count)]
    top = max(logs)
    odds = [exp(one - top) for one in logs]
    shares = list(accumulate(one / sum(odds) for one in odds))
    return [shares[0]] * (len(starts_s) - count) + shares[:-1] + [1.0]


def _evidence(bins: list[int]) -> list[float]:
    """Log-probability of the first 0, 1, 2 ... of them, from one unknown distribution."""
    seen: dict[int, int] = {}
    logs = [0.0]
    for at, one in enumerate(bins):
        logs.append(logs[-1] + log((seen.get(one, 0) + PRIOR) / (at + PRIOR * 24.0 / BIN_H)))
        seen[one] = seen.get(one, 0) + 1
    return logs


def _quantile(ordered: list[tuple[float, float]], share: float) -> float:
    """The weighted quantile; with equal weights that of the values."""
    weights = list(accumulate(weight for _, weight in ordered))
    first = ordered[0][1]
    at = first + share * (weights[-1] - first)
    for (low_s, _), (high_s, weight), up_to in zip(ordered, ordered[1:], weights[1:], strict=False):
        if at <= up_to:
            return high_s - (high_s - low_s) * (up_to - at) / weight
    return ordered[-1][0]
