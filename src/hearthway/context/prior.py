"""Where a leg leads, before its route is known: past legs vote for their destinations.

A vote is weighed by age, by how near its departure was in the local day (circular kernel), by the kind of day, and by
whether it left from the same place. Each such level backs off into a plainer one with Dirichlet smoothing, so that
little evidence moves little; what each says beyond the plainer one is joined log-linearly, with how long ago a place
was visited, and whether the last leg began there. No vote asks for the place before last: see decision 0012.
"Somewhere new" has the rate at which like departures led there.

The constants are the same for everybody and rounded. They were set on the stays of 46 people of GeoLife (whose names
are not known, so the person of a raw history may be among them) and of every fourth of 536 of Foursquare New York.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Sequence
from math import cos, exp, log, pi

from msgspec import Struct, field

from hearthway.records.life import TRIP_MIN_M, TravelMode
from hearthway.records.localtime import DAY_S

from .day_kind import WEEK, alike, day_kind
from .flat import gap_m
from .places import KnownPlace
from .settling import Change

HALF_LIFE_DAYS = 40.0
NEW_DAYS = (
    14.0  # half-life of what speaks for somewhere new: who has just moved explores, and then less
)
OLD_LIFE_DAYS = 14.0  # half-life, after a change of home or work, of what was before it
UNSEEN = 0.5  # an unseen stay, in visits
UNSEEN_DAYS = 90.0  # after which a point where nobody was seen to stay is no candidate any more
NEVER = 0.2  # what every place has, in visits
FAST_DAYS = 7.0  # half-life of what was done lately
HEEDED_DAYS = 400.0  # ten half-lives: an older leg would have less than a thousandth of a vote
MAX_PATHS = 400  # legs of which the way is kept, the latest
ALL, ORIGIN, HOUR, BOTH, FAST = range(5)
LEVELS = 5


class Habits(Struct, frozen=True, kw_only=True):
    """How regular a life is taken to be."""

    backoff: float  # in votes, how firmly what like departures did holds to what all did
    other_kind: float  # what a leg of a working day says of a free one, and the other way round
    other_weekday: float  # what one of a Monday says of a Tuesday's
    sigma_s: float  # how far from its hour a leg still tells of another
    heeds_change: (
        bool  # of home or work: else what is done now outvotes by itself what was done before
    )


# The first are most people's. By the others few like departures tell more, a working day next to nothing of a Sunday, and the hour
# more; by the last a Monday says little of a Tuesday. How regular a life is, it tells itself (`regularity`).
HABITS = (
    Habits(backoff=4.0, other_kind=0.25, other_weekday=0.5, sigma_s=5_400.0, heeds_change=True),
    Habits(backoff=1.0, other_kind=0.05, other_weekday=0.5, sigma_s=2_700.0, heeds_change=False),
    Habits(backoff=1.0, other_kind=0.05, other_weekday=0.1, sigma_s=2_700.0, heeds_change=False),
)


class Weights(Struct, frozen=True, kw_only=True):
    """What each level counts for beyond the one it backs off into, and what else speaks for a place.

    These are those of a leg that has begun: the route's constants in `destination` were set with them.
    """

    origin: float = 0.5
    hour: float = 1.0
    both: float = 1.0
    fast: float = 0.0  # what was done in the last week
    recent: float = 0.2
    back: float = 0.15  # where the last leg began
    once: float = 0.0  # a place where one was but once
    today: float = 0.0  # one where one has been today
    near: float = 0.0  # one near by: exp(-km)
    irregular: float = (
        0.05  # of the plain frequencies: however regular a life, the next day may differ
    )


UNDER_WAY = Weights()
STEADY = (1.0, *(0.0 for _ in HABITS[1:]))  # the first habits alone


class PastTrip(Struct):
    """What is kept of a leg. `path` is thinned; old ones lose it first."""

    origin: int  # of these two NOWHERE is no place, or one that was given up
    destination: int
    depart_s: float  # Unix time
    local_s: float  # seconds after local midnight at departure
    weekday: int
    new: bool
    length_m: float
    duration_s: float
    path: list[tuple[float, float]] = field(default_factory=list)
    end: tuple[float, float] | None = None  # its last fix on the way, where it had one
    stayed: tuple[float, float] | None = None  # where the stay was that it led to
    mode: TravelMode | None = None  # of the trip that it ended
    stops: list[tuple[float, float, float]] = field(default_factory=list)  # of `halts`
    off: int = (
        0  # by which calendar of holidays its day was off, as `day_kind` numbers them; 0 by none
    )


class Departure(Struct, frozen=True):
    """The circumstances of a leg's start. `origin` is None where it is no known place; a leg does not end near it."""

    origin: int | None
    time_s: float
    local_s: float
    weekday: int
    off: int = 0  # as a leg's


