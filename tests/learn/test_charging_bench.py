"""The bench of charging: it reads houses as published, runs nothing from a file, sees no future, and says what is missing."""

from __future__ import annotations

import importlib
import json
import pickle
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import pi, sin
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hearthway.records.errors import InputError

BENCH = Path(__file__).parents[2] / "bench"
BEGIN = datetime(2024, 3, 1, tzinfo=UTC)
DAYS = 45


@pytest.fixture(scope="module")
def charging() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCH))
    try:
        yield importlib.import_module("charging")
    finally:
        sys.path.remove(str(BENCH))


def watts(slot: int) -> tuple[float, float]:
    """An evening, and a sun that is dim on every third day."""
    hour = slot % 48 / 2
    load = 1_500.0 if 18 <= hour < 22 else 350.0 + slot % 7 * 20
    dim = 0.3 if slot // 48 % 3 == 0 else 1.0
    return load, max(0.0, 3_500.0 * dim * sin((hour - 6) / 12 * pi))


def written(path: Path, days: int = DAYS, head: str = "time,load_w,pv_w") -> Path:
    lines = [head]
    for slot in range(days * 48):
        load, pv = watts(slot)
        lines.append(f"{(BEGIN + timedelta(minutes=30 * slot)).isoformat()},{load},{pv or ''}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_is_read(charging: ModuleType, tmp_path: Path) -> None:
    house = charging.house_of(written(tmp_path / "house.csv"), "Europe/Paris")
    assert (house.begin_s, house.zone, len(house.load_kw)) == (
        BEGIN.timestamp(),
        "Europe/Paris",
        DAYS * 48,
    )
    load, pv = watts(48 + 24)
    assert house.load_kw[72] == pytest.approx(load / 1e3)
    assert house.pv_kw[72] == pytest.approx(pv / 1e3)
    assert house.pv_kw[0] == 0.0  # an inverter sleeps


class Frame:
    """As pandas is pickled: what it is made of, and its state."""

    def __init__(self, *made: object) -> None:
        self.made = made
        self.state: object = None

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), self.made, self.state)

    def __setstate__(self, state: object) -> None:
        self.state = state


def test_a_frame_is_read_without_pandas(
    charging: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written by an object that calls itself pandas', which is gone when it is read."""
    values = np.array([watts(slot) for slot in range(DAYS * 48)]).T
    stamps = np.datetime64("2024-03-01T00:00:00", "ns") + np.arange(DAYS * 48) * np.timedelta64(
        30, "m"
    )
    kind, array, frame = Frame(), Frame(), Frame()
    kind.state, array.state = {"unit": "ns"}, None
    array.state = (kind, stamps, {})
    columns = Frame(Frame, {"data": np.array(["a", "b"], dtype=object)})
    index = Frame(Frame, {"data": array})
    block = Frame(values, slice(0, 2, 1), 2)
    frame.state = {"_mgr": Frame((block,), [columns, index])}
    fake = ModuleType("pandas")
    fake.Frame = Frame  # type: ignore[attr-defined]
    path = tmp_path / "long_x_data.pkl"
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "pandas", fake)
        patched.setattr(Frame, "__module__", "pandas")
        path.write_bytes(pickle.dumps((frame, 0, ["a", "b"], {"time_zone": "Europe/Paris"})))
    house = charging.house_of(path, "UTC")
    assert (house.zone, house.begin_s) == ("Europe/Paris", BEGIN.timestamp())
    assert house.load_kw[72] == pytest.approx(watts(72)[0] / 1e3)
    assert house.pv_kw[72] == pytest.approx(watts(72)[1] / 1e3)


class Harm:
    """What a hostile pickle does when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_a_pickle_runs_nothing(charging: ModuleType, tmp_path: Path) -> None:
    mark = tmp_path / "harmed"
    path = tmp_path / "bad.pkl"
    path.write_bytes(pickle.dumps(Harm(mark)))
    with pytest.raises(InputError, match="no house's year"):
        charging.house_of(path, "UTC")
    assert not mark.exists()
    pickle.loads(path.read_bytes())
    assert mark.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no house's year"),
        ("time,load_w\n", "no house's year"),
        ("time,load_w,pv_w\nyesterday,1,2\n", "no house's year"),
        ("time,load_w,pv_w\n2024-03-01T00:00,1,2\n", "no house's year"),
        ("time,load_w,pv_w\n2024-03-01T00:00Z,1,2\n", "holds 1 half-hours"),
    ],
)
def test_what_is_no_house_is_refused(
    charging: ModuleType, tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "house.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        charging.house_of(path, "UTC")


def test_no_forecast_sees_what_comes(
    charging: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two houses that are the same until a moment within the last session are forecast the same until then."""
    house = charging.house_of(written(tmp_path / "house.csv"), "Europe/Paris")
    cars = charging.sessions(house, 1)
    last = cars[-1]
    now = last.begin + 3
    other = charging.house_of(tmp_path / "house.csv", "Europe/Paris")
    other.load_kw[now:] += 5.0
    told: list[list[Any]] = []

    def settled(_house: Any, _prices: Any, session: Any, seen: list[Any], _cpu_s: float) -> Any:
        told.append(seen)
        return session

    monkeypatch.setattr(charging, "settled", settled)
    charging.walked(house, cars[-3:])
    first, told[:] = told[-1], []
    charging.walked(other, cars[-3:])
    assert first[:4] == told[-1][:4]  # as of the begin of the slot in which it first differs
    assert first[4] != told[-1][4]


def test_cars_come_one_after_another(charging: ModuleType, tmp_path: Path) -> None:
    house = charging.house_of(written(tmp_path / "house.csv"), "Europe/Paris")
    cars = charging.sessions(house, 1)
    assert cars == charging.sessions(house, 1)
    assert cars != charging.sessions(house, 2)
    assert len(cars) > 20
    assert all(a.end <= b.begin for a, b in pairwise(cars))
    assert all(30.0 <= car.car.charge_pct <= 72.0 for car in cars)


def test_it_ends_with_rows_or_says_what_is_there(
    charging: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "energy").mkdir()
    written(tmp_path / "energy" / "long_other.csv", head=",load_w,sensor.power_photovoltaics")
    (tmp_path / "energy" / "prices.csv").write_text("2024-03-01 00:00:00+00:00,0.14\n")
    monkeypatch.setattr(charging, "WARM_DAYS", 36)
    words = ["charging", "--data", str(tmp_path), "--zone", "Europe/Paris"]
    monkeypatch.setattr(sys, "argv", words)
    assert charging.main() == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["bench"] == "charging"
    values = {(row["case"], row["metric"], row["peer"]): row["ours"] for row in told["rows"]}
    for name in charging.TARIFFS:
        case = f"long_other, {name}"
        assert -1e-4 <= values[case, "regret", "perfect foresight"] < 0.1
        assert values[case, "saving", "at once"] > 0.1
        assert values[case, "saving as a share", "at once"] > 3.0
        assert values[case, "saving, low", "at once"] <= values[case, "saving", "at once"]
        assert values[case, "missing at departure", "at once"] == pytest.approx(0.0, abs=1e-4)
    monkeypatch.setattr(sys, "argv", [*words, "--split", "nowhere"])
    assert charging.main() == 2
    assert "there: long_other.csv" in capsys.readouterr().err
    monkeypatch.setattr(charging, "WARM_DAYS", DAYS)
    monkeypatch.setattr(sys, "argv", words)
    assert charging.main() == 2
    assert "no session to judge" in capsys.readouterr().err
