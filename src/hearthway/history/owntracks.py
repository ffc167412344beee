"""The OwnTracks Recorder's `.rec`: time, tab, kind padded with spaces, tab, the message as JSON.

Format: https://github.com/owntracks/recorder (doc/STORE.md), fields: https://owntracks.org/booklet/tech/json.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from hearthway.records.signals import Fix

from . import report as why
from .point import make_fix, number
from .report import ReadReport
from .source import lines

KMH_PER_MPS = 3.6


class _Message(msgspec.Struct):
    """What is read of a message; every field may be absent or odd."""

    kind: Any = msgspec.field(default=None, name="_type")
    lat: Any = None
    lon: Any = None
    tst: Any = None
    acc: Any = None
    vel: Any = None


def person_of(path: Path) -> str:
    """The Recorder's layout is `rec/<user>/<device>/<month>.rec`; elsewhere the person is unnamed."""
    user = path.parent.parent
    return user.name if user.parent.name == "rec" else ""


def read_owntracks(path: Path, report: ReadReport) -> Iterator[tuple[str, Fix]]:
    """(user, fix) of each usable location, in file order. Other messages (transitions, waypoints) are no points."""
    uid = person_of(path.absolute())
    decode = msgspec.json.Decoder(_Message).decode
    for at, line in lines(path, report):
        parts = line.split("\t", 2)
        if (len(parts) == 3 and parts[1].strip() != "*") or not line.strip():
            continue
        try:
            message = decode(parts[-1])
        except (msgspec.DecodeError, RecursionError):
            report.refuse(why.BROKEN, at)
            continue
        if message.kind == "encrypted":
            report.refuse(why.ENCRYPTED, at)
        elif message.kind == "location":
            speed_kmh = number(message.vel)
            fix = make_fix(
                report,
                at,
                message.lat,
                message.lon,
                message.tst if message.tst is not None else parts[0],
                accuracy_m=message.acc,
                speed_mps=None if speed_kmh is None else speed_kmh / KMH_PER_MPS,
            )
            if fix is not None:
                yield uid, fix
