"""A position told less precisely: the centre of a fixed cell of the earth, and nothing beside it that would sharpen it.

The same cell is told however often somebody is in it, so many fixes average to no more than one. What a cell
cannot hide: the moment of a step from one cell into the next says that its owner was near the edge between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum

import msgspec
from msgspec import Struct

from hearthway.records.signals import Signal

CELL_M: dict[str, float] = {"500m": 500.0, "city": 20_000.0}  # the least height and width of a cell
_DEGREE_MIN_M = 110_574.0  # a degree of latitude at the equator, WGS84: nowhere is it shorter
_LATITUDE, _LONGITUDE = "Latitude", "Longitude"
_STEMS = ("Location", "CurrentLocation", "Position")  # what a position's keys stand below
_PAIRS = (("lat", "lon"), ("latitude", "longitude"))
_SHARPENS = ("accuracy", "heading", "bearing", "altitude", "speed", "distance")
_PLAIN = ("key", "source", "person", "unit", "device_id", "node")  # texts that name no place


class _CannotError(Exception):
    """This part of a record cannot be told less precisely."""


def cell(lat: float, lon: float, size_m: float) -> tuple[float, float, float, float]:
    """South, west, north and east (degrees) of the fixed cell around a point: at least `size_m` high and wide.

    Around a pole the cell is a whole cap.
    """
    bands = max(
        2, int(180.0 * _DEGREE_MIN_M / size_m) // 2 * 2
    )  # even: no centre is on the equator
    height = 180.0 / bands
    band = min(max(int((lat + 90.0) / height), 0), bands - 1)
    south = -90.0 + band * height
    north = south + height
    narrow = math.cos(math.radians(max(abs(south), abs(north))))  # where the cell is narrowest
    columns = max(1, int(360.0 * narrow * _DEGREE_MIN_M / size_m))
    width = 360.0 / columns
    west = -180.0 + (int((lon + 180.0) / width) % columns) * width
    return south, west, north, west + width


def coarse_point(lat: float, lon: float, precision: str) -> tuple[float, float] | None:
    """The centre of the point's cell; None for what is no point on the earth. `precision`: "500m" or "city"."""
    if not (math.isfinite(lat) and math.isfinite(lon) and abs(lat) <= 90.0 and abs(lon) <= 180.0):
        return None
    south, west, north, east = cell(lat, lon, CELL_M[precision])
    return round((south + north) / 2, 6), round((west + east) / 2, 6)


def coarsen_signals(signals: Sequence[Signal], precision: str) -> list[Signal]:
    """The signals as `precision` lets them be told: positions by their cell, the rest of a position's keys dropped.

    A latitude counts with the one longitude of the same thing, source, person and instant; alone it is dropped.
    Readings that are no position pass, texts do not.
    """
    if precision == "exact":
        return list(signals)
    if precision not in CELL_M:
        return []
    pairs: dict[tuple[object, ...], dict[str, list[object]]] = {}
    for one in signals:
        stem, _, axis = one.key.rpartition(".")
        if axis in (_LATITUDE, _LONGITUDE):
            pair = pairs.setdefault((stem, one.source, one.person, one.time_s), {})
            pair.setdefault(axis, []).append(one.value)
    points = {at: _of_pair(pair, precision) for at, pair in pairs.items()}
    told: list[Signal] = []
    for one in signals:
        stem, _, axis = one.key.rpartition(".")
        if axis in (_LATITUDE, _LONGITUDE):
            point = points[(stem, one.source, one.person, one.time_s)]
            if point is not None:
                told.append(
                    msgspec.structs.replace(one, value=point[0 if axis == _LATITUDE else 1])
                )
        elif not _of_position(one.key) and not isinstance(one.value, str):
            told.append(one)
    return told


def coarsen(key: str, record: object, precision: str) -> object | None:
    """The record as `precision` lets it be told, or None: then it must not be told at all.

    Fields `lat` and `lon` become their cell's centre, also in records within; what would sharpen them goes.
    Text and bytes may name a place: with any of it (beside ids of nodes and people) the record is refused.
    """
    if precision == "exact":
        return record
    if precision not in CELL_M:
        return None
    if isinstance(record, Signal):
        found = coarsen_signals([record], precision)
        return found[0] if found else None
    if isinstance(record, list) and record and all(isinstance(one, Signal) for one in record):
        return coarsen_signals(record, precision) or None
    if isinstance(record, int | float) and _of_position(key):
        return None
    try:
        return _coarse(record, precision)
    except _CannotError:
        return None


def _of_pair(pair: dict[str, list[object]], precision: str) -> tuple[float, float] | None:
    values = [*pair.get(_LATITUDE, ()), *pair.get(_LONGITUDE, ())]
    if len(values) != 2 or len(pair) != 2:
        return None
    lat, lon = (_number(value) for value in values)
    return None if lat is None or lon is None else coarse_point(lat, lon, precision)


def _of_position(key: str) -> bool:
    """Does the key say something about where: an axis, or what stands beside one?"""
    *above, last = key.split(".")
    return last in (_LATITUDE, _LONGITUDE) or any(part in _STEMS for part in above)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def _coarse(value: object, precision: str) -> object:
    """The value with every position in it coarse; `_CannotError` for what may name a place."""
    if isinstance(value, Signal):
        told = coarsen_signals([value], precision)
        if not told:
            raise _CannotError
        return told[0]
    if isinstance(value, Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        optional = {
            field.name
            for field in msgspec.structs.fields(type(value))
            if field.default is None  # what may be left unsaid
        }
        return msgspec.structs.replace(value, **_fields(fields, optional, precision))
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {**value, **_fields(value, set(), precision)}
    if isinstance(value, list | tuple):
        if any(_number(one) is not None for one in value):
            raise _CannotError  # bare numbers in a row may be coordinates
        return type(value)(_coarse(one, precision) for one in value)
    if value is None or isinstance(value, bool | int | float | Enum) or value == "":
        return value
    raise _CannotError


def _fields(
    fields: dict[str, object], optional: set[str], precision: str
) -> dict[str, object | None]:
    coarse: dict[str, object | None] = {}
    for lat_name, lon_name in _PAIRS:
        if lat_name not in fields and lon_name not in fields:
            continue
        lat, lon = fields.get(lat_name), fields.get(lon_name)
        if lat is None and lon is None:
            coarse |= {name: None for name in (lat_name, lon_name) if name in fields}
            continue
        point = _of_pair({_LATITUDE: [lat], _LONGITUDE: [lon]}, precision)
        if point is None:
            raise _CannotError
        coarse |= {lat_name: point[0], lon_name: point[1]}
    for name, value in fields.items():
        if name in coarse:
            continue
        if any(word in name for word in _SHARPENS):
            if value is not None and name not in optional:
                raise _CannotError
            coarse[name] = None
        elif not (name in _PLAIN and isinstance(value, str)):
            coarse[name] = _coarse(value, precision)
    return coarse
