"""Where one could eat: around the destination on foot, and along the way ahead; open at arrival or unknown."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from hearthway.assist.settings import STREET_FACTOR, WALK_MPS, GateSettings
from hearthway.assist.taste import Taste
from hearthway.assist.way import Onward, driven_s, from_stop
from hearthway.records.geo import distance_m
from hearthway.records.life import Place
from hearthway.records.localtime import local_second
from hearthway.records.poi import MEAL, Detour, Opening, OpenState, Poi, PoiIndex, RoadGraph, Route
from hearthway.records.situation import Situation

MAX_VIAS = 20
MAX_DETOUR_S = 600.0
ACT_S = 45.0  # a stop that is reached sooner than this cannot be turned into
# The map's own share of open places is believed as far as it outweighs three places of which two are open.
PRIOR_OPEN, PRIOR_KNOWN = 2.0, 3.0
OWN_VISITS_PRIOR = 1.0


class Candidate(Struct, frozen=True, kw_only=True):
    """A POI that can be reached, with what reaching it costs and the chance that it is open."""

    poi: Poi
    opening: Opening
    arrive_s: float  # Unix time at the table
    detour_s: float
    walk_m: float
    p_open: float
    visits_then: int = 0  # own meals there at this time of day


class Found(Struct, frozen=True, kw_only=True):
    """What the map offers: candidates, and how many are closed or known to be open then."""

    candidates: tuple[Candidate, ...]
    known_open: int
    closed: int

    @property
    def open_share(self) -> float:
        """Of the tables whose hours are known, those open then, shrunk towards two of three."""
        return (self.known_open + PRIOR_OPEN) / (self.known_open + self.closed + PRIOR_KNOWN)


def find(
    situation: Situation,
    place: Place,
    route: Route,
    *,
    pois: PoiIndex,
    roads: RoadGraph | None,
    taste: Taste,
    unwanted: frozenset[str],
    settings: GateSettings,
    kinds: tuple[str, ...] = MEAL,
) -> Found:
    """Named POIs of these kinds on foot from `place` and along `route`, without the closed and the unwanted."""
    since_s = situation.time_s - driven_s(situation)  # when one was where the ways begin
    arrive_s = since_s + route.duration_s
    ways: dict[str, tuple[Poi, float, float, float]] = {}  # poi, arrive_s, detour_s, walk_m
    for poi in pois.near(place.lat, place.lon, settings.walk_radius_m, kinds):
        walk_m = distance_m(place.lat, place.lon, poi.lat, poi.lon) * STREET_FACTOR
        ways[poi.osm_id] = (poi, arrive_s + walk_m / WALK_MPS, 0.0, walk_m)
    if route.on_road and roads is not None and len(route.points) > 1:
        start = from_stop(situation, place, route, roads)
        for poi, stop in _along(start, place, pois, roads, settings, kinds):
            there_s = since_s + start.after_s + stop.reach_s
            if stop.extra_s > MAX_DETOUR_S or there_s - situation.time_s < ACT_S:
                continue
            known = ways.get(poi.osm_id)
            if known is None or stop.extra_s < known[3] / WALK_MPS:
                ways[poi.osm_id] = (poi, there_s, stop.extra_s, 0.0)
    named = [
        w for _, w in sorted(ways.items()) if w[0].name.strip() and w[0].osm_id not in unwanted
    ]
    opened = [(w, pois.opening(w[0], w[1])) for w in named]
    is_open = sum(o.state is OpenState.OPEN for _, o in opened)
    closed = sum(o.state is OpenState.CLOSED for _, o in opened)
    counts = Found(candidates=(), known_open=is_open, closed=closed)
    return msgspec.structs.replace(
        counts,
        candidates=tuple(
            _candidate(way, opening, counts.open_share, taste, situation)
            for way, opening in opened
            if opening.state is not OpenState.CLOSED
        ),
    )


def _along(
    start: Onward,
    place: Place,
    pois: PoiIndex,
    roads: RoadGraph,
    settings: GateSettings,
    kinds: tuple[str, ...],
) -> list[tuple[Poi, Detour]]:
    beside: Sequence[Poi] = pois.along(start.points, settings.corridor_m, kinds)[:MAX_VIAS]
    if not beside:
        return []
    stops = roads.detours(
        start.at,
        (place.lat, place.lon),
        [(p.lat, p.lon) for p in beside],
    )
    return [(p, s) for p, s in zip(beside, stops, strict=True) if s is not None and s.on_road]


def _candidate(
    way: tuple[Poi, float, float, float],
    opening: Opening,
    share: float,
    taste: Taste,
    situation: Situation,
) -> Candidate:
    poi, arrive_s, detour_s, walk_m = way
    quarter = int(local_second(arrive_s, situation.utc_offset_s) // 900)
    own = taste.eaten_here_then(poi.osm_id, quarter)
    p_open = 1.0
    if opening.state is OpenState.UNKNOWN:
        p_open = (own + OWN_VISITS_PRIOR * share) / (own + OWN_VISITS_PRIOR)
    return Candidate(
        poi=poi,
        opening=opening,
        arrive_s=arrive_s,
        detour_s=detour_s,
        walk_m=walk_m,
        p_open=p_open,
        visits_then=own,
    )
