"""bench/next_place.py as it is run: on the parts of a small made-up town, and where a part is missing or damaged."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PEOPLE = 6


def write(folder: Path, case: str, name: str, days: range) -> None:
    """Six people who go 1, 2, 3 on most days."""
    ends = case == "geolife"
    head = "id,user_id,location_id,start_day,start_min,weekday"
    lines = [head + (",end_day,end_min" if ends else ",latitude,longitude")]
    chance = random.Random(f"{case}{name}")
    for who in range(PEOPLE):
        for day in days:
            for at in range(3):
                place = at + 1 if chance.random() < 0.8 else chance.randint(4, 9)
                row = f"0,{who},{place},{day},{420 + 240 * at},{(day + 2) % 7}"
                end = f",{day},{540 + 240 * at}" if ends else f",0.{place},0.{at}"
                lines.append(row + end)
    (folder / f"{case}_{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "mobility"
    folder.mkdir()
    for case in ("geolife", "foursquare"):
        write(folder, case, "train", range(15))
        write(folder, case, "valid", range(15, 20))
        write(folder, case, "held", range(20, 25))
    return tmp_path


def bench(data: Path, split: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "bench/next_place.py", "--data", str(data), "--split", split],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_held_out_part_is_predicted_beside_the_peers(data: Path) -> None:
    done = bench(data, "held")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["bench"] == "next_place"
    first = {(r["case"], r["peer"]): r for r in result["rows"] if r["metric"] == "Acc@1"}
    assert len(first) == 2 * 3 + 2 * 4
    for case in ("geolife", "foursquare", "geolife, as shipped", "foursquare, as shipped"):
        ours = first[case, "most frequent"]["ours"]
        assert 0.45 < ours <= 1.0
        assert ours > first[case, "most frequent"]["theirs"]
    fitted = first["geolife, as shipped", "fitted on other people"]["theirs"]
    assert fitted == first["geolife", "most frequent"]["ours"]
    early = [r["case"] for r in result["rows"] if r["metric"].startswith("first 25 stays: calib")]
    assert sorted(early) == sorted({case for case, _ in first})
    stays = [r for r in result["rows"] if "into the stay" in r["metric"]]
    assert [r["case"] for r in stays] == ["geolife, as shipped"]  # a check-in has no end
    # Three visits in the part before it: the first three of each person are no targets.
    assert f"over {PEOPLE * (5 * 3 - 3)} visits" in done.stdout


def test_a_missing_part_and_a_damaged_row_are_said(data: Path) -> None:
    missing = bench(data, "tset")
    assert missing.returncode == 2
    assert "geolife_tset.csv is neither in" in missing.stderr
    assert "Traceback" not in missing.stderr
    assert bench(data, "train").returncode == 2
    path = data / "mobility" / "geolife_held.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",420,", ",noon,"), encoding="utf-8")
    damaged = bench(data, "held")
    assert damaged.returncode == 2
    assert "cannot be read" in damaged.stderr
    assert "Traceback" not in damaged.stderr


def test_a_part_with_a_byte_order_mark_is_the_one_that_is_judged(data: Path) -> None:
    plain = bench(data, "held")
    for case in ("geolife", "foursquare"):
        path = data / "mobility" / f"{case}_held.csv"
        text = path.read_text(encoding="utf-8").removeprefix("id,")
        text = "\n".join(line.removeprefix("0,") for line in text.split("\n"))
        path.write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    marked = bench(data, "held")
    assert marked.returncode == 0, marked.stderr
    shares = [
        [
            row["ours"]
            for row in json.loads(done.stdout.splitlines()[-1])["rows"]
            if row["unit"] != "CPU s"
        ]
        for done in (plain, marked)
    ]
    assert shares[0] == shares[1]


def test_a_part_of_other_people_is_no_part(data: Path) -> None:
    """Else the validation part would be judged, and called by the name of the other."""
    for case in ("geolife", "foursquare"):
        path = data / "mobility" / f"{case}_held.csv"
        head, *rows = path.read_text(encoding="utf-8").splitlines()
        moved = [f"0,9{row.removeprefix('0,')}" for row in rows]
        path.write_text("\n".join([head, *moved]) + "\n", encoding="utf-8")
    done = bench(data, "held")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Nobody of geolife's training part has a visit in its part held." in done.stderr
    assert len(done.stderr.splitlines()) == 2