class Prior(Struct, frozen=True):
    """Probability by place index and of somewhere new (together 1), and the weight of each past leg's vote."""

    places: dict[int, float]
    new: float
    votes: list[float]


def prior_of(
    departure: Departure,
    places: list[KnownPlace],
    trips: list[PastTrip],
    changes: Sequence[Change] = (),
    weights: Weights = UNDER_WAY,
    among: Sequence[KnownPlace] | None = None,
    trust: Sequence[float] = STEADY,
    read: Sequence[int] = (),
) -> Prior:
    """What past legs say of the one that begins; only somewhere new where no other place is known.

    It leads to one of `among` (None: to those a leg can lead to: known, and not where it begins).
    After a change of home or work, what led to the old one or from it speaks for the new one, as probably as it changed.
    `trust`: how much each of `HABITS` is trusted, together 1. `read`: how each calendar of days off is read (`day_kind`).
    """
    habits = tuple(one for one, share in zip(HABITS, trust, strict=True) if share > 0.0)
    priors = priors_of(departure, places, trips, changes, weights, among, habits, read)
    return mixed(priors, [share for share in trust if share > 0.0])


def priors_of(
    departure: Departure,
    places: list[KnownPlace],
    trips: list[PastTrip],
    changes: Sequence[Change] = (),
    weights: Weights = UNDER_WAY,
    among: Sequence[KnownPlace] | None = None,
    habits: Sequence[Habits] = HABITS,
    read: Sequence[int] = (),
) -> list[Prior]:
    """The same by each of these alone."""
    allowed = _reachable(departure, places) if among is None else among
    if not allowed:
        return [Prior({}, 1.0, [])] * len(habits)
    count = {p.index: p.visits + UNSEEN * p.unseen + NEVER for p in allowed}
    whole = sum(count.values())
    base = {index: visits / whole for index, visits in count.items()}
    legs = _Legs(departure, trips)
    return [
        _prior(_Ballot(departure, base, legs, changes, weights, one, read), base, places)
        for one in habits
    ]


def mixed(priors: Sequence[Prior], trust: Sequence[float]) -> Prior:
    """Of the same places, each trusted so much, together 1; the votes of past legs are the first's."""
    first = priors[0]
    if len(priors) == 1:
        return first
    return Prior(
        {
            index: sum(share * one.places[index] for one, share in zip(priors, trust, strict=True))
            for index in first.places
        },
        sum(share * one.new for one, share in zip(priors, trust, strict=True)),
        first.votes,
    )


def _prior(ballot: _Ballot, base: dict[int, float], places: list[KnownPlace]) -> Prior:
    odd = ballot.weights.irregular
    new = ballot.rate_of_new()
    scores = ballot.scores(places)
    top = max(scores.values())
    masses = {index: exp(score - top) for index, score in scores.items()}
    known = sum(masses.values())
    new = max(new, odd / 2.0)
    return Prior(
        {
            index: (1.0 - new) * ((1.0 - odd) * mass / known + odd * base[index])
            for index, mass in masses.items()
        },
        new,
        ballot.votes,
    )


def _reachable(departure: Departure, places: list[KnownPlace]) -> list[KnownPlace]:
    start = places[departure.origin] if departure.origin is not None else None
    return [
        p
        for p in places
        if (p.visits or departure.time_s - p.last_s < UNSEEN_DAYS * DAY_S)
        and (start is None or gap_m(start.lat, start.lon, p.lat, p.lon) > TRIP_MIN_M * 0.8)
    ]


def heeded(trips: Sequence[PastTrip], now_s: float) -> int:
    """From which of these, by departure, on they still say something: what is asked costs no more with the years."""
    return bisect_left(trips, now_s - HEEDED_DAYS * DAY_S, key=lambda trip: trip.depart_s)


