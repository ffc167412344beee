"""How long and which way to a place: on the map's roads, or a bee-line estimate where it has none."""

from __future__ import annotations

from itertools import pairwise
from math import atan2, cos, pi, radians

from hearthway.records.geo import distance_m
from hearthway.records.life import Place
from hearthway.records.poi import RoadGraph, Route
from hearthway.records.situation import Situation

from .settings import DRIVE_FACTOR, DRIVE_MPS

TURN_RAD = radians(40.0)
CORNER_M = 30.0  # a turn, a roundabout's entry or a sharp bend is over in this
SNAP_M = 20.0  # the first metres lead from the position to the road


def turn_m(route: Route, within_m: float) -> float | None:
    """Metres along a way on roads to where it next turns by 40 degrees or more within 30 m; None where not `within_m`."""
    legs: list[tuple[float, float]] = []  # (where it begins, its heading)
    done_m = 0.0
    for a, b in pairwise(route.points) if route.on_road else ():
        leg_m = distance_m(*a, *b)
        if leg_m > 0.0 and done_m + leg_m > SNAP_M:
            east = (b[1] - a[1]) * cos(radians(a[0]))
            heading = atan2(east, b[0] - a[0])
            for begin_m, before in reversed(legs):
                if abs((heading - before + pi) % (2.0 * pi) - pi) >= TURN_RAD:
                    return begin_m
            legs = [leg for leg in legs if leg[0] + CORNER_M > done_m + leg_m]
            legs.append((done_m + leg_m, heading))
        done_m += leg_m
        if done_m > within_m + CORNER_M:
            return None
    return None


def eta_s(situation: Situation, place: Place, roads: RoadGraph | None) -> tuple[float, Route]:
    """Seconds to `place` and the way there; a bee-line estimate where the map has no roads."""
    here, there = (situation.lat, situation.lon), (place.lat, place.lon)
    if roads is not None and roads.covers(*here) and roads.covers(*there):
        route = roads.route(here, there)
        if route is not None:
            return route.duration_s, route
    metres = distance_m(*here, *there) * DRIVE_FACTOR
    seconds = metres / max(DRIVE_MPS, situation.speed_mps or 0.0)
    return seconds, Route(distance_m=metres, duration_s=seconds, on_road=False)
