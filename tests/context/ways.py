"""Lines to drive along."""

from __future__ import annotations

from itertools import pairwise

from hearthway.records.geo import distance_m

Points = list[tuple[float, float]]


def way(points: Points, step_m: float = 50.0) -> Points:
    """A point each so many metres of the line through these."""
    found = [points[0]]
    for a, b in pairwise(points):
        steps = max(1, round(distance_m(*a, *b) / step_m))
        found += [
            (a[0] + (b[0] - a[0]) * i / steps, a[1] + (b[1] - a[1]) * i / steps)
            for i in range(1, steps + 1)
        ]
    return found
