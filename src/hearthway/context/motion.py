"""Speed and mode from the last minutes of fixes."""

from __future__ import annotations

from .flat import gap_m
from .state import Moment

MEMORY_S = 180.0  # a red light does not end a drive
MAX_RECENT = 64
DRIVING_MPS = 5.5
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


def mode_of(recent: list[Moment], *, staying: bool, now_s: float) -> str:
    """ "driving", "walking", "staying" or "unknown"."""
    if staying:
        return "staying"
    if not recent or now_s - recent[-1].time_s > SILENT_S:
        return "unknown"
    speeds = [m.speed_mps for m in recent if m.speed_mps is not None]
    if not speeds:
        return "unknown"
    fast = sum(1 for speed in speeds if speed >= DRIVING_MPS)
    if fast >= max(1, len(speeds) // 4):
        return "driving"
    return "walking" if max(speeds) >= WALKING_MPS else "unknown"
