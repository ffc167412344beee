"""What a place's own seatings teach: how long meals last, how many come when, how long people queue. Pure.

Meals are log-normal by size of party, pulled towards the mean of all while few were seen; arrivals are Poisson by time
of day with a Gamma posterior for how busy today is; old days fade. Times of day count backwards from now in steps of
24 h, so no time zone is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, exp, log, sqrt
from statistics import NormalDist

from msgspec import Struct

from hearthway.records.venue import Party

DAY_S = 86_400.0
BIN_S = 1_800.0
BINS = int(DAY_S / BIN_S)
MEMORY_DAYS = 56
HALF_LIFE_DAYS = 21.0
SAME_WEEKDAY = 2.0  # a Friday says as much about this Friday as two other days
MEALS_ASKED = 30
DAYS_ASKED = 3
STALE_S = 3_600.0  # a house that is in use has something to enter within the hour
LONGEST_MEAL_S = 5 * 3_600.0  # whoever sits longer was forgotten to be entered
LONGEST_QUEUE_S = 4 * 3_600.0
SHORTEST_MEAL_S = 300.0  # sooner is a slip of the finger
CLASS_PRIOR = 6.0  # meals: weight of all parties' mean against one size's own
SD_PRIOR, SD_PRIOR_MEALS = 0.35, 10.0
BIN_PRIOR_DAYS = 0.5
LEVEL_S = 7_200.0  # today's arrivals of so long say how busy today is
LEVEL_PRIOR = 16.0  # arrivals
PATIENCE_S = (0.0, 600.0, 1_200.0, 2_400.0)  # who has queued for long gives up sooner
PATIENCE_PRIOR_S, PATIENCE_PRIOR = 7_200.0, 0.5
STEP_PRIOR = 2.0  # that gave up: weight of the whole queue's rate in one step's
PACE_SD, PACE_STEPS = 0.08, 10  # one evening's meals are all a little longer or shorter
PACE_LOOKS_S = 6 * 3_600.0
_UNIT = NormalDist()


class Meals(Struct, frozen=True, kw_only=True):
    """Log-normal duration of a meal: mean and deviation of the logarithm of seconds."""

    mean: float
    deviation: float


class Habits(Struct, frozen=True, kw_only=True):
    """What was learned, as seen from one moment."""

    meals: tuple[Meals, ...]  # by `size_class`
    rates: tuple[float, ...]  # arrivals a second in each `BIN_S` from now on, for 24 h
    level: tuple[float, float]  # Gamma shape and rate of how busy today is against `rates`
    sizes: tuple[tuple[int, float], ...]  # party size, weight
    giving_up: tuple[float, ...]  # queueing parties that give up, a second, by `PATIENCE_S`
    paces: tuple[tuple[float, float], ...]  # log of today's meals against the usual, weight


def size_class(size: int) -> int:
    """Parties of up to two, up to four, and more."""
    return min(2, max(0, size - 1) // 2)


def still_here(parties: Iterable[Party], now_s: float) -> tuple[list[Party], list[Party]]:
    """Who is seated and who queues; without those that were plainly forgotten to be entered as gone."""
    seated: list[Party] = []
    queue: list[Party] = []
    for party in parties:
        if party.left_s is not None:
            continue
        if party.seated_s is not None:
            if now_s - party.seated_s < LONGEST_MEAL_S:
                seated.append(party)
        elif now_s - party.came_s < LONGEST_QUEUE_S:
            queue.append(party)
    return sorted(seated, key=_seated), sorted(queue, key=lambda p: (p.came_s, p.number))


def learn(parties: Sequence[Party], now_s: float) -> Habits | str:
    """The habits of this place, or why nothing can be said yet."""
    past = [p for p in parties if 0.0 <= now_s - p.came_s < MEMORY_DAYS * DAY_S]
    meals = _finished(past, now_s)
    if len(meals) < MEALS_ASKED:
        return f"the place has counted {len(meals)} of the {MEALS_ASKED} meals it needs"
    last_s = max(t for p in past for t in (p.came_s, p.seated_s, p.left_s) if t is not None)
    if now_s - last_s > STALE_S:
        return f"nothing was entered at the place for {(now_s - last_s) / 60:.0f} min"
    days = _open_days(past, now_s)
    if len(days) < DAYS_ASKED:
        return f"the place has counted {len(days)} of the {DAYS_ASKED} days it needs"
    rates, level = _arrivals(past, now_s, days)
    usual = _meals(meals)
    return Habits(
        meals=usual,
        rates=rates,
        level=level,
        sizes=_sizes(past, now_s),
        giving_up=_giving_up(past, now_s),
        paces=_paces(past, usual, now_s),
    )


def _seated(party: Party) -> tuple[float, int]:
    return party.seated_s or 0.0, party.number


def faded(age_s: float) -> float:
    """How much an entry of so long ago still says, 0 to 1."""
    return float(0.5 ** (age_s / DAY_S / HALF_LIFE_DAYS))


def _finished(past: Iterable[Party], now_s: float) -> list[tuple[int, float, float]]:
    """Class, log of seconds and weight of every meal that ended."""
    found = []
    for party in past:
        if party.seated_s is None or party.left_s is None:
            continue
        lasted_s = party.left_s - party.seated_s
        if SHORTEST_MEAL_S <= lasted_s < LONGEST_MEAL_S:
            weight = faded(now_s - party.left_s)
            found.append((size_class(party.size), log(lasted_s), weight))
    return found


def _meals(meals: Sequence[tuple[int, float, float]]) -> tuple[Meals, ...]:
    mean = sum(w * x for _, x, w in meals) / sum(w for *_, w in meals)
    found = []
    for kind in range(3):
        own = [(x, w) for k, x, w in meals if k == kind]
        weight = sum(w for _, w in own)
        centre = (sum(w * x for x, w in own) + CLASS_PRIOR * mean) / (weight + CLASS_PRIOR)
        spread = sum(w * (x - centre) ** 2 for x, w in own) + SD_PRIOR_MEALS * SD_PRIOR**2
        found.append(Meals(mean=centre, deviation=sqrt(spread / (weight + SD_PRIOR_MEALS))))
    return tuple(found)


def _window(party: Party, now_s: float) -> tuple[int, int]:
    """Which 24 h back from now, and which bin of it: bin 0 begins at this time of day."""
    age_s = now_s - party.came_s
    day = max(1, ceil(age_s / DAY_S))
    return day, min(BINS - 1, int((day * DAY_S - age_s) / BIN_S))


def _open_days(past: Iterable[Party], now_s: float) -> dict[int, float]:
    """Windows in which the place was open, with their weight."""
    counts: dict[int, int] = {}
    for party in past:
        day = _window(party, now_s)[0]
        counts[day] = counts.get(day, 0) + 1
    usual = sum(counts.values()) / max(1, len(counts))
    return {
        day: faded((day - 1) * DAY_S) * (SAME_WEEKDAY if day % 7 == 0 else 1.0)
        for day, count in counts.items()
        if count >= usual / 4
    }


def _arrivals(
    past: Iterable[Party], now_s: float, days: dict[int, float]
) -> tuple[tuple[float, ...], tuple[float, float]]:
    """Rates from now on by time of day, and the Gamma posterior of today's level."""
    counts, earlier, lately = [0.0] * BINS, [0.0] * BINS, 0
    for party in past:
        day, at = _window(party, now_s)
        if now_s - party.came_s < LEVEL_S:
            lately += 1
        if day not in days:
            continue
        counts[at] += days[day]
        if day > 1:
            earlier[at] += days[day]
    rates = _smooth(counts, sum(days.values()))
    before = _smooth(earlier, sum(weight for day, weight in days.items() if day > 1))
    expected = BIN_S * sum(before[BINS - int(LEVEL_S / BIN_S) :])
    return rates, (LEVEL_PRIOR + lately, LEVEL_PRIOR + expected)


