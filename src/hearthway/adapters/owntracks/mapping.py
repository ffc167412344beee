"""OwnTracks JSON -> fixes and signals. Pure; forms and units as the OwnTracks booklet (tech/json) documents them.

The Android app keeps a message and sends it again until it is answered with success. So a well-formed message that is
of no use here is taken and dropped, or it would block the phone's queue for ever; only what no healthy app sends, or
what mending a setting puts right (encryption, a clock wrong by days), is refused.

Nothing can be known before it is true. So a position dated after now is dated now, as it came: taken at its word, it would
make all that really follows look old until then, for hours where a clock was wrong once.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import msgspec
from msgspec import Struct

from hearthway.records.geo import valid_point
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import PHONE_BATTERY

from .errors import ClockError, EncryptedError, PayloadError

BATTERY_KEY = PHONE_BATTERY
MAX_BYTES = 256 * 1024
MAX_MESSAGES = 1000
FUTURE_S = 86_400.0
AHEAD_S = 60.0  # as far as two clocks that are right may differ
EARLIEST_S = 946_684_800.0  # 2000-01-01: before it, a receiver without a fix
MAX_ACCURACY_M = 100_000.0
MAX_SPEED_KMH = 2_000.0

_AGAIN = "See that the OwnTracks app itself posts here, in HTTP mode."


class Reading(Struct, frozen=True, kw_only=True):
    """What one body gave: fixes and signals in event-time order, and what was left out, in words."""

    fixes: tuple[Fix, ...] = ()
    signals: tuple[Signal, ...] = ()
    left_out: tuple[str, ...] = ()
    topic: str = ""


class _Located(Struct):
    """What `location` and `transition` share. Optional values stay loose: an odd one reads unknown."""

    lat: float
    lon: float
    tst: float
    acc: Any = None
    vel: Any = None
    batt: Any = None
    topic: Any = None


_DECODER = msgspec.json.Decoder(Any)


def read(body: bytes, *, now_s: float, source: str, person: str) -> Reading:
    """The fixes and signals in one POST body; `now_s` is the receiver's clock (Unix seconds).

    PayloadError: not OwnTracks JSON. EncryptedError, ClockError: refused until a setting is mended.
    Any refusal refuses the whole body.
    """
    fixes: dict[tuple[float, float, float], Fix] = {}
    signals: dict[tuple[str, float], Signal] = {}
    left_out: list[str] = []
    positions: list[_Located] = []
    topic = ""
    for message in _messages(body):
        kind = message.get("_type")
        if not isinstance(kind, str):
            raise PayloadError("A message has no _type.", _AGAIN)
        if kind == "encrypted":
            raise EncryptedError(
                "The phone encrypts its messages, and this node has no key for them.",
                "In the OwnTracks app, leave the encryption key empty: the way to your own node is yours already.",
            )
        if kind not in ("location", "transition"):
            left_out.append(f"A {kind[:24]!r} message carries no position of the phone.")
            continue
        if kind == "transition" and ("lat" not in message or "lon" not in message):
            left_out.append("A transition came without a position.")
            continue
        located = _located(message, now_s)
        if isinstance(located.topic, str):
            topic = topic or located.topic[:200]
        if not valid_point(located.lat, located.lon):
            left_out.append("A position of 0, 0 is a receiver without a fix.")
            continue
        positions.append(located)
    for located in _as_they_came(positions, now_s, left_out):
        fix = _fix(located)
        fixes.setdefault((fix.time_s, fix.lat, fix.lon), fix)
        charge = _number(located.batt, 0.0, 100.0)
        if charge is not None:
            signals[BATTERY_KEY, fix.time_s] = Signal(
                key=BATTERY_KEY,
                value=charge,
                time_s=fix.time_s,
                unit="percent",
                source=source,
                person=person,
            )
    return Reading(
        fixes=tuple(sorted(fixes.values(), key=lambda fix: (fix.time_s, fix.lat, fix.lon))),
        signals=tuple(sorted(signals.values(), key=lambda signal: signal.time_s)),
        left_out=tuple(left_out),
        topic=topic,
    )


def _messages(body: bytes) -> list[dict[str, Any]]:
    if len(body) > MAX_BYTES:
        raise PayloadError(
            f"The body has {len(body)} bytes; an OwnTracks message has a few hundred.", _AGAIN
        )
    try:
        decoded = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as why:
        raise PayloadError(f"The body is not JSON: {why}.", _AGAIN) from None
    messages: list[Any] = decoded if isinstance(decoded, list) else [decoded]
    if len(messages) > MAX_MESSAGES:
        raise PayloadError(
            f"The body has {len(messages)} messages; at most {MAX_MESSAGES} are taken at once.",
            "Send them in smaller parts.",
        )
    for message in messages:
        if not isinstance(message, dict):
            raise PayloadError("The body is JSON, but not an OwnTracks message.", _AGAIN)
    return messages


def _located(message: dict[str, Any], now_s: float) -> _Located:
    try:
        located = msgspec.convert(message, _Located)
    except (msgspec.ValidationError, RecursionError, OverflowError) as why:
        raise PayloadError(f"A {message['_type']} message does not fit: {why}.", _AGAIN) from None
    if not (isfinite(located.tst) and located.tst >= EARLIEST_S):
        raise PayloadError(
            f"The time {located.tst:.6g} is no time a phone was there (Unix seconds are meant).",
            "See that the phone has the right date.",
        )
    if located.tst > now_s + FUTURE_S:
        raise ClockError(
            f"The message is dated {(located.tst - now_s) / 86_400.0:.3g} days after now.",
            "Set the clock of the phone, or of this node, right: the phone keeps the message until then.",
        )
    if not (-90.0 <= located.lat <= 90.0 and -180.0 <= located.lon <= 180.0):
        raise PayloadError(
            f"{located.lat:.6g}, {located.lon:.6g} is not a point on the earth.", _AGAIN
        )
    return located


def _as_they_came(positions: list[_Located], now_s: float, left_out: list[str]) -> list[_Located]:
    """The positions, of those dated after now the last alone, dated now: the others are of before it came."""
    right = [one for one in positions if one.tst <= now_s + AHEAD_S]
    ahead = [one for one in positions if one.tst > now_s + AHEAD_S]
    if not ahead:
        return right
    last = max(ahead, key=lambda one: one.tst)
    left_out.append(
        f"{len(ahead)} dated up to {(last.tst - now_s) / 60.0:.0f} min after now: the last is taken as of now."
        " The clock of the phone, or of this node, is wrong."
    )
    last.tst = now_s
    return [*right, last]


def _fix(located: _Located) -> Fix:
    speed_kmh = _number(located.vel, 0.0, MAX_SPEED_KMH)  # iOS sends -1 for "unknown"
    return Fix(
        time_s=located.tst,
        lat=located.lat,
        lon=located.lon,
        accuracy_m=_number(located.acc, 0.0, MAX_ACCURACY_M),
        speed_mps=None if speed_kmh is None else speed_kmh / 3.6,
    )


def _number(value: object, low: float, high: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if low <= value <= high else None
