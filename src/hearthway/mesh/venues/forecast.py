"""A venue's forecast: a short curve signed beside the wait of now, from which a phone takes the point of its own arrival.

So the question needs no time of arrival. The curve is believed about the place that the key belongs to and about nothing
else; whatever is wrong with it makes the wait unknown, with the reason.
"""

from __future__ import annotations

import math
from itertools import pairwise

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from hearthway.mesh.trust.signing import signed_by
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import InputError, WireError
from hearthway.records.venue import (
    Ahead,
    Followed,
    ForecastStatement,
    Likely,
    SignedForecast,
    Told,
    Wait,
    WaitStatement,
)

SOURCE = "the place's own count"
VALID_S = 600.0  # the queue has changed after that: ask again
MAX_POINTS = 16
MAX_AHEAD_MIN = 240
MAX_WAIT_MIN = 24 * 60
MAX_SIZE = 100
_CONTEXT = b"hearthway venue forecast 1\0"  # never to be taken for a wait, nor a wait for it


def sign_forecast(key: Ed25519PrivateKey, statement: ForecastStatement) -> SignedForecast:
    """The statement signed by the venue's key; InputError when it says something impossible."""
    wrong = absurd(statement)
    if wrong:
        raise InputError(f"This forecast cannot be published: {wrong}.", "Report this.")
    data = pack(statement)
    return SignedForecast(statement=data, signature=key.sign(_CONTEXT + data))


def verify_forecast(
    signed: SignedForecast, followed: Followed, beside: WaitStatement
) -> ForecastStatement | str:
    """The forecast, or what is wrong with it. `beside`: the checked wait that came with it and is of the same moment."""
    if not signed_by(followed.key, signed.signature, _CONTEXT + signed.statement):
        return "the signature of its forecast does not fit"
    try:
        statement = unpack(signed.statement, ForecastStatement)
    except WireError:
        return "its forecast does not decode"
    if statement.osm_id != followed.osm_id:
        return "its forecast speaks about another place"
    wrong = absurd(statement)
    if wrong:
        return wrong
    moment = (statement.issued_s, statement.valid_until_s, statement.serial)
    if moment != (beside.issued_s, beside.valid_until_s, beside.serial):
        return "its forecast is of another moment than its wait"
    return statement


def absurd(statement: ForecastStatement) -> str:
    """What is impossible about a forecast; empty when it may be true."""
    curve = statement.curve
    if not 1 <= len(curve) <= MAX_POINTS:
        return f"a forecast of {len(curve)} points is absurd"
    if not 1 <= statement.size <= MAX_SIZE:
        return f"a forecast for {statement.size} guests is absurd"
    if not all(0 <= p.low_min <= p.wait_min <= p.high_min <= MAX_WAIT_MIN for p in curve):
        return "a wait of its forecast is absurd"
    ahead = [point.in_min for point in curve]
    if not (ahead[0] >= 0 and ahead[-1] <= MAX_AHEAD_MIN):
        return "a time of its forecast is absurd"
    if any(later <= earlier for earlier, later in pairwise(ahead)):
        return "the times of its forecast are not in order"
    if not (math.isfinite(statement.issued_s) and math.isfinite(statement.valid_until_s)):
        return "the times of its forecast are absurd"
    return ""


def at_arrival(told: Told, arrive_s: float, now_s: float) -> Wait:
    """What may be shown at `now_s` to somebody who arrives at `arrive_s`: the curve's point, or what was typed."""
    forecast = told.forecast
    if forecast is None:
        return told.wait
    if now_s >= forecast.valid_until_s:
        return Wait(osm_id=told.wait.osm_id, why="the place's forecast has expired")
    in_min = (max(arrive_s, now_s) - forecast.issued_s) / 60.0
    last = forecast.curve[-1]
    if not in_min <= last.in_min:  # NaN is caught as well
        why = f"the place looks {last.in_min} min ahead, and you arrive later"
        return Wait(osm_id=told.wait.osm_id, why=why)
    wait, low, high = _between(forecast.curve, in_min)
    return replace(
        told.wait, minutes=wait, source=SOURCE, likely=Likely(low_min=low, high_min=high)
    )


def _between(curve: tuple[Ahead, ...], in_min: float) -> tuple[float, float, float]:
    """Wait, low and high at `in_min`, on the straight line between two points; before the first, the first."""
    after = next(at for at, point in enumerate(curve) if point.in_min >= in_min)
    right = curve[after]
    left = curve[max(0, after - 1)]
    share = (in_min - left.in_min) / (right.in_min - left.in_min) if right != left else 0.0
    share = min(1.0, max(0.0, share))

    def mixed(a: int, b: int) -> float:
        return a + (b - a) * share

    return (
        mixed(left.wait_min, right.wait_min),
        mixed(left.low_min, right.low_min),
        mixed(left.high_min, right.high_min),
    )
