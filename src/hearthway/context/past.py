"""The past legs by where they led and between which places, so that nobody goes through a whole life to find a few of them.

Derived from the trips, brought up to date as it is asked, and never stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .prior import PastTrip


class PastLegs:
    """The legs of a life, and where each stands."""

    def __init__(self, trips: Sequence[PastTrip]) -> None:
        """`trips` may grow at its end; after any other change `clear` is due."""
        self.trips = trips
        self.clear()

    def clear(self) -> None:
        """Legs were taken out, or lead to other places than they did."""
        self._entered = 0
        self._to: dict[int, list[PastTrip]] = {}
        self._ways: dict[tuple[int, int], list[PastTrip]] = {}  # that of the latest leg last

    def to(self, destination: int) -> Sequence[PastTrip]:
        """Those that led there, the latest last."""
        self._enter()
        return self._to.get(destination, ())

    def between(self, origin: int | None, destination: int) -> Sequence[PastTrip]:
        """Those from one place to another, the latest last; none from nowhere."""
        self._enter()
        return () if origin is None else self._ways.get((origin, destination), ())

    def ways(self) -> Iterator[tuple[int, int, PastTrip]]:
        """From where to where legs led, each once with its latest leg; that of the latest of all comes first."""
        self._enter()
        for (origin, destination), legs in reversed(self._ways.items()):
            yield origin, destination, legs[-1]

    def _enter(self) -> None:
        trips = self.trips
        while self._entered < len(trips):
            trip = trips[self._entered]
            way = trip.origin, trip.destination
            self._ways[way] = legs = self._ways.pop(way, [])
            legs.append(trip)
            self._to.setdefault(trip.destination, []).append(trip)
            self._entered += 1
