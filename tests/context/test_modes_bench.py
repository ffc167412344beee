"""bench/modes.py: its people, GeoLife's labels as they are distributed, and folders with nothing in them."""

from __future__ import annotations

import importlib
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from hearthway.records.errors import InputError
from hearthway.records.geo import offset

ROOT = Path(__file__).parents[2]
START = 1_224_730_384.0


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, its own folder on the path as when it is run."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    return importlib.import_module("modes")


def _stamp(time_s: float, form: str) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime(form)


@pytest.fixture
def geolife(tmp_path: Path) -> Path:
    """One person: half an hour on foot, then by car, and a label that is too short."""
    folder = tmp_path / "Data" / "010"
    (folder / "Trajectory").mkdir(parents=True)
    rows, metres = ["Geolife trajectory"] + [""] * 5, 0.0
    for second in range(0, 3_600, 5):
        metres += 5.0 * (1.3 if second < 1_800 else 12.0)
        lat, lon = offset(39.9, 116.3, metres, 0.0)
        stamp = _stamp(START + second, "%Y-%m-%d,%H:%M:%S")
        rows.append(f"{lat:.6f},{lon:.6f},0,150,39744.1,{stamp}")
    (folder / "Trajectory" / "20081023025304.plt").write_text("\n".join(rows))
    form = "%Y/%m/%d %H:%M:%S"
    labels = [(0, 1_790, "walk"), (1_810, 3_590, "taxi"), (3_592, 3_598, "bus")]
    lines = ["Start Time\tEnd Time\tTransportation Mode"]
    lines += [f"{_stamp(START + a, form)}\t{_stamp(START + b, form)}\t{m}" for a, b, m in labels]
    (folder / "labels.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_labels_are_scored_as_geolife_has_them(bench: ModuleType, geolife: Path) -> None:
    rows = {row["metric"]: row for row in bench.label_rows(geolife, "")}
    right = rows["segments told right"]
    assert right["case"] == "GeoLife labels, 1 people, 2 segments"
    assert (right["ours"], right["theirs"]) == (1.0, 1.0)
    assert rows["segments too short"]["ours"] == 1
    assert bench.label_rows(geolife, "010")
    assert bench.label_rows(geolife, "011") == []


def test_a_label_that_is_none_is_named_with_its_line(bench: ModuleType, geolife: Path) -> None:
    file = geolife / "Data" / "010" / "labels.txt"
    file.write_text(file.read_text() + "2008/10/23 05:53:05\tnever\tbus\n")
    with pytest.raises(InputError, match="line 5"):
        bench.label_rows(geolife, "")
    file.write_text(file.read_text().replace("never", "2008/10/23 06:00:00").replace("taxi", "ufo"))
    with pytest.raises(InputError, match="line 3"):
        bench.label_rows(geolife, "")


def test_labels_without_a_recording_are_an_error(bench: ModuleType, geolife: Path) -> None:
    (geolife / "Data" / "010" / "Trajectory" / "20081023025304.plt").unlink()
    with pytest.raises(InputError, match="plt"):
        bench.label_rows(geolife, "")


def test_who_rides_is_rarely_taken_to_drive(bench: ModuleType) -> None:
    rows = {row["metric"]: row for row in bench.mixed_rows("steady", 2, 5, 1)}
    assert rows["trips told right"]["ours"] > 0.85
    assert rows["trips told right"]["theirs"] < rows["trips told right"]["ours"]
    driving = next(row for name, row in rows.items() if "otherwise told as driving" in name)
    assert driving["ours"] < driving["theirs"] / 2.0
    assert rows["places by car said to be never driven to"]["ours"] == 0


@pytest.mark.parametrize(
    "given", [["--data", "nowhere"], ["--data", ".", "--split", "no-such-set"]]
)
def test_a_folder_with_nothing_says_what_to_do(tmp_path: Path, given: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "modes.py"), *given],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "--data" in done.stderr or "--split" in done.stderr
    assert "Traceback" not in done.stderr


def test_bounds_are_the_most_right_of_those_that_cost_no_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    gate = importlib.import_module("modes_gate")
    gained = gate.Seen("bicycle", 0.6, 200.0, 0.3, "bicycle", "car")
    lost = gate.Seen("car", 0.6, 440.0, 0.3, "transit", "car")
    free = gate.best({"steady": [gained]}, {"others": []})
    assert gate.right([gained], free) == 1
    bounds = gate.best({"steady": [gained]}, {"others": [lost]})
    assert gate.right([gained], bounds) == gate.right([lost], bounds) == 1
    assert gate.right([gained, lost], gate.ANY) == 1, "the control: always asked, one is lost"
    shown = list(gate.rows({"steady": [gained, lost]}, gate.ANY))
    assert [(row["ours"], row["theirs"]) for row in shown] == [(0.5, 0.5)]
