"""The ground a household lives on: what the map offers, and where its life is put on (or beside) it.

Regular destinations are malls, department stores, supermarkets, other shops or car parks with at least two
named food POIs within walking distance. Home and work lie on roads of the map where it is larger than a
town (`WIDE_M`), else 5 to 25 km beyond its edge, in directions from which roads come in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import cos, log, radians
from random import Random

from hearthway.records.errors import InputError
from hearthway.records.geo import bearing_deg, distance_m, offset
from hearthway.records.poi import FOOD, MEAL, SHOPPING, OpenState, Poi, PoiIndex, RoadGraph

from .drives import DrivePool
from .motion import Point, gap_m
from .ways import SNAP_M, Spot, Ways, away

WALK_M = 450.0
WIDE_M = 6_000.0
REACH_M = 1_000_000.0  # a map is searched this far around anything found on it
_WEIGHT = {"mall": 3.0, "department_store": 2.6, "supermarket": 1.8, "shop": 0.9, "parking": 0.6}


@dataclass(slots=True)
class Site:
    """A destination on the map: where one parks, what one does there, and where one can eat on foot."""

    name: str
    osm_id: str
    park: Spot
    inside: Point  # where the errand is done
    foods: list[Poi]  # named, for a meal, by distance from the car


@dataclass(slots=True)
class Ground:
    """Everything the life model needs to know about the map."""

    sites: list[
        Site
    ]  # the first is the regular destination, the second and third are used at times
    unseen: Site | None  # never visited before the final drive
    home: Spot
    work: Spot  # the car park between both adults' buildings
    hobby: Spot
    family: Spot
    ways: Ways
    foods: list[Poi]
    wide: bool
    notes: list[str] = field(default_factory=list)


def turn_deg(a: float, b: float) -> float:
    """The angle between two bearings, 0 to 180."""
    return abs((a - b + 180.0) % 360.0 - 180.0)


def everything(pois: PoiIndex, kinds: tuple[str, ...]) -> list[Poi]:
    """All POIs of the map (within `REACH_M` of one of them), by osm_id.

    An index answers only "what is near a point?", so the earth is swept in circles until one has something.
    """
    for row in range(-6, 7):
        lat = row * 12.5
        count = max(1, round(28.0 * cos(radians(lat))))
        for column in range(count):
            found = pois.near(lat, -180.0 + (column + 0.5) * 360.0 / count, REACH_M, kinds)
            if found:
                middle = found[len(found) // 2]
                around = pois.near(middle.lat, middle.lon, REACH_M, kinds)
                return sorted(around, key=lambda p: p.osm_id)
    return []


class _Grid:
    """Points by cells of about WALK_M, so that cities do not cost a square."""

    def __init__(self, pois: list[Poi]) -> None:
        self._cells: dict[tuple[int, int], list[Poi]] = {}
        for poi in pois:
            self._cells.setdefault(self._cell(poi.lat, poi.lon), []).append(poi)

    @staticmethod
    def _cell(lat: float, lon: float) -> tuple[int, int]:
        return int(lat * 120.0), int(lon * 60.0)

    def near(self, point: Point, radius_m: float) -> list[tuple[float, Poi]]:
        row, column = self._cell(*point)
        found = [
            (distance_m(*point, poi.lat, poi.lon), poi)
            for i in range(row - 1, row + 2)
            for j in range(column - 2, column + 3)
            for poi in self._cells.get((i, j), ())
        ]
        return sorted(
            (pair for pair in found if pair[0] <= radius_m), key=lambda p: (p[0], p[1].osm_id)
        )


def survey(
    pois: PoiIndex, roads: RoadGraph, pool: DrivePool | None, seed: int, dinner_at_s: float
) -> Ground:
    """Choose where this household lives and goes. InputError where the map cannot carry a life."""
    rng = Random(f"{seed}/ground")
    tables = everything(pois, FOOD)
    foods = [p for p in tables if p.name and p.kind in MEAL]
    if not foods:
        raise InputError(
            "This map has no named place to eat, so a synthetic household has nothing to do there.",
            "Choose an extract with restaurants.",
        )
    grid, anywhere = _Grid(foods), _Grid(tables)
    south, north = min(p.lat for p in foods), max(p.lat for p in foods)
    west, east = min(p.lon for p in foods), max(p.lon for p in foods)
    wide = distance_m(south, west, north, east) > WIDE_M
    if pool is not None and not any(
        roads.covers(*stop) and grid.near(stop, WALK_M) for stop in pool.stops
    ):
        pool = None  # its drives belong to another map
    ranked = _ranked(pois, foods, grid, rng, dinner_at_s)
    if not ranked:
        raise InputError(
            "This map has no shop or car park with two named places to eat within a walk.",
            "Choose a larger extract.",
        )
    ways = Ways(roads, pool, [], seed)
    first = _first_reachable(ranked, ways, pool, grid)
    if first is None:
        raise InputError(
            "This map has no roads at any place one could drive to.",
            "Choose an extract that contains drivable ways.",
        )
    ways.entries = _entries(roads, ways, first.park.point, pool) if not wide else []
    sites = _others(first, ranked, ways, pool, grid, wide=wide)
    homes = (
        _on_map(first, sites, [*foods, *(p for _, p in ranked)], anywhere, ways, rng)
        if wide
        else None
    )
    if homes is None:
        homes = _beyond(first, ways, pool, rng)
    home, work, hobby, family = homes
    unseen = _unseen(sites, ranked, ways, pool, grid, home, work, rng)
    notes = [
        "home and work lie on roads of the map"
        if home.mapped
        else "home and work lie off the map; there the trace has no roads"
    ]
    if first.park.pooled:
        notes.append("drives on mapped ground: simulated by SUMO")
    else:
        notes.append("drives on mapped ground: routes of the map with a simple speed profile")
    return Ground(
        sites=sites,
        unseen=unseen,
        home=home,
        work=work,
        hobby=hobby,
        family=family,
        ways=ways,
        foods=foods,
        wide=wide,
        notes=notes,
    )


def _ranked(
    pois: PoiIndex, foods: list[Poi], grid: _Grid, rng: Random, dinner_at_s: float
) -> list[tuple[float, Poi]]:
    """Candidate destinations, the best first; the draw of the seed decides among like ones."""
    centre = foods[len(foods) // 2]
    shops = pois.near(centre.lat, centre.lon, REACH_M, (*SHOPPING, "parking"))
    shops.sort(key=lambda p: (-_WEIGHT.get(p.kind, 0.5), not p.name, p.osm_id))
    if len(shops) > 400:  # a city has thousands: keep the large ones, draw among the rest
        rest = shops[200:]
        rng.shuffle(rest)
        shops = shops[:200] + rest[:200]
    open_then: dict[str, bool] = {}
    scored: list[tuple[float, Poi]] = []
    for shop in shops:
        near = grid.near((shop.lat, shop.lon), WALK_M)
        if len(near) < 2:
            continue
        known = 0
        for _, food in near[:12]:
            if food.opening_hours:
                if food.osm_id not in open_then:
                    open_then[food.osm_id] = pois.opening(food, dinner_at_s).state is OpenState.OPEN
                known += open_then[food.osm_id]
        score = (
            _WEIGHT.get(shop.kind, 0.5)
            + 0.8 * log(len(near))
            + 0.5 * min(known, 3)
            + (0.3 if shop.name else 0.0)
            + rng.gauss(0.0, 0.6)
        )
        scored.append((score, shop))
    if not scored:  # no shops at all: streets with several places to eat do as destinations
        scored = [
            (log(len(near)) + rng.gauss(0.0, 0.3), food)
            for food in foods[:400]
            if len(near := grid.near((food.lat, food.lon), WALK_M)) >= 2
        ]
    scored.sort(key=lambda pair: (-pair[0], pair[1].osm_id))
    return scored


def _site(shop: Poi, ways: Ways, pool: DrivePool | None, grid: _Grid, other: Point) -> Site | None:
    """The destination as lived: None where no road leads there from `other` and back."""
    here = (shop.lat, shop.lon)
    park: Spot | None = None
    if pool is not None:
        stop = min(pool.stops, key=lambda s: (gap_m(s, here), s))
        if gap_m(stop, here) <= 250.0 and pool.out_of(stop):
            park = Spot(key=f"park/{shop.osm_id}", point=stop, mapped=True, pooled=True)
    if park is None:
        road = ways.road(other, here)
        if road is None or ways.road(here, other) is None:
            return None
        park = Spot(key=f"park/{shop.osm_id}", point=road.points[-1], mapped=True)
    foods = [poi for _, poi in grid.near(park.point, WALK_M + 100.0)]
    if len(foods) < 2:
        return None
    # an errand is no meal: of the corners of the shop, take the one farthest from any table
    corners = [offset(*here, n, e) for n in (-35.0, 0.0, 35.0) for e in (-35.0, 0.0, 35.0)]
    inside = max(
        corners,
        key=lambda c: (min((d for d, _ in grid.near(c, 200.0)), default=200.0), c),
    )
    return Site(
        name=shop.name or {"parking": "a car park"}.get(shop.kind, "a shop"),
        osm_id=shop.osm_id,
        park=park,
        inside=inside,
        foods=foods,
    )


def _first_reachable(
    ranked: list[tuple[float, Poi]], ways: Ways, pool: DrivePool | None, grid: _Grid
) -> Site | None:
    """The best candidate that roads connect to another candidate."""
    for _, shop in ranked[:25]:
        others = [p for _, p in ranked if distance_m(p.lat, p.lon, shop.lat, shop.lon) > 150.0]
        probes = [(p.lat, p.lon) for p in others[:4]]
        probes += [offset(shop.lat, shop.lon, n, e) for n, e in ((300, 0), (0, 300), (-300, 0))]
        for probe in probes:
            site = _site(shop, ways, pool, grid, probe)
            if site is not None:
                return site
    return None


def _others(
    first: Site,
    ranked: list[tuple[float, Poi]],
    ways: Ways,
    pool: DrivePool | None,
    grid: _Grid,
    *,
    wide: bool,
) -> list[Site]:
    """The first destination, and a second and third apart from it."""
    apart = 1_500.0 if wide else 350.0
    sites = [first]
    tried = 0
    for _, shop in ranked:
        if len(sites) == 3 or tried > 20:
            break
        if all(distance_m(shop.lat, shop.lon, *s.park.point) > apart for s in sites):
            tried += 1
            site = _site(shop, ways, pool, grid, first.park.point)
            if site and all(gap_m(site.park.point, s.park.point) > apart for s in sites):
                sites.append(site)
    return sites


def _unseen(
    sites: list[Site],
    ranked: list[tuple[float, Poi]],
    ways: Ways,
    pool: DrivePool | None,
    grid: _Grid,
    home: Spot,
    work: Spot,
    rng: Random,
) -> Site | None:
    """A destination nobody goes to, well off the others and off the way home; None if there is none."""
    home_at = bearing_deg(*work.point, *home.point)
    far = [
        p
        for _, p in ranked
        if all(distance_m(p.lat, p.lon, *s.park.point) > 1_500.0 for s in sites)
        and distance_m(p.lat, p.lon, *work.point) > 1_500.0
        and turn_deg(bearing_deg(*work.point, p.lat, p.lon), home_at) > 45.0
    ]
    rng.shuffle(far)
    best: tuple[float, Site] | None = None
    for shop in far[:8]:
        site = _site(shop, ways, pool, grid, sites[0].park.point)
        road = ways.road(work.point, site.park.point) if site and work.mapped else None
        if site is None or (work.mapped and road is None):
            continue
        points = road.points if road is not None else (site.park.point,)
        clear_m = min(gap_m(p, s.park.point) for p in points for s in sites)
        if clear_m > 700.0 and (best is None or clear_m > best[0]):
            best = (clear_m, site)
    return best[1] if best else None


def _entries(roads: RoadGraph, ways: Ways, centre: Point, pool: DrivePool | None) -> list[Point]:
    """Where roads cross the edge of the map: probed in 24 directions from the centre."""
    found: list[Point] = []
    if pool is not None:
        found += [(d.samples[0][0], d.samples[0][1]) for d in pool.inbound]
    for step in range(24):
        low, high = 0.0, 200.0
        while high < 60_000.0 and roads.covers(*away(centre, step * 15.0, high)):
            low, high = high, high * 2.0
        for _ in range(7):
            middle = (low + high) / 2.0
            if roads.covers(*away(centre, step * 15.0, middle)):
                low = middle
            else:
                high = middle
        if low < 150.0:
            continue
        road = ways.road(away(centre, step * 15.0, low * 0.95), centre)
        if road is not None:
            found.append(road.points[0])
    kept: list[Point] = []
    for point in sorted(found):
        if all(gap_m(point, other) > 80.0 for other in kept):
            kept.append(point)
    return kept


def _on_map(
    first: Site, sites: list[Site], targets: list[Poi], grid: _Grid, ways: Ways, rng: Random
) -> tuple[Spot, Spot, Spot, Spot] | None:
    """Home, work, hobby and family on roads, away from tables and shops; None where that fails."""
    centre = first.park.point
    far = [p for p in targets if 3_000.0 < distance_m(p.lat, p.lon, *centre) < 25_000.0]
    rng.shuffle(far)
    spots: list[Point] = []
    for target in far[:14]:
        road = ways.road((target.lat, target.lon), centre)
        if road is None:
            continue
        for share in (0.02, 0.25, 0.5, 0.7):
            point = road.points[int(share * (len(road.points) - 1))]
            if (
                gap_m(point, centre) > 1_200.0
                and not grid.near(point, 150.0)
                and all(gap_m(point, s.park.point) > 600.0 for s in sites)
                and all(gap_m(point, other) > 500.0 for other in spots)
            ):
                spots.append(point)
    if len(spots) < 4:
        return None
    best: tuple[float, Point, Point] | None = None
    for home in spots:
        for work in spots:
            apart = gap_m(home, work)
            if apart < 1_500.0:
                continue
            # seen from work, home and the destination lie in different directions
            angle = turn_deg(bearing_deg(*work, *home), bearing_deg(*work, *centre))
            legs = gap_m(work, centre)
            score = angle / 60.0 + min(legs, 6_000.0) / 3_000.0 + rng.gauss(0.0, 0.3)
            if best is None or score > best[0]:
                best = (score, home, work)
    if best is None:
        return None
    _, home, work = best
    rest = [p for p in spots if p not in (home, work)]
    rest.sort(key=lambda p: (gap_m(p, home), p))
    names = ("home", "work", "hobby", "family")
    chosen = [
        Spot(key=k, point=p, mapped=True)
        for k, p in zip(names, (home, work, rest[0], rest[-1]), strict=True)
    ]
    for spot in chosen[1:]:
        if ways.road(home, spot.point) is None or ways.road(spot.point, home) is None:
            return None
    if ways.road(work, centre) is None or ways.road(centre, home) is None:
        return None
    return chosen[0], chosen[1], chosen[2], chosen[3]


def _beyond(
    first: Site, ways: Ways, pool: DrivePool | None, rng: Random
) -> tuple[Spot, Spot, Spot, Spot]:
    """Home, work, hobby and family off the map, on land as far as roads across its edge tell."""
    centre = first.park.point
    if pool is not None and pool.land_bearings_deg:
        bearings = list(pool.land_bearings_deg)
    else:
        bearings = [bearing_deg(*centre, *e) for e in ways.entries]
    bearings = bearings or [rng.uniform(0.0, 360.0)]
    home_at = rng.choice(bearings) + rng.uniform(-6.0, 6.0)
    # work elsewhere than home, so that the way there differs early from the way home
    work_at = max(
        (b + rng.uniform(-6.0, 6.0) for b in bearings),
        key=lambda b: min(turn_deg(b, home_at), 110.0) + rng.uniform(0.0, 15.0),
    )
    if turn_deg(work_at, home_at) < 30.0:
        work_at = home_at + rng.choice((-40.0, 40.0))
    home = away(centre, home_at, rng.uniform(7_000.0, 15_000.0))
    work = away(centre, work_at, rng.uniform(6_000.0, 14_000.0))
    outward = bearing_deg(*centre, *home)
    hobby = away(home, outward + rng.uniform(-60.0, 60.0), rng.uniform(2_500.0, 5_000.0))
    family = away(home, outward + rng.uniform(-40.0, 40.0), rng.uniform(5_000.0, 9_000.0))
    return (
        Spot(key="home", point=home, mapped=False),
        Spot(key="work", point=work, mapped=False),
        Spot(key="hobby", point=hobby, mapped=False),
        Spot(key="family", point=family, mapped=False),
    )


__all__ = ["SNAP_M", "Ground", "Site", "survey", "turn_deg"]
