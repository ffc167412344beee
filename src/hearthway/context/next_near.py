"""What lies near: departures from near by vote too, and what a neighbourhood holds together speaks for each place in it.

A place where one has been but twice says little of itself, and its neighbours may say more. Distances are in km; weights fall off
as exp(-distance / reach).
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

STREET_KM, QUARTER_KM = 0.5, 3.0
KEPT_DAYS = 60.0
BACKOFF = 3.0
NEAR = 10  # columns of a place
NEAR_HERE = 2  # and of the circumstances
ORIGIN, PLACE, DEPART = 0, 2, 3  # columns of a transition


class Around(Struct, frozen=True):
    """Where every known place lies, how often one was there, and what `next_place` says of them at three levels."""

    at: Floats
    counts: Floats
    plain: Floats
    by_hour: Floats
    by_origin: Floats
    by_both: Floats


def near_by(
    around: Around, keep: Numbers, origin: int, moves: Floats, now_s: float, alike: Floats
) -> tuple[Floats, Floats]:
    """(a row for each place of `keep`, the circumstances): `alike` weighs each transition by the hour of its departure."""
    from_here = _gaps(around.at, around.at[origin])
    street, quarter = np.exp(-from_here / STREET_KM), np.exp(-from_here / QUARTER_KM)
    started = moves[:, ORIGIN].astype(np.int64)
    lately = np.exp(-np.maximum(0.0, now_s - moves[:, DEPART]) / 86_400.0 / KEPT_DAYS)
    of_quarter = _smooth(moves, quarter[started] * lately, around.plain)
    of_street = _smooth(moves, street[started] * lately, of_quarter)
    hour_quarter = _smooth(moves, quarter[started] * alike, of_quarter)
    hour_street = _smooth(moves, street[started] * alike, of_street)
    apart = np.hypot(*(around.at[keep][:, None, :] - around.at[None, :, :]).transpose(2, 0, 1))
    beside = np.exp(-apart / STREET_KM)
    home = int(np.argmax(around.counts))
    from_home = _gaps(around.at, around.at[home])
    plain = np.log(around.plain[keep])
    rows = np.stack(
        (
            np.log(of_quarter[keep]) - plain,
            np.log(of_street[keep]) - plain,
            np.log(hour_quarter[keep]) - plain,
            np.log(hour_street[keep]) - plain,
            np.log(beside @ around.by_hour),
            np.log(np.exp(-apart / QUARTER_KM) @ around.by_origin),
            np.log(beside @ around.by_both),
            np.log(beside @ (around.counts / around.counts.sum())),
            np.log1p(from_home[keep]),
            keep == home,
        ),
        axis=1,
    )
    return rows, np.log1p(np.array((from_home[origin], street @ around.counts)))


def _gaps(at: Floats, here: Floats) -> Floats:
    return np.asarray(np.hypot(*(at - here).T), dtype=np.float64)


def _smooth(moves: Floats, weights: Floats, under: Floats) -> Floats:
    votes = np.bincount(moves[:, PLACE].astype(np.int64), weights, len(under))
    return np.asarray((votes + BACKOFF * under) / (weights.sum() + BACKOFF), dtype=np.float64)
