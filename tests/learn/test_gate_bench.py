"""bench/gate.py refuses a split that would judge people it was fitted on, and reports on one that does not."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

BENCH = Path(__file__).parents[2] / "bench"
FIXED = {
    "Destination": "Home",
    "Weather": "Sunny",
    "Temperature": "55",
    "Time": "6PM",
    "Expiration": "1d",
    "ToCoupon_GEQ25min": "0",
    "Direction_same": "0",
    "Gender": "Female",
    "Age": "26",
    "MaritalStatus": "Single",
    "Has_children": "0",
    "Education": "Bachelors degree",
    "Occupation": "Student",
    "Income": "$25000 - $37499",
    "Car": "",
    "CarryAway": "1-3",
    "RestaurantLessThan20": "1-3",
    "Restaurant20To50": "<1",
}


def survey(path: Path, people: range) -> None:
    """12 moments a respondent, who says yes to bars or to coffee by habit, seeded."""
    rng = np.random.default_rng(people.start)
    rows = []
    for who in people:
        bar = bool(rng.random() < 0.5)
        for _ in range(12):
            kind = "Bar" if rng.random() < 0.5 else "Coffee House"
            wanted = (kind == "Bar") == bar
            rows.append(
                FIXED
                | {
                    "respondent": f"r{who}",
                    "Passanger": str(rng.choice(["Alone", "Friend(s)"])),
                    "Coupon": kind,
                    "ToCoupon_GEQ15min": str(rng.integers(0, 2)),
                    "Bar": "4-8" if bar else "0",
                    "CoffeeHouse": "0" if bar else "4-8",
                    "Y": str(int(rng.random() < (0.9 if wanted else 0.15))),
                }
            )
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def run(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCH / "gate.py"), "--data", str(data), *words],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_held_out_file_is_judged(tmp_path: Path) -> None:
    survey(tmp_path / "coupon.csv", range(60))
    survey(tmp_path / "coupon_test.csv", range(100, 130))
    done = run(tmp_path, "--split", "test", "--orders", "2")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["bench"] == "gate"
    by_metric = {(row["metric"], row["peer"]): row for row in told["rows"]}
    assert by_metric["AUC on unseen respondents", "trees"]["ours"] > 0.8
    assert by_metric["AUC on unseen respondents", "kernel"]["theirs"] > 0.8
    assert by_metric["pretrained: utility at c=2", "told everything"]["theirs"] > 100
    assert by_metric["pretrained: utility at c=2", "silent"]["ours"] > 100
    settled = by_metric["log loss, settled", "others"]
    assert settled["ours"] < settled["theirs"]
    assert by_metric["pretrained: utility at c=2", "always"]["theirs"] < 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--split", "random"), "random split by rows is refused"),
        (("--split", "leaky"), "are in both parts"),
        (("--split", "test"), "no coupon_test.csv"),
        (("--folds", "1"), "take 2 to"),
        (("--split", "broken"), "lacks the columns"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    survey(tmp_path / "coupon.csv", range(30))
    survey(tmp_path / "coupon_leaky.csv", range(29, 40))
    (tmp_path / "coupon_broken.csv").write_text("respondent,Y\na,1\n")
    done = run(tmp_path, *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(find_spec("lightgbm") is not None, reason="the peer is installed")
def test_a_peer_that_is_not_installed_is_named(tmp_path: Path) -> None:
    survey(tmp_path / "coupon.csv", range(30))
    done = run(tmp_path, "--lightgbm")
    assert done.returncode == 2
    assert "LightGBM is not installed here" in done.stderr


def test_who_a_respondent_is_is_known_without_the_column(tmp_path: Path) -> None:
    """By the answers about himself, as the digest of a file that has the column: nobody is fitted on and judged."""
    survey(tmp_path / "coupon.csv", range(60))
    survey(tmp_path / "coupon_test.csv", range(100, 130))
    for name, ages in (("coupon", ("21", "26", "31")), ("coupon_test", ("36", "41", "46"))):
        path = tmp_path / f"{name}.csv"
        with path.open(newline="") as told:
            rows = list(csv.DictReader(told))
        for at, row in enumerate(rows):
            row["Age"] = ages[at // 12 % 3]
        rows = [{n: v for n, v in row.items() if n != "respondent"} for row in rows]
        with path.open("w", newline="", encoding="utf-8-sig") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    done = run(tmp_path, "--split", "test", "--orders", "1")
    assert done.returncode == 0, done.stderr
    same = (tmp_path / "coupon.csv").read_bytes()
    (tmp_path / "coupon_same.csv").write_bytes(same)
    done = run(tmp_path, "--split", "same")
    assert done.returncode == 2
    assert "6 respondents are in both parts" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_part_called_valid_is_judged_where_there_is_one(tmp_path: Path) -> None:
    survey(tmp_path / "coupon.csv", range(30))
    survey(tmp_path / "coupon_valid.csv", range(29, 60))
    assert "are in both parts" in run(tmp_path, "--split", "valid").stderr
