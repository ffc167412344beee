"""Views on what comes next: each gives a probability to everything seen so far and to something new.

A view counts what followed one context; where it has seen little it falls back on the view with the shorter context, by as much
as its evidence is thin and its outcomes many (Witten and Bell 1991, with a constant beside it). Counts fade.
"""

from __future__ import annotations

from msgspec import Struct

from .happenings import HomeState, Row

NEW = 0  # the symbol of something never seen before
DAY_S = 86_400.0
HALF_LIFE_S = 7 * DAY_S  # a changed habit is taken up in about a week
BACK_OFF = 2.0  # events' worth of trust in the shorter context
BACK_OFF_KIND = 0.5  # and for each kind of outcome seen
SLOTS = 48  # half hours of a day
SLOT_S = DAY_S / SLOTS
AROUND = ((-3, 0.15), (-2, 0.4), (-1, 0.8), (0, 1.0), (1, 0.8), (2, 0.4), (3, 0.15))
LEAST = 0.01  # of an event; what has faded to less is forgotten
RECENT = 60  # events
RECENT_HALF_LIFE_S = 3_600.0
BASES = {  # each view falls back on one before it; the first on equal shares
    "often": "",
    "after": "often",
    "after-two": "after",
    "after-three": "after-two",
    "hour": "often",
    "after-at-hour": "after",
    "after-pause": "after",
    "after-two-pause": "after-pause",
    "before-last": "often",
    "person": "after",
    "lately": "often",
}
Keys = tuple[tuple[str, float], ...]


class View(Struct):
    """What one view says now: a share for each symbol, and the faded counts it rests on."""

    shares: list[float]
    seen: dict[int, float]
    of: float


def pause_class(pause_s: float) -> int:
    """0 to 6: each class is four times as long as the one before, the first up to 3 s."""
    return min(6, int(1 + max(0.0, pause_s)).bit_length() - 1 >> 1)


def contexts(state: HomeState) -> dict[str, Keys]:
    """Where each view looks now: its rows and their weights; only the row of weight 1 learns."""
    one, two, three = (*state.last, NEW, NEW, NEW)[:3]
    around = [((state.slot + off) % SLOTS, weight) for off, weight in AROUND]
    keys: dict[str, Keys] = {
        "often": (("o", 1.0),),
        "after": ((f"a {one}", 1.0),),
        "after-two": ((f"b {one} {two}", 1.0),),
        "after-three": ((f"c {one} {two} {three}", 1.0),),
        "hour": tuple((f"h /{slot}", weight) for slot, weight in around),
        "after-at-hour": tuple((f"t {one} /{slot}", weight) for slot, weight in around),
        "after-pause": ((f"p {one} /{state.pause}", 1.0),),
        "after-two-pause": ((f"q {one} {two} /{state.pause}", 1.0),),
        "before-last": ((f"s {two}", 1.0),),
    }
    if state.who:
        keys["person"] = ((f"w {one} /{state.who}", 1.0),)
    return keys


def views(state: HomeState, keys: dict[str, Keys]) -> dict[str, View]:
    """All views at the time of the last event; that of the person is left out where nobody is known."""
    out: dict[str, View] = {}
    size = len(state.things) + 1
    for name, base in BASES.items():
        below = out[base].shares if base else [1.0 / size] * size
        if name == "lately":
            out[name] = _lately(state, below)
        elif name in keys:
            out[name] = _counted(state, keys[name], below)
    return out


def faded(row: Row, time_s: float) -> float:
    """What is left of a row's counts at a time."""
    return float(2.0 ** ((row.at_s - time_s) / HALF_LIFE_S))


def count(state: HomeState, key: str, symbol: int, time_s: float) -> None:
    """One more of `symbol` after the context of `key`."""
    row = state.rows.get(key)
    if row is None:
        row = state.rows[key] = Row(at_s=time_s)
    left = faded(row, time_s)
    kept = {each: seen * left for each, seen in row.counts.items() if seen * left >= LEAST}
    kept[symbol] = kept.get(symbol, 0.0) + 1.0
    row.counts = kept
    row.total = sum(kept.values())
    row.at_s = time_s


def _counted(state: HomeState, keys: Keys, below: list[float]) -> View:
    seen: dict[int, float] = {}
    of = 0.0
    for key, weight in keys:
        row = state.rows.get(key)
        if row is None:
            continue
        left = weight * faded(row, state.last_s or 0.0)
        of += row.total * left
        for symbol, times in row.counts.items():
            seen[symbol] = seen.get(symbol, 0.0) + times * left
    return _smoothed(seen, of, below, BACK_OFF + BACK_OFF_KIND * len(seen))


def _lately(state: HomeState, below: list[float]) -> View:
    seen: dict[int, float] = {}
    for symbol, time_s in state.recent:
        left = 2.0 ** ((time_s - (state.last_s or 0.0)) / RECENT_HALF_LIFE_S)
        seen[symbol] = seen.get(symbol, 0.0) + left
    return _smoothed(seen, sum(seen.values()), below, BACK_OFF)


def _smoothed(seen: dict[int, float], of: float, below: list[float], trust: float) -> View:
    whole = of + trust
    shares = [trust * share / whole for share in below]
    for symbol, times in seen.items():
        shares[symbol] += times / whole
    return View(shares, seen, of)
