"""The road graph as arrays: what an atlas stores and routing reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .schema import damaged

I32 = npt.NDArray[np.int32]

DTYPES = {
    "tail": "<i4",
    "head": "<i4",
    "speed_dkmh": "<i2",
    "directions": "<i1",
    "component": "<i2",
    "shape": "<i4",
    "lat": "<i4",
    "lon": "<i4",
    "length_m": "<f4",
}


class Roads(NamedTuple):
    """Chain i joins vertices tail[i] and head[i]; its shape, both ends included, is the points
    shape[i]:shape[i + 1] of lat/lon (1e-7 degrees)."""

    tail: I32
    head: I32
    speed_dkmh: npt.NDArray[np.int16]  # tenths of km/h that a car keeps
    directions: npt.NDArray[np.int8]  # 1 forward, 2 backward, 3 both
    component: npt.NDArray[np.int16]  # strongly connected; 0 is the biggest
    shape: I32
    lat: I32
    lon: I32
    length_m: npt.NDArray[np.float32]


def loaded(blobs: Mapping[str, object]) -> Roads:
    """The arrays out of an atlas's bytes; MapError where they are no road graph."""
    columns = []
    for name, dtype in DTYPES.items():
        blob = blobs.get(name)
        if not isinstance(blob, bytes) or len(blob) % np.dtype(dtype).itemsize:
            raise damaged(f"the road graph's {name} is missing or cut short")
        columns.append(np.frombuffer(blob, dtype=dtype))
    roads = Roads(*columns)
    _validate(roads)
    return roads


def _within(column: npt.NDArray[np.number], low: float, high: float) -> bool:
    return bool((column >= low).all() and (column <= high).all())


def _validate(roads: Roads) -> None:
    count = len(roads.tail)
    columns = (roads.head, roads.speed_dkmh, roads.directions, roads.component, roads.length_m)
    same = all(len(column) == count for column in columns)
    if not same or len(roads.shape) != count + 1 or len(roads.lat) != len(roads.lon):
        raise damaged("the road graph's tables disagree in length")
    if count == 0:
        return
    sound = (
        int(roads.shape[0]) == 0
        and int(roads.shape[-1]) == len(roads.lat)
        and int(np.diff(roads.shape.astype(np.int64)).min()) >= 2
        and _within(roads.tail, 0, 2 * count)
        and _within(roads.head, 0, 2 * count)
        and _within(roads.speed_dkmh, 1, 32_767)
        and _within(roads.directions, 1, 3)
        and _within(roads.component, 0, 32_767)
        and bool(np.isfinite(roads.length_m).all())
        and _within(roads.length_m, 0, 1e7)
        and _within(roads.lat, -900_000_000, 900_000_000)
        and _within(roads.lon, -1_800_000_000, 1_800_000_000)
    )
    if not sound:
        raise damaged("the road graph points outside itself")
