"""A recording: signals as JSON lines, gzip or not, in time order. What a replay plays and an import may read.

One line a signal: `{"key": "Vehicle.Speed", "value": 48.2, "time_s": 1763139120, "unit": "km/h", "source": "car"}`.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import msgspec

from hearthway.records.errors import InputError
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import PHONE_POSITION


class Line(Signal, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signal as people and adapters write it: a field that is none of its fields is a slip of theirs."""

    def signal(self) -> Signal:
        """The reading itself."""
        return Signal(
            key=self.key,
            value=self.value,
            time_s=self.time_s,
            unit=self.unit,
            source=self.source,
            person=self.person,
        )


_DECODER = msgspec.json.Decoder(Line)
_ENCODER = msgspec.json.Encoder()
_LINE_LIMIT = 65_536


def write_recording(path: Path, signals: Iterable[Signal]) -> int:
    """Write `signals` to `path` (gzip where it ends in .gz); returns how many."""
    count = 0
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wb") as out:
        for signal in signals:
            out.write(_ENCODER.encode(signal) + b"\n")
            count += 1
    return count


def read_recording(path: Path) -> Iterator[Signal]:
    """The signals of a recording; InputError that names file and line."""
    number = 0
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rb") as lines:
            while line := lines.readline(_LINE_LIMIT):
                number += 1
                if line.strip():
                    yield _DECODER.decode(line).signal()
    except msgspec.MsgspecError as why:
        raise InputError(
            f"{path}, line {number}, is not a signal: {why}.",
            "A recording has one JSON signal a line; docs/reference/recording shows one.",
        ) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as why:
        raise InputError(
            f"{path} is cut off or damaged after line {number}: {why}.", "Copy it again."
        ) from None
    except OSError as why:
        raise InputError(
            f"{path} cannot be read: {why.strerror or why}.", "Check the path."
        ) from None
    if number == 0:
        raise InputError(f"{path} is empty.", "Give a recording with at least one signal.")


def ticks(signals: Iterable[Signal]) -> Iterator[tuple[float, list[Signal]]]:
    """Signals of the same instant together; InputError where time goes backwards."""
    last_s = float("-inf")
    for time_s, group in groupby(signals, key=lambda signal: signal.time_s):
        if time_s < last_s:
            raise InputError(
                f"The recording goes back in time at {time_s:.0f}.", "Sort its lines by time_s."
            )
        last_s = time_s
        yield time_s, list(group)


def fix_signals(fix: Fix, person: str, source: str) -> list[Signal]:
    """A fix as the signals a recording holds."""
    pairs = [
        (f"{PHONE_POSITION}.Latitude", fix.lat, "degrees"),
        (f"{PHONE_POSITION}.Longitude", fix.lon, "degrees"),
    ]
    if fix.accuracy_m is not None:
        pairs.append((f"{PHONE_POSITION}.Accuracy", fix.accuracy_m, "m"))
    if fix.speed_mps is not None:
        pairs.append((f"{PHONE_POSITION}.Speed", fix.speed_mps, "m/s"))
    return [
        Signal(key=key, value=value, time_s=fix.time_s, unit=unit, source=source, person=person)
        for key, value, unit in pairs
    ]
