"""Where this drive leads: a posterior over the person's places and "somewhere new". `aim` names one point from it.

prior      past trips vote for their destinations. A vote is weighed by age, by how near its departure was in the
           local day (circular kernel), by the kind of day, and by whether it left from the same place; the levels
           back off into each other with Dirichlet smoothing, so that little evidence moves little, and are joined
           log-linearly with how recently a place was visited.
likelihood of the route so far, for each place d:
           heading   the excess of going via here, (origin->here + here->d - origin->d) / origin->here, weighed as the
                     concentration of a von Mises distribution; and the same for the last 300 and 800 m
           detour    each km driven out of the way to d counts against it
           nearing   the nearer the route has come to d, relative to the start, the likelier d
           following past trips to d that took the same streets count more, those that did not count less
           passing   inside a place's ring without a stay there, that place is probably being passed
"Somewhere new" has the prior of this person's own rate of new destinations, and a constant likelihood that falls
where past routes are being followed.
All constants are the same for everybody and rounded; what is learned is the person's trips. The prior's were set on
other people's visits, the route's on one recorded life (GeoLife 001), which therefore cannot serve as their test.
"""

from __future__ import annotations

from math import cos, exp, log, pi

from msgspec import Struct, field

from hearthway.records.life import TRIP_MIN_M
from hearthway.records.localtime import DAY_S

from .flat import gap_m
from .places import KnownPlace
from .routes import Follower, RouteIndex, Track, point_behind

MAX_TRIPS = 4_000
MAX_PATHS = 400
PATH_POINTS = 96


class Tuning(Struct, frozen=True, kw_only=True):
    """The constants, in one place."""

    half_life_days: float = 60.0
    time_sigma_s: float = 5_400.0
    other_weekday: float = 0.5
    other_kind: float = 0.25
    backoff: float = 4.0
    new_backoff: float = 8.0
    w_overall: float = 1.3  # weights of the log-linear prior
    w_origin: float = 0.5
    w_hour: float = 1.1
    w_both: float = 1.5
    w_recent: float = 0.2
    w_back: float = 0.15
    irregular: float = 0.1
    heading: float = 1.9  # weights of the route so far
    leg_short: float = 0.45  # the last 300 m
    leg_long: float = 0.1  # the last 800 m
    detour_km: float = 0.8  # against a place for each km driven out of its way, up to 6
    nearing: float = 1.2
    near_m: float = 300.0
    following: float = 0.5
    follow_gain: float = 4.0
    follow_pivot: float = 0.4
    follow_from_m: float = 400.0
    unseen_path: float = 0.5
    passing: float = 0.9  # against a place whose ring was entered without a stay
    passing_m: float = 250.0
    silent: float = 0.6  # and more for each 10 min without a fix there, up to 30
    new_route: float = 0.8  # what an arbitrary destination is worth once there is a route
    new_followed: float = 0.6  # less of it where past routes are being followed


TUNING = Tuning()


class PastTrip(Struct):
    """What is kept of a trip. `path` is thinned; old trips lose it first."""

    origin: int
    destination: int
    depart_s: float  # Unix time
    local_s: float  # seconds after local midnight at departure
    weekday: int
    new: bool
    length_m: float
    duration_s: float
    path: list[tuple[float, float]] = field(default_factory=list)
    end: tuple[float, float] | None = None  # its last fix on the way, where it had one


class Departure(Struct, frozen=True):
    """The circumstances of a trip's start. `origin` is None where it is no known place."""

    origin: int | None
    time_s: float
    local_s: float
    weekday: int
    start: int | None = None  # place of the last certain stay: a trip does not end near it


class Posterior(Struct, frozen=True):
    """Probabilities by place index, the likeliest first; they and `new` sum to 1."""

    places: tuple[tuple[int, float], ...]
    new: float


