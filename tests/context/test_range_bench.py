"""The bench of range: forecasts see no truth, peers are what they say, and what is missing is said. Neither SUMO nor FASTSim is run."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

from hearthway.records.errors import ConfigError

BENCH = Path(__file__).parents[2] / "bench" / "range.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_range", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_range"] = module
    sys.path.insert(0, str(BENCH.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCH.parent))
    return module


def _drive(bench: ModuleType, number: int = 0, climb_m: float = 0.0) -> Any:
    speeds = [
        *(float(i) for i in range(1, 16)),
        *([15.0] * 700),
        *(float(i) for i in range(14, -1, -1)),
    ]
    length = sum(speeds) / 10.0
    return bench.Drive(
        driver=0,
        number=number,
        route=((length, 14.0), (length, 17.0)) * 5,
        climb_m=(climb_m,) * 10,
        speeds_mps=tuple(speeds),
    )


def _emptied(bench: ModuleType, drive: Any, per_km: float = 0.3, start: float = 80.0) -> Any:
    speeds = (0.0, *drive.speeds_mps)
    soc = tuple(start - per_km * metres / 1000.0 for metres in accumulate(speeds))
    return bench.Emptied(soc_pct=soc, speeds_mps=speeds, usable_kwh=50.0)


def _driver(bench: ModuleType) -> Any:
    return bench.Driver.drawn(0, Random(1))


def test_the_map_is_cut_where_the_car_is(bench: ModuleType) -> None:
    drive = _drive(bench, climb_m=3.0)
    whole = sum(length for length, _ in drive.route)
    for metres in (0.0, 1.0, whole / 3, whole - 1.0, whole, 2 * whole):
        done, ahead = bench.cut(drive, metres)
        assert sum(s.length_m for s in done) == pytest.approx(min(metres, whole))
        assert sum(s.length_m for s in (*done, *ahead)) == pytest.approx(whole)
        assert sum(s.rise_m for s in (*done, *ahead)) == pytest.approx(30.0)


def test_what_comes_later_changes_no_forecast(bench: ModuleType) -> None:
    drive = _drive(bench)
    same = _emptied(bench, drive)
    half = len(same.soc_pct) // 2
    other = bench.Emptied(
        soc_pct=(*same.soc_pct[:half], *(soc - 5.0 for soc in same.soc_pct[half:])),
        speeds_mps=same.speeds_mps,
        usable_kwh=50.0,
    )
    first, second = (
        bench.Learner(_driver(bench), 50.0).trip(drive, battery, 10.0) for battery in (same, other)
    )
    assert [t.at for t in first] == [0.0, 0.25, 0.5, 0.75]
    early = [t.ours for t in first if t.at < 0.5]
    assert early == [t.ours for t in second if t.at < 0.5]
    assert first[3].ours != second[3].ours
    assert first[0].truth - second[0].truth == pytest.approx(5.0)


def test_the_constant_peer_is_the_past_mean_and_before_it_the_rated_range(
    bench: ModuleType,
) -> None:
    learner = bench.Learner(_driver(bench), 50.0)
    told = []
    for number in range(5):
        drive = _drive(bench, number)
        told.append(learner.trip(drive, _emptied(bench, drive), 10.0)[0])
    rated = 100.0 / bench.RATED_KM[told[0].car]
    assert told[2].constant == told[2].rated == pytest.approx(80.0 - rated * told[2].km)
    assert told[3].constant == pytest.approx(80.0 - 0.3 * told[3].km, abs=0.01)
    assert abs(told[4].ours.arrival_pct - told[4].truth) < abs(
        told[0].ours.arrival_pct - told[0].truth
    )


def test_heights_that_are_not_told_are_not_known(bench: ModuleType) -> None:
    drive = _drive(bench, climb_m=40.0)
    known, unknown = (
        bench.Learner(_driver(bench), 50.0).trip(drive, _emptied(bench, drive), 10.0, heights)
        for heights in (bench.Known.ALL, bench.Known.NONE)
    )
    assert known[0].ours.arrival_pct < unknown[0].ours.arrival_pct - 2.0
    level = _drive(bench)
    flat = bench.Learner(_driver(bench), 50.0).trip(
        level, _emptied(bench, level), 10.0, bench.Known.ALL
    )
    assert [t.ours for t in flat] == [t.ours for t in unknown]


def test_a_row_names_the_better_peer(bench: ModuleType) -> None:
    learner = bench.Learner(_driver(bench), 50.0)
    told = []
    for number in range(6):
        drive = _drive(bench, number)
        told += learner.trip(drive, _emptied(bench, drive), 10.0)
    row = bench.row("x", told[16:])
    assert (row["peer"], row["theirs"]) == (
        "constant consumption",
        row["others"]["constant consumption"],
    )
    assert row["theirs"] < row["others"]["rated range"]
    assert 0.0 <= row["coverage_90"] <= 1.0


def test_the_ground_is_the_seeds_and_gentle(bench: ModuleType) -> None:
    electric = sys.modules[bench.Driver.__module__]
    a, b, other = electric.Ground("s"), electric.Ground("s"), electric.Ground("t")
    points = [(i * 137.0, i * 211.0) for i in range(200)]
    assert [a.height_m(*p) for p in points] == [b.height_m(*p) for p in points]
    assert [a.height_m(*p) for p in points] != [other.height_m(*p) for p in points]
    slopes = [abs(a.height_m(x + 10.0, y) - a.height_m(x, y)) / 10.0 for x, y in points]
    assert 0.005 < sum(slopes) / len(slopes) < 0.06
    assert max(slopes) < 0.15


def _run(bench: ModuleType, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(sys, "argv", ["range", *options])
    return int(bench.main())


def test_a_missing_program_or_map_is_said(
    bench: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    electric = sys.modules[bench.Driver.__module__]
    monkeypatch.setattr(electric, "find_spec", lambda name: None if name == "fastsim" else object())
    with pytest.raises(ConfigError, match="needs fastsim"):
        electric.needed()
    assert _run(bench, monkeypatch, "--data", str(tmp_path)) == 2
    assert "pip install -e '.[pack]'" in capsys.readouterr().err
    monkeypatch.setattr(electric, "find_spec", lambda name: object())
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "malta.osm.pbf").touch()
    assert bench.extracts(tmp_path, None) == [tmp_path / "maps" / "malta.osm.pbf"]
    assert _run(bench, monkeypatch, "--data", str(tmp_path), "--map", "atlantis") == 2
    assert "there: malta.osm.pbf" in capsys.readouterr().err


def test_it_ends_with_rows(
    bench: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With drives and batteries of this test's own: what the programs would give is not asked for."""

    def driven(extract: Path, drivers: Sequence[Any], trips: int, seed: str) -> list[Any]:
        return [_drive(bench, number, climb_m=10.0) for number in range(trips)]

    def emptied(drive: Any, driver: Any, air_c: float, start: float) -> Any:
        per_km = 0.2 + 0.005 * abs(20.0 - air_c)
        return None if drive.number == 5 else _emptied(bench, drive, per_km, 100.0 * start)

    (tmp_path / "malta.osm.pbf").touch()
    monkeypatch.setattr(bench, "needed", lambda: None)
    monkeypatch.setattr(bench, "driven", driven)
    monkeypatch.setattr(bench, "emptied", emptied)
    assert _run(bench, monkeypatch, "--data", str(tmp_path), "--split", "s") == 0
    out = capsys.readouterr().out
    told = json.loads(out.splitlines()[-1])
    assert told["bench"] == "range"
    cases = {row["case"]: row for row in told["rows"]}
    assert cases["malta, all"]["forecasts"] == 23 * 4
    assert cases["malta, at 75% of the trip"]["forecasts"] == 23
    assert "malta, hills, heights unknown" in cases
    assert "23 by FASTSim" in out
