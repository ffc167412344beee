"""The road graph's columns as bytes and as arrays of the standard library, and whether they hold together."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping
from math import isfinite
from operator import sub
from typing import Any, NamedTuple, TypeAlias

from .schema import damaged

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
_CODES = {"<i4": "i", "<i2": "h", "<i1": "b", "<f4": "f"}
Column: TypeAlias = "array[float]"  # quoted: only from Python 3.12 on can arrays be subscripted
Ints: TypeAlias = "array[int]"


class RoadColumns(NamedTuple):
    """What routing reads, as `arrays.Roads` has it for building: numpy would be 11 MB of a phone."""

    tail: Ints
    head: Ints
    speed_dkmh: Ints
    directions: Ints
    component: Ints
    shape: Ints
    lat: Ints
    lon: Ints
    length_m: Column


def columns(data: Mapping[str, bytes]) -> RoadColumns:
    """The columns of bytes that were `checked`."""
    found: dict[str, Any] = {name: _column(data[name], dtype) for name, dtype in DTYPES.items()}
    return RoadColumns(**found)


def checked(blobs: Mapping[str, object]) -> dict[str, bytes]:
    """The columns' bytes; MapError where they are no road graph."""
    data: dict[str, bytes] = {}
    for name, dtype in DTYPES.items():
        blob = blobs.get(name)
        if not isinstance(blob, bytes) or len(blob) % int(dtype[2:]):
            raise damaged(f"the road graph's {name} is missing or cut short")
        data[name] = blob
    _validate({name: _column(blob, DTYPES[name]) for name, blob in data.items()})
    return data


def count(data: Mapping[str, bytes]) -> int:
    """How many stretches of road between junctions."""
    return len(data["tail"]) // 4


def _column(blob: bytes, dtype: str) -> Column:
    column: Column = array(_CODES[dtype])
    column.frombytes(blob)
    if sys.byteorder == "big":
        column.byteswap()
    return column


def _within(column: Column, low: float, high: float) -> bool:
    return not column or (min(column) >= low and max(column) <= high)


def _validate(roads: Mapping[str, Column]) -> None:
    chains, shape, lat = len(roads["tail"]), roads["shape"], roads["lat"]
    same = all(
        len(roads[name]) == chains
        for name in ("head", "speed_dkmh", "directions", "component", "length_m")
    )
    if not same or len(shape) != chains + 1 or len(lat) != len(roads["lon"]):
        raise damaged("the road graph's tables disagree in length")
    if chains == 0:
        return
    sound = (
        shape[0] == 0
        and shape[-1] == len(lat)
        and min(map(sub, shape[1:], shape)) >= 2
        and _within(roads["tail"], 0, 2 * chains)
        and _within(roads["head"], 0, 2 * chains)
        and _within(roads["speed_dkmh"], 1, 32_767)
        and _within(roads["directions"], 1, 3)
        and _within(roads["component"], 0, 32_767)
        and all(map(isfinite, roads["length_m"]))
        and _within(roads["length_m"], 0, 1e7)
        and _within(lat, -900_000_000, 900_000_000)
        and _within(roads["lon"], -1_800_000_000, 1_800_000_000)
    )
    if not sound:
        raise damaged("the road graph points outside itself")
