"""Reads tables of values by time: a house's load and PV, told prices."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from math import isfinite, nan
from pathlib import Path

from hearthway.context.power_ahead import HOUR_S, Offset, PowerAhead
from hearthway.records.errors import InputError

LARGEST = 64 << 20  # bytes: ten years of quarters
HOLDS_S = HOUR_S  # a mean holds until the next row, and no longer than this
MOST_W = 1_000_000.0


def text_of(path: Path) -> str:
    """A text file; InputError where it is none, or too large."""
    try:
        with path.open("rb") as file:  # what is no file at rest has no size to ask for
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise InputError(f"{path} is larger than {LARGEST >> 20} MB.", "Give a part of it.")
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.", "Check the name.") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a directory.", "Name a file in it.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from None
    except ValueError:  # a NUL in it
        raise InputError(f"{str(path)!r} cannot be a file's name.", "Check the name.") from None


def rows_of(path: Path) -> Iterator[list[str]]:
    """The rows of a CSV, its first line among them; InputError where it is none."""
    try:
        yield from csv.reader(text_of(path).splitlines())
    except csv.Error as why:
        raise InputError(f"{path} is no table: {why}.", "Save it as CSV.") from None


def columns_of(path: Path, header: list[str], needed: tuple[str, ...]) -> dict[str, int]:
    """Where each named column stands; InputError where one of `needed` is missing."""
    at = {name.strip().lower(): i for i, name in enumerate(header)}
    missing = [name for name in needed if name not in at]
    if missing:
        raise InputError(
            f"{path} has no column {' and '.join(missing)} in its first line.",
            f"The first line names the columns: {','.join(needed)}.",
        )
    return at


def moment_of(path: Path, number: int, row: list[str], column: int) -> float:
    """Unix time of a row; InputError where it names no UTC offset."""
    try:
        moment = datetime.fromisoformat(row[column].strip())
    except (IndexError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InputError(
            f"{path}, line {number} does not begin with a time and its UTC offset.",
            "Write it as 2026-11-28T18:00+02:00, or ending in Z.",
        )
    return moment.timestamp()


def read_house(path: Path, now_s: float, offset_s: Offset) -> PowerAhead:
    """What the house did before `now_s`, learned: rows of `time,load_w,pv_w`, each a mean that holds until the next.

    A row without `load_w` is not known; PV that is missing while the load is known is none (an inverter sleeps).
    """
    rows = rows_of(path)
    at = columns_of(path, next(rows, []), ("time", "load_w", "pv_w"))
    ahead = PowerAhead(offset_s)
    means = _Means(ahead)
    last_s = float("-inf")
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        begin_s = moment_of(path, number, row, at["time"])
        if begin_s <= last_s:
            raise InputError(f"{path}, line {number} is not later than the row before.", "Sort it.")
        last_s = begin_s
        if begin_s >= now_s:
            break
        load_kw = _kw(path, number, row, at["load_w"])
        pv_kw = _kw(path, number, row, at["pv_w"])
        if pv_kw != pv_kw and load_kw == load_kw:
            pv_kw = 0.0
        means.row(begin_s, load_kw, pv_kw)
    means.until(now_s)
    return ahead


def _kw(path: Path, number: int, row: list[str], column: int) -> float:
    text = row[column].strip() if column < len(row) else ""
    if text.lower() in ("", "nan", "unknown", "unavailable"):
        return nan
    try:
        value = float(text)
    except ValueError:
        value = nan
    if not (isfinite(value) and abs(value) <= MOST_W):
        raise InputError(f"{path}, line {number}: {text[:40]!r} is no power in watts.", "Mend it.")
    return value / 1e3


class _Means:
    """Rows of any length as the means of whole slots, each told once it is over."""

    def __init__(self, ahead: PowerAhead) -> None:
        self._ahead = ahead
        self._slot_s = ahead.state.slot_s
        self._slot = 0
        self._held: tuple[float, float, float] | None = None
        self._sums = (0.0, 0.0, 0.0)  # seconds known, kW s of load and of PV

    def row(self, begin_s: float, load_kw: float, pv_kw: float) -> None:
        """A further row."""
        self.until(begin_s)
        self._held = (begin_s, load_kw, pv_kw)

    def until(self, end_s: float) -> None:
        """The row at hand holds until then, or for HOLDS_S."""
        if self._held is None:
            return
        begin_s, load_kw, pv_kw = self._held
        self._held = None
        end_s = min(end_s, begin_s + HOLDS_S)
        while begin_s < end_s:
            slot = int(begin_s // self._slot_s)
            if slot != self._slot:
                self._close()
                self._slot = slot
            stop_s = min(end_s, float((slot + 1) * self._slot_s))
            if load_kw == load_kw and pv_kw == pv_kw:
                length = stop_s - begin_s
                seconds, load, pv = self._sums
                self._sums = (seconds + length, load + load_kw * length, pv + pv_kw * length)
            if stop_s == (slot + 1) * self._slot_s:
                self._close()
            begin_s = stop_s

    def _close(self) -> None:
        """Tell the slot where at least half of it is known."""
        seconds, load, pv = self._sums
        self._sums = (0.0, 0.0, 0.0)
        if seconds >= self._slot_s / 2:
            self._ahead.learn(self._slot * self._slot_s, load / seconds, pv / seconds)
