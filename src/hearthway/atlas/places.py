"""From an extract's things to POIs: where they stand, how far they reach, and which are one and the same."""

from __future__ import annotations

from math import cos, pi, radians, sqrt
from typing import NamedTuple

import numpy as np

from hearthway.records.geo import METRES_PER_DEGREE, distance_m, valid_point

from . import tags as meaning
from .extract import Extract, Thing

SAME_M = 30.0  # a node and an area of one name within this are one POI
OUTLINED = ("mall", "department_store", "supermarket")
OUTLINE_FROM_M2 = 1_500.0  # any shop as big as this keeps its outline: people say its name

Ring = list[tuple[int, int]]


class PoiRow(NamedTuple):
    """A POI as it is stored. `rings` is empty where only its point is kept."""

    osm_id: str
    kind: str
    name: str
    lat: int
    lon: int
    cuisines: tuple[str, ...]
    opening_hours: str
    brand: str
    reach_m: float
    area_m2: float
    rings: tuple[Ring, ...]
    power_kw: float | None = None  # of a charger that tells it


def _rings(extract: Extract, thing: Thing) -> list[Ring]:
    rings: list[Ring] = []
    for refs in thing.rings:
        wanted = np.array(refs, dtype=np.int64)
        at = np.searchsorted(extract.ids, wanted)
        at[at == len(extract.ids)] = 0
        hit = extract.ids[at] == wanted if len(extract.ids) else np.zeros(len(at), np.bool_)
        ring = [(int(extract.lat[i]), int(extract.lon[i])) for i in at[hit]]
        if ring:
            rings.append(ring)
    return rings


def _centre(rings: list[Ring]) -> tuple[int, int, float]:
    """Area centroid of the rings in 1e-7 degrees, and their area in m²; the mean of points for a line."""
    y0, x0 = rings[0][0]
    per_unit = METRES_PER_DEGREE * 1e-7
    scale = per_unit * cos(radians(y0 * 1e-7))
    total = moment_y = moment_x = 0.0
    for ring in rings:
        for (ya, xa), (yb, xb) in zip(ring, [*ring[1:], ring[0]], strict=True):
            cross = float((xa - x0) * (yb - y0) - (xb - x0) * (ya - y0))
            total += cross
            moment_y += (ya + yb - 2 * y0) * cross
            moment_x += (xa + xb - 2 * x0) * cross
    area_m2 = abs(total) / 2 * per_unit * scale
    if area_m2 < 1.0:
        points = [point for ring in rings for point in ring]
        return (
            round(sum(y for y, _ in points) / len(points)),
            round(sum(x for _, x in points) / len(points)),
            0.0,
        )
    return round(y0 + moment_y / (3 * total)), round(x0 + moment_x / (3 * total)), area_m2


def _row(extract: Extract, thing: Thing) -> PoiRow | None:
    area_m2, reach_m = 0.0, 0.0
    rings: list[Ring] = []
    if thing.point is not None:
        lat, lon = thing.point
    else:
        rings = _rings(extract, thing)
        if not rings:
            return None
        lat, lon, area_m2 = _centre(rings)
        reach_m = max(
            distance_m(lat / 1e7, lon / 1e7, y / 1e7, x / 1e7) for ring in rings for y, x in ring
        )
    if not valid_point(lat / 1e7, lon / 1e7):
        return None
    tags = thing.tags
    brand = meaning.clean(tags.get("brand", ""))
    outlined = area_m2 > 0 and (thing.kind in OUTLINED or area_m2 >= OUTLINE_FROM_M2)
    return PoiRow(
        thing.osm_id,
        thing.kind,
        meaning.clean(tags.get("name", "")) or brand,
        lat,
        lon,
        meaning.cuisines(tags),
        meaning.clean(tags.get("opening_hours", ""), meaning.MAX_HOURS),
        brand,
        round(reach_m, 1),
        round(area_m2, 1),
        tuple(rings) if outlined and thing.kind != "parking" else (),
        meaning.power_kw(tags) if thing.kind == "charger" else None,
    )


def _same(node: PoiRow, area: PoiRow) -> bool:
    apart_m = distance_m(node.lat / 1e7, node.lon / 1e7, area.lat / 1e7, area.lon / 1e7)
    return apart_m <= max(SAME_M, min(area.reach_m, sqrt(area.area_m2 / pi) * 1.5))


def _without_doubles(rows: list[PoiRow]) -> tuple[list[PoiRow], int]:
    """Drops one of a node and an area of the same kind and name that are in the same spot.

    The one with opening hours stays; of equals the area where its outline matters, else the node.
    """
    by_name: dict[tuple[str, str], list[PoiRow]] = {}
    for row in rows:
        if row.name:
            by_name.setdefault((row.kind, row.name.casefold()), []).append(row)
    dropped: set[str] = set()
    for (kind, _), group in by_name.items():
        nodes = [row for row in group if row.osm_id.startswith("node/")]
        for area in (row for row in group if not row.osm_id.startswith("node/")):
            for node in nodes:
                if node.osm_id in dropped or not _same(node, area):
                    continue
                hours = bool(node.opening_hours), bool(area.opening_hours)
                keep_node = hours > (hours[1], hours[0]) or (
                    hours[0] == hours[1] and kind not in OUTLINED
                )
                dropped.add(area.osm_id if keep_node else node.osm_id)
                break
    return [row for row in rows if row.osm_id not in dropped], len(dropped)


def rows(extract: Extract) -> tuple[list[PoiRow], int]:
    """The POIs of an extract by osm_id, and how many doubles were dropped."""
    found = [row for thing in extract.things if (row := _row(extract, thing)) is not None]
    kept, dropped = _without_doubles(found)
    return sorted(kept, key=lambda row: row.osm_id), dropped
