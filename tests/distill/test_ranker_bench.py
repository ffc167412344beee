"""bench/ranker.py judges people whom neither teacher nor student saw, and refuses a split that would not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.distill.test_ranker import survey

BENCH = Path(__file__).parents[2] / "bench" / "ranker.py"
RECIPE = """task = "ranker"
name = "Made up"
[corpus]
copies = 2
[teacher]
trees = 20
depth = 2
landmarks = 40
folds = 2
[student]
hidden = [8]
epochs = 20
int_epochs = 5
temperature = 1.0
"""


def run(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    recipe = data / "small.toml"
    recipe.write_text(RECIPE)
    return subprocess.run(
        [sys.executable, str(BENCH), "--data", str(data), "--recipe", str(recipe), *words],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_it_tells_of_people_nobody_was_taught_by(tmp_path: Path) -> None:
    survey(tmp_path / "coupon")
    done = run(tmp_path, "--folds", "2")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["bench"] == "ranker"
    by_metric = {row["metric"]: row for row in told["rows"]}
    assert by_metric["AUC, teacher"]["ours"] > 0.7
    assert by_metric["AUC, student, int8"]["ours"] > 0.65
    assert abs(by_metric["log loss that int8 costs"]["ours"]) < 0.02
    assert by_metric["order of kinds, student, int8, as a node knows it"]["ours"] > 0.7
    assert by_metric["plain Python, one moment"]["ours"] > 0.0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--split", "rows"), "random split by rows is refused"),
        (("--split", "leaky"), "are in both parts"),
        (("--split", "test"), "no coupon_test.csv"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    survey(tmp_path / "coupon", people=20)
    same = (tmp_path / "coupon" / "coupon.csv").read_text()
    (tmp_path / "coupon" / "coupon_leaky.csv").write_text(same)
    done = run(tmp_path, *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