def _smooth(counts: Sequence[float], days: float) -> tuple[float, ...]:
    usual = sum(counts) / BINS / max(days, 1e-9)
    return tuple(
        (
            0.25 * counts[at - 1]
            + 0.5 * counts[at]
            + 0.25 * counts[(at + 1) % BINS]
            + BIN_PRIOR_DAYS * usual
        )
        / (days + BIN_PRIOR_DAYS)
        / BIN_S
        for at in range(BINS)
    )


def _sizes(past: Iterable[Party], now_s: float) -> tuple[tuple[int, float], ...]:
    weights: dict[int, float] = {}
    for party in past:
        weights[party.size] = weights.get(party.size, 0.0) + faded(now_s - party.came_s)
    return tuple(sorted(weights.items()))


def _giving_up(past: Iterable[Party], now_s: float) -> tuple[float, ...]:
    """Rates at which queueing parties give up, by how long they queue: Gamma posterior means, each step's pulled to that of all."""
    gone, queued_s = [0.0] * len(PATIENCE_S), [0.0] * len(PATIENCE_S)
    for party in past:
        ended_s = party.seated_s if party.seated_s is not None else party.left_s
        weight = faded(now_s - party.came_s)
        waited_s = min(LONGEST_QUEUE_S, (now_s if ended_s is None else ended_s) - party.came_s)
        last = 0
        for at, begins_s in enumerate(PATIENCE_S):
            if waited_s > begins_s:
                ends_s = PATIENCE_S[at + 1] if at + 1 < len(PATIENCE_S) else LONGEST_QUEUE_S
                queued_s[at] += weight * (min(waited_s, ends_s) - begins_s)
                last = at
        if party.seated_s is None and party.left_s is not None:
            gone[last] += weight
    usual = (PATIENCE_PRIOR + sum(gone)) / (PATIENCE_PRIOR_S + sum(queued_s))
    return tuple(
        (STEP_PRIOR + left) / (STEP_PRIOR / usual + stood_s)
        for left, stood_s in zip(gone, queued_s, strict=True)
    )


def _paces(
    past: Iterable[Party], meals: Sequence[Meals], now_s: float
) -> tuple[tuple[float, float], ...]:
    """How long today's meals take against the usual: Normal, and what has ended or not ended yet so far, on a grid."""
    stays: list[tuple[float, float, bool]] = []  # against the usual, in deviations; its scale; over
    for party in past:
        if party.seated_s is None or not 0.0 < now_s - party.seated_s < PACE_LOOKS_S:
            continue
        over = party.left_s is not None and party.left_s <= now_s
        stayed_s = (party.left_s if over and party.left_s is not None else now_s) - party.seated_s
        if SHORTEST_MEAL_S <= stayed_s < LONGEST_MEAL_S:
            kind = meals[size_class(party.size)]
            stays.append(((log(stayed_s) - kind.mean) / kind.deviation, kind.deviation, over))
    found = []
    for step in range(-PACE_STEPS, PACE_STEPS + 1):
        pace = 3.0 * PACE_SD * step / PACE_STEPS
        worth = -0.5 * (pace / PACE_SD) ** 2
        for stayed, deviation, over in stays:
            off = stayed - pace / deviation
            worth += -0.5 * off * off if over else log(max(1e-6, _UNIT.cdf(-off)))
        found.append((pace, worth))
    best = max(worth for _, worth in found)
    return tuple((pace, exp(worth - best)) for pace, worth in found)
