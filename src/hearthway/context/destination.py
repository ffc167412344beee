"""Where this drive leads: a posterior over the person's places and "somewhere new". `aim` names one point from it.

prior      what past legs say of the departure: `prior`
likelihood of the route so far, for each place d:
           heading   the excess of going via here, (origin->here + here->d - origin->d) / origin->here, weighed as the
                     concentration of a von Mises distribution; and the same for the last 300 and 800 m
           detour    each km driven out of the way to d counts against it
           nearing   the nearer the route has come to d, relative to the start, the likelier d; and no more than that
                     past legs that led elsewhere seldom came as near (`passing`)
           following past trips to d that took the same streets count more, those that did not count less
           own way   where the route is one's own way to several places, heading, detour and nearing say nothing
                     between them: they share what these say, and are told apart where their ways part
"Somewhere new" has the prior of this person's own rate of new destinations, and a constant likelihood that falls
where past routes are being followed.
All constants are the same for everybody and rounded; what is learned is the person's trips. The route's were set on
one recorded life (GeoLife 001), which therefore cannot serve as their test.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from msgspec import Struct

from hearthway.records.situation import Planned

from .drawn import GOAL, Goal, drawn, next_goal
from .flat import gap_m
from .passing import Passing
from .places import KnownPlace
from .prior import Departure, PastTrip, Prior, prior_of, priors_of
from .regularity import Regularity
from .routes import Follower, RouteIndex, Track, point_behind
from .settling import Change
from .where_next import WhereNext

# Nobody drives in one leg much farther than ever before: after a flight, home and all around it is no destination.
REACH_M, FARTHER = 150_000.0, 1.5  # as far at least; times the longest leg on the ground
DRIVEN_MPS = 70.0  # whoever was faster flew
MAX_TRIPS = 4_000
MAX_PATHS = 400
PATH_POINTS = 96
COUNTS = 7.0  # in log-odds: a place so much less likely than the likeliest does not count
ASKED = 2  # priors kept: of the leg under way, and of the one that may have begun at a stop on it
Point = tuple[float, float]
_Asked = tuple[Departure, tuple[Change, ...], Point | None]


class Tuning(Struct, frozen=True, kw_only=True):
    """The constants, in one place."""

    heading: float = 1.9  # weights of the route so far
    leg_short: float = 0.45  # the last 300 m
    leg_long: float = 0.1  # the last 800 m
    detour_km: float = 0.8  # against a place for each km driven out of its way, up to 6
    nearing: float = 1.6
    near_m: float = 150.0
    passing: float = 2.0  # in votes: how firmly one holds to this, against legs that came as near and went on
    following: float = 0.5
    follow_gain: float = 4.0
    follow_pivot: float = 0.4
    follow_from_m: float = 400.0
    unseen_path: float = 0.5
    taken_from: float = 0.5  # of the recent route shared with a past trip: from here on
    taken_to: float = 0.9  # it may be that way, and from here on it is
    own_way: float = 0.05  # in votes: with so many past trips it is one's own way or chance
    own_from_m: float = 150.0
    new_route: float = 0.5  # what an arbitrary destination is worth once there is a route
    new_followed: float = 0.6  # less of it where past routes are being followed


TUNING = Tuning()


class Posterior(Struct, frozen=True):
    """Probabilities by place index, the likeliest first; they and `new` sum to 1."""

    places: tuple[tuple[int, float], ...]
    new: float
    planned: float = 0.0  # of what the calendar has next, where one was never there; part of that 1


def either(whole: Posterior, other: Posterior, p: float) -> Posterior:
    """What is so if `other` holds with probability p, and else `whole`."""
    sums = {place: (1.0 - p) * share for place, share in whole.places}
    for place, share in other.places:
        sums[place] = sums.get(place, 0.0) + p * share
    return Posterior(
        tuple(sorted(sums.items(), key=lambda pair: (-pair[1], pair[0]))),
        (1.0 - p) * whole.new + p * other.new,
        (1.0 - p) * whole.planned + p * other.planned,
    )


class DestinationModel:
    """Learns from finished trips; asked at any moment of the next one."""

    def __init__(
        self,
        trips: list[PastTrip],
        regular: Regularity | None = None,
        *,
        tuning: Tuning = TUNING,
    ) -> None:
        self.trips = trips
        self.regular = Regularity() if regular is None else regular
        self._foretold: tuple[float, list[Prior]] | None = None
        self.tuning = tuning
        self._asked: dict[_Asked, Prior] = {}
        self._longest_m = max(map(_driven_m, trips), default=0.0)
        self.where_next = WhereNext()
        self.index = RouteIndex()
        self._passing = Passing(trips)
        for at, trip in enumerate(trips):
            self.index.add(at, trip.path)

    def places_changed(self) -> None:
        """Places were joined, divided or given up, and the trips with them."""
        self._asked.clear()
        self._passing.clear()
        self.where_next = WhereNext()

    def foretell(
        self, departure: Departure, places: list[KnownPlace], changes: Sequence[Change] = ()
    ) -> None:
        """The leg that set out so is about to be learned: what was expected of it, as long as its end changed nothing yet."""
        said = priors_of(departure, places, self.trips, changes)
        self._foretold = departure.time_s, said

    def learn(self, trip: PastTrip) -> None:
        """A trip is over."""
        self._asked.clear()
        if self._foretold is not None and self._foretold[0] == trip.depart_s:
            self.regular.learn(self._foretold[1], trip)
        self._foretold = None
        self._longest_m = max(self._longest_m, _driven_m(trip))
        self.trips.append(trip)
        self.index.add(len(self.trips) - 1, trip.path)
        if len(self.trips) > MAX_PATHS:
            old = self.trips[len(self.trips) - 1 - MAX_PATHS]
            if old.path:
                old.path = []
                self.index.drop(len(self.trips) - MAX_PATHS)
        if len(self.trips) > MAX_TRIPS:
            del self.trips[: MAX_TRIPS // 8]
            self._passing.clear()
            self.index = RouteIndex()
            for at, past in enumerate(self.trips):
                self.index.add(at, past.path)

    def posterior(
        self,
        departure: Departure,
        places: list[KnownPlace],
        track: Track | None = None,
        follower: Follower | None = None,
        changes: Sequence[Change] = (),
        planned: Sequence[Planned] = (),
    ) -> Posterior:
        """The posterior after the last fix; without a track it is the prior. `planned`: what the calendar has next."""
        here = _start(departure, places, track)
        prior = self._prior(departure, places, changes, here)
        goal: Goal | None = None
        if planned and here is not None:
            prior, goal = _with_calendar(prior, departure, places, here, planned)
        if not prior.places:
            return Posterior((), 1.0)
        scores = {place: log(p) for place, p in prior.places.items()}
        new = log(prior.new)
        if track is not None and track.points:
            route = _Route(track, self.tuning)
            spots = {place: places[place] for place in scores if place != GOAL}
            if goal is not None and goal.index in scores:
                spots[goal.index] = goal.place
            fit = {place: route.score(spot) for place, spot in spots.items()}
            self._weaken(fit, scores, spots, route, prior.votes)
            followed = self._follow(follower, prior)
            fit = _shared(fit, {place: one.own_way for place, one in followed.items()})
            for place in scores:
                scores[place] += fit[place]
                scores[place] += followed[place].ratio if place in followed else 0.0
            new += route.ramp * self.tuning.new_route
            if follower is not None and follower.seen_m > 0.0:
                best = max(follower.shared_m.values(), default=0.0) / follower.seen_m
                new -= self._ramp(follower) * self.tuning.new_followed * best
        top = max(new, max(scores.values()))
        weights = {place: exp(score - top) for place, score in scores.items()}
        new_weight = exp(new - top)
        total = new_weight + sum(weights.values())
        unseen = weights.pop(GOAL, 0.0) / total
        ranked = sorted(
            ((place, weight / total) for place, weight in weights.items()),
            key=lambda pair: (-pair[1], pair[0]),
        )
        return Posterior(tuple(ranked), new_weight / total, unseen)

    def _prior(
        self,
        departure: Departure,
        places: list[KnownPlace],
        changes: Sequence[Change],
        here: Point | None,
    ) -> Prior:
        """The prior of this departure after these changes, of places within reach; it holds until a leg is learned."""
        asked = departure, tuple(changes), here
        prior = self._asked.get(asked)
        if prior is None:
            trust = self.regular.trust(departure.time_s)
            prior = prior_of(departure, places, self.trips, changes, trust=trust)
            if here is not None:
                reach_m = max(REACH_M, FARTHER * self._longest_m)
                prior = _within(prior, places, here, reach_m)
            while len(self._asked) >= ASKED:
                del self._asked[next(iter(self._asked))]
            self._asked[asked] = prior
        return prior

    def _weaken(
        self,
        fit: dict[int, float],
        before: dict[int, float],
        spots: dict[int, KnownPlace],
        route: _Route,
        votes: list[float],
    ) -> None:
        """How well the route fits the places that count, less what coming near them does not tell in this life."""
        least = max(before[place] + said for place, said in fit.items()) - COUNTS
        firmly = self.tuning.passing
        for place, spot in spots.items():
            if before[place] + fit[place] < least:
                continue
            left_m, nearing = route.nearing(spot)
            if nearing <= 0.0:
                continue
            passed = self._passing.by(spot, place, votes)
            seldom = exp(-nearing)  # of legs to elsewhere so many come as near, for all that is known
            often = (passed.within(left_m) + firmly * seldom) / (passed.all + firmly)
            fit[place] -= max(0.0, log(often / seldom))

    def _ramp(self, follower: Follower) -> float:
        return follower.seen_m / (follower.seen_m + self.tuning.follow_from_m)

    def _follow(self, follower: Follower | None, prior: Prior) -> dict[int, _Followed]:
        """What taking these streets says of each place to which past trips went."""
        tune = self.tuning
        if follower is None or follower.seen_m <= 0.0:
            return {}
        ramp = self._ramp(follower)
        seen = follower.seen_m / (follower.seen_m + tune.own_from_m)
        weight: dict[int, float] = {}
        value: dict[int, float] = {}
        taken: dict[int, float] = {}
        most: dict[int, float] = {}
        for at, trip in enumerate(self.trips):
            if not trip.path or trip.destination not in prior.places:
                continue
            place, vote, share = trip.destination, prior.votes[at], follower.share(at)
            part = (share - tune.taken_from) / (tune.taken_to - tune.taken_from)
            part = min(1.0, max(0.0, part))
            weight[place] = weight.get(place, 0.0) + vote
            value[place] = value.get(place, 0.0) + vote * exp(
                ramp * tune.follow_gain * (share - tune.follow_pivot)
            )
            taken[place] = taken.get(place, 0.0) + vote * part
            most[place] = max(most.get(place, 0.0), part)
        best = max(most.values(), default=0.0) or 1.0
        return {
            place: _Followed(
                tune.following
                * log((value[place] + tune.unseen_path) / (weight[place] + tune.unseen_path)),
                seen * most[place] / best * taken[place] / (taken[place] + tune.own_way),
            )
            for place in weight
        }


class _Followed(Struct, frozen=True):
    """Of a place: the log-likelihood ratio of these streets, and how surely the route so far is one's own way there."""

    ratio: float
    own_way: float


