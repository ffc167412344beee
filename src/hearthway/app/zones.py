"""Time zones looked up in a process that ends again: their boundaries take 30 MB, and one answer serves a whole region.

A region is 4 x 4 degrees, each of its cells looked up exactly as `records.localtime.here` does, so the answers are the
same; most regions have one zone and cost one name. Nothing is written down: where a person was is not to be told by a cache.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from hearthway.records import localtime
from hearthway.records.localtime import CELLS_PER_DEGREE, here

log = logging.getLogger("hearthway.zones")
SIDE = 4 * CELLS_PER_DEGREE  # cells
PATIENCE_S = 20.0  # it takes 0.2 s
LAT_MAX, LON_MAX = 90 * CELLS_PER_DEGREE, 180 * CELLS_PER_DEGREE
Region = (
    str | tuple[tuple[str, ...], bytes]
)  # one name for all of it, or names and the number of each cell's

# Run alone, without site-packages: a start of 15 ms. Cells off the globe have no zone.
_PROGRAM = """
import json, sys
where, south, west, side, per_degree, lat_max, lon_max = json.loads(sys.argv[1])
sys.path.append(where)
from tzfpy import get_tz
names = {}
cells = [
    names.setdefault(get_tz(x / per_degree, y / per_degree) if abs(y) <= lat_max and abs(x) <= lon_max else "", len(names))
    for y in range(south, south + side)
    for x in range(west, west + side)
]
json.dump([list(names), cells if len(names) > 1 else []], sys.stdout)
"""


def in_a_child() -> None:
    """From now on this process asks a child for zones it does not know; where none can run, it looks itself."""
    localtime.look_up_by(zone_of)


def zone_of(lat_cell: int, lon_cell: int) -> str:
    """As `localtime.here`; blocks for 0.2 s at the first cell of a region."""
    if not (abs(lat_cell) <= LAT_MAX and abs(lon_cell) <= LON_MAX):
        return here(lat_cell, lon_cell)
    south, west = lat_cell // SIDE, lon_cell // SIDE
    with _asking:
        region = _region(south, west)
    if region is None:
        return here(lat_cell, lon_cell)
    if isinstance(region, str):
        return region
    names, cells = region
    return names[cells[(lat_cell - south * SIDE) * SIDE + lon_cell - west * SIDE]]


_asking = threading.Lock()  # two threads that need one region start one child


@lru_cache(maxsize=64)
def _region(south: int, west: int) -> Region | None:
    """The region's zones; None where they cannot be had from a child."""
    spec = find_spec("tzfpy")
    if spec is None or spec.origin is None:
        return None
    where = str(Path(spec.origin).parent.parent)
    asked = (where, south * SIDE, west * SIDE, SIDE, CELLS_PER_DEGREE, LAT_MAX, LON_MAX)
    command = [sys.executable, "-I", "-S", "-c", _PROGRAM, json.dumps(asked)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=True
        )
        names, cells = json.loads(done.stdout)
        if not cells:
            return str(names[0])
        if len(cells) != SIDE * SIDE:
            return None
        return tuple(names), bytes(cells)
    except (OSError, subprocess.SubprocessError, ValueError) as why:
        log.warning("no child for time zones", extra={"fields": {"why": type(why).__name__}})
        return None
