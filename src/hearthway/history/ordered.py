"""Fixes person by person in time order, in bounded memory: an external merge sort of 40-byte rows.

Rows are collected in runs of `RUN_ROWS`, each sorted and, once there is more than one, spilled to an unnamed
temporary file (gone with the process, readable by nobody else); runs are merged while they are read. A 1 GB CSV
(some 25 million fixes) needs one run of 250,000 rows at a time (some 90 MB) and a window of 1,024 rows on each spilled run.
Equal (person, time): the first row of the file is kept, later ones are counted as duplicates.
"""

from __future__ import annotations

import heapq
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import IO

import numpy as np
import numpy.typing as npt

from hearthway.records.signals import Fix

RUN_ROWS = 250_000
WINDOW_ROWS = 1_024
ROW = np.dtype(
    [
        ("uid", "<u4"),
        ("time", "<f8"),
        ("seq", "<u4"),
        ("lat", "<f8"),
        ("lon", "<f8"),
        ("accuracy", "<f4"),
        ("speed", "<f4"),
    ]
)
_Row = tuple[int, float, int, float, float, float, float]


class OrderedFixes:
    """Collects (uid, fix) once, then gives each person's fixes in time order, as often as asked."""

    def __init__(self, *, run_rows: int = RUN_ROWS) -> None:
        self.duplicates = 0
        self.total = 0
        self._run_rows = run_rows
        self._uids: dict[str, int] = {}
        self._rows: list[_Row] = []
        self._run: npt.NDArray[np.void] | None = None
        self._spill: IO[bytes] | None = None
        self._spilled: list[int] = []  # rows of each run in the file, in order
        self._spans: dict[str, int] = {}

    @classmethod
    def collect(
        cls,
        rows: Iterable[tuple[str, Fix]],
        *,
        progress: Callable[[int], None] | None = None,
        run_rows: int = RUN_ROWS,
    ) -> OrderedFixes:
        """Read everything; `progress` hears the count of rows now and then."""
        ordered = cls(run_rows=run_rows)
        for uid, fix in rows:
            ordered._add(uid, fix)
            if progress is not None and ordered.total % 20_000 == 0:
                progress(ordered.total)
        ordered._finish()
        return ordered

    def _add(self, uid: str, fix: Fix) -> None:
        index = self._uids.setdefault(uid, len(self._uids))
        nan = float("nan")
        accuracy = nan if fix.accuracy_m is None else fix.accuracy_m
        speed = nan if fix.speed_mps is None else fix.speed_mps
        self._rows.append(
            (index, fix.time_s, self.total & 0xFFFFFFFF, fix.lat, fix.lon, accuracy, speed)
        )
        self.total += 1
        if len(self._rows) >= self._run_rows:
            self._spill_run()

    def _sorted_rows(self) -> npt.NDArray[np.void]:
        run = np.array(self._rows, dtype=ROW)
        self._rows = []
        return run[np.lexsort((run["seq"], run["time"], run["uid"]))]

    def _spill_run(self) -> None:
        run = self._sorted_rows()
        if self._spill is None:
            self._spill = tempfile.TemporaryFile(prefix="hearthway-")  # noqa: SIM115  lives as long as this object
            weakref.finalize(self, self._spill.close)
        self._spill.seek(0, 2)
        self._spill.write(run.tobytes())
        self._spilled.append(len(run))

    def _finish(self) -> None:
        if self._spill is not None:
            if self._rows:
                self._spill_run()
            self._spill.flush()
        else:
            self._run = self._sorted_rows()
        counts: dict[int, int] = {}
        for index, *_ in self._merged():
            counts[index] = counts.get(index, 0) + 1
        names = sorted(self._uids)
        self._spans = {name: counts[self._uids[name]] for name in names}
        self.duplicates = self.total - sum(counts.values())

    def people(self) -> list[str]:
        """Whose fixes these are, sorted by name."""
        return sorted(self._spans)

    def count(self, uid: str) -> int:
        """Fixes of one person, duplicates not counted."""
        return self._spans[uid]

    def of(self, uid: str) -> Iterator[Fix]:
        """One person's fixes in time order; may be called again."""
        wanted = self._uids[uid]
        for index, time_s, _, lat, lon, accuracy, speed in self._merged(wanted):
            if index == wanted:
                yield Fix(
                    time_s=time_s,
                    lat=lat,
                    lon=lon,
                    accuracy_m=None if accuracy != accuracy else accuracy,
                    speed_mps=None if speed != speed else speed,
                )

    def _merged(self, wanted: int | None = None) -> Iterator[_Row]:
        last: tuple[int, float] | None = None
        for row in heapq.merge(*self._runs(wanted)):
            key = (row[0], row[1])
            if key != last:
                last = key
                yield row

    def _runs(self, wanted: int | None) -> list[Iterator[_Row]]:
        if self._run is not None:
            run = self._run
            if wanted is not None:
                low, high = np.searchsorted(run["uid"], [wanted, wanted + 1])
                run = run[low:high]
            return [chain.from_iterable(_windows(run))]
        starts = [0]
        for size in self._spilled:
            starts.append(starts[-1] + size)
        return [
            self._read_run(start, size, wanted)
            for start, size in zip(starts, self._spilled, strict=False)
        ]

    def _read_run(self, start: int, size: int, wanted: int | None) -> Iterator[_Row]:
        spill = self._spill
        for at in range(0, size, WINDOW_ROWS):
            if spill is None:
                return
            rows = min(WINDOW_ROWS, size - at)
            spill.seek((start + at) * ROW.itemsize)
            window = np.frombuffer(spill.read(rows * ROW.itemsize), dtype=ROW)
            if wanted is not None:
                if int(window["uid"][0]) > wanted:
                    return
                window = window[window["uid"] == wanted]
            yield from window.tolist()


def _windows(run: npt.NDArray[np.void]) -> Iterator[list[_Row]]:
    for at in range(0, len(run), WINDOW_ROWS):
        yield run[at : at + WINDOW_ROWS].tolist()
