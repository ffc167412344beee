"""How near past legs came to a place to which they did not lead: what coming near it tells, a life tells itself.

Whoever has come near a place on the way there has come near it for certain; how often one comes as near and goes on decides
what that is worth. Of somebody unknown it is a constant of `destination`. Who lives on the road along which all errands lie
drives past the own house six times a day.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import cos, inf, radians, sqrt
from typing import NamedTuple

from hearthway.records.geo import METRES_PER_DEGREE

from .places import KnownPlace
from .prior import MAX_PATHS, PastTrip

SPOT_DIGITS = 4  # a place moves a little with each stay: within some ten metres it is the same spot
MOST_SPOTS = 2_048
LEGS = 2  # of the one under way, and of the one that may have begun at a stop on it


class Passed(NamedTuple):
    """Of the legs that led elsewhere: the metres to which they came near, rising, and the votes of all that came so near."""

    nearest_m: list[float]
    votes: list[float]

    def within(self, metres: float) -> float:
        """The votes of those that came as near as that."""
        count = bisect_right(self.nearest_m, metres)
        return self.votes[count - 1] if count else 0.0

    @property
    def all(self) -> float:
        """The votes of all."""
        return self.votes[-1] if self.votes else 0.0


class Passing:
    """Looked up as it is asked, and kept: derived from the trips, never stored."""

    def __init__(self, trips: list[PastTrip]) -> None:
        self._trips = trips
        self._spots: dict[tuple[float, float], tuple[int, array[float]]] = {}
        self._asked: list[tuple[list[float], dict[int, Passed]]] = []

    def clear(self) -> None:
        """Legs were taken out, or lead to other places than they did."""
        self._spots.clear()
        self._asked.clear()

    def by(self, place: KnownPlace, index: int, votes: list[float]) -> Passed:
        """Of the past legs that led elsewhere than to `index`; each has its vote of these."""
        passed = self._of(votes)
        found = passed.get(index)
        if found is None:
            first = max(0, len(self._trips) - MAX_PATHS)  # of those before it no way is kept
            nearest = self._nearest(place.lat, place.lon, first)
            legs = zip(nearest, self._trips[first:], votes[first:], strict=True)
            near = sorted(
                (metres, vote)
                for metres, trip, vote in legs
                if trip.path and trip.destination != index
            )
            found = Passed([m for m, _ in near], list(accumulate(vote for _, vote in near)))
            passed[index] = found
        return found

    def _of(self, votes: list[float]) -> dict[int, Passed]:
        """What was looked up with these votes, which are those of one leg."""
        for asked, passed in self._asked:
            if asked is votes:
                return passed
        self._asked = [*self._asked[1 - LEGS :], (votes, {})]
        return self._asked[-1][1]

    def _nearest(self, lat: float, lon: float, first: int) -> Sequence[float]:
        """By trip from `first` on, how near its way came to there."""
        spot = round(lat, SPOT_DIGITS), round(lon, SPOT_DIGITS)
        since, known = self._spots.get(spot, (first, array("f")))
        known = known[max(0, first - since) :]
        since = max(since, first)
        known.extend(_nearest_m(trip.path, *spot) for trip in self._trips[since + len(known) :])
        if spot not in self._spots and len(self._spots) >= MOST_SPOTS:
            self._spots.clear()
        self._spots[spot] = since, known
        return known


def _nearest_m(path: Sequence[tuple[float, float]], lat: float, lon: float) -> float:
    """Metres from a spot to the nearest point of a way; its points lie 100 m apart, farther on long ways."""
    scale = cos(radians(lat)) ** 2
    square = min(((a - lat) ** 2 + scale * (b - lon) ** 2 for a, b in path), default=inf)
    return METRES_PER_DEGREE * sqrt(square)