def _shared(fit: dict[int, float], own_way: dict[int, float]) -> dict[int, float]:
    """How well the route fits each place, shared by those to which it is one's own way, as surely as it is that.

    A road bends, and leads past one known place to the next. By the bee-line every place that one passes looks like the end of
    the way, until it lies behind. Who drives the usual way tells nothing by that.
    """
    total = sum(own_way.values())
    if total <= 0.0:
        return fit
    top = max(fit.values())
    common = top + log(sum(p * exp(fit[place] - top) for place, p in own_way.items()) / total)
    return {
        place: score + own_way.get(place, 0.0) * (common - score) for place, score in fit.items()
    }


def _driven_m(trip: PastTrip) -> float:
    """How long a leg was, along its way; 0 where it was flown."""
    return trip.length_m if trip.length_m <= DRIVEN_MPS * trip.duration_s else 0.0


def _start(departure: Departure, places: list[KnownPlace], track: Track | None) -> Point | None:
    """Where the leg was first seen, else what it left; None without a position."""
    if track is not None and track.points:
        return track.points[0][1], track.points[0][2]
    if departure.origin is not None:
        return places[departure.origin].lat, places[departure.origin].lon
    return None


def _within(prior: Prior, places: list[KnownPlace], here: Point, reach_m: float) -> Prior:
    """The same among the places within reach; what the others had is shared by these and by somewhere new."""
    near = {
        index: p
        for index, p in prior.places.items()
        if gap_m(*here, places[index].lat, places[index].lon) <= reach_m
    }
    if len(near) == len(prior.places):
        return prior
    whole = prior.new + sum(near.values())
    return Prior({index: p / whole for index, p in near.items()}, prior.new / whole, prior.votes)


