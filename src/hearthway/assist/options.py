"""Options of any need: their worth is the sum of their reasons, and those known to be open come first."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from hearthway.records.poi import OpenState
from hearthway.records.suggestion import Option, Reason


def utility_of(reasons: Sequence[Reason]) -> float:
    """The utility: exactly the sum of the reasons' weights (correctly rounded)."""
    return fsum(r.weight for r in reasons)


def best(options: Sequence[Option], count: int) -> tuple[Option, ...]:
    """The `count` best by utility, those known to be open before those whose hours are unknown.

    Where any is known to be open, one such is among them, even if the person's favourites keep no hours.
    """
    ranked = sorted(options, key=lambda o: (-o.utility, o.poi.osm_id))
    top = ranked[:count]
    known = next((o for o in ranked if o.opening.state is OpenState.OPEN), None)
    if known is not None and top and known not in top:
        top[-1] = known
    return tuple(
        sorted(top, key=lambda o: (o.opening.state is OpenState.UNKNOWN, -o.utility, o.poi.osm_id))
    )