class _Legs:
    """The past legs that are heeded, and what of them is the same for all habits."""

    def __init__(self, leaving: Departure, trips: Sequence[PastTrip]) -> None:
        self.unheeded = heeded(trips, leaving.time_s)
        self.trips = trips[self.unheeded :]
        self.before = trips[-1].origin if trips else None
        now_s, local_s = leaving.time_s, leaving.local_s
        self.days = [max(0.0, now_s - trip.depart_s) / DAY_S for trip in self.trips]
        self.ages = [0.5 ** (days / HALF_LIFE_DAYS) for days in self.days]
        self.news = [0.5 ** (days / NEW_DAYS) for days in self.days]
        self.lately = [new / age for new, age in zip(self.news, self.ages, strict=True)]
        self._hours = [cos((trip.local_s - local_s) * 2 * pi / DAY_S) - 1.0 for trip in self.trips]
        self._clocks: dict[float, list[float]] = {}
        self._origin = leaving.origin
        self._tally: tuple[list[float], list[float], list[dict[int, float]]] | None = None

    def clock(self, sigma_s: float) -> list[float]:
        """How near two departures are in the day, at most 1."""
        found = self._clocks.get(sigma_s)
        if found is None:
            width = (sigma_s * 2 * pi / DAY_S) ** 2
            found = self._clocks[sigma_s] = [exp(hour / width) for hour in self._hours]
        return found

    def tally(
        self, base: Container[int], *, fast: bool
    ) -> tuple[list[float], list[float], list[dict[int, float]]]:
        """(what all legs weigh, what those to somewhere new do, the votes by place), by level; those that go by the hour are empty."""
        if self._tally is None:
            self._tally = self._counted(base, fast=fast)
        seen, fresh, levels = self._tally
        by_hour = (HOUR, BOTH)
        return list(seen), list(fresh), [{} if at in by_hour else v for at, v in enumerate(levels)]

    def _counted(
        self, base: Container[int], *, fast: bool
    ) -> tuple[list[float], list[float], list[dict[int, float]]]:
        levels: list[dict[int, float]] = [{} for _ in range(LEVELS)]
        of_all, of_origin, of_late = levels[ALL], levels[ORIGIN], levels[FAST]
        all_seen = all_fresh = own_seen = own_fresh = late_seen = late_fresh = 0.0
        origin = self._origin
        each = zip(self.trips, self.days, self.ages, self.lately, strict=True)
        for (
            trip,
            days,
            age,
            lately,
        ) in each:
            place, weight = trip.destination, age * lately
            known, same, fresh = place in base, trip.origin == origin, weight * trip.new
            all_seen += weight
            all_fresh += fresh
            if known:
                of_all[place] = of_all.get(place, 0.0) + age
            if same:
                own_seen += weight
                own_fresh += fresh
                if known:
                    of_origin[place] = of_origin.get(place, 0.0) + age
            if fast:
                late = 0.5 ** (days / FAST_DAYS)
                late_seen += late * lately
                late_fresh += late * lately * trip.new
                if known:
                    of_late[place] = of_late.get(place, 0.0) + late
        seen = [all_seen, own_seen, 0.0, 0.0, late_seen]
        fresh_by = [all_fresh, own_fresh, 0.0, 0.0, late_fresh]
        return seen, fresh_by, levels


