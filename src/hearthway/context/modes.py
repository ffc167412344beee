"""By what a person moves: a Bayesian filter over foot, bicycle, car, bus and train, a step each quarter of a minute.

A step weighs what moved since the last: the speed that the positions imply, the told speeds, how often one stood, how
hard it sped up, whether a road was near, and the car's own word. Between two steps one may have changed over, mostly by
way of foot and where it was slow (Zheng et al., WWW 2008). Steps nearer in time than `APART_S` count less each, so
that a fix a second and a fix a minute tell the same. All tables stand in `mode_tables`, with their sources.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp

from msgspec import Struct, field

from hearthway.records.life import MODES, TravelMode

from .flat import gap_m
from .mode_marks import WayMarks
from .mode_tables import (
    ACCESS,
    CAR,
    CAR_SAYS,
    CLASS_OF,
    FOOT,
    FREQUENT_STOP,
    HARD,
    HARD_MPS2,
    LEAVE_S,
    NEAR_ROAD,
    OFF_ROAD,
    RIDES_M,
    SHARES,
    STOPS_M,
    TRANSIT_SPLIT,
    speed_logs,
)

STEP_S = 15.0
APART_S = 20.0  # two speeds nearer in time than this are not two pieces of evidence
PACE_S = (
    3.0,
    6.0,
)  # between two speeds that tell an acceleration: closer ones differ by their errors
DENSE_S = 20.0  # fixes farther apart do not show each stop
WHOLE_S = 90.0  # a speed over a longer time is that of a way with its stops
MOVED_M = 25.0  # less than this, or than 1.5 times the accuracy, is jitter
SLOW_MPS = 2.5  # one changes over at walking pace
STARTS = 0.6  # what the first speed told while setting off weighs, however soon it comes
FAST_GATE = 0.05  # of the usual rate, where it was fast before and after
TOWN_MPS = 14.0  # faster, nothing on wheels stops often
STOOD_MPS, WENT_MPS = 0.8, 2.5
FOOT_FIRST = 0.35  # a way begins on foot at least so often: to the car, to the stop
CAME = (
    0.3,
    0.7,
    0.7,
    0.7,
)  # one leaves by what one came with, by class: a car is where it was left
# So long a walk, or a wait after one, before a ride is as likely one to a stop as one to a car (assumed).
WALKED_M, WAITED_S, WALK_M = 300.0, 120.0, 80.0
PRIOR_TRIPS = 10.0  # what all people have in common counts as so many own trips
ROAD_MPS, ROAD_EVERY_S, ROAD_SURE_M = 6.0, 30.0, 40.0
WORD_S = 120.0  # for so long the car's word that it moves stands
WITH_CAR_M, WITH_CAR = (
    200.0,
    (0.4, 1.7),
)  # bee-lines are shorter than ways, and positions are not exact
TOLD_KEPT = 0.9  # of earlier trips with a car's word, at each new one
SILENT_P = 0.05  # that a car which always spoke says nothing on a way
SILENT_AFTER_S = 180.0  # of riding: by then a car that tells has told
LOOKS = 1.5
REST_M = 72.0  # in three minutes of walking pace's slowest, 0.4 m/s: positions of who stands wander so far
TRIP_SURE = 0.6  # a trip's mode is kept, and learned from
SURE = 0.5  # a mode is named where it is likelier than all others together
NAMED = {"foot": "walking", "bicycle": "cycling", "car": "driving", "transit": "riding"}


Spot = tuple[float, float, float]  # time_s, lat, lon
Judge = Callable[["ModeFilter"], tuple[TravelMode, float]]  # by what a way went, when it is over


class ModeState(Struct, kw_only=True):
    """The filter as it stands; part of a life's state."""

    p: list[float] = field(default_factory=list)  # by mode; empty before the first step of a way
    time_s: float = 0.0  # of the last step, and where it was
    lat: float = 0.0
    lon: float = 0.0
    mark: tuple[float, float] | None = None  # up to where metres are counted
    mps: float = 0.0  # over the last step
    rest: Spot | None = None  # since when, and around where, one has not got away
    metres: list[float] = field(default_factory=lambda: [0.0] * 5)  # of this way, by mode
    marks: WayMarks = field(default_factory=WayMarks)  # of this way
    before: list[float] = field(default_factory=list)  # shares of this person's ways as it began
    walked_m: float = 0.0  # since the last ride
    waited_s: float = 0.0
    looks: float = 0.0  # speeds weighed since this ride began
    told_n: int = 0  # speeds told since the last step
    told_sum: float = 0.0
    last_told: tuple[float, float] | None = None  # time_s, m/s
    hard: bool = False
    paced: bool = False  # speeds were told closely enough to see how hard it sped up
    standing: bool = False
    stops: int = 0
    dense_m: float = 0.0  # metres since the last step that were seen closely enough to count stops
    road_s: float = float("-inf")
    word_s: float = float("-inf")  # when the car last said that it moved, and when that was used
    heeded_s: float = float("-inf")
    rode_s: float = 0.0  # of this way
    told: bool = False  # the car spoke on this way
    judged: bool = False  # its silence on this way has been weighed
    since: list[float] = field(default_factory=lambda: [0.0] * 5)  # metres since the odometer spoke
    came: list[float] = field(default_factory=list)  # by what one came to where one is, by class
    trips: list[float] = field(default_factory=lambda: [0.0] * 4)  # own trips by class
    car_told: float = 0.0  # trips by car on which it spoke in time, the latest count most