class DestinationModel:
    """Learns from finished trips; asked at any moment of the next one."""

    def __init__(self, trips: list[PastTrip], *, tuning: Tuning = TUNING) -> None:
        self.trips = trips
        self.tuning = tuning
        self.index = RouteIndex()
        for at, trip in enumerate(trips):
            self.index.add(at, trip.path)

    def learn(self, trip: PastTrip) -> None:
        """A trip is over."""
        self.trips.append(trip)
        self.index.add(len(self.trips) - 1, trip.path)
        if len(self.trips) > MAX_PATHS:
            old = self.trips[len(self.trips) - 1 - MAX_PATHS]
            if old.path:
                old.path = []
                self.index.drop(len(self.trips) - MAX_PATHS)
        if len(self.trips) > MAX_TRIPS:
            del self.trips[: MAX_TRIPS // 8]
            self.index = RouteIndex()
            for at, past in enumerate(self.trips):
                self.index.add(at, past.path)

    def posterior(
        self,
        departure: Departure,
        places: list[KnownPlace],
        track: Track | None = None,
        follower: Follower | None = None,
        *,
        silent_s: float = 0.0,
    ) -> Posterior:
        """The posterior now, `silent_s` after the last fix; without a track it is the prior."""
        votes, p_new, vote_of_trip = self._prior(departure, places)
        if not votes:
            return Posterior((), 1.0)
        scores = {place: log(p) for place, p in votes.items()}
        new = log(p_new)
        if track is not None and track.points:
            follow = self._follow(follower, vote_of_trip, votes)
            route = _Route(track, silent_s, self.tuning)
            for place in scores:
                scores[place] += route.score(places[place]) + follow.get(place, 0.0)
            new += route.ramp * self.tuning.new_route
            if follower is not None and follower.seen_m > 0.0:
                best = max(follower.shared_m.values(), default=0.0) / follower.seen_m
                new -= self._ramp(follower) * self.tuning.new_followed * best
        top = max(new, max(scores.values()))
        weights = {place: exp(score - top) for place, score in scores.items()}
        new_weight = exp(new - top)
        total = new_weight + sum(weights.values())
        ranked = sorted(
            ((place, weight / total) for place, weight in weights.items()),
            key=lambda pair: (-pair[1], pair[0]),
        )
        return Posterior(tuple(ranked), new_weight / total)

    def _prior(
        self, departure: Departure, places: list[KnownPlace]
    ) -> tuple[dict[int, float], float, list[float]]:
        """(probability by place, of somewhere new, the weight of each past trip's vote)."""
        tune = self.tuning
        start = places[departure.start] if departure.start is not None else None
        allowed = [
            p
            for p in places
            if start is None or gap_m(start.lat, start.lon, p.lat, p.lon) > TRIP_MIN_M * 0.8
        ]
        if not allowed:
            return {}, 1.0, []
        base = dict.fromkeys((p.index for p in allowed), 0.0)
        total_visits = sum(p.visits for p in allowed)
        for place in allowed:
            base[place.index] = (place.visits + 0.2) / (total_visits + 0.2 * len(allowed))
        n = [0.0, 0.0, 0.0, 0.0]  # evidence at each level: all, by origin, by time, by both
        fresh = [0.0, 0.0, 0.0, 0.0]
        levels: list[dict[int, float]] = [{}, {}, {}, {}]
        vote_of_trip = []
        inv = 1.0 / (tune.time_sigma_s * 2 * pi / DAY_S) ** 2
        for trip in self.trips:
            age = 0.5 ** (max(0.0, departure.time_s - trip.depart_s) / DAY_S / tune.half_life_days)
            angle = (trip.local_s - departure.local_s) * 2 * pi / DAY_S
            clock = exp(inv * (cos(angle) - 1.0))
            if trip.weekday == departure.weekday:
                day = 1.0
            elif (trip.weekday < 5) == (departure.weekday < 5):
                day = tune.other_weekday
            else:
                day = tune.other_kind
            same = departure.origin is not None and trip.origin == departure.origin
            weights = (
                age,
                age if same else 0.0,
                age * clock * day,
                age * clock * day if same else 0.0,
            )
            vote_of_trip.append(age * (0.1 + clock * day) * (1.0 if same else 0.15))
            for level in range(4):
                weight = weights[level]
                if weight <= 0.0:
                    continue
                if trip.new:
                    fresh[level] += weight
                n[level] += weight
                if trip.destination in base:
                    levels[level][trip.destination] = (
                        levels[level].get(trip.destination, 0.0) + weight
                    )
        p_new = (fresh[0] + 1.0) / (n[0] + 2.0)
        for level in (1, 2, 3):
            p_new = (fresh[level] + tune.new_backoff * p_new) / (n[level] + tune.new_backoff)
        scores = self._log_linear(departure, base, levels, places)
        top = max(scores.values())
        masses = {place: exp(score - top) for place, score in scores.items()}
        known = sum(masses.values())
        # A share of the plain frequencies stays in: however regular a life, the next day may differ.
        plain, odd = 1.0 / sum(base.values()), tune.irregular
        p_new = max(p_new, tune.irregular / 2.0)
        return (
            {
                place: (1.0 - p_new) * ((1.0 - odd) * mass / known + odd * base[place] * plain)
                for place, mass in masses.items()
            },
            p_new,
            vote_of_trip,
        )

    def _log_linear(
        self,
        departure: Departure,
        base: dict[int, float],
        levels: list[dict[int, float]],
        places: list[KnownPlace],
    ) -> dict[int, float]:
        """Unnormalised log-prior by place: what each level adds to the one below it, weighed."""
        tune = self.tuning
        k = tune.backoff

        def smooth(counts: dict[int, float], under: dict[int, float]) -> dict[int, float]:
            total = sum(counts.values())
            return {p: (counts.get(p, 0.0) + k * q) / (total + k) for p, q in under.items()}

        overall = smooth(levels[0], base)
        by_origin = smooth(levels[1], overall)
        by_hour = smooth(levels[2], overall)
        # Origin and hour as independent witnesses, where both have not been seen together.
        product = {p: by_origin[p] * by_hour[p] / overall[p] for p in base}
        norm = sum(product.values())
        both = smooth(levels[3], {p: q / norm for p, q in product.items()})
        before = self.trips[-1].origin if self.trips else None
        scores = {}
        for p in base:
            low = log(overall[p])
            away_days = max(0.0, departure.time_s - places[p].last_s) / DAY_S
            scores[p] = (
                tune.w_overall * low
                + tune.w_origin * (log(by_origin[p]) - low)
                + tune.w_hour * (log(by_hour[p]) - low)
                + tune.w_both * (log(both[p]) - log(product[p] / norm))
                - tune.w_recent * log(1.0 + away_days)
                + (tune.w_back if p == before else 0.0)
            )
        return scores

    def _ramp(self, follower: Follower) -> float:
        return follower.seen_m / (follower.seen_m + self.tuning.follow_from_m)

    def _follow(
        self, follower: Follower | None, vote_of_trip: list[float], votes: dict[int, float]
    ) -> dict[int, float]:
        """Log-likelihood ratio by place of taking these streets, from the trips that went there."""
        tune = self.tuning
        if follower is None or follower.seen_m <= 0.0:
            return {}
        ramp = self._ramp(follower)
        weight: dict[int, float] = {}
        value: dict[int, float] = {}
        for at, trip in enumerate(self.trips):
            if not trip.path or trip.destination not in votes:
                continue
            vote = vote_of_trip[at]
            score = ramp * tune.follow_gain * (follower.share(at) - tune.follow_pivot)
            weight[trip.destination] = weight.get(trip.destination, 0.0) + vote
            value[trip.destination] = value.get(trip.destination, 0.0) + vote * exp(score)
        return {
            place: tune.following
            * log((value[place] + tune.unseen_path) / (weight[place] + tune.unseen_path))
            for place in weight
        }


class _Route:
    """The route so far, ready to be scored against each place."""

    def __init__(self, track: Track, silent_s: float, tuning: Tuning) -> None:
        self._tuning = tuning
        self._first = track.points[0]
        self._here = track.last if track.last is not None else track.points[-1]
        self._gone = gap_m(self._first[1], self._first[2], self._here[1], self._here[2])
        self.ramp = self._gone / (self._gone + tuning.near_m)
        self._legs = []
        for metres, weight in ((300.0, tuning.leg_short), (800.0, tuning.leg_long)):
            back = point_behind(track, metres)
            leg = gap_m(back[1], back[2], self._here[1], self._here[2])
            if leg > 80.0:
                self._legs.append((back, leg, weight))
        self._silent = min(3.0, max(0.0, silent_s) / 600.0)

    def score(self, place: KnownPlace) -> float:
        """Log-likelihood of this route for a place, up to a constant that all places share."""
        tune, first, here = self._tuning, self._first, self._here
        left = gap_m(here[1], here[2], place.lat, place.lon)
        whole = gap_m(first[1], first[2], place.lat, place.lon)
        score = tune.nearing * log((whole + tune.near_m) / (left + tune.near_m))
        if self._gone > 50.0:
            excess = max(0.0, self._gone + left - whole) / self._gone
            score += self.ramp * tune.heading * (1.0 - excess)
            score -= tune.detour_km * min(6.0, excess * self._gone / 1000.0)
        for back, leg, weight in self._legs:
            before = gap_m(back[1], back[2], place.lat, place.lon)
            score += weight * (1.0 - max(0.0, leg + left - before) / leg)
        if left < tune.passing_m:
            score -= tune.passing + tune.silent * self._silent
        return score
