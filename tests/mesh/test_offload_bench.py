"""bench/offload.py: a task without an answer costs its own point alone, and the figures become rows."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    """bench/offload.py as a module."""
    sys.path.insert(0, str(BENCH))
    try:
        yield import_module("offload")
    finally:
        sys.path.remove(str(BENCH))
        sys.modules.pop("offload", None)


class World:
    """Answers at once; the phone takes half as long, and of all tasks one fails."""

    def __init__(self, fails_at: int) -> None:
        self.left = fails_at
        self.relay = SimpleNamespace(link=lambda *_: None)

    def busy(self, _: bool) -> nullcontext[None]:
        return nullcontext()

    def ask(self, stops: int, _: int, where: str | None = None) -> dict[str, Any]:
        self.left -= 1
        if self.left == 0:
            return {"ok": False, "why": "the worker ended amid it", "took_s": 0.1}
        took_s = stops * (0.01 if where == "here" else 0.005)
        return {"ok": True, "took_s": took_s, "where": "phone"}


def test_a_task_that_fails_costs_its_point_and_the_others_stand(
    bench: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    points = len(bench.DELAYS_MS) * len(bench.RATES_MBIT) * 2 * len(bench.SIZES)
    found: dict[str, Any] = {}
    failed: list[str] = []
    given = Namespace(parts="curve", repeat=3, ray=None)
    bench.measure(World(len(bench.WARM) + 1), bench.Seeds(1), given, found, failed)
    assert len(found["curve"]) == points - 1
    assert failed == ["10 stops, here: the worker ended amid it"]
    assert failed[0] in capsys.readouterr().err
    rows = {row["metric"]: row for row in bench.rows_of(found)}
    assert rows["mean regret"]["ours"] == 0
    assert rows["mean regret"]["case"] == f"curve, {points - 1} points"
    assert rows["speed where the phone is sooner"]["ratio"] == pytest.approx(2)
    bench.told(found)
    assert "met" in capsys.readouterr().out


def test_a_part_that_fails_leaves_no_figures_and_the_next_goes_on(bench: ModuleType) -> None:
    found: dict[str, Any] = {}
    failed: list[str] = []
    given = Namespace(parts="cut,curve", repeat=1, cuts=1, ray=None)
    warm = 18 * (len(bench.WARM) + 3 * len(bench.SIZES))
    bench.measure(World(warm + 2), bench.Seeds(1), given, found, failed)
    assert list(found) == ["curve"]
    assert failed == ["cut, as placed: the worker ended amid it"]


def test_every_part_has_its_rows(bench: ModuleType) -> None:
    found = {
        "cut": {
            "count": 20,
            "worst": 1.17,
            "here_worst_of_median": 1.12,
            "by_car": 18,
            "same_worst": 1.04,
        },
        "kill": {"count": 100, "same_in_time": 99, "deadline_s": 1.5},
        "peer": {"rows": [{"stops": 720, "here_s": 3.0, "placed_s": 0.7, "rpc_s": 0.6}]},
        "ray": {"rows": [{"stops": 720, "ray_s": 0.65}, {"stops": 10, "ray_s": 0.1}]},
    }
    rows = bench.rows_of(found)
    assert [row["peer"] for row in rows] == [
        "all here's own worst",
        "the same task all here",
        "all tasks",
        "all here",
        "plain RPC over TLS",
        "Ray",
    ]
    assert rows[1]["ratio"] == pytest.approx(1.04)
    assert rows[2]["ratio"] == pytest.approx(0.99)
    assert rows[-1]["theirs"] == 0.65
    assert bench.rows_of({"curve": [], "ray": {"why": "it did not start"}}) == []


def test_a_part_that_there_is_not_is_refused(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["offload.py", "--parts", "curve,hop"])
    with pytest.raises(SystemExit) as ended:
        bench.main()
    assert ended.value.code == 2
    assert "no such part: hop" in capsys.readouterr().err
