"""A house's load and PV for `bench/charging.py`: a pickled pandas frame as EMHASS writes it, or a CSV.

A pickle may run any program when it is read. Here only a few names of numpy are known, and those of pandas are
replaced by plain holders: pandas is not needed, and a file that asks for more is refused.
"""

from __future__ import annotations

import csv
import datetime
import importlib
import pickle
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hearthway.records.errors import InputError

Floats = NDArray[np.float64]
SLOT_S = 1_800
LEAST_DAYS, MOST_DAYS = 35, 7_500
TIME = ("time", "timestamp", "")
LOAD = ("load_w", "sensor.power_load_no_var_loads")
PV = ("pv_w", "sensor.power_photovoltaics")
UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    OSError,
    StopIteration,
    TypeError,
    ValueError,
    csv.Error,
    pickle.UnpicklingError,
)
AS_PUBLISHED = (
    "Give long_train_data.pkl as EMHASS publishes it, "
    "or a CSV with the columns time,load_w,pv_w and half-hours that name their UTC offset."
)


class House(Struct, frozen=True, kw_only=True):
    """Half-hourly means in kW from `begin_s` (Unix) on; nan where it is not known."""

    name: str
    begin_s: int
    load_kw: Floats
    pv_kw: Floats
    zone: str


class _Held:
    """Stands for an object of pandas: what it was made of, and what was set on it."""

    made: tuple[Any, ...] = ()
    state: Any = None

    def __new__(cls, *made: Any) -> _Held:
        held = object.__new__(cls)
        held.made = made
        return held

    def __init__(self, *_: Any) -> None:
        """What it was made of is kept by `__new__`, which a pickle may call alone."""

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _held_part(of: Any, _: str) -> Any:
    """What a pickle takes from a holder is a holder: a zone is made by a method of its class."""
    if of is not _Held:
        raise pickle.UnpicklingError(f"it asks for a part of {of!r:.40}")
    return _Held


INERT = ("pandas", "pytz", "zoneinfo", "dateutil")
PLAIN = {
    "builtins slice",
    "datetime timezone",
    "datetime timedelta",
    "numpy dtype",
    "numpy ndarray",
    "numpy.core.multiarray _reconstruct",
    "numpy._core.multiarray _reconstruct",
    "numpy.core.numeric _frombuffer",
    "numpy._core.numeric _frombuffer",
}


class _Reader(pickle.Unpickler):
    """Knows the names above, makes holders of what is inert, and refuses any other."""

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module} {name}"
        if module.partition(".")[0] in INERT:
            return _Held
        if full == "builtins getattr":
            return _held_part
        if full in PLAIN:
            return getattr(
                importlib.import_module(module.replace("numpy.core", "numpy._core")), name
            )
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


Table = tuple[NDArray[np.int64], Floats, Floats, str]  # Unix times, kW of load and of PV, zone


def _pickled(path: Path, zone: str) -> Table:
    """A frame, or EMHASS's tuple of it, its days, the names of its columns and the settings of the home."""
    with path.open("rb") as file:
        loaded = _Reader(file).load()
    frame, *rest = loaded if isinstance(loaded, tuple) else (loaded,)
    names = next((each for each in rest if isinstance(each, list)), [])
    zone = next((str(each["time_zone"]) for each in rest if isinstance(each, dict)), zone)
    blocks, axes = frame.state["_mgr"].made[:2]
    columns = [str(name) for name in axes[0].made[1]["data"]]
    kind, stamps = axes[1].made[1]["data"].state[:2]
    times = stamps.astype(f"datetime64[{kind.state['unit']}]").astype("datetime64[s]")
    table = {
        columns[place]: values
        for block in blocks
        for place, values in zip(_places(block.made[1]), block.made[0], strict=True)
    }
    load, pv = names[:2] if names else (_named(columns, LOAD), _named(columns, PV))
    return times.astype(np.int64), _kw(table[load]), _kw(table[pv]), zone


def _places(where: Any) -> list[int]:
    return (
        list(range(where.start, where.stop, where.step or 1)) if isinstance(where, slice) else where
    )


def _listed(path: Path, zone: str) -> Table:
    with path.open(newline="", encoding="utf-8-sig") as file:
        head, *rows = [row for row in csv.reader(file) if row]
    at = [head.index(_named(head, names)) for names in (TIME, LOAD, PV)]
    times = [datetime.datetime.fromisoformat(row[at[0]]) for row in rows]
    if any(time.tzinfo is None for time in times):
        raise ValueError("a time without its UTC offset")
    load, pv = (_kw([float(row[column] or "nan") for row in rows]) for column in at[1:])
    return np.array([time.timestamp() for time in times], dtype=np.int64), load, pv, zone


def _kw(watts: Any) -> Floats:
    return np.asarray(watts, dtype=np.float64) / 1e3


def _named(columns: list[str], names: tuple[str, ...]) -> str:
    return next(name for name in names if name in columns)


def house_of(path: Path, zone: str) -> House:
    """The file's house; InputError where it is none of the two forms, or shorter than the forecasts need."""
    try:
        at, load, pv, zone = (_listed if path.suffix == ".csv" else _pickled)(path, zone)
        ZoneInfo(zone)
    except UNREADABLE as error:
        raise InputError(f"{path} is no house's year: {error!r}.", AS_PUBLISHED) from error
    _check(path, at, load, pv)
    slots = (at - at[0]) // SLOT_S
    whole = np.full((2, int(slots[-1]) + 1), np.nan)
    whole[:, slots] = load, pv
    asleep = np.isnan(whole[1]) & ~np.isnan(whole[0])
    whole[1, asleep] = 0.0
    return House(name=path.stem, begin_s=int(at[0]), load_kw=whole[0], pv_kw=whole[1], zone=zone)


def _check(path: Path, at: NDArray[np.int64], load: Floats, pv: Floats) -> None:
    if not LEAST_DAYS * 48 <= len(at) <= MOST_DAYS * 48:
        raise InputError(
            f"{path} holds {len(at)} half-hours; {LEAST_DAYS} to {MOST_DAYS} days can be judged.",
            AS_PUBLISHED,
        )
    if (at % SLOT_S).any() or (np.diff(at) <= 0).any() or at[-1] - at[0] > MOST_DAYS * 86_400:
        raise InputError(f"{path} holds no half-hours, one after another.", AS_PUBLISHED)
    if np.isinf(load).any() or np.isinf(pv).any():
        raise InputError(f"{path} holds a power without end.", AS_PUBLISHED)


def _is_house(path: Path) -> bool:
    """Other tables may lie beside it."""
    with path.open("rb") as file:
        head = file.readline(1_000).decode("utf-8-sig", errors="replace").strip().split(",")
    return all(any(name in head for name in names) for names in (TIME, LOAD, PV))


def found(data: Path, split: str) -> list[Path]:
    """The houses' files under a folder or its `energy`; InputError where there is none."""
    folders = [folder for folder in (data, data / "energy") if folder.is_dir()]
    paths = sorted(
        path
        for folder in folders
        for path in (*folder.glob("*.pkl"), *folder.glob("*.csv"))
        if path.suffix == ".pkl" or _is_house(path)
    )
    chosen = [path for path in paths if split in path.name]
    if not chosen:
        there = ", ".join(path.name for path in paths) or "none"
        raise InputError(
            f"No house's year {f'with {split!r} in its name ' if split else ''}in {data} or {data / 'energy'}; there: {there}.",
            AS_PUBLISHED,
        )
    return chosen