def _with_calendar(
    prior: Prior,
    departure: Departure,
    places: list[KnownPlace],
    here: Point,
    planned: Sequence[Planned],
) -> tuple[Prior, Goal | None]:
    """The prior as what the calendar has next moves it, and where that is."""
    found = next_goal(planned, places, departure.time_s)
    if found is None:
        return prior, None
    entry, goal = found
    return drawn(prior, places, here, departure.time_s, entry.start_s, goal), goal


class _Route:
    """The route so far, ready to be scored against each place."""

    def __init__(self, track: Track, tuning: Tuning) -> None:
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

    def nearing(self, place: KnownPlace) -> tuple[float, float]:
        """(metres that are left, what having come so near says for the place)."""
        tune, first, here = self._tuning, self._first, self._here
        left = gap_m(here[1], here[2], place.lat, place.lon)
        whole = gap_m(first[1], first[2], place.lat, place.lon)
        return left, tune.nearing * log((whole + tune.near_m) / (left + tune.near_m))

    def score(self, place: KnownPlace) -> float:
        """Log-likelihood of this route for a place, up to a constant that all places share."""
        tune, first, here = self._tuning, self._first, self._here
        left, score = self.nearing(place)
        whole = gap_m(first[1], first[2], place.lat, place.lon)
        if self._gone > 50.0:
            excess = max(0.0, self._gone + left - whole) / self._gone
            score += self.ramp * tune.heading * (1.0 - excess)
            score -= tune.detour_km * min(6.0, excess * self._gone / 1000.0)
        for back, leg, weight in self._legs:
            before = gap_m(back[1], back[2], place.lat, place.lon)
            score += weight * (1.0 - max(0.0, leg + left - before) / leg)
        return score
