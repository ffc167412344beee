"""How long one answer takes here, on one thread: each runtime in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

from .result import Speed

WARM, ASKED = 20, 300


def measured(runtimes: Sequence[tuple[str, Callable[[int], object]]]) -> tuple[Speed, ...]:
    """Each runtime answers `ASKED` times, after `WARM` that do not count; it is given the number of the question."""
    found = []
    for name, answer in runtimes:
        for number in range(WARM):
            answer(number)
        walls, began = [], time.process_time()
        for number in range(ASKED):
            at = time.perf_counter()
            answer(number)
            walls.append(time.perf_counter() - at)
        cpu = time.process_time() - began
        walls.sort()
        found.append(
            Speed(
                runtime=name,
                p50_ms=round(1e3 * median(walls), 4),
                p95_ms=round(1e3 * walls[int(0.95 * ASKED)], 4),
                cpu_ms=round(1e3 * cpu / ASKED, 4),
            )
        )
    return tuple(found)
