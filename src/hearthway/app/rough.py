"""Positions too rough to follow: how many in a row, since when, and what to do. From what is held: nothing of it is learned."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from msgspec import Struct

from hearthway.assist.moment import metres
from hearthway.context.life import Life
from hearthway.context.motion import SILENT_S
from hearthway.mesh.state.store import Store
from hearthway.records.count import count_of
from hearthway.records.life import STAY_RADIUS_M
from hearthway.records.localtime import DAY_S, clock, local_day
from hearthway.records.signals import Fix

# How far back is looked, until a surer position is found: an open page asks each second, and a phone may tell one as often.
LOOKED_BACK_S = (3_600.0, 10_800.0, 32_400.0, DAY_S)
NEXT = (
    "Allow the app that tells them the precise location, at all times; "
    "only while it rests are such positions usual."
)


class Rough(Struct, frozen=True, kw_only=True):
    """The latest positions, none told as surely as a stay is wide; of one day. Times are Unix seconds."""

    positions: int
    since_s: float  # the first of them
    until_s: float  # the last of them
    surest_m: float  # the least accuracy that one of them has
    sure_s: float | None  # the last surer position before; None: none in that day

    @property
    def lasts_s(self) -> float:
        """For how long nothing surer has come."""
        return self.until_s - (self.since_s if self.sure_s is None else self.sure_s)

    def words(self, utc_offset_s: int) -> str:
        """What came, since when, and what that means, in one sentence."""
        began = clock(self.since_s, utc_offset_s)
        if local_day(self.since_s, utc_offset_s) != local_day(self.until_s, utc_offset_s):
            began += " the day before"
        surest = "told" if self.positions == 1 else "the surest of them told"
        none = "no surer one in a day" if self.sure_s is None else "no surer one since"
        return (
            f"{count_of(self.positions, 'position')} since {began}, {surest} within "
            f"{metres(self.surest_m)}, and {none}: where you are, and whether you move, is hardly known"
        )


def rough_at(store: Store, person_id: str, at_s: float) -> Rough | None:
    """The rough positions up to then, once they have been all that came for as long as a position is good for."""
    for back_s in LOOKED_BACK_S:
        run, sure_s = _latest(store, person_id, at_s - back_s, at_s)
        if sure_s is not None:
            break
    if not run:
        return None
    found = Rough(
        positions=len(run),
        since_s=run[0].time_s,
        until_s=run[-1].time_s,
        surest_m=min(fix.accuracy_m or 0.0 for fix in run),
        sure_s=sure_s,
    )
    return found if found.lasts_s >= SILENT_S else None


def _latest(
    store: Store, person_id: str, since_s: float, until_s: float
) -> tuple[list[Fix], float | None]:
    """The rough positions after the last surer one of that time, and when that was; None where there was none."""
    run: list[Fix] = []
    sure_s: float | None = None
    for fix in store.fixes(person_id, since_s, math.nextafter(until_s, math.inf)):
        if rough(fix.accuracy_m):
            run.append(fix)
        else:
            run.clear()
            sure_s = fix.time_s
    return run, sure_s


def rough_now(store: Store, life: Life, now_s: float) -> Rough | None:
    """The same of a life that goes on; nothing is looked up where its last position was a sure one."""
    state = life.state
    if state.last is None:
        return None
    left_out = state.unsure_s is not None and state.unsure_s > state.last.time_s
    if not left_out and not rough(state.last.accuracy_m):
        return None
    return rough_at(store, life.person, now_s)


def rough(accuracy_m: float | None) -> bool:
    """Is a position told less surely than a stay is wide?"""
    return accuracy_m is not None and accuracy_m > STAY_RADIUS_M


def told(found: Rough, utc_offset_s: int) -> dict[str, Any]:
    """For `hearthway status` and its `--json`."""
    shown: dict[str, Any] = msgspec.to_builtins(found)
    return shown | {"lasts_s": found.lasts_s, "words": found.words(utc_offset_s), "next": NEXT}
