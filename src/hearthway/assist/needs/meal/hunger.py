"""Does this person want to eat on arrival? From their own meals, at the predicted time and destination.

Two sources are joined. The routine gives a hazard: the chance that a meal out begins around the arrival,
given that none has begun before. The place gives a count: of the arrivals there around this time, how many
were for a meal. The hazard stands for `PRIOR_ARRIVALS` arrivals, so that a place without history says what
the routine says, and a home with 150 arrivals and no meal out says no.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from msgspec import Struct

from hearthway.assist.memory import Meal
from hearthway.assist.settings import GateSettings
from hearthway.records.geo import distance_m
from hearthway.records.life import Place, Routine
from hearthway.records.localtime import local_day, local_second
from hearthway.records.situation import Situation

from .settings import PLACE_REACH_M

LIVED = ("home", "work")
MEALS = ("breakfast", "lunch", "dinner")
QUARTERS = 96
BEFORE_Q, AFTER_Q = 1, 5  # a meal "on arrival" begins from 15 min before to 75 min after
EARLIER_Q = 28  # a meal begun in the seven hours before counts as this one already eaten
WAKING_Q = 64  # arrivals that are not for a meal: taken as even over 16 waking hours
AROUND_Q = (
    2  # how late one is differs: arrivals up to half an hour earlier are "around this time" too
)
PRIOR_ARRIVALS = (
    1.0  # a place is for meals or it is not: one arrival tells more than the other places do
)
# Having eaten: nothing more is wanted for a while, then appetite returns.
SATED_S, HUNGRY_S = 90 * 60.0, 4 * 3600.0
MIN_APPETITE = 0.25


class Hunger(Struct, frozen=True, kw_only=True):
    """The wish for a meal at one destination, with the counts it was concluded from."""

    name: str
    routine: Routine
    p: float  # probability that the person wants it on arrival, as low as the counts leave it
    hazard: float  # the routine's own part
    window_mass: float
    appetite: float  # 1 where nothing was eaten lately
    meals_here: int  # meals of this person there, around this time of day
    arrivals_here: float  # arrivals there around this time of day, estimated


def mass(routine: Routine, first: int, count: int) -> float:
    """Share of the routine's evidence in `count` quarter hours from `first`, around midnight too."""
    if len(routine.density) != QUARTERS:
        return 0.0
    return sum(routine.density[(first + i) % QUARTERS] for i in range(count))


def hazard(routine: Routine, quarter: int) -> tuple[float, float]:
    """(chance that a meal begins around local `quarter` given none before, its share of the evidence)."""
    window = mass(routine, quarter - BEFORE_Q, BEFORE_Q + AFTER_Q)
    earlier = mass(routine, quarter - BEFORE_Q - EARLIER_Q, EARLIER_Q)
    share = believed_share(routine)
    return min(1.0, share * window / max(1e-9, 1.0 - share * earlier)), min(1.0, window)


def believed_share(routine: Routine) -> float:
    """`share_of_days` shrunk towards one day in ten while the days are few."""
    if routine.days <= 0 or routine.share_of_days <= 0:
        return 0.0
    possible = routine.days / min(1.0, routine.share_of_days)
    return (routine.days + 0.5) / (possible + 5.0)


def living(situation: Situation) -> tuple[tuple[float, float], ...]:
    """Where this person lives and works, as far as the situation tells."""
    points = {(d.place.lat, d.place.lon) for d in situation.destinations if d.place.label in LIVED}
    if situation.home is not None:
        points.add((situation.home.lat, situation.home.lon))
    return tuple(sorted(points))


def appetite(
    situation: Situation, meals: Sequence[Meal], routine: Routine, arrive_s: float
) -> float:
    """1 where nothing was eaten lately, 0 just after a meal or where this meal was had today."""
    ended = [m.end_s for m in meals][-1:]
    if situation.last_meal_s is not None and situation.last_meal_s <= situation.time_s:
        ended.append(situation.last_meal_s)
    if not ended:
        return 1.0
    last = max(ended)
    today = local_day(arrive_s, situation.utc_offset_s)
    if local_day(last, situation.utc_offset_s) == today and arrive_s - last < HUNGRY_S * 2:
        quarter = int(local_second(last, situation.utc_offset_s) // 900)
        if mass(routine, quarter - 5, 6) >= 0.1:  # it began within the 75 min before its end
            return 0.0
    return min(1.0, max(0.0, (arrive_s - last - SATED_S) / (HUNGRY_S - SATED_S)))


def meals_by_place(places: Sequence[Place], meals: Sequence[Meal]) -> dict[str, list[Meal]]:
    """Meals eaten at each place: each meal belongs to the nearest place within reach, or to none."""
    found: dict[str, list[Meal]] = {}
    for meal in meals:
        near, place_id = min(
            ((distance_m(meal.lat, meal.lon, p.lat, p.lon), p.place_id) for p in places),
            default=(PLACE_REACH_M + 1, ""),
        )
        if near <= PLACE_REACH_M:
            found.setdefault(place_id, []).append(meal)
    return found


def quarter_of(situation: Situation, time_s: float) -> int:
    """Its quarter hour of the local day."""
    return int(local_second(time_s, situation.utc_offset_s) // 900)


def slots_at(situation: Situation, arrive_s: float) -> set[int]:
    """The quarter hours in which a stay that begins counts as one around that arrival."""
    quarter = quarter_of(situation, arrive_s)
    return {q % QUARTERS for q in range(quarter - AROUND_Q, quarter + AFTER_Q)}


def lower_end(yes: float, no: float) -> float:
    """The mean of the Beta distribution of these counts less one standard deviation; 0 at least."""
    total = yes + no
    mean = yes / total
    return max(0.0, mean - sqrt(mean * (1.0 - mean) / (total + 1.0)))


def usable(situation: Situation, settings: GateSettings) -> list[Routine]:
    """The meal routines of this person with enough days of evidence."""
    return [
        r
        for r in situation.routines
        if r.name in MEALS and r.days >= settings.min_days and len(r.density) == QUARTERS
    ]


def hunger_at(
    situation: Situation,
    routine: Routine,
    place: Place,
    meals: Sequence[Meal],
    *,
    arrive_s: float,
    hungry: float = 1.0,
) -> Hunger:
    """How probably the person wants this meal on arriving at `place`, where they had `meals` before."""
    chance, window = hazard(routine, quarter_of(situation, arrive_s))
    slots = slots_at(situation, arrive_s)
    here = sum(m.quarter in slots for m in meals)
    other = max(0, place.visits - len(meals)) * len(slots) / WAKING_Q
    p = lower_end(here + PRIOR_ARRIVALS * chance, other + PRIOR_ARRIVALS * (1.0 - chance))
    return Hunger(
        name=routine.name,
        routine=routine,
        p=p * hungry,
        hazard=chance,
        window_mass=window,
        appetite=hungry,
        meals_here=here,
        arrivals_here=here + other,
    )


def words_of(hunger: Hunger) -> str:
    """What it was concluded from."""
    if hunger.meals_here:
        return (
            f"about {hunger.arrivals_here:.0f} arrivals of yours there around this time, "
            f"{hunger.meals_here} of them for a meal"
        )
    return (
        f"{hunger.routine.days} days of {hunger.name} out, and no meal there around this time yet"
    )
