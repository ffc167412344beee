"""Does this person want to eat on arrival? From their own meals, at the predicted time and destination.

Two sources are joined. The routine gives a hazard: the chance that a meal out begins around the arrival,
given that none has begun before. The place gives a count: of the arrivals there around this time, how many
were for a meal. When stays there began is known of most; the others count like those, and like one spread over the
day. A place without history says what the routine says, and a home with 150 arrivals and no meal out says no.
How many arrivals the hazard stands for, this person's places tell (a beta-binomial, empirical Bayes): where each is for meals
at that hour or is not, one arrival says nearly all; where meals and errands share their places, it takes many.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from math import exp, fsum, lgamma, sqrt

from msgspec import Struct

from hearthway.assist.memory import Meal
from hearthway.assist.settings import GateSettings
from hearthway.records.count import count_of
from hearthway.records.geo import METRES_PER_DEGREE, distance_m
from hearthway.records.life import Place, Routine
from hearthway.records.localtime import local_day, local_second
from hearthway.records.situation import Destination, Situation

from .settings import HUNGRY_S, PLACE_REACH_M
from .sorts import COFFEE, sort_of

MEALS = ("breakfast", "lunch", COFFEE, "dinner")
QUARTERS = 96
BEFORE_Q, AFTER_Q = 1, 5  # a meal "on arrival" begins from 15 min before to 75 min after
EARLIER_Q = 28  # a meal begun in the seven hours before counts as this one already eaten
WAKING_Q = 64  # arrivals of which nobody knows when: taken as even over 16 waking hours
AROUND_Q = (
    2  # how late one is differs: arrivals up to half an hour earlier are "around this time" too
)
# How many arrivals the hazard may stand for, all as likely before any place was seen; and as long as none tells.
STANDS_FOR = (0.125, 0.25, 0.5, 1.0, 2.0)
Firmness = tuple[tuple[float, float], ...]  # arrivals, and their probability
ONE_ARRIVAL: Firmness = ((1.0, 1.0),)
LEAST_CHANCE = 0.001  # a routine that says never, or always, would know what no place could tell it
MIN_APPETITE = 0.25
REACH_DEG = (
    1.01 * PLACE_REACH_M / METRES_PER_DEGREE
)  # of latitude: what lies farther off is out of reach
SAME_S = 1.0  # two ends of a stay nearer than this are one


class Hunger(Struct, frozen=True, kw_only=True):
    """The wish for a meal at one destination, with the counts it was concluded from."""

    name: str
    routine: Routine
    p: float  # probability that the person wants it on arrival, as low as the counts leave it
    mean: float  # that probability as the counts have it,
    doubt: float  # and one standard deviation of what they leave open
    hazard: float  # the routine's own part
    window_mass: float
    appetite: float  # 1 where nothing was eaten lately
    meals_here: int  # meals of this person there, around this time of day
    arrivals_here: float  # arrivals there around this time of day, estimated
    firm: Firmness = ONE_ARRIVAL  # how many arrivals the hazard stood for


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


def appetite(
    situation: Situation,
    meals: Sequence[Meal],
    routine: Routine,
    arrive_s: float,
    at_table: Callable[[Meal], float],
) -> float:
    """1 where nothing was eaten lately, 0 just after a meal or where this meal was had today.

    `at_table`: the probability that a stay near a table was a meal. One that has only just ended, or at home, is taken for one.
    """
    left, last_s = 1.0, situation.last_meal_s
    elsewhere = all(abs(meal.end_s - (last_s or 0.0)) >= SAME_S for meal in meals[-1:])
    if last_s is not None and last_s <= situation.time_s and elsewhere:
        left = _appetite_after(situation, last_s, routine, arrive_s)
    for meal in reversed(meals):
        if arrive_s - meal.end_s > HUNGRY_S * 2:
            break
        after = _appetite_after(situation, meal.end_s, routine, arrive_s)
        if after < 1.0:
            left *= 1.0 - at_table(meal) * (1.0 - after)
    return left


def _appetite_after(situation: Situation, end_s: float, routine: Routine, arrive_s: float) -> float:
    """What is left of the appetite, having eaten until `end_s`."""
    today = local_day(arrive_s, situation.utc_offset_s)
    if local_day(end_s, situation.utc_offset_s) == today and arrive_s - end_s < HUNGRY_S * 2:
        quarter = int(local_second(end_s, situation.utc_offset_s) // 900)
        if mass(routine, quarter - 5, 6) >= 0.1:  # it began within the 75 min before its end
            return 0.0
    sort = sort_of(routine.name)
    return min(1.0, max(0.0, (arrive_s - end_s - sort.sated_s) / (sort.hungry_s - sort.sated_s)))


def meals_by_place(places: Sequence[Place], meals: Sequence[Meal]) -> dict[str, list[Meal]]:
    """Meals eaten at each place: a meal belongs to the nearest place within reach that has as many stays, or to none.

    Who sits at a table between two places is counted as staying at either of them: no place has more meals than stays as
    long as another one has room, for the stay was counted there. Those nearest to their place come first.
    """
    reached = []
    for at, meal in enumerate(meals):
        near = (p for p in places if abs(p.lat - meal.lat) <= REACH_DEG)  # no other is in reach
        away = sorted((distance_m(meal.lat, meal.lon, p.lat, p.lon), p.place_id) for p in near)
        within = [place_id for metres, place_id in away if metres <= PLACE_REACH_M]
        if within:
            reached.append((away[0][0], at, within))
    room = {p.place_id: p.visits for p in places}
    found: dict[str, list[tuple[int, Meal]]] = {}
    for _, at, within in sorted(reached):
        place_id = next((one for one in within if room[one] > 0), within[0])
        room[place_id] -= 1
        found.setdefault(place_id, []).append((at, meals[at]))
    return {place_id: [meal for _, meal in sorted(mine)] for place_id, mine in found.items()}


def quarter_of(situation: Situation, time_s: float) -> int:
    """Its quarter hour of the local day."""
    return int(local_second(time_s, situation.utc_offset_s) // 900)


def slots_at(situation: Situation, arrive_s: float) -> set[int]:
    """The quarter hours in which a stay that begins counts as one around that arrival."""
    quarter = quarter_of(situation, arrive_s)
    return {q % QUARTERS for q in range(quarter - AROUND_Q, quarter + AFTER_Q)}


def beta(yes: float, no: float) -> tuple[float, float]:
    """(mean, standard deviation) of the Beta distribution of these counts."""
    total = yes + no
    mean = yes / total
    return mean, sqrt(mean * (1.0 - mean) / (total + 1.0))


def firmness(counts: Iterable[tuple[int, float]], chance: float) -> Firmness:
    """How many arrivals a hazard of `chance` stands for, by (for a meal, for something else) of each of this person's places."""
    told = [each for each in counts if sum(each) > 0.0]
    if not told:
        return ONE_ARRIVAL
    chance = min(1.0 - LEAST_CHANCE, max(LEAST_CHANCE, chance))

    def likely(stands_for: float) -> float:
        yes, no = stands_for * chance, stands_for * (1.0 - chance)
        before = _log_beta(yes, no)
        return fsum(_log_beta(yes + meals, no + others) - before for meals, others in told)

    logs = [likely(each) for each in STANDS_FOR]
    shares = [exp(each - max(logs)) for each in logs]
    total = fsum(shares)
    return tuple((each, share / total) for each, share in zip(STANDS_FOR, shares, strict=True))


