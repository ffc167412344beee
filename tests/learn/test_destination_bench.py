"""bench/destination.py as it is run: on a small made-up person, with its plot, and where there is nothing to read."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from hearthway.records.geo import offset

ROOT = Path(__file__).parents[2]
HOME = (60.20, 24.90)
GOALS = (offset(*HOME, 5_000, 0), offset(*HOME, 0, 4_000))
MONDAY_S = 1_709_510_400.0


def _rows(days: int) -> list[str]:
    """Out at 8 to one of two places by the day of the week, back at 17; a fix each 10 s."""
    rows, at = ["lat,lng,datetime,uid"], HOME
    for day in range(days):
        for hour, to in ((8, GOALS[day % 7 > 2]), (17, HOME)):
            start = MONDAY_S + day * 86_400.0 + hour * 3600.0
            way = [
                (at[0] + (to[0] - at[0]) * i / 60, at[1] + (to[1] - at[1]) * i / 60)
                for i in range(60)
            ]
            fixes = [(start + 10.0 * i, *spot) for i, spot in enumerate(way)]
            fixes += [(start + 600.0 + 60.0 * i, *to) for i in range(40)]
            rows += [f"{lat},{lon},{time_s},ada" for time_s, lat, lon in fixes]
            at = to
    return rows


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "mobility"
    folder.mkdir()
    with gzip.open(folder / "town_raw_held.csv.gz", "wt") as out:
        out.write("\n".join(_rows(21)))
    return tmp_path


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "bench/destination.py", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_person_is_predicted_and_the_calibration_is_drawn(data: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = bench("--data", str(data), "--split", "held", "--plot", str(page))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["bench"] == "destination"
    rows = {row["metric"]: row for row in result["rows"]}
    late = rows["trips: within 300 m at 75 % of the trip"]
    assert late["case"] == "town_raw_held/ada"
    assert late["ours"] > 0.85
    assert late["theirs"] < late["ours"]
    assert late["peer"]
    assert late["interval"][1] <= late["ours"] <= late["interval"][2]
    assert late["ours"] - rows["trips: within 300 m at 0 % of the trip"]["ours"] == pytest.approx(
        late["over_start"], abs=2e-6
    )
    assert rows["trips: destinations visited before"]["ours"] >= 0.9
    assert rows["trips: median error at 75 % of the trip"]["ours"] < 300.0
    bins = rows["trips: calibration error at 75 % of the trip"]["bins"]
    assert sum(one["n"] for one in bins) == 42
    assert rows["learned state, for 365 days like these"]["ours"] < 5.0
    assert rows["one signal, median"]["ours"] < 1.0
    assert "calibration: confidence" in done.stdout
    picture = ET.fromstring(page.read_text(encoding="utf-8").partition("\n")[2])
    dots = [node for node in picture.iter() if node.tag.endswith("circle")]
    assert len(dots) >= len(bins)


@pytest.mark.parametrize("split", ["none", "held2"])
def test_without_a_history_it_says_what_to_give(data: Path, split: str) -> None:
    done = bench("--data", str(data), "--split", split)
    assert done.returncode != 0
    assert split in done.stderr
    assert "--split" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plot_that_cannot_be_written_is_said(data: Path) -> None:
    done = bench("--data", str(data), "--plot", "/nonexistent/page.html")
    assert done.returncode == 1
    assert "/nonexistent/page.html cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
