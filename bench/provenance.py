"""Can everything shown be traced to OpenStreetMap? POIs, hours and routes against the extract, read a second time.

    python bench/provenance.py --data ../shared/data

For each `*.osm.pbf` under DIR (with --split NAME only those whose name holds NAME) an atlas is built. The extract is then
read again by osmium alone, without any of Hearthway's code, and beside it are held: every POI of the atlas (its object, name,
hours, and that it lies within the object's own box); its opening at every half hour of a week (what has no hours in the extract
is never open); every segment of routes between random places (two nodes that follow each other in one way that a car may
drive in that direction; a route begins and ends with the bit from its place to such a segment, and a part of one); and all that a phone says on the last evenings
of synthetic households living on that map: each option's object, its hours, and the name of where one is heading.
"Untraced" has to be 0. The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import osmium

from hearthway.app.config import AssistTable, Config, NodeTable
from hearthway.app.equipment import brain_for
from hearthway.assist.engine import Proposal
from hearthway.atlas.build import build
from hearthway.atlas.store import Atlas
from hearthway.mesh.state.store import Store
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.household import Role
from hearthway.records.poi import FOOD, SHOPPING, OpenState, Poi
from hearthway.records.suggestion import Silence, Suggestion
from hearthway.sense.catalogue import normalise
from hearthway.sense.fixes import FixAssembler
from hearthway.synthetic.household import generate
from hearthway.synthetic.settings import Settings

if TYPE_CHECKING:
    from bench._ends import finish, refused, started
    from bench._given import extracts_under
else:  # run as a script, its own folder is on the path
    from _ends import finish, refused, started
    from _given import extracts_under

KINDS = (*FOOD, *SHOPPING, "charger", "parking")
ROUTES = 200
HALF_HOURS = 336
MONDAY_S = 1_762_732_800.0  # 10 November 2025, 00:00 UTC
UNIT = 1e7
NEAR = 2  # units of 1e-7 degrees: rounding of a coordinate
ON_SEGMENT_DEG = (
    2e-6  # where a route begins or ends, off the straight line between two nodes: 0.2 m
)
HEADING = re.compile(r"heading (?:to |near )?(.+?)(?: [\d.]+ k?m ahead)? \(p ")
OWN = ("your regular place", "home", "work")  # the person's words, not the map's
FORWARD = ("yes", "true", "1")
Spot = tuple[int, int]


@dataclass
class Extract:
    """An extract as osmium reads it: tags and box of what is named or has hours, and who may drive from where to where."""

    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    box: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)
    segments: dict[tuple[Spot, Spot], list[str]] = field(default_factory=dict)
    at: dict[Spot, list[tuple[Spot, Spot]]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


def spot(lat: float, lon: float) -> Spot:
    """A coordinate in units of 1e-7 degrees."""
    return round(lat * UNIT), round(lon * UNIT)


def box_of(spots: list[Spot]) -> tuple[int, int, int, int]:
    """South, west, north, east."""
    ys, xs = [y for y, _ in spots], [x for _, x in spots]
    return min(ys), min(xs), max(ys), max(xs)


def read(pbf: Path) -> Extract:
    """Everything that could be shown, from the file itself."""
    found = Extract()
    of_way: dict[int, tuple[int, int, int, int]] = {}
    thing: Any  # osmium's types do not follow is_node() and its like
    for thing in osmium.FileProcessor(str(pbf)).with_locations():
        tags = {tag.k: tag.v for tag in thing.tags}
        if thing.is_node():
            keep(found, f"node/{thing.id}", tags, [spot(thing.lat, thing.lon)])
        elif thing.is_way():
            spots = [spot(n.lat, n.lon) for n in thing.nodes if n.location.valid()]
            if spots:
                of_way[thing.id] = box_of(spots)
            keep(found, f"way/{thing.id}", tags, spots)
            if "highway" in tags or tags.get("route") == "ferry":
                drive(found, f"way/{thing.id}", tags, spots)
        elif thing.is_relation():
            boxes = [of_way[m.ref] for m in thing.members if m.type == "w" and m.ref in of_way]
            corners = [corner for s, w, n, e in boxes for corner in ((s, w), (n, e))]
            keep(found, f"relation/{thing.id}", tags, corners)
    return found


def keep(found: Extract, osm_id: str, tags: dict[str, str], spots: list[Spot]) -> None:
    """Tags and box of one object with a tag and a place."""
    if tags and spots:
        found.tags[osm_id], found.box[osm_id] = tags, box_of(spots)
        found.names |= {plain(tags[key]) for key in ("name", "brand") if key in tags}


def drive(found: Extract, osm_id: str, tags: dict[str, str], spots: list[Spot]) -> None:
    """Each pair of neighbouring nodes of a road, in the directions that its own tags let a car take."""
    one_way = tags.get("oneway", "")
    round_about = tags.get("junction") in ("roundabout", "circular")
    fast = tags.get("highway") == "motorway"
    forward = one_way != "-1"
    backward = one_way not in FORWARD and (one_way in ("no", "-1") or not (round_about or fast))
    for a, b in pairwise(spots):
        for pair in [(a, b)] * forward + [(b, a)] * backward:
            found.segments.setdefault(pair, []).append(osm_id)
            found.at.setdefault(a, []).append(pair)
            found.at.setdefault(b, []).append(pair)


def plain(text: str) -> str:
    """Text without what no screen shows: the letters that remain decide."""
    kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join(kept.split())


class Tracer:
    """Holds an atlas and what it says against the extract; keeps what does not fit, in words."""

    def __init__(self, extract: Extract, atlas: Atlas) -> None:
        self.extract = extract
        self.atlas = atlas
        self.counts: dict[str, int] = {}
        self.wrong: dict[str, list[str]] = {}

    def hold(self, what: str, /, fits: bool, words: str) -> None:
        """Count one thing; note it where it does not fit."""
        self.counts[what] = self.counts.get(what, 0) + 1
        self.wrong.setdefault(what, [])
        if not fits:
            self.wrong[what].append(words)

    def pois(self) -> list[Poi]:
        """Every POI of the atlas, each held against its object."""
        south, west, north, east = self.atlas.bounds
        middle = (south + north) / 2, (west + east) / 2
        pois = self.atlas.near(*middle, 1e6, KINDS)
        for poi in pois:
            self.poi("POIs", poi)
            states = {
                self.atlas.opening(poi, MONDAY_S + 1800 * half).state for half in range(HALF_HOURS)
            }
            tagged = self.extract.tags.get(poi.osm_id, {}).get("opening_hours", "")
            self.hold(
                "openings",
                bool(tagged) or states == {OpenState.UNKNOWN},
                f"{poi.osm_id} has no hours and is {states}",
            )
        return pois

    def poi(self, what: str, poi: Poi) -> None:
        """Object, name, hours and place of one POI."""
        tags = self.extract.tags.get(poi.osm_id)
        if tags is None:
            self.hold(what, fits=False, words=f"{poi.osm_id} is not in the extract")
            return
        south, west, north, east = self.extract.box[poi.osm_id]
        y, x = spot(poi.lat, poi.lon)
        inside = south - NEAR <= y <= north + NEAR and west - NEAR <= x <= east + NEAR
        names = {plain(tags.get("name", "")), plain(tags.get("brand", ""))}
        fits = (
            inside
            and (
                not poi.name
                or plain(poi.name) in names
                or any(n[:100] == poi.name[:100] for n in names)
            )
            and plain(poi.opening_hours) == plain(tags.get("opening_hours", ""))
        )
        self.hold(what, fits, f"{poi} is {tags} in the extract")

    def routes(self, pois: list[Poi], seed: int) -> None:
        """Routes between random places, segment by segment."""
        pick = random.Random(seed)
        on_road = [poi for poi in pois if self.atlas.roads.covers(poi.lat, poi.lon)]
        if len(on_road) < 2:
            return
        for _ in range(ROUTES):
            a, b = pick.sample(on_road, 2)
            route = self.atlas.route((a.lat, a.lon), (b.lat, b.lon))
            if route is None or not route.on_road:
                continue
            points, words = [spot(*point) for point in route.points], f"{a.osm_id} to {b.osm_id}"
            ends = spot(a.lat, a.lon), spot(b.lat, b.lon)
            self.hold("routes", (points[0], points[-1]) == ends, f"{words}: has other ends")
            self.route(points[1:-1], words)

    def route(self, points: list[Spot], words: str) -> None:
        """The part of one route on roads: whole stretches of ways, and a part of one at each end."""
        steps = [(p, q) for p, q in pairwise(points) if p != q]
        for place, (p, q) in enumerate(steps):
            whole = (p, q) in self.extract.segments
            if not whole and place in (0, len(steps) - 1):
                whole = self._on_a_segment(p, q)
            self.hold("route segments", whole, f"{words}: {p} to {q} is no stretch of a way")

    def _on_a_segment(self, p: Spot, q: Spot) -> bool:
        """Do both ends stand on one segment, in its direction?"""
        near = self.extract.at.get(p, []) + self.extract.at.get(q, [])
        candidates = near or list(self.extract.segments)  # a route within one segment
        return any(
            off(p, a, b) < ON_SEGMENT_DEG * UNIT
            and off(q, a, b) < ON_SEGMENT_DEG * UNIT
            and (q[0] - p[0]) * (b[0] - a[0]) + (q[1] - p[1]) * (b[1] - a[1]) >= 0
            for a, b in candidates
        )

    def said(self, suggestion: Suggestion) -> None:
        """What a phone shows on an evening: the options, their hours, and the name of where one is heading."""
        heading = HEADING.search(suggestion.headline)
        if heading is not None and heading[1] not in OWN:
            named = plain(heading[1]) in self.extract.names
            self.hold("names said", named, f"{heading[1]} is no name in the extract")
        for option in suggestion.options:
            self.poi("options said", option.poi)
            known = option.opening.state is not OpenState.UNKNOWN
            tagged = self.extract.tags.get(option.poi.osm_id, {}).get("opening_hours", "")
            self.hold("hours said", bool(tagged) or not known, f"{option.poi.osm_id} has no hours")


def off(p: Spot, a: Spot, b: Spot) -> float:
    """How far `p` lies off the stretch from a to b, in units of 1e-7 degrees."""
    dy, dx = b[0] - a[0], b[1] - a[1]
    whole = dy * dy + dx * dx
    share = 0.0 if not whole else ((p[0] - a[0]) * dy + (p[1] - a[1]) * dx) / whole
    share = min(1.0, max(0.0, share))
    return float(((p[0] - a[0] - share * dy) ** 2 + (p[1] - a[1] - share * dx) ** 2) ** 0.5)


def evenings(atlas: Atlas, folder: Path, seeds: int) -> Iterator[Suggestion | Silence]:
    """What phones of synthetic households on this map say on their last evening: both adults of each."""
    for seed in range(1, seeds + 1):
        for driver in ("a", "b"):
            settings = Settings(seed=seed, driver=driver)
            household = generate(settings, atlas, atlas, None, atlas.place_name)
            member = household.person(household.driver_id)
            path = folder / f"{seed}-{driver}.db"
            with Store.open(path, node_id="phone") as store:
                person = store.add_person(member.name, member.person_id)
                store.add_fixes(person.person_id, member.fixes, "recording")
                store.add_signals(person.person_id, [normalise(s) for s in member.car_signals])
                config = Config(
                    node=NodeTable(id="phone", role=Role.PHONE), assist=AssistTable(dial="eager")
                )
                brain = brain_for(store, person, config, atlas)
                assembler = FixAssembler()
                for time_s, signals in household.drive.ticks:
                    kept = [normalise(signal) for signal in signals]
                    fixes = [located.fix for located in assembler.feed_all(kept)]
                    brain.observe(fixes, kept, "car")
                    if brain.due(time_s):
                        found = brain.propose(brain.situation(time_s))
                        yield brain.decide(found, {}) if isinstance(found, Proposal) else found
            path.unlink()


def rows_of(name: str, tracer: Tracer) -> list[dict[str, Any]]:
    """One row of each thing held: how many there were, and how many could not be traced."""
    return [
        {
            "case": f"{name}, {tracer.counts[what]} {what}",
            "metric": "untraced",
            "unit": what,
            "ours": len(tracer.wrong[what]),
            "peer": "limit",
            "theirs": 0,
            "ratio": None,
        }
        for what in tracer.counts
    ]


def traced(pbf: Path, seeds: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of one extract, and what did not fit."""
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "atlas"
        build(pbf, target)
        atlas = Atlas.open(target)
        try:
            tracer = Tracer(read(pbf), atlas)
            tracer.routes(tracer.pois(), 1)
            try:
                for outcome in evenings(atlas, Path(scratch), seeds):
                    if isinstance(outcome, Suggestion):
                        tracer.said(outcome)
            except InputError as why:  # a map may be too small for a household
                print(f"{pbf.name}: no household: {why}", file=sys.stderr)
        finally:
            atlas.close()
    name = pbf.name.removesuffix(".osm.pbf")
    return rows_of(name, tracer), [w for words in tracer.wrong.values() for w in words]


def main() -> int:
    """Every extract; 1 where something could not be traced."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="")
    parser.add_argument("--seeds", type=int, default=3, help="households on each map")
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    wrong: list[str] = []
    try:
        extracts = extracts_under(given.data, given.split)
        if not extracts:
            raise InputError(
                f"There is no *.osm.pbf under {given.data}.", "Give a directory with extracts."
            )
        for pbf in extracts:
            more, untraced = traced(pbf, given.seeds)
            rows += more
            wrong += untraced
        if not rows:
            names = ", ".join(pbf.name for pbf in extracts)
            raise InputError(
                f"Nothing in {names} can be shown, so nothing was traced.",
                "Give an extract with shops or places to eat.",
            )
    except HearthwayError as why:
        return refused(why)
    for words in wrong[:20]:
        print(f"untraced: {words}")
    for each in rows:
        print(each["case"], "untraced:", each["ours"])
    finish("provenance", rows)
    return 1 if wrong else 0


if __name__ == "__main__":
    started(main)
