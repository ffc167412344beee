"""Where this drive leads: a posterior over the person's places and "somewhere new". `aim` names one point from it.

prior      what past legs say of the departure: `prior`
likelihood of the route so far, for each place d, by road where a map has roads and else by the bee-line (`fit`):
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

from collections.abc import Container, Mapping, Sequence
from copy import copy
from math import exp, log

from msgspec import Struct

from hearthway.records.poi import RoadNear
from hearthway.records.situation import Planned, Via

from .day_kind import NO_DAYS_OFF, READINGS, DayKinds, many
from .drawn import GOAL, Goal, drawn, next_goal
from .fit import TUNING, ByRoad, RouteFit, Spots, Tuning
from .flat import gap_m
from .halts import usual_stop
from .passing import Passed, Passing
from .past import PastLegs
from .places import KnownPlace
from .prior import MAX_PATHS, Departure, PastTrip, Prior, mixed, prior_of, priors_of
from .regularity import Regularity
from .routes import Follower, RouteIndex, Track
from .settling import Change
from .where_next import WhereNext

# Nobody drives in one leg much farther than ever before: after a flight, home and all around it is no destination.
REACH_M, FARTHER = 150_000.0, 1.5  # as far at least; times the longest leg on the ground
DRIVEN_MPS = 70.0  # whoever was faster flew
MAX_TRIPS = 4_000
PATH_POINTS = 96
COUNTS, COUNTED_ON = (
    7.0,
    4.0,
)  # in log-odds, less likely than the likeliest: on the way, and as one leaves
ASKED = 2  # priors kept: of the leg under way, and of the one that may have begun at a stop on it
STOPS = 32  # usual stops kept: of the likeliest places of one leg
QUESTIONS = 2 * ASKED  # each with what the calendar has next, and without
Point = tuple[float, float]
_Leaves = tuple[Departure, tuple[Change, ...]]
_Asked = tuple[Departure, tuple[Change, ...], Point | None]
Fixed = tuple[float, float, float]


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
        roads: RoadNear | None = None,
        tuning: Tuning = TUNING,
        off: Mapping[int, int] | None = None,
    ) -> None:
        """`roads`: of a map, if there is one; what is learned does not depend on it. `off`: days off, local day -> its calendar's number."""
        self.trips = trips
        self.regular = Regularity() if regular is None else regular
        self._off = off or {}
        self._many = many(self._off)
        self._foretold: tuple[float, list[Prior], list[Prior]] | None = None
        self.tuning = tuning
        self.roads = None if roads is None else ByRoad(roads)
        self._asked: dict[_Asked, Prior] = {}
        self._each: dict[_Leaves, list[Prior]] = {}
        self._questions: list[_Question] = []
        self._stops: dict[tuple[Departure, int, tuple[int, ...]], Via | None] = {}
        self._longest_m = max(map(_driven_m, trips), default=0.0)
        self.where_next = WhereNext()
        self.index = RouteIndex()
        self.past = PastLegs(trips)
        self._passing = Passing(trips)
        self._followed: list[_Following] = []
        for at, trip in enumerate(trips):
            self.index.add(at, trip.path)

    def like(
        self, *, trips: list[PastTrip] | None = None, tuning: Tuning | None = None
    ) -> DestinationModel:
        """This model with as many other trips or other constants: to be asked at once, and never taught."""
        other = copy(self)
        other.trips, other.tuning = trips or self.trips, tuning or self.tuning
        other._followed, other._questions = [], []
        if trips is not None:
            other._asked, other._each = {}, {}
            other.past = PastLegs(other.trips)
        return other

    def places_changed(self) -> None:
        """Places were joined, divided or given up, and the trips with them."""
        self._forget_asked()
        self._passing.clear()
        self.past.clear()
        self.where_next = WhereNext()

    def _forget_asked(self) -> None:
        """What was answered no longer holds."""
        self._asked.clear()
        self._each.clear()
        self._questions.clear()
        self._stops.clear()

    def foretell(
        self, departure: Departure, places: list[KnownPlace], changes: Sequence[Change] = ()
    ) -> None:
        """The leg that set out so is about to be learned: what was expected of it, as long as its end changed nothing yet."""
        said = self._by_habit(departure, places, changes)
        off = [prior for _, prior in self._by_reading(departure, places, changes)]
        self._foretold = departure.time_s, said, off

    def learn(self, trip: PastTrip) -> None:
        """A trip is over."""
        self._forget_asked()
        if self._foretold is not None and self._foretold[0] == trip.depart_s:
            self.regular.learn(self._foretold[1], trip)
            if trip.off:
                self.regular.learn_off(self._foretold[2], trip)
        self._foretold = None
        self._longest_m = max(self._longest_m, _driven_m(trip))
        self.trips.append(trip)
        self.index.add(len(self.trips) - 1, trip.path)
        if len(self.trips) > MAX_PATHS:
            old = self.trips[len(self.trips) - 1 - MAX_PATHS]
            if old.path:
                self.index.drop(len(self.trips) - 1 - MAX_PATHS, old.path)
                old.path = []
        if len(self.trips) > MAX_TRIPS:
            del self.trips[: MAX_TRIPS // 8]
            self._passing.clear()
            self.past.clear()
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
        """The posterior where one was last held to be; without a track it is the prior. `planned`: what the calendar has next.

        The same until one is elsewhere by `HERE_M`, or something else changes.
        """
        question = self._question(departure, places, track, changes, planned)
        if not question.prior.places:
            return Posterior((), 1.0)
        if track is None or not track.points:
            return self._answer(question, None, follower)
        at = follower, len(track.points), track.here
        if question.answer is None or question.at != at:
            question.at, question.answer = at, self._answer(question, track, follower)
        return question.answer

    def _question(
        self,
        departure: Departure,
        places: list[KnownPlace],
        track: Track | None,
        changes: Sequence[Change],
        planned: Sequence[Planned],
    ) -> _Question:
        """What is the same at each moment of a leg."""
        here = _start(departure, places, track)
        told = self._prior(departure, places, changes, here)
        asked, goal = tuple(planned), None
        for one in self._questions:
            if one.told is told and one.planned == asked:
                return one
        prior = told
        if planned and here is not None:
            prior, goal = _with_calendar(told, departure, places, here, planned)
        spots = {place: places[place] for place in prior.places if place != GOAL}
        if goal is not None and goal.index in prior.places:
            spots[goal.index] = goal.place
        self._questions = [*self._questions[1 - QUESTIONS :], _Question(told, asked, prior, spots)]
        return self._questions[-1]

    def _answer(
        self, question: _Question, track: Track | None, follower: Follower | None
    ) -> Posterior:
        """The posterior by the prior, and by the route so far where there is one."""
        prior = question.prior
        scores, new = dict(question.leaving), log(prior.new)
        if track is not None:
            route = RouteFit(track, self.tuning)
            followed = self._follow(follower, prior)
            fit = self._fit(route, question.spots, scores, prior.votes, followed)
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
            prior = self._expected(departure, places, changes)
            if here is not None:
                reach_m = max(REACH_M, FARTHER * self._longest_m)
                prior = _within(prior, places, here, reach_m)
            while len(self._asked) >= ASKED:
                del self._asked[next(iter(self._asked))]
            self._asked[asked] = prior
        return prior

    def _fit(
        self,
        route: RouteFit,
        spots: Spots,
        before: dict[int, float],
        votes: list[float],
        led: Container[int],
    ) -> dict[int, float]:
        """How well the route fits each place; what is costly to know, of those that count.

        `led`: the places to which past legs led. Following these streets speaks for them, and never for one to which none did:
        what it comes near is all that speaks for that one, and is not taken from it.
        """
        flown = route.by_bee_line(spots)
        fit = {place: one.score for place, one in flown.items()}
        likely = _likely(before, fit, spots.places)
        if self.roads is not None:
            fit |= route.by_road(self.roads, likely)
        for place, spot in likely.items():
            near = flown[place]
            if near.nearing > 0.0 and place in led:
                passed = self._passing.by(spot, place, votes)
                fit[place] -= self._comes_near(passed, near.left_m, exp(-near.nearing))
        return fit

    def _comes_near(self, passed: Passed, left_m: float, seldom: float) -> float:
        """What coming so near does not tell in this life. `seldom`: the share of legs to elsewhere that come as near, of most lives."""
        firmly = self.tuning.passing
        often = (passed.within(left_m) + firmly * seldom) / (passed.all + firmly)
        return max(0.0, log(often / seldom))

    def kinds(self, time_s: float) -> DayKinds:
        """This person's days off, as they are most probably to be read then."""
        if not self._many:
            return NO_DAYS_OFF
        return DayKinds(self._off, self.regular.read(self._many, time_s))

    def _expected(
        self, departure: Departure, places: list[KnownPlace], changes: Sequence[Change]
    ) -> Prior:
        """What past legs say; on a day off, by how much each reading of its calendar is trusted."""
        if not departure.off:
            trust = self.regular.trust(departure.time_s)
            return mixed(self._by_habit(departure, places, changes), trust)
        ranked = sorted(self._by_reading(departure, places, changes), key=lambda one: -one[0])
        return mixed([prior for _, prior in ranked], [p for p, _ in ranked])

    def _by_habit(
        self, departure: Departure, places: list[KnownPlace], changes: Sequence[Change]
    ) -> list[Prior]:
        """What past legs say by each of the habits: asked as the leg begins, and again when it is over."""
        leaves = departure, tuple(changes)
        found = self._each.get(leaves)
        if found is None:
            read = self.kinds(departure.time_s).read
            while len(self._each) >= ASKED:
                del self._each[next(iter(self._each))]
            found = priors_of(departure, places, self.trips, changes, read=read)
            self._each[leaves] = found
        return found

    def usual_stop(self, departure: Departure, destination: int, kinds: DayKinds) -> Via | None:
        """The usual stop on the way there of a leg that left so; it holds until a leg is learned."""
        asked = departure, destination, kinds.read
        if asked not in self._stops:
            while len(self._stops) >= STOPS:
                del self._stops[next(iter(self._stops))]
            self._stops[asked] = usual_stop(
                self.past.between(departure.origin, destination), departure, destination, kinds
            )
        return self._stops[asked]

    def _by_reading(
        self, departure: Departure, places: list[KnownPlace], changes: Sequence[Change]
    ) -> list[tuple[float, Prior]]:
        """Of a leg on a day off: each reading of its calendar, how much it is trusted, and what it says. Else nothing."""
        time_s, number = departure.time_s, departure.off
        if not number:
            return []
        trust, read = self.regular.trust(time_s), list(self.kinds(time_s).read)
        too_many = number <= len(self._many) and self._many[number - 1]
        trusted = self.regular.readings(number, time_s, many=too_many)
        read += [READINGS[0]] * (number - len(read))
        said = []
        for p, reading in zip(trusted, READINGS, strict=True):
            read[number - 1] = reading
            prior = prior_of(departure, places, self.trips, changes, trust=trust, read=read)
            said.append((p, prior))
        return said

    def _ramp(self, follower: Follower) -> float:
        return follower.seen_m / (follower.seen_m + self.tuning.follow_from_m)

    def _follow(self, follower: Follower | None, prior: Prior) -> dict[int, _Followed]:
        """What taking these streets says of each place to which past trips went; the same until 100 m more are driven."""
        if follower is None or follower.seen_m <= 0.0:
            return {}
        for asked, steps, votes, places, found in self._followed:
            same = asked is follower and steps == follower.steps and votes is prior.votes
            if same and places.keys() == prior.places.keys():
                return found
        told = self._following(follower, prior)
        one = follower, follower.steps, prior.votes, prior.places, told
        self._followed = [*self._followed[1 - ASKED :], one]
        return told

    def _following(self, follower: Follower, prior: Prior) -> dict[int, _Followed]:
        tune = self.tuning
        ramp = self._ramp(follower)
        seen = follower.seen_m / (follower.seen_m + tune.own_from_m)
        weight: dict[int, float] = {}
        value: dict[int, float] = {}
        taken: dict[int, float] = {}
        most: dict[int, float] = {}

        def told(share: float) -> tuple[float, float]:
            part = (share - tune.taken_from) / (tune.taken_to - tune.taken_from)
            gain = exp(ramp * tune.follow_gain * (share - tune.follow_pivot))
            return gain, min(1.0, max(0.0, part))

        elsewhere = told(0.0)  # most legs took none of these streets
        for at in range(max(0, len(self.trips) - MAX_PATHS), len(self.trips)):
            trip = self.trips[at]
            if not trip.path or trip.destination not in prior.places:
                continue
            place, vote = trip.destination, prior.votes[at]
            gain, part = told(follower.share(at)) if at in follower.shared_m else elsewhere
            weight[place] = weight.get(place, 0.0) + vote
            value[place] = value.get(place, 0.0) + vote * gain
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


def _likely(
    before: dict[int, float], fit: dict[int, float], spots: Mapping[int, KnownPlace]
) -> dict[int, KnownPlace]:
    """The places that count: likely as one left, or by the route as the crow flies, which a river can mislead."""
    leaving = max([before[place] for place in spots]) - COUNTED_ON
    told = {place: before[place] + fit[place] for place in spots}
    least = max(told.values()) - COUNTS
    return {
        place: spot
        for place, spot in spots.items()
        if before[place] >= leaving or told[place] >= least
    }


# (follower, its steps, the votes, the places asked about) and what was said.
_Following = tuple[Follower, int, list[float], dict[int, float], dict[int, "_Followed"]]


class _Question:
    """Of a leg that is under way, with what the calendar has next: what is asked at each of its moments, and the last answer."""

    def __init__(
        self,
        told: Prior,
        planned: tuple[Planned, ...],
        prior: Prior,
        spots: dict[int, KnownPlace],
    ) -> None:
        """`told`: the prior without the calendar."""
        self.told, self.planned, self.prior, self.spots = told, planned, prior, Spots(spots)
        self.leaving = {place: log(p) for place, p in prior.places.items()}
        self.at: tuple[Follower | None, int, Fixed | None] | None = None
        self.answer: Posterior | None = None


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
