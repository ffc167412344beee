"""Signals of one moment -> a fix: latitude and longitude (and speed) with the same time and source belong together."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from hearthway.records.geo import valid_point
from hearthway.records.signals import Fix, Signal

from .catalogue import CAR_POSITION, PHONE_POSITION, SPEED

PREFIXES = (CAR_POSITION, PHONE_POSITION)
POSITION_PARTS = (".Latitude", ".Longitude")
PENDING = 8  # moments held open per source: halves may arrive in any order, but not for ever
STREAMS = 64  # sources that are followed at a time
SPEED_HOLDS_S = 10.0
_PARTS = {
    **{f"{prefix}.Latitude": (prefix, "lat") for prefix in PREFIXES},
    **{f"{prefix}.Longitude": (prefix, "lon") for prefix in PREFIXES},
    SPEED: (CAR_POSITION, "speed"),
    f"{PHONE_POSITION}.Speed": (PHONE_POSITION, "speed"),
    f"{CAR_POSITION}.HorizontalAccuracy": (CAR_POSITION, "accuracy"),
    f"{PHONE_POSITION}.Accuracy": (PHONE_POSITION, "accuracy"),
}


class Located(Struct, frozen=True, kw_only=True):
    """A fix, and where it came from: `prefix` is the key's stem, for the receipt."""

    fix: Fix
    source: str
    prefix: str
    person: str = ""


class Open(Struct, kw_only=True):
    """A stream of one source: moments that wait for their other half, and its newest speed."""

    source: str
    prefix: str
    moments: list[tuple[float, dict[str, float]]] = field(default_factory=list)  # oldest first
    speed_s: float | None = None
    speed_mps: float = 0.0


class FixAssembler:
    """Joins position signals into fixes. Feed it normalised signals; a fix comes with the second coordinate.

    Speed and accuracy count where they arrive before the second coordinate (or carry an equal time); a speed
    that comes later is used for the next fix of that source within 10 s.
    """

    def __init__(self, streams: list[Open] | None = None) -> None:
        self.streams = streams if streams is not None else []

    def feed_all(self, signals: Iterable[Signal]) -> list[Located]:
        """The fixes in one message, whatever its order: speed counts for the fix of its own instant."""
        ordered = sorted(signals, key=lambda one: (one.time_s, one.key.endswith(POSITION_PARTS)))
        return [located for signal in ordered if (located := self.feed(signal)) is not None]

    def feed(self, signal: Signal) -> Located | None:
        """The fix this signal completes, if it does."""
        part = _PARTS.get(signal.key)
        if part is None or signal.value is None or isinstance(signal.value, str | bool):
            return None
        prefix, name = part
        value = float(signal.value)
        stream = self._stream(signal.source, prefix)
        if name == "speed":
            value = abs(value) / 3.6 if prefix == CAR_POSITION else value
            stream.speed_s, stream.speed_mps = signal.time_s, value
        moment = self._moment(stream, signal.time_s)
        moment[name] = value
        if "lat" in moment and "lon" in moment and name in ("lat", "lon"):
            stream.moments = [one for one in stream.moments if one[1] is not moment]
            return _located(signal, stream, moment)
        return None

    def _stream(self, source: str, prefix: str) -> Open:
        for stream in self.streams:
            if stream.source == source and stream.prefix == prefix:
                return stream
        stream = Open(source=source, prefix=prefix)
        if len(self.streams) >= STREAMS:  # sources are names that came from outside
            del self.streams[0]
        self.streams.append(stream)
        return stream

    @staticmethod
    def _moment(stream: Open, time_s: float) -> dict[str, float]:
        for at_s, moment in stream.moments:
            if at_s == time_s:
                return moment
        fresh: dict[str, float] = {}
        stream.moments.append((time_s, fresh))
        stream.moments.sort(key=lambda one: one[0])
        if len(stream.moments) > PENDING:
            stale = 0 if stream.moments[0][1] is not fresh else 1
            del stream.moments[stale]
        return fresh


def _located(signal: Signal, stream: Open, moment: dict[str, float]) -> Located | None:
    if not valid_point(moment["lat"], moment["lon"]):
        return None
    speed = moment.get("speed")
    if speed is None and stream.speed_s is not None:
        recent = abs(signal.time_s - stream.speed_s) <= SPEED_HOLDS_S
        speed = stream.speed_mps if recent else None
    return Located(
        fix=Fix(
            time_s=signal.time_s,
            lat=moment["lat"],
            lon=moment["lon"],
            accuracy_m=moment.get("accuracy"),
            speed_mps=speed,
        ),
        source=stream.source,
        prefix=stream.prefix,
        person=signal.person,
    )
