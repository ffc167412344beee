"""From drivable ways to a compact road graph: junctions, chains between them, strong components.

A chain is a stretch of road between two junctions with one speed and one set of directions; the nodes
in between only shape it. Only chains inside a strongly connected component of some size are kept:
from anywhere on them a car can drive anywhere on them and back.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hearthway.records.geo import METRES_PER_DEGREE

from .arrays import Roads
from .extract import Extract

F64 = npt.NDArray[np.float64]
KEEP_M = 20_000.0  # a component with this much road is an island, not a stub
KEEP_SHARE = 0.05  # of the biggest component


class Chain(NamedTuple):
    """Node positions (indices into the extract's coordinates) from one end to the other."""

    nodes: list[int]
    speed_dkmh: int
    forward: bool
    backward: bool


def _pieces(extract: Extract) -> list[Chain]:
    """Every way cut at nodes the extract lacks, at barriers, and at nodes shared with other ways."""
    roads = extract.roads
    if len(roads.refs) == 0 or len(extract.ids) == 0:
        return []
    at = np.searchsorted(extract.ids, roads.refs)
    at[at == len(extract.ids)] = 0
    present = extract.ids[at] == roads.refs
    blocked = np.isin(roads.refs, extract.blocked)
    uses = np.bincount(at[present], minlength=len(extract.ids))
    shared = uses[at] > 1
    position, here = at.tolist(), present.tolist()
    stop, cut = shared.tolist(), blocked.tolist()
    starts = roads.starts.tolist()
    chains: list[Chain] = []
    for way in range(len(starts) - 1):
        speed = int(roads.speed_dkmh[way])
        forward, backward = bool(roads.forward[way]), bool(roads.backward[way])
        run: list[int] = []
        for i in range(starts[way], starts[way + 1]):
            if not here[i] or cut[i]:
                if len(run) > 1:
                    chains.append(Chain(run, speed, forward, backward))
                run = []
                continue
            if run and run[-1] == position[i]:
                continue
            run.append(position[i])
            if stop[i] and len(run) > 1:
                chains.append(Chain(run, speed, forward, backward))
                run = [position[i]]
        if len(run) > 1:
            chains.append(Chain(run, speed, forward, backward))
    return chains


def _turned(chain: Chain) -> Chain:
    return Chain(chain.nodes[::-1], chain.speed_dkmh, chain.backward, chain.forward)


def _joined(a: Chain, b: Chain, node: int) -> Chain | None:
    """The two chains as one through `node`, where a car cannot tell them apart."""
    first = a if a.nodes[-1] == node else _turned(a)
    second = b if b.nodes[0] == node else _turned(b)
    if first[1:] != second[1:] or first.nodes[0] == second.nodes[-1]:
        return None
    return Chain(first.nodes + second.nodes[1:], *first[1:])


def _compressed(chains: list[Chain]) -> list[Chain]:
    """Chains joined wherever exactly two meet and drive alike."""
    at: dict[int, list[int]] = {}
    for index, chain in enumerate(chains):
        at.setdefault(chain.nodes[0], []).append(index)
        at.setdefault(chain.nodes[-1], []).append(index)
    live: list[Chain | None] = list(chains)
    for node in sorted(at):
        ends = at[node]
        if len(ends) != 2 or ends[0] == ends[1]:
            continue
        a, b = live[ends[0]], live[ends[1]]
        if a is None or b is None:
            continue
        joined = _joined(a, b, node)
        if joined is None:
            continue
        keep, drop = ends
        live[keep], live[drop] = joined, None
        far = b.nodes[-1] if b.nodes[0] == node else b.nodes[0]
        at[far] = [keep if index == drop else index for index in at[far]]
        at[node] = []
    return [chain for chain in live if chain is not None]


def _lengths(shape: npt.NDArray[np.int64], lat: F64, lon: F64) -> F64:
    """Metres of each chain, from degrees (equirectangular within a segment: far below 0.1 %)."""
    north = np.diff(lat) * METRES_PER_DEGREE
    east = np.diff(lon) * METRES_PER_DEGREE * np.cos(np.radians((lat[1:] + lat[:-1]) / 2))
    along = np.concatenate([[0.0], np.cumsum(np.hypot(north, east))])
    return np.asarray(along[shape[1:] - 1] - along[shape[:-1]])


def _components(tail: list[int], head: list[int], chains: list[Chain], length_m: F64) -> list[int]:
    """The rank of each chain's strong component (0 the longest), or -1 where it is to be dropped."""
    import rustworkx  # the extra "map", as osmium: `extract.read` has said so where it is missing

    digraph: rustworkx.PyDiGraph[None, None] = rustworkx.PyDiGraph()
    count = max([*tail, *head], default=-1) + 1
    digraph.add_nodes_from([None] * count)
    digraph.extend_from_edge_list(
        [(u, v) for u, v, chain in zip(tail, head, chains, strict=True) if chain.forward]
        + [(v, u) for u, v, chain in zip(tail, head, chains, strict=True) if chain.backward]
    )
    label = [0] * count
    components = [sorted(c) for c in rustworkx.strongly_connected_components(digraph)]
    components.sort()
    for number, members in enumerate(components):
        for vertex in members:
            label[vertex] = number
    total = [0.0] * len(components)
    for i, (u, v) in enumerate(zip(tail, head, strict=True)):
        if label[u] == label[v]:
            total[label[u]] += float(length_m[i])
    order = sorted(range(len(components)), key=lambda number: (-total[number], number))
    rank = [-1] * len(components)
    biggest = total[order[0]] if order else 0.0
    for place, number in enumerate(order):
        big = total[number] >= min(KEEP_M, max(biggest * KEEP_SHARE, 500.0))
        if total[number] > 0 and (place == 0 or big) and place < 30_000:
            rank[number] = place
    return [rank[label[u]] if label[u] == label[v] else -1 for u, v in zip(tail, head, strict=True)]


def build(extract: Extract) -> Roads:
    """The road graph of an extract; empty arrays where nothing is drivable."""
    chains = _compressed(_pieces(extract))
    ends = sorted({chain.nodes[0] for chain in chains} | {chain.nodes[-1] for chain in chains})
    number = {node: i for i, node in enumerate(ends)}
    tail = [number[chain.nodes[0]] for chain in chains]
    head = [number[chain.nodes[-1]] for chain in chains]
    shape = np.cumsum([0, *(len(chain.nodes) for chain in chains)], dtype=np.int64)
    nodes = np.array([node for chain in chains for node in chain.nodes], dtype=np.int64)
    if not chains:
        return _arrays([], [], [], [], np.zeros(1, np.int64), nodes, nodes, np.zeros(0))
    lat, lon = extract.lat[nodes], extract.lon[nodes]
    length_m = _lengths(shape, lat / 1e7, lon / 1e7)
    component = _components(tail, head, chains, length_m)
    kept = [i for i, rank in enumerate(component) if rank >= 0]
    points = np.concatenate(
        [np.arange(shape[i], shape[i + 1]) for i in kept] or [np.zeros(0, np.int64)]
    )
    used = sorted({tail[i] for i in kept} | {head[i] for i in kept})
    renumber = {vertex: i for i, vertex in enumerate(used)}
    return _arrays(
        [renumber[tail[i]] for i in kept],
        [renumber[head[i]] for i in kept],
        [chains[i] for i in kept],
        [component[i] for i in kept],
        np.cumsum([0, *(len(chains[i].nodes) for i in kept)], dtype=np.int64),
        lat[points],
        lon[points],
        length_m[kept],
    )


def _arrays(
    tail: list[int],
    head: list[int],
    chains: list[Chain],
    component: list[int],
    shape: npt.NDArray[np.int64],
    lat: npt.NDArray[np.int64],
    lon: npt.NDArray[np.int64],
    length_m: F64,
) -> Roads:
    return Roads(
        np.array(tail, dtype=np.int32),
        np.array(head, dtype=np.int32),
        np.array([chain.speed_dkmh for chain in chains], dtype=np.int16),
        np.array([chain.forward + 2 * chain.backward for chain in chains], dtype=np.int8),
        np.array(component, dtype=np.int16),
        shape.astype(np.int32),
        lat.astype(np.int32),
        lon.astype(np.int32),
        length_m.astype(np.float32),
    )