class _Ballot:
    """The votes of past legs at each level."""

    def __init__(
        self,
        departure: Departure,
        base: dict[int, float],
        legs: _Legs,
        changes: Sequence[Change],
        weights: Weights,
        habits: Habits,
        read: Sequence[int],
    ) -> None:
        self.votes = [0.0] * legs.unheeded
        self.weights = weights
        self._habits = habits
        self._read = read
        self._departure = departure
        self._base = base
        self._changes = changes if habits.heeds_change else ()
        self._seen = [0.0] * LEVELS
        self._fresh = [0.0] * LEVELS
        self._levels: list[dict[int, float]] = [{} for _ in range(LEVELS)]
        self._before = legs.before
        self._vote(legs)

    def _vote(self, legs: _Legs) -> None:
        if self._changes:
            self._vote_changed(legs)
        else:
            self._vote_plain(legs)

    def _vote_plain(self, legs: _Legs) -> None:
        """Where no home or work changed: each leg speaks for where it led, and what no hour tells is the same for all habits."""
        leaving, base, habits, read = self._departure, self._base, self._habits, self._read
        origin = leaving.origin
        today, week = self._days()
        self._seen, self._fresh, self._levels = legs.tally(base, fast=bool(self.weights.fast))
        seen, fresh, seen_both, fresh_both = 0.0, 0.0, 0.0, 0.0
        at_hour, at_both = self._levels[HOUR], self._levels[BOTH]
        votes = self.votes
        each = zip(legs.trips, legs.ages, legs.lately, legs.clock(habits.sigma_s), strict=True)
        for trip, age, lately, clock in each:
            if trip.off:
                day = day_kind(trip.weekday, trip.off, read)
                like = alike(day, today, habits.other_weekday, habits.other_kind)
            else:
                like = week[trip.weekday]
            when = age * (clock * like)
            same = trip.origin == origin
            votes.append((0.1 * age + when) * (0.15 + 0.85 * same))
            if when > 0.0:
                place, weight = trip.destination, when * lately
                known = place in base
                seen += weight
                fresh += weight * trip.new
                if known:
                    at_hour[place] = at_hour.get(place, 0.0) + when
                if same:
                    seen_both += weight
                    fresh_both += weight * trip.new
                    if known:
                        at_both[place] = at_both.get(place, 0.0) + when
        self._seen[HOUR], self._fresh[HOUR] = seen, fresh
        self._seen[BOTH], self._fresh[BOTH] = seen_both, fresh_both

    def _days(self) -> tuple[int, list[float]]:
        """The kind of day on which one leaves, and how alike each day of the week is to it."""
        leaving, habits = self._departure, self._habits
        today = day_kind(leaving.weekday, leaving.off, self._read)
        return today, [
            alike(day, today, habits.other_weekday, habits.other_kind) for day in range(WEEK)
        ]

    def _vote_changed(self, legs: _Legs) -> None:
        """Where a home or a work changed: what led to the old one may speak for the new one."""
        base, habits, read = self._base, self._habits, self._read
        today, week = self._days()
        seen, fresh, levels = self._seen, self._fresh, self._levels
        origin, asks_fast = self._departure.origin, bool(self.weights.fast)
        each = zip(
            legs.trips, legs.days, legs.ages, legs.news, legs.clock(habits.sigma_s), strict=True
        )
        for trip, days, age, lately, clock in each:
            still = self._outdated(trip.depart_s)
            heirs = self._heirs(trip.destination, trip.depart_s).items()
            same = float(trip.origin == origin)
            if origin is not None:
                same = self._heirs(trip.origin, trip.depart_s).get(origin, 0.0)
            age *= still
            lately /= age
            if trip.off:
                day = day_kind(trip.weekday, trip.off, read)
                like = alike(day, today, habits.other_weekday, habits.other_kind)
            else:
                like = week[trip.weekday]
            when = age * (clock * like)
            self.votes.append((0.1 * age + when) * (0.15 + 0.85 * same))
            fast = 0.5 ** (days / FAST_DAYS) * still if asks_fast else 0.0
            for level, weight in enumerate((age, age * same, when, when * same, fast)):
                if weight > 0.0:
                    seen[level] += weight * lately
                    fresh[level] += weight * lately * trip.new
                    votes = levels[level]
                    for index, share in heirs:
                        if index in base:
                            votes[index] = votes.get(index, 0.0) + weight * share

    def _outdated(self, time_s: float) -> float:
        """What a leg from before a change still says: the longer after it, the less."""
        said = 1.0
        for change in self._changes:
            if time_s < change.since_s:
                since_days = max(0.0, self._departure.time_s - change.since_s) / DAY_S
                said *= 1.0 - change.p * (1.0 - 0.5 ** (since_days / OLD_LIFE_DAYS))
        return said

    def _heirs(self, index: int, time_s: float) -> dict[int, float]:
        """The places for which a place of a past leg stands now, and how probably."""
        heirs = {index: 1.0}
        for change in self._changes:
            if time_s < change.since_s and change.before in heirs:
                moved = heirs[change.before] * change.p
                heirs[change.before] -= moved
                heirs[change.now] = heirs.get(change.now, 0.0) + moved
        return heirs

    def rate_of_new(self) -> float:
        """How often such legs lead somewhere new: the level of all, then by origin, by hour and by both."""
        rate, backoff = (self._fresh[ALL] + 1.0) / (self._seen[ALL] + 2.0), self._habits.backoff
        for level in (ORIGIN, HOUR, BOTH):
            rate = (self._fresh[level] + backoff * rate) / (self._seen[level] + backoff)
        return rate

    def _smooth(self, level: int, under: dict[int, float]) -> dict[int, float]:
        votes, backoff = self._levels[level], self._habits.backoff
        total = sum(votes.values()) + backoff
        return {p: (votes.get(p, 0.0) + backoff * q) / total for p, q in under.items()}

    def scores(self, places: list[KnownPlace]) -> dict[int, float]:
        """Unnormalised log-prior by place."""
        told = self.weights
        overall = self._smooth(ALL, self._base)
        by_origin = self._smooth(ORIGIN, overall)
        by_hour = self._smooth(HOUR, overall)
        # Origin and hour as independent witnesses, where both have not been seen together.
        product = {p: by_origin[p] * by_hour[p] / q for p, q in overall.items()}
        norm = sum(product.values())
        product = {p: q / norm for p, q in product.items()}
        joined = (
            (told.origin, by_origin, overall),
            (told.hour, by_hour, overall),
            (told.both, self._smooth(BOTH, product), product),
            (told.fast, self._smooth(FAST, overall), overall),
        )
        leaving = self._departure
        start = places[leaving.origin] if leaving.origin is not None else None
        out = {}
        for p, plain in overall.items():
            place = places[p]
            away_s = max(0.0, leaving.time_s - place.last_s)
            score = 0.0
            for weight, said, under in joined:
                score += weight * log(said[p] / under[p])
            score += log(plain)
            score -= told.recent * log(1.0 + away_s / DAY_S)
            if p == self._before:
                score += told.back
            if place.visits + place.unseen == 1:
                score += told.once
            if away_s < leaving.local_s:
                score += told.today
            if told.near and start is not None and place is not start:
                gap_km = gap_m(start.lat, start.lon, place.lat, place.lon) / 1000.0
                score += told.near * exp(-gap_km)
            out[p] = score
        return out
