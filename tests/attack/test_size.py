"""A history far larger than memory should ever hold: read to its end, every row counted, in bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "history.py"
LIMIT_MB = 500.0  # the promise for 1 GB


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("form", [[], ["--gzip"]], ids=["csv", "gzip"])
def test_60_mb_stay_far_below_the_limit_for_1_gb(form: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH), "--mb", "60", *form], capture_output=True, check=True
    )
    rows = json.loads(done.stdout.splitlines()[-1])["rows"]
    assert rows[0]["metric"] == "peak memory"
    assert rows[0]["ours"] < LIMIT_MB / 2


def test_a_column_that_numbers_rows_is_no_list_of_people(tmp_path: Path, cli: Any) -> None:
    file = tmp_path / "rows.csv"
    with file.open("w") as out:
        out.write("lat,lng,datetime,uid\n")
        out.writelines(f"60.1,24.9,{1_600_000_000 + i},{i}\n" for i in range(12_000))
    cli("drive", file).refuses("10,000 people", "uid")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        "lat,lng,datetime\n",
        "lat,lng,datetime\n1,2\n",
        "lat,lng,datetime\n999,999,2020-01-01\n",
        "lat,lng,datetime\n60,25,9999-99-99\n",
        "a,b,c\n1,2,3\n",
        "<?xml version='1.0'?><kml/>",
        "<gpx><trk><trkseg><trkpt lat='1' lon='2'>",
        "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><gpx>&a;</gpx>",
        "{}",
    ],
)
def test_what_is_no_history_is_a_sentence(tmp_path: Path, cli: Any, text: str) -> None:
    file = tmp_path / "history"
    file.write_text(text)
    cli("drive", file).refuses(str(file))


@pytest.mark.parametrize(
    "data", [b"\x1f\x8b" + b"\x00" * 50, "lat,lng".encode("utf-16"), b"\xff" * 900]
)
def test_bytes_that_are_no_history_are_a_sentence(tmp_path: Path, cli: Any, data: bytes) -> None:
    file = tmp_path / "history.csv.gz"
    file.write_bytes(data)
    cli("drive", file).refuses(str(file))
