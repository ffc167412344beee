"""The bench of lives that change: its lives change as described, its peers forget nothing, and errors say what to do."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hearthway.atlas.store import Atlas
from hearthway.context.prior import STEADY
from hearthway.context.regularity import Regularity
from hearthway.records.geo import distance_m

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def drift() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCH))  # as when it is run as a script
    try:
        spec = importlib.util.spec_from_file_location("bench_drift", BENCH / "drift.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["bench_drift"] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(BENCH))


@pytest.fixture(scope="module")
def atlas() -> Iterator[Atlas]:
    bundled = Atlas.bundled()
    yield bundled
    bundled.close()


def test_a_move_is_noticed_where_counting_notices_nothing(drift: ModuleType, atlas: Atlas) -> None:
    rows = {
        (row["metric"], row["peer"]): row
        for row in drift.rows_of("bundled map", "another town", atlas, range(1, 2))
    }
    home = rows["home: days until right", drift.ALIKE]
    assert home["ours"] <= 14.0 < home["theirs"] == 40.0
    assert rows["work: days until right", drift.ALIKE]["ours"] <= 14.0
    assert all(row["case"].startswith("synthetic, ") for row in rows.values())
    before = rows["destination log-loss, before", drift.UNNOTICED]
    assert before["ours"] == before["theirs"]


def test_who_keeps_his_hours_is_foretold_sooner_after_a_move_than_by_what_is_most_peoples(
    drift: ModuleType, atlas: Atlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    def after() -> Any:
        rows = drift.rows_of("bundled map", "another town", atlas, range(1, 2))
        where = "destination log-loss, days 14-20", drift.UNNOTICED
        return next(row for row in rows if (row["metric"], row["peer"]) == where)

    regular = after()
    monkeypatch.setattr(Regularity, "trust", lambda *_: STEADY)
    plain = after()
    assert plain["ours"] <= plain["theirs"], "there it helps that the move is noticed"
    assert regular["ours"] < plain["ours"] - 0.1


def test_a_holiday_is_no_move(drift: ModuleType, atlas: Atlas) -> None:
    rows = list(drift.rows_of("bundled map", "holiday", atlas, range(1, 2)))
    wrong = [
        row["ours"]
        for row in rows
        if row["metric"] in ("home: days wrong of 40", "work: days wrong of 40")
    ]
    assert wrong == [0.0] * 4


def test_the_lives_are_where_they_are_said_to_be(drift: ModuleType, atlas: Atlas) -> None:
    _, truth = drift.lived("another town", atlas, 1)
    assert distance_m(*truth.home(59), *truth.home(60)) > 50_000.0
    assert truth.works(61) == truth.works(0) != truth.works(62)
    assert drift.days_until([(59, False), (60, False), (61, True), (62, False), (63, True)]) == 3
    assert drift.days_until([(60, True)]) == 0


def test_errors_say_what_to_do(
    drift: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words in (["--data", str(tmp_path / "none")], ["--data", str(tmp_path), "--seeds", "0"]):
        monkeypatch.setattr(sys, "argv", ["drift.py", *words])
        assert drift.main() == 2
        told = capsys.readouterr()
        assert "Give" in told.err
        assert not told.out


def test_the_last_line_is_for_scripts(
    drift: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(drift, "KINDS", ("holiday",))
    monkeypatch.setattr(
        sys, "argv", ["drift.py", "--data", str(tmp_path), "--seeds", "1", "--first", "1"]
    )
    assert drift.main() == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["bench"] == "drift"
    keys = {"case", "metric", "unit", "ours", "peer", "theirs", "ratio"}
    assert all(set(row) == keys for row in told["rows"])