class ModeFilter:
    """Works on a `ModeState`; pure, and the same for live and replay."""

    def __init__(self, state: ModeState, judge: Judge | None = None) -> None:
        """`judge` says by what a whole way went; None: the filter's own metres do."""
        self.state = state
        self._judge = judge

    # --- what comes in

    def leave(self, before: Spot, now: Spot, *, chained: bool) -> None:
        """A stay is over, seen at `now`; `before` is its last fix.

        Long unseen and gone not far: how long one stayed of it nobody knows, so it tells no speed.
        """
        gap_s = now[0] - before[0]
        metres = gap_m(before[1], before[2], now[1], now[2])
        known = gap_s <= WHOLE_S or metres >= WENT_MPS * gap_s
        self.begin(*(before if known else now), chained=chained)
        self.state.mark = before[1], before[2]

    def begin(self, time_s: float, lat: float, lon: float, *, chained: bool) -> None:
        """A way begins here. `chained`: what one came with had to be taken along (anywhere but at home)."""
        state = self.state
        if not chained:
            state.came = []
        shares = self._shares()
        state.before = [sum(shares[m] for m in modes) for modes in CLASS_OF]
        state.marks = WayMarks()
        foot = max(FOOT_FIRST, shares[FOOT])
        rest = sum(shares[1:])
        state.p = [foot, *((1.0 - foot) * share / rest for share in shares[1:])]
        state.time_s, state.lat, state.lon, state.mps = time_s, lat, lon, 0.0
        state.mark, state.rest = (lat, lon), (time_s, lat, lon)
        state.metres, state.since = [0.0] * 5, [0.0] * 5
        state.looks = state.walked_m = state.waited_s = 0.0
        state.rode_s = state.dense_m = state.told_sum = 0.0
        state.told_n = state.stops = 0
        state.last_told = None
        state.hard = state.paced = state.standing = state.told = state.judged = False

    def fix(
        self, before: Spot, now: Spot, told_mps: float | None, mps: float | None, sure_m: float
    ) -> bool:
        """The next fix under way; `mps` is the speed told or implied there. Was a step due, and made?

        `sure_m` is the accuracy of its position, 0 where none is told.
        """
        state = self.state
        time_s, lat, lon = now
        if not state.p:
            self.begin(*before, chained=False)
        self._notice(before, now, told_mps, mps)
        starts = told_mps is not None and told_mps >= WENT_MPS > state.mps
        if time_s <= state.time_s:
            return False
        # A word of the same instant may come before or after its position: it counts from the next on.
        word = state.heeded_s < state.word_s < time_s
        if time_s - state.time_s < STEP_S and not starts and not word:
            return False
        gap_s, metres = time_s - state.time_s, gap_m(state.lat, state.lon, lat, lon)
        self._step(gap_s, metres, STARTS if starts else 0.0)
        state.time_s, state.lat, state.lon = time_s, lat, lon
        rest = state.rest
        if rest is None or gap_m(rest[1], rest[2], lat, lon) > max(REST_M, 2.0 * sure_m):
            state.rest = now
        mark = state.mark or (lat, lon)
        went_m = gap_m(*mark, lat, lon)
        if went_m >= max(MOVED_M, 1.5 * sure_m):
            self._went(went_m)
            state.mark = lat, lon
        return True

    def road(self, time_s: float, metres: float | None, accuracy_m: float | None) -> None:
        """How far the nearest road for cars is; None off the map."""
        self.state.road_s = time_s
        if metres is None:
            return
        near = metres <= max(ROAD_SURE_M, 2.0 * (accuracy_m or 0.0))
        self._weigh(NEAR_ROAD if near else OFF_ROAD)

    def wants_road(self, time_s: float) -> bool:
        """Is it worth asking the map now?"""
        state = self.state
        return state.mps >= ROAD_MPS and time_s - state.road_s >= ROAD_EVERY_S

    def car_moves(self, time_s: float) -> None:
        """The car itself says that it moves, and it is with this person."""
        state = self.state
        if state.word_s <= state.heeded_s or time_s - state.word_s > WORD_S:
            state.word_s = time_s  # one that waits for the next fix stands

    def odometer(self, driven_m: float) -> None:
        """The car went so far since its last word; compared with what this person moved meanwhile."""
        state = self.state
        moved = sum(state.since)
        if driven_m >= WITH_CAR_M and WITH_CAR[0] <= moved / driven_m <= WITH_CAR[1]:
            for mode in range(1, len(state.metres)):
                state.metres[mode] -= state.since[mode]
                state.metres[CAR] += state.since[mode]
            self._weigh(CAR_SAYS)
            state.told = True
        if driven_m > 0.0:
            state.since = [0.0] * 5

    def end(self) -> tuple[TravelMode, float]:
        """The way is over, a trip: its mode (the longest part's) and how sure that is.

        The filter learns from its own word alone: taught by its judge, it would bear out what that once got wrong.
        """
        state = self.state
        judged = None if self._judge is None else self._judge(self)
        mode, p = self.trip()
        state.came = []
        if mode != "unknown":
            rode = [sum(state.metres[m] for m in modes) for modes in CLASS_OF]
            rode = [m if (i == FOOT) == (mode == "foot") else 0.0 for i, m in enumerate(rode)]
            state.came = [metres / sum(rode) for metres in rode]
            state.trips = [t + c for t, c in zip(state.trips, state.came, strict=True)]
        if mode == "car":
            state.car_told = TOLD_KEPT * state.car_told + float(state.told and not state.judged)
        return (mode, p) if judged is None else judged

    # --- what is known

    def trip(self) -> tuple[TravelMode, float]:
        """The mode of this way so far, by metres, and its probability among what could have carried so far."""
        metres = self.metres()
        total = sum(metres)
        if total <= 0.0:
            return "unknown", 0.0
        if metres[FOOT] > 0.5 * total:
            best, p = FOOT, metres[FOOT] / total
        else:
            best = max(range(1, len(metres)), key=lambda i: (metres[i], -i))
            p = metres[best] / (total - metres[FOOT])
        return (MODES[best], p) if p >= TRIP_SURE else ("unknown", p)

    def metres(self) -> list[float]:
        """Of this way so far, by mode."""
        return [sum(self.state.metres[m] for m in modes) for modes in CLASS_OF]

    def row(self) -> list[float]:
        """This way so far in the numbers of `mode_marks.FEATURES`."""
        state = self.state
        return state.marks.row(
            state.metres, self.before(), told=state.told, car_told=state.car_told
        )

    def before(self) -> list[float]:
        """Shares of this person's ways by mode as this one began."""
        shares = self._shares()
        return self.state.before or [sum(shares[m] for m in modes) for modes in CLASS_OF]

    def now(self) -> tuple[str, float]:
        """("driving", "walking", "cycling", "riding" or "moving", probability) of this moment."""
        p = self.classes()
        best = max(range(len(p)), key=lambda i: (p[i], -i))
        return (NAMED[MODES[best]], p[best]) if p[best] >= SURE else ("moving", p[best])

    def stood_s(self, time_s: float) -> float:
        """For how long one has not got away from where one is; 0 before the first step of a way."""
        return time_s - self.state.rest[0] if self.state.rest is not None else 0.0

    def classes(self) -> list[float]:
        """Probabilities of foot, bicycle, car and transit now; before the first step those of any way."""
        p = self.state.p or self._shares()
        return [sum(p[m] for m in modes) for modes in CLASS_OF]

    # --- steps

    def _notice(
        self,
        before: Spot,
        now: Spot,
        told_mps: float | None,
        mps: float | None,
    ) -> None:
        """Between two steps: told speeds, hard acceleration, stops."""
        state = self.state
        gap_s = now[0] - before[0]
        if told_mps is not None:
            state.told_n += 1
            state.told_sum += told_mps
            since_s = (
                now[0] - state.last_told[0] if state.last_told is not None else PACE_S[1] + 1.0
            )
            if since_s >= PACE_S[0]:
                if state.last_told is not None and since_s <= PACE_S[1]:
                    state.paced = True
                    change = (told_mps - state.last_told[1]) / since_s
                    hard = abs(change) > HARD_MPS2
                    state.hard = state.hard or hard
                    state.marks.sped(change, hard=hard)
                state.last_told = now[0], told_mps
        if gap_s <= DENSE_S and mps is not None:
            state.dense_m += gap_m(before[1], before[2], now[1], now[2])
            if mps < STOOD_MPS and not state.standing:
                state.standing = True
                state.stops += 1
            elif mps > WENT_MPS:
                state.standing = False

    def _step(self, gap_s: float, metres: float, least: float) -> None:
        state = self.state
        mps = metres / gap_s
        told = state.told_sum / state.told_n if state.told_n else None
        slow = min(state.mps, mps if told is None else min(mps, told)) < SLOW_MPS
        self._change_over(gap_s, 1.0 if slow else FAST_GATE)
        weight = max(least, min(1.0, gap_s / APART_S))
        state.marks.step(gap_s, mps, stops=state.stops, dense_m=min(state.dense_m, metres))
        speeds = speed_logs(mps, whole=gap_s > WHOLE_S)
        if told is not None:
            speeds = tuple((a + b) / 2.0 for a, b in zip(speeds, speed_logs(told), strict=True))
        manner = self._manner(mps, metres, weight)
        logs = [a + b for a, b in zip(speeds, manner, strict=True)]
        told_apart = self._of_one_ride(logs, weight)
        self._weigh([log - metres / far for log, far in zip(told_apart, RIDES_M, strict=True)])
        if mps < STOOD_MPS and state.walked_m > WALK_M:
            state.waited_s += gap_s
        state.marks.access(state.walked_m, state.waited_s)
        state.mps = mps if told is None else max(mps, told)
        state.told_n, state.told_sum, state.stops, state.dense_m = 0, 0.0, 0, 0.0
        state.hard = state.paced = False
        self._heed(gap_s)

    def _manner(self, mps: float, metres: float, weight: float) -> list[float]:
        """Log-likelihoods of the stops and the acceleration since the last step, a step of `weight` 1."""
        state = self.state
        logs = [(hard if state.hard else soft) if state.paced else 0.0 for soft, hard in HARD]
        seen_m = min(state.dense_m, metres)  # along the way jitter adds up
        if seen_m <= 0.0 or mps >= TOWN_MPS:
            return logs
        return [
            log + (state.stops * often - seen_m / per_m) / weight
            for log, often, per_m in zip(logs, FREQUENT_STOP, STOPS_M, strict=True)
        ]

    def _of_one_ride(self, logs: list[float], weight: float) -> list[float]:
        """What tells rides apart is much the same all along a ride: the n-th look at it tells 1/n of what the first did."""
        state = self.state
        state.looks = state.looks + weight if state.p[FOOT] < 1.0 - SURE else 0.0
        best = max(logs[1:])
        part = LOOKS / (LOOKS + state.looks)
        return [weight * logs[FOOT], *(weight * (best + part * (log - best)) for log in logs[1:])]

    def _heed(self, gap_s: float) -> None:
        """The car's word, and its silence where it is one that speaks."""
        state = self.state
        now_s = state.time_s + gap_s
        if state.heeded_s < state.word_s < now_s:
            fresh = now_s - state.word_s <= WORD_S
            state.heeded_s = state.word_s
            if fresh:
                self._weigh(CAR_SAYS)
                state.told = True
        if state.mps >= ROAD_MPS:
            state.rode_s += gap_s
        if state.rode_s >= SILENT_AFTER_S and not state.judged and not state.told:
            state.judged = True
            silent = max(SILENT_P, 1.0 / (1.0 + state.car_told))
            state.p = _normal([p * silent if i == CAR else p for i, p in enumerate(state.p)])

    def _went(self, metres: float) -> None:
        state = self.state
        for i, p in enumerate(state.p):
            state.metres[i] += p * metres
            state.since[i] += p * metres
        foot = state.p[FOOT]
        state.walked_m = state.walked_m + foot * metres if foot > 1.0 - SURE else 0.0
        state.waited_s = state.waited_s if foot > 1.0 - SURE else 0.0

    def _change_over(self, gap_s: float, gate: float) -> None:
        state = self.state
        p = state.p
        access = state.walked_m / WALKED_M + state.waited_s / WAITED_S
        part = access / (1.0 + access)
        shares = self._shares()[1:]
        total = sum(shares)
        leaving = [p[i] * gate * (1.0 - exp(-gap_s / LEAVE_S[i])) for i in range(len(p))]
        to_foot = sum(leaving[1:])
        state.p = [p[FOOT] - leaving[FOOT] + to_foot] + [
            p[i]
            - leaving[i]
            + leaving[FOOT] * ((1.0 - part) * shares[i - 1] / total + part * ACCESS[i - 1])
            for i in range(1, len(p))
        ]

    def _weigh(self, logs: Sequence[float]) -> None:
        state = self.state
        if not state.p:
            return
        top = max(logs)
        state.p = _normal([p * exp(log - top) for p, log in zip(state.p, logs, strict=True)])

    def _shares(self) -> list[float]:
        """Probabilities of the five modes for a way of this person, from all people's and his own trips."""
        trips = self.state.trips
        total = PRIOR_TRIPS + sum(trips)
        shares = [(PRIOR_TRIPS * s + t) / total for s, t in zip(SHARES, trips, strict=True)]
        if self.state.came:
            again = [keep * came for keep, came in zip(CAME, self.state.came, strict=True)]
            shares = [(1.0 - sum(again)) * s + a for s, a in zip(shares, again, strict=True)]
        return [*shares[:3], *(shares[3] * part for part in TRANSIT_SPLIT)]


def _normal(weights: list[float]) -> list[float]:
    """Scaled to a sum of 1; nothing is ever quite excluded."""
    floor = 1e-6 * sum(weights)
    kept = [max(weight, floor) for weight in weights]
    total = sum(kept)
    return [weight / total for weight in kept]
