"""The bench of places: its lives hold what they say, its scores are right by hand, and a missing file is said."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from hearthway.records.geo import distance_m, offset
from hearthway.records.life import Stay

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    sys.path.insert(0, str(BENCH))
    spec = importlib.util.spec_from_file_location("bench_places", BENCH / "places.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_places"] = module
    spec.loader.exec_module(module)
    sys.path.remove(str(BENCH))
    return module


def test_scores_by_hand(bench: ModuleType) -> None:
    found = bench.score(["a", "a", "a", "b"], [1, 1, 2, 2])
    assert (found.true, found.found, found.purity, found.whole) == (2, 2, 0.75, 0.75)
    whole = bench.score(["a", "b"], ["x", "y"])
    assert bench.harmonic([whole]) == 1.0
    assert bench.score(["a", "b"], ["x", "x"]).purity == 0.5


def test_linked_goes_through_neighbours(bench: ModuleType) -> None:
    at = [offset(60.0, 24.0, 0.0, east_m) for east_m in (0.0, 90.0, 180.0, 400.0)]
    stays = [Stay(start_s=0.0, end_s=1.0, lat=lat, lon=lon) for lat, lon in at]
    groups = bench.linked(stays, 100.0)
    assert groups[0] == groups[1] == groups[2] != groups[3]


def test_the_lives_are_as_described(bench: ModuleType) -> None:
    true = bench.true_stays(1, 14)
    assert all(a.end_s < b.start_s for a, b in pairwise(true))
    assert min(stay.end_s - stay.start_s for stay in true) >= 1_200.0
    for place in {stay.place for stay in true}:
        points = {stay.at for stay in true if stay.place == place}
        assert place == "friends" or len(points) == 1
    quiet, rough = bench.Phone(60.0, 5.0, 0.0), bench.Phone(60.0, 50.0, 0.3)
    fixes = list(bench.recorded(true, quiet, 1))
    assert fixes == list(bench.recorded(true, quiet, 1))
    home = [f for f in fixes if f.time_s < true[0].end_s]
    assert max(distance_m(f.lat, f.lon, *true[0].at) for f in home) < 60.0
    holes = list(bench.recorded(true, rough, 1))
    assert len(holes) < 0.8 * len(fixes)
    shown = bench.seen(
        [Stay(start_s=s.start_s, end_s=s.end_s, lat=0.0, lon=0.0) for s in true], true
    )
    assert shown.truth == [stay.place for stay in true]


def test_a_missing_history_is_said(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH / "places.py"), "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "Give --data the folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_history_is_thinned(bench: ModuleType, tmp_path: Path) -> None:
    true = bench.true_stays(2, 8)
    lines = ["uid,lat,lng,datetime"]
    for fix in bench.recorded(true, bench.Phone(60.0, 10.0, 0.0), 2):
        lines.append(f"7,{fix.lat},{fix.lon},{fix.time_s}")
    (tmp_path / "raw_x.csv").write_text("\n".join(lines))
    (path,) = bench.find_histories(tmp_path, "x")
    rows = bench.real_rows(path)
    again = [row for row in rows if row["metric"] == "places of the full rate found again"]
    assert len(again) == 3
    assert again[0]["ours"] == 1.0
    json.dumps(rows)