def _log_beta(yes: float, no: float) -> float:
    return lgamma(yes) + lgamma(no) - lgamma(yes + no)


def wanted(meals: float, others: float, chance: float, firm: Firmness) -> tuple[float, float]:
    """(mean, standard deviation) of the share of arrivals for a meal, of a place with these counts."""
    parts = [
        (share, *beta(meals + arrivals * chance, others + arrivals * (1.0 - chance)))
        for arrivals, share in firm
    ]
    mean = fsum(share * m for share, m, _ in parts)
    return mean, sqrt(fsum(share * (d**2 + (m - mean) ** 2) for share, m, d in parts))


def other_arrivals(goal: Destination, meals: Sequence[Meal], slots: Collection[int]) -> float:
    """How many stays at `goal`, where these meals were had, began in these quarter hours and were for none of them."""
    came = goal.came if isinstance(goal.came, tuple) else ()
    known, around = sum(n for _, n in came), sum(n for q, n in came if q in slots)
    unknown = max(0, goal.place.visits - max(known, len(meals)))
    share = (around + len(slots) / WAKING_Q) / (known + 1.0)
    return max(0, around - sum(m.quarter in slots for m in meals)) + unknown * share


def together(parts: Sequence[tuple[float, Hunger]]) -> float:
    """The probability that one of these places is where one goes (each with that of its own), and the meal wanted there.

    As low as the counts leave it: what each place leaves open is its own, so the squares of their doubts add.
    """
    doubt = sqrt(sum((p * hunger.doubt) ** 2 for p, hunger in parts))
    return max(0.0, sum(p * hunger.mean for p, hunger in parts) - doubt)


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
    goal: Destination,
    meals: Sequence[Meal],
    *,
    arrive_s: float,
    hungry: float = 1.0,
    firm: Firmness = ONE_ARRIVAL,
) -> Hunger:
    """How probably the person wants this meal on arriving at `goal`, where they had `meals` before; `firm` as `firmness` has it."""
    chance, window = hazard(routine, quarter_of(situation, arrive_s))
    slots = slots_at(situation, arrive_s)
    here = sum(m.quarter in slots for m in meals)
    other = other_arrivals(goal, meals, slots)
    mean, doubt = wanted(here, other, chance, firm)
    return Hunger(
        name=routine.name,
        routine=routine,
        p=max(0.0, mean - doubt) * hungry,
        mean=mean * hungry,
        doubt=doubt * hungry,
        hazard=chance,
        window_mass=window,
        appetite=hungry,
        meals_here=here,
        arrivals_here=here + other,
        firm=firm,
    )


def words_of(hunger: Hunger) -> str:
    """What it was concluded from: the counts, and how much the hour counts beside them where that tells."""
    return _counts_of(hunger) + _firm_words(hunger)


def _firm_words(hunger: Hunger) -> str:
    """What was learned of how firmly the hour stands, and the `p` that it would be without that; empty where it is the same."""
    others = hunger.arrivals_here - hunger.meals_here
    mean, doubt = wanted(hunger.meals_here, others, hunger.hazard, ONE_ARRIVAL)
    plain = max(0.0, mean - doubt) * hunger.appetite
    if f"{plain:.2f}" == f"{hunger.p:.2f}":
        return ""
    stands_for = fsum(arrivals * share for arrivals, share in hunger.firm)
    return (
        f", the hour beside them counting as {stands_for:.1f} arrivals by what your places tell "
        f"(as one: {hunger.name} {plain:.2f})"
    )


def _counts_of(hunger: Hunger) -> str:
    had = sort_of(hunger.name).had
    none = f"no {had.removeprefix('a ')}"
    if hunger.meals_here:
        return (
            f"about {count_of(round(hunger.arrivals_here), 'arrival')} of yours there around this time, "
            f"{hunger.meals_here} of them for {had}"
        )
    return f"{count_of(hunger.routine.days, 'day')} of {hunger.name} out, and {none} there around this time yet"
