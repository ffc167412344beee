"""Trips as hindsight knows them, and what is said of each on the way: two ways to tell where a trip ends.

A leg ends with a stay, or where nothing was recorded for 20 minutes: whoever was silent for so long was probably
somewhere. A whole trip runs from stay to stay, whatever was not recorded between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf, log

from msgspec import Struct
from msgspec.structs import replace

from hearthway.context.events import LegEnded, LifeEvent, TripEnded
from hearthway.context.life import Life
from hearthway.context.places import KnownPlace, became
from hearthway.records.geo import distance_m
from hearthway.records.life import HIT_RADIUS_M, STAY_MIN_S
from hearthway.records.localtime import local_day, utc_offset_s
from hearthway.records.signals import Fix

from .baselines import NAMES, Leaving, Went, WentBefore, baselines

FRACTIONS = (0, 25, 50, 75)
P_FLOOR = 1e-6


class Truth(Struct, frozen=True):
    """A trip as hindsight knows it: its first and last fix on the way, and where the last one was."""

    start_s: float
    end_s: float
    lat: float
    lon: float

    @property
    def day(self) -> int:
        """The local day on which it began."""
        return local_day(self.start_s, utc_offset_s(self.lat, self.lon, self.start_s))


class Guess(Struct, frozen=True):
    """One prediction at one moment of one trip; `here_m` is how far the end still was."""

    error_m: float
    here_m: float
    confidence: float
    log_loss: float

    @property
    def hit(self) -> bool:
        """The point named lies within the hit radius of the truth."""
        return self.error_m <= HIT_RADIUS_M


class Told(Struct, frozen=True):
    """One trip, predicted; `peers` are the errors of the baselines in metres."""

    day: int
    known: bool
    peers: dict[str, float]
    guesses: tuple[Guess, ...]  # one a fraction


class Found(Struct, frozen=True):
    """The trips of a history, both ways, and the life at its end."""

    legs: list[Truth]
    whole: list[Truth]
    unrecorded: int  # from stay to stay without one fix between: no truth
    life: Life


def find_trips(person: str, fixes: Iterable[Fix]) -> Found:
    """Walk a history once and collect what is to be predicted."""
    life = Life(person, foretells=False)
    legs: list[Truth] = []
    whole: list[Truth] = []
    unrecorded = 0
    for fix in fixes:
        for event in life.observe(fix):
            if isinstance(event, LegEnded):
                legs.append(Truth(event.start_s, event.end_s, event.lat, event.lon))
            elif isinstance(event, TripEnded):
                trip = event.trip
                if event.fixes == 0:
                    unrecorded += 1
                else:
                    whole.append(Truth(trip.start_s, trip.end_s, trip.last_lat, trip.last_lon))
    return Found(legs, whole, unrecorded, life)


class Asker:
    """Asks a life at each part of each trip, as that moment comes; `told` grows with every trip that is over."""

    def __init__(self, life: Life, truths: list[Truth]) -> None:
        self.told: list[Told] = []
        self._life = life
        self._cuts = self._plan(truths)
        self._next = next(self._cuts, None)
        self._partial: list[Guess] = []
        self._known = False
        self._peers: dict[str, float] = {}

    @staticmethod
    def _plan(truths: list[Truth]) -> Iterator[tuple[float, int, Truth]]:
        for truth in truths:
            for percent in FRACTIONS:
                part_s = percent / 100.0 * (truth.end_s - truth.start_s)
                yield truth.start_s + part_s, percent, truth

    def until(self, time_s: float, peers: Callable[[], dict[str, int | None]]) -> None:
        """Ask what is due before `time_s`; `peers` gives the baselines' places at a trip's start."""
        while self._next is not None and self._next[0] < time_s:
            self._ask(*self._next, peers)
            self._next = next(self._cuts, None)

    def _ask(
        self, now_s: float, percent: int, truth: Truth, peers: Callable[[], dict[str, int | None]]
    ) -> None:
        life = self._life
        situation = life.situation(now_s)
        here_m = distance_m(situation.lat, situation.lon, truth.lat, truth.lon)
        if percent == FRACTIONS[0]:
            away = [
                inf if p.blank else distance_m(p.lat, p.lon, truth.lat, truth.lon)
                for p in life.state.places
            ]
            self._known = any(metres <= HIT_RADIUS_M for metres in away)
            self._peers = {
                name: here_m if index is None else away[index] for name, index in peers().items()
            }
        inside = sum(
            option.p
            for option in situation.destinations
            if distance_m(option.place.lat, option.place.lon, truth.lat, truth.lon) <= HIT_RADIUS_M
        )
        aim = life.aim()
        p_truth = inside if self._known else situation.p_new
        self._partial.append(
            Guess(
                distance_m(aim.lat, aim.lon, truth.lat, truth.lon) if aim is not None else here_m,
                here_m,
                aim.p if aim is not None else 0.0,
                -log(max(P_FLOOR, p_truth)),
            )
        )
        if percent == FRACTIONS[-1]:
            self.told.append(Told(truth.day, self._known, self._peers, tuple(self._partial)))
            self._partial = []


class Peers:
    """What the baselines learn from: the same legs and the same places as Hearthway."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._leaving: Leaving | None = None
        self._past = WentBefore()
        self._gone: list[
            tuple[int, int]
        ] = []  # places that are no more, and what they became a part of

    def named(self) -> dict[str, int | None]:
        """The place each baseline names for the leg that has begun; all None before the first stay."""
        if self._leaving is None:
            return dict.fromkeys(NAMES, None)
        places = self._life.state.places
        gone = [(place.index, place.into) for place in places if place.blank]
        if gone != self._gone:
            self._gone = gone
            self._past = WentBefore(_today(went, places) for went in self._past.trips)
        return baselines(self._leaving, places, self._past)

    def listen(self, events: Iterable[LifeEvent], fix: Fix) -> None:
        """Take what became certain with a fix."""
        for event in events:
            if isinstance(event, LegEnded) and self._leaving is not None:
                went = Went(self._leaving, event.destination)
                self._past.add(_today(went, self._life.state.places))
        departure = self._life.state.departure
        if departure is not None and departure.time_s == fix.time_s:
            origin = departure.origin
            self._leaving = (
                Leaving(origin, fix.time_s, departure.local_s, departure.weekday)
                if origin is not None
                else None
            )


def _today(went: Went, places: Sequence[KnownPlace]) -> Went:
    """A past trip between the places as they are now: two that were joined are one for the peers as well."""
    leaving = replace(went.leaving, origin=became(places, went.leaving.origin))
    return Went(leaving, became(places, went.destination))


class Holes:
    """Counts the trips in which nothing was recorded for as long as a stay takes."""

    def __init__(self, truths: list[Truth]) -> None:
        self.count = 0
        self._truths = iter(truths)
        self._trip = next(self._truths, None)
        self._last_s: float | None = None
        self._counted = False

    def take(self, fix: Fix) -> None:
        """Take the next fix."""
        while self._trip is not None and fix.time_s > self._trip.end_s:
            self._trip = next(self._truths, None)
            self._counted = False
        trip, last_s = self._trip, self._last_s
        if (
            trip is not None
            and last_s is not None
            and last_s >= trip.start_s
            and fix.time_s - last_s >= STAY_MIN_S
            and not self._counted
        ):
            self.count += 1
            self._counted = True
        self._last_s = fix.time_s
