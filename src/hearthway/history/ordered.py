"""Fixes person by person in time order, in bounded memory: an external merge sort of 40-byte rows.

Rows are collected in runs of `RUN_ROWS`, each sorted and, once there is more than one, spilled to an unnamed
temporary file (gone with the process, readable by nobody else); runs are merged while they are read. A 1 GB CSV
(some 25 million fixes) needs one run of 250,000 rows at a time (some 90 MB) and a window of 1,024 rows on each spilled run.
Equal (person, time): the first row of the file is kept, later ones are counted as duplicates. Runs that continue
one another (a file in time order) are read one after the other: only what overlaps is merged.
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
from msgspec import Struct

from hearthway.records.errors import InputError
from hearthway.records.signals import Fix

MAX_PEOPLE = 10_000  # more are no people: the column numbers rows, or is something else
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
_NAN = float("nan")


class _Run(Struct, frozen=True):
    """A sorted run in the temporary file: its rows, and the (person, time) it begins and ends with."""

    start: int
    rows: int
    first: tuple[int, float]
    last: tuple[int, float]


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
        self._spilled: list[_Run] = []
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
        index = self._uids.get(uid)
        if index is None:
            index = self._new_person(uid)
        accuracy = _NAN if fix.accuracy_m is None else fix.accuracy_m
        speed = _NAN if fix.speed_mps is None else fix.speed_mps
        self._rows.append(
            (index, fix.time_s, self.total & 0xFFFFFFFF, fix.lat, fix.lon, accuracy, speed)
        )
        self.total += 1
        if len(self._rows) >= self._run_rows:
            self._spill_run()

    def _new_person(self, uid: str) -> int:
        if len(self._uids) >= MAX_PEOPLE:
            raise InputError(
                f"The history names more than {MAX_PEOPLE:,} people.",
                "Its column for the person (`uid`, `user`) must name people, not rows; or split the file.",
            )
        return self._uids.setdefault(uid, len(self._uids))

    def _sorted_rows(self) -> npt.NDArray[np.void]:
        run = np.array(self._rows, dtype=ROW)
        self._rows = []
        return run[np.lexsort((run["seq"], run["time"], run["uid"]))]

    def _spill_run(self) -> None:
        run = self._sorted_rows()
        if self._spill is None:
            self._spill = tempfile.TemporaryFile(prefix="hearthway-")  # noqa: SIM115  lives as long as this object
            weakref.finalize(self, self._spill.close)
        start = sum(one.rows for one in self._spilled)
        self._spill.seek(0, 2)
        self._spill.write(run.tobytes())
        first, last = run[0], run[-1]
        self._spilled.append(
            _Run(
                start,
                len(run),
                (int(first["uid"]), float(first["time"])),
                (int(last["uid"]), float(last["time"])),
            )
        )

    def _finish(self) -> None:
        if self._spill is not None:
            if self._rows:
                self._spill_run()
            self._spill.flush()
        else:
            self._run = self._sorted_rows()
        counts: dict[int, int] = {}
        last = (-1, 0.0)
        for uid, time_s, *_ in self._merged():
            if (uid, time_s) != last:
                last = (uid, time_s)
                counts[uid] = counts.get(uid, 0) + 1
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
        last_s: float | None = None
        for _, time_s, _, lat, lon, accuracy, speed in self._merged(self._uids[uid]):
            if time_s == last_s:
                continue  # the first row of the file is kept
            last_s = time_s
            yield Fix(
                time_s=time_s,
                lat=lat,
                lon=lon,
                accuracy_m=None if accuracy != accuracy else accuracy,
                speed_mps=None if speed != speed else speed,
            )

    def _merged(self, wanted: int | None = None) -> Iterator[_Row]:
        """Rows in (person, time, place in the file) order, of everybody or of one."""
        strands = self._strands(wanted)
        return strands[0] if len(strands) == 1 else heapq.merge(*strands)

    def _strands(self, wanted: int | None) -> list[Iterator[_Row]]:
        if self._run is not None:
            run = self._run
            if wanted is not None:
                low, high = np.searchsorted(run["uid"], [wanted, wanted + 1])
                run = run[low:high]
            return [chain.from_iterable(_windows(run))]
        strands: list[list[_Run]] = []
        for run_ in self._spilled:
            if wanted is not None and not run_.first[0] <= wanted <= run_.last[0]:
                continue
            if strands and strands[-1][-1].last <= run_.first:
                strands[-1].append(run_)  # it continues that one
            else:
                strands.append([run_])
        return [
            chain.from_iterable(self._read_run(run_, wanted) for run_ in strand)
            for strand in strands
        ]

    def _read_run(self, run: _Run, wanted: int | None) -> Iterator[_Row]:
        spill = self._spill
        if spill is None:
            return
        at, end = run.start, run.start + run.rows
        if wanted is not None:
            at, end = self._bound(run, wanted), self._bound(run, wanted + 1)
        while at < end:
            rows = min(WINDOW_ROWS, end - at)
            spill.seek(at * ROW.itemsize)
            yield from np.frombuffer(spill.read(rows * ROW.itemsize), dtype=ROW).tolist()
            at += rows

    def _bound(self, run: _Run, uid: int) -> int:
        """The first row of the run, counted in the whole file, whose person is not before `uid`."""
        spill, low, high = self._spill, run.start, run.start + run.rows
        while spill is not None and low < high:
            middle = (low + high) // 2
            spill.seek(middle * ROW.itemsize)
            if int.from_bytes(spill.read(4), "little") < uid:
                low = middle + 1
            else:
                high = middle
        return low


def _windows(run: npt.NDArray[np.void]) -> Iterator[list[_Row]]:
    for at in range(0, len(run), WINDOW_ROWS):
        yield run[at : at + WINDOW_ROWS].tolist()
