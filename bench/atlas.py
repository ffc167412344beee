"""Atlas: build time, route + 20 detours, memory; beside a plain rustworkx Dijkstra per detour in the same run.

    python bench/atlas.py --data ../shared/data [--split NAME]

Each map is built and queried in a process of its own, so that its peak memory is its own. Times are CPU
seconds: they hold on a busy machine. The peer runs
on the same compressed graph: one dijkstra_shortest_path_lengths for the base and two for each via.
The last line is JSON for scripts/bench. A Valhalla server's 207 ms for 20 + 20 detours on Liechtenstein
is recorded from an earlier machine, not measured here.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rustworkx

from hearthway.atlas.store import Atlas
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.poi import FOOD

if TYPE_CHECKING:
    from bench._ends import finish, refused, started
    from bench._given import extracts_under
else:  # run as a script, its own folder is on the path
    from _ends import finish, refused, started
    from _given import extracts_under

ROUNDS = 30
VIAS = 20
RECORDED_VALHALLA_S = 0.207
Point = tuple[float, float]


def quantile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _built(pbf: str, out: str, pipe: Any) -> None:
    from hearthway.atlas.build import build

    started = time.process_time()
    try:
        report = build(Path(pbf), Path(out))
    except HearthwayError as why:
        pipe.send(why)
        return
    spent_s = time.process_time() - started
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send({"build_s": spent_s, "build_rss_mb": rss_mb, "road_km": report.road_km})


def _cases(atlas: Atlas) -> list[tuple[Point, Point, list[Point]]]:
    """Seeded drives between POIs near roads, with 20 POIs to stop at; the same on every run."""
    south, west, north, east = atlas.bounds
    kinds = (*FOOD, "parking", "shop", "supermarket")
    pois = atlas.near((south + north) / 2, (west + east) / 2, 500_000, kinds)
    points = [(p.lat, p.lon) for p in pois if atlas.roads.covers(p.lat, p.lon)]
    if not points:
        return []  # nowhere to drive from and to
    pick = random.Random(1)
    return [
        (pick.choice(points), pick.choice(points), [pick.choice(points) for _ in range(VIAS)])
        for _ in range(ROUNDS)
    ]


def _queried(path: str, pipe: Any) -> None:
    atlas = Atlas.open(Path(path))
    atlas.roads.covers(0.0, 1.0)
    cases = _cases(atlas)
    spent = []
    for a, b, vias in cases:
        started = time.process_time()
        atlas.route(a, b)
        atlas.detours(a, b, vias)
        spent.append(time.process_time() - started)
    pipe.send(_spent(spent))


def _spent(spent: list[float]) -> dict[str, float]:
    """Times and this process's memory; nothing where there was nothing to ask."""
    if not spent:
        return {}
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"p50_s": quantile(spent, 0.5), "p95_s": quantile(spent, 0.95), "rss_mb": rss_mb}


def _peer(path: str, pipe: Any) -> None:
    """What one gets from rustworkx without thinking: a search per leg of every detour."""
    atlas = Atlas.open(Path(path))
    streets = atlas.roads._streets
    arrays = streets.arrays
    graph: rustworkx.PyDiGraph[None, float] = rustworkx.PyDiGraph()
    graph.add_nodes_from([None] * streets.vertices)
    ends = zip(arrays.tail.tolist(), arrays.head.tolist(), strict=True)
    for (u, v), way, s in zip(ends, arrays.directions.tolist(), streets.chain_s, strict=True):
        if way & 1:
            graph.add_edge(u, v, s)
        if way & 2:
            graph.add_edge(v, u, s)

    def nearest(point: Point) -> int:
        return int(arrays.head[next(iter(streets.snaps(point).values()))[0].chain])

    def leg(a: int, b: int) -> float:
        found = rustworkx.digraph_dijkstra_shortest_path_lengths(graph, a, float, goal=b)
        return 0.0 if a == b else float(found[b])

    spent = []
    for a, b, vias in _cases(atlas):
        started = time.process_time()
        start, goal = nearest(a), nearest(b)
        base = leg(start, goal)
        for via in vias:
            stop = nearest(via)
            max(0.0, leg(start, stop) + leg(stop, goal) - base)
        spent.append(time.process_time() - started)
    pipe.send(_spent(spent))


def alone(target: Any, *args: str) -> dict[str, float]:
    """Runs the function in a fresh process and returns what it sends."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(*args, theirs))
    process.start()
    theirs.close()
    try:
        answer: dict[str, float] | HearthwayError = ours.recv()
    except EOFError:
        raise InputError(
            f"{target.__name__.strip('_')} failed on {args[0]}.", "Read the message above."
        ) from None
    process.join()
    if isinstance(answer, HearthwayError):
        raise answer
    return answer


def row(
    case: str, metric: str, unit: str, ours: float, peer: str, theirs: float | None
) -> dict[str, Any]:
    """One figure beside its peer's; ratio = theirs / ours (above 1: ours is smaller)."""
    ratio = None if theirs is None or not ours else round(theirs / ours, 2)
    known = None if theirs is None else round(theirs, 4)
    return {
        "case": case,
        "metric": metric,
        "unit": unit,
        "ours": round(ours, 4),
        "peer": peer,
        "theirs": known,
        "ratio": ratio,
    }


def main() -> int:
    """Measures every map and prints the rows; 2 where there is no map."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--split", default="", help="a part of a map's name")
    given = parser.parse_args()
    try:
        rows = measured(given.data, given.split)
    except HearthwayError as why:
        return refused(why)
    for each in rows:
        print(
            each["case"],
            each["metric"],
            each["ours"],
            each["unit"],
            "|",
            each["peer"],
            each["theirs"],
        )
    finish("atlas", rows)
    return 0


def measured(data: Path, split: str) -> list[dict[str, Any]]:
    """Rows of every map; InputError where there is none."""
    maps = [path for path in extracts_under(data, split) if path.parent in (data, data / "maps")]
    if not maps:
        raise InputError(
            f"There are no maps in {data} or {data / 'maps'}.",
            "Give --data a folder with *.osm.pbf.",
        )
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for pbf in maps:
            case, path = pbf.name.removesuffix(".osm.pbf"), str(Path(folder) / "bench.atlas")
            built = alone(_built, str(pbf), path)
            rows.append(row(case, "build", "CPU-s", built["build_s"], "", None))
            rows.append(row(case, "build peak memory", "MB", built["build_rss_mb"], "", None))
            queried = alone(_queried, path)
            if not queried:
                print(f"{case}: no shop, table or car park at its roads: nothing is asked of it")
                continue
            peer = alone(_peer, path)
            plain = "rustworkx, a search per leg"
            rows += [
                row(
                    case, "route + 20 detours p50", "CPU-s", queried["p50_s"], plain, peer["p50_s"]
                ),
                row(
                    case, "route + 20 detours p95", "CPU-s", queried["p95_s"], plain, peer["p95_s"]
                ),
                row(case, "query peak memory", "MB", queried["rss_mb"], plain, peer["rss_mb"]),
            ]
            if case == "liechtenstein":
                valhalla = "Valhalla 20+20 detours (recorded)"
                p50 = queried["p50_s"]
                rows.append(row(case, "detours p50", "CPU-s", p50, valhalla, RECORDED_VALHALLA_S))
    return rows


if __name__ == "__main__":
    started(main)
