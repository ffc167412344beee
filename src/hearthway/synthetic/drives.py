"""The physics that come with Hearthway: drives out of SUMO's traffic, and FASTSim's battery tabulated.

Both are *simulated*, never measured. `scripts/make_drives.py` makes the two files under `data/`; neither SUMO
nor FASTSim is needed to read them.
"""

from __future__ import annotations

import itertools
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from hearthway.records.errors import MapError
from hearthway.records.geo import distance_m

from .motion import Motion, Point, Recorded

T = TypeVar("T")

_DATA = Path(__file__).parent / "data"
_AGAIN = "Reinstall Hearthway, or run scripts/make_drives.py."


class EnergyTable(Struct, frozen=True, kw_only=True):
    """A battery car's consumption by speed and temperature, tabulated from FASTSim runs."""

    vehicle: str
    source: str
    usable_wh: float
    temperatures_c: tuple[float, ...]
    speeds_kmh: tuple[float, ...]
    cruise_wh_per_km: tuple[tuple[float, ...], ...]  # [temperature][speed]
    # what a halt from that speed and the way back to it cost on top of cruising
    stop_wh: tuple[tuple[float, ...], ...]
    idle_w: tuple[float, ...]  # standing, switched on, by temperature

    @staticmethod
    @lru_cache(maxsize=1)
    def bundled() -> EnergyTable:
        """The table that ships; MapError when the file is damaged."""
        return _read(_DATA / "energy.msgpack", EnergyTable)

    def trip_wh(self, motion: Motion, temperature_c: float) -> float:
        """Watt-hours out of the battery for a journey; recorded stretches use their own FASTSim figure."""
        cold, warm, share = _between(self.temperatures_c, temperature_c)
        total = 0.0
        done = 0
        samples = motion.samples
        for first, last, by_temperature in motion.recorded:
            total += self._ruled_wh(samples[done : first + 1], cold, warm, share)
            if by_temperature:
                total += by_temperature[cold] * (1 - share) + by_temperature[warm] * share
            else:
                total += self._ruled_wh(samples[first : last + 1], cold, warm, share)
            done = last
        return total + self._ruled_wh(samples[done:], cold, warm, share)

    def _ruled_wh(
        self,
        samples: Sequence[tuple[float, float, float, float]],
        cold: int,
        warm: int,
        share: float,
    ) -> float:
        idle_w = self.idle_w[cold] * (1 - share) + self.idle_w[warm] * share
        cruise = [
            (a * (1 - share) + b * share) / 1000.0
            for a, b in zip(self.cruise_wh_per_km[cold], self.cruise_wh_per_km[warm], strict=True)
        ]
        halt = [
            a * (1 - share) + b * share
            for a, b in zip(self.stop_wh[cold], self.stop_wh[warm], strict=True)
        ]
        total, peak = 0.0, 0.0
        for before, after in itertools.pairwise(samples):
            seconds = after[0] - before[0]
            mps = (before[3] + after[3]) / 2.0
            if mps < 0.3:
                total += idle_w * seconds / 3600.0
                if peak > 2.0:
                    total += _look_up(self.speeds_kmh, halt, peak * 3.6)
                    peak = 0.0
                continue
            peak = max(peak, mps)
            total += _look_up(self.speeds_kmh, cruise, mps * 3.6) * mps * seconds
        return total


def _between(grid: Sequence[float], value: float) -> tuple[int, int, float]:
    """The two grid indices around `value` (clamped) and the share of the upper one."""
    if value <= grid[0]:
        return 0, 0, 0.0
    if value >= grid[-1]:
        return len(grid) - 1, len(grid) - 1, 0.0
    upper = bisect_right(grid, value)
    return upper - 1, upper, (value - grid[upper - 1]) / (grid[upper] - grid[upper - 1])


def _look_up(grid: Sequence[float], values: Sequence[float], at: float) -> float:
    lower, upper, share = _between(grid, at)
    return values[lower] * (1.0 - share) + values[upper] * share


