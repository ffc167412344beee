"""The bench of days off: its lives have them as described, and errors say what to do."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from hearthway.context.day_kind import many, numbered

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCH))  # as when it is run as a script
    try:
        spec = importlib.util.spec_from_file_location("bench_days_off", BENCH / "days_off.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(BENCH))


def test_its_days_off_are_working_days_of_two_calendars(bench: ModuleType) -> None:
    public, school = bench.public_holidays("parent", 11), bench.no_school()
    assert len(public) == bench.PUBLIC
    assert len(school) == 20
    assert not public & school
    assert all(day % 7 < 5 for day in public | school)
    assert public == bench.public_holidays("parent", 11) != bench.public_holidays("parent", 12)
    summer = {day for day in bench.SUMMER if day % 7 < 5}
    days = numbered({"public": sorted(public), "school": sorted(school | summer)})
    assert many(days) == (False, True)
    assert {bench.when_of("parent", 11, day) for day in range(bench.DAYS)} == set(bench.WHEN)


def test_without_school_a_child_is_brought_elsewhere_or_not_at_all(bench: ModuleType) -> None:
    stop, home, gran = bench.Stop, (0.0, 0.0), (9.0, 9.0)
    school, work = (1.0, 1.0), (2.0, 2.0)
    day = [stop(school, 27_000.0, 600.0), stop(work, None, 28_000.0), stop(school, None, 600.0)]
    (only,) = bench._no_school("parent", day, gran)
    assert (only.spot, only.leave) == (work, 28_800.0)
    ways = [stop(school, 30_000.0, 600.0), stop(home, None, 1_800.0), stop(work, 60_000.0, 900.0)]
    assert [one.spot for one in bench._no_school("homeworker", ways, gran)] == [gran, home, work]
    assert bench._no_school("homeworker", ways[2:], gran) == ways[2:]
    assert bench._no_school("shift", day, gran) == day
    assert bench._no_school("parent", [], gran) == []


def test_without_seeds_or_data_it_says_what_to_do(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["days_off.py", "--data", ".", "--seeds", "0"])
    assert bench.main() == 2
    assert "Give --seeds" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["days_off.py", "--data", "no-such-folder"])
    assert bench.main() == 2
    assert "no-such-folder" in capsys.readouterr().err
