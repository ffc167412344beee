"""Speed from the last minutes of fixes, and whether one moves."""

from __future__ import annotations

from .flat import gap_m
from .modes import ModeFilter
from .state import Moment

MEMORY_S = 180.0  # a red light does not end a drive
MAX_RECENT = 64
WALKING_MPS = 0.4
SILENT_S = 900.0  # without a fix for longer, nobody knows
BASE_S = 8.0  # positions nearer in time than this give no usable speed


def implied_speed(recent: list[Moment], time_s: float, lat: float, lon: float) -> float | None:
    """Metres per second since the newest fix that is old enough to tell; None without one."""
    for moment in reversed(recent):
        if time_s - moment.time_s >= BASE_S:
            return gap_m(moment.lat, moment.lon, lat, lon) / (time_s - moment.time_s)
    return None


def remember(recent: list[Moment], moment: Moment) -> None:
    """Keep what is younger than `MEMORY_S`."""
    recent.append(moment)
    while recent[0].time_s < moment.time_s - MEMORY_S or len(recent) > MAX_RECENT:
        del recent[0]


def mode_of(
    recent: list[Moment], modes: ModeFilter, *, staying: bool, now_s: float
) -> tuple[str, float | None]:
    """What one is doing ("staying", "unknown", or what `ModeFilter.now` calls it), and the probability of the latter."""
    if staying:
        return "staying", None
    if not recent or now_s - recent[-1].time_s > SILENT_S:
        return "unknown", None
    speeds = [m.speed_mps for m in recent if m.speed_mps is not None]
    if modes.state.p:
        speeds.append(modes.state.mps)  # fixes may be farther apart than the memory is long
    if not speeds or max(speeds) < WALKING_MPS:
        return "unknown", None
    word, p = modes.now()
    if word in ("driving", "riding") and modes.stood_s(recent[-1].time_s) > MEMORY_S:
        return (
            "moving",
            p,
        )  # perhaps one got out: standing looks the same in any of them, and in a shop
    return word, p
