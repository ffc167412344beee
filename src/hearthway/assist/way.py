"""How long and which way to a place: on the map's roads, or a bee-line estimate where it has none."""

from __future__ import annotations

from hearthway.records.geo import distance_m
from hearthway.records.life import Place
from hearthway.records.poi import RoadGraph, Route
from hearthway.records.situation import Situation

from .settings import DRIVE_FACTOR, DRIVE_MPS


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
