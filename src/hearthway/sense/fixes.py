"""Signals of one moment -> a fix: latitude and longitude (and speed) with the same time and source belong together."""

from __future__ import annotations

from msgspec import Struct

from hearthway.records.geo import valid_point
from hearthway.records.signals import Fix, Signal

from .catalogue import CAR_POSITION, PHONE_POSITION, SPEED

PREFIXES = (CAR_POSITION, PHONE_POSITION)
PENDING = 8  # moments held open per source: halves may arrive in any order, but not for ever
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


class FixAssembler:
    """Joins position signals into fixes. Feed it normalised signals; a fix comes with the second coordinate.

    Speed and accuracy count where they arrive before the second coordinate (or carry an equal time); a speed
    that comes later is used for the next fix of that source within 10 s.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], dict[float, dict[str, float]]] = {}
        self._last_speed: dict[tuple[str, str], tuple[float, float]] = {}

    def feed(self, signal: Signal) -> Located | None:
        """The fix this signal completes, if it does."""
        part = _PARTS.get(signal.key)
        if part is None or signal.value is None or isinstance(signal.value, str | bool):
            return None
        prefix, name = part
        value = float(signal.value)
        stream = (signal.source, prefix)
        if name == "speed":
            value = abs(value) / 3.6 if prefix == CAR_POSITION else value
            self._last_speed[stream] = (signal.time_s, value)
        moments = self._open.setdefault(stream, {})
        moment = moments.setdefault(signal.time_s, {})
        moment[name] = value
        if "lat" in moment and "lon" in moment and name in ("lat", "lon"):
            del moments[signal.time_s]
            return self._located(signal, stream, moment)
        while len(moments) > PENDING:
            del moments[min(moments)]
        return None

    def _located(
        self, signal: Signal, stream: tuple[str, str], moment: dict[str, float]
    ) -> Located | None:
        if not valid_point(moment["lat"], moment["lon"]):
            return None
        speed = moment.get("speed")
        if speed is None and stream in self._last_speed:
            at_s, latest = self._last_speed[stream]
            speed = latest if abs(signal.time_s - at_s) <= 10.0 else None
        return Located(
            fix=Fix(
                time_s=signal.time_s,
                lat=moment["lat"],
                lon=moment["lon"],
                accuracy_m=moment.get("accuracy"),
                speed_mps=speed,
            ),
            source=stream[0],
            prefix=stream[1],
            person=signal.person,
        )