class PackedDrive(Struct, frozen=True, kw_only=True):
    """One drive at 1 Hz: int16 deltas of microdegrees and uint16 cm/s, deflated."""

    lat_e6: int
    lon_e6: int
    samples: bytes
    battery_wh: tuple[float, ...]  # by temperature of the energy table
    inbound: bool  # from the edge of the map to a stop; else from a stop to the edge


class PackedPool(Struct, frozen=True, kw_only=True):
    """What `data/drives.msgpack` holds."""

    source: str
    licence: str
    land_bearings_deg: tuple[float, ...]  # where homes may lie, seen from the map
    drives: tuple[PackedDrive, ...]


def pack_samples(samples: Sequence[tuple[float, float, float]]) -> tuple[int, int, bytes]:
    """(first lat, first lon, bytes) of (lat, lon, m/s) samples; microdegrees."""
    lats = [round(s[0] * 1e6) for s in samples]
    lons = [round(s[1] * 1e6) for s in samples]
    deltas = array("h", (b - a for a, b in itertools.pairwise(lats)))
    deltas.extend(b - a for a, b in itertools.pairwise(lons))
    speeds = array("H", (round(s[2] * 100.0) for s in samples))
    return lats[0], lons[0], zlib.compress(deltas.tobytes() + speeds.tobytes(), 9)


def unpack_samples(packed: PackedDrive) -> tuple[tuple[float, float, float], ...]:
    """(lat, lon, m/s) once a second."""
    raw = zlib.decompress(packed.samples)
    count = (len(raw) // 2 + 2) // 3
    deltas = array("h", raw[: 4 * (count - 1)])
    speeds = array("H", raw[4 * (count - 1) :])
    lat, lon = packed.lat_e6, packed.lon_e6
    out = [(lat / 1e6, lon / 1e6, speeds[0] / 100.0)]
    for i in range(count - 1):
        lat += deltas[i]
        lon += deltas[count - 1 + i]
        out.append((lat / 1e6, lon / 1e6, speeds[i + 1] / 100.0))
    return tuple(out)


class DrivePool:
    """Drives on mapped ground, from the edge of the map to places where one parks, and back."""

    def __init__(self, packed: PackedPool) -> None:
        self.source = packed.source
        self.land_bearings_deg = packed.land_bearings_deg
        self.inbound: list[Recorded] = []
        self.outbound: list[Recorded] = []
        for one in packed.drives:
            drive = Recorded(samples=unpack_samples(one), battery_wh=one.battery_wh)
            (self.inbound if one.inbound else self.outbound).append(drive)
        self.stops = _distinct([drive.samples[-1][:2] for drive in self.inbound])

    @staticmethod
    @lru_cache(maxsize=1)
    def bundled() -> DrivePool:
        """The drives of the Helsinki pack; MapError when the file is damaged."""
        return DrivePool(_read(_DATA / "drives.msgpack", PackedPool))

    def into(self, stop: Point, within_m: float = 60.0) -> list[Recorded]:
        """Drives that end at a stop."""
        return [d for d in self.inbound if distance_m(*d.samples[-1][:2], *stop) <= within_m]

    def out_of(self, stop: Point, within_m: float = 60.0) -> list[Recorded]:
        """Drives that begin at a stop."""
        return [d for d in self.outbound if distance_m(*d.samples[0][:2], *stop) <= within_m]


def _distinct(points: Sequence[Point]) -> list[Point]:
    kept: list[Point] = []
    for point in points:
        if all(distance_m(*point, *other) > 60.0 for other in kept):
            kept.append(point)
    return kept


def _read(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise MapError(f"{path.name} is missing from this installation.", _AGAIN) from None
    except (msgspec.MsgspecError, OSError) as why:
        raise MapError(f"{path.name} does not read: {why}.", _AGAIN) from None
