"""Positions too rough to follow are told where people look: `status`, `doctor`, the page, and `why --silent`."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hearthway.app.config import Config, NodeTable, save_config
from hearthway.app.doctor import Doctor, Finding
from hearthway.app.node import open_node
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.phone import PhoneNode
from hearthway.app.rough import NEXT, rough_at
from hearthway.cli.status import lines_of
from hearthway.cli.why import command as why
from hearthway.mesh.state.store import Store
from hearthway.records.errors import StoreError
from hearthway.records.geo import offset
from hearthway.records.household import Role
from hearthway.records.signals import Fix
from hearthway.web.present import state_view
from hearthway.web.service import NodePage

HOME = (60.20, 24.90)
DAWN_S = datetime(2025, 9, 1, 3, tzinfo=UTC).timestamp()  # six in the morning at home
LEFT_S = DAWN_S + 7_200.0
SURE_S = LEFT_S + 285.0  # the last that is sure: five minutes from home by car


def fix(time_s: float, away_m: float, accuracy_m: float | None) -> Fix:
    lat, lon = offset(*HOME, away_m, 0.0)
    return Fix(time_s=time_s, lat=lat, lon=lon, accuracy_m=accuracy_m)


def morning(rough: int, *, every_s: float = 240.0, accuracy_m: float = 850.0) -> list[Fix]:
    """Two hours at home, a drive, and on it that many positions which do not tell that one moves."""
    night = [fix(DAWN_S + 300.0 * at, 0.0, 8.0) for at in range(24)]
    drive = [fix(LEFT_S + 15.0 * at, 150.0 * at, 8.0) for at in range(20)]
    late = [
        fix(SURE_S + every_s * at, 2_900.0, accuracy_m + 10.0 * at) for at in range(1, rough + 1)
    ]
    return [*night, *drive, *late]


@pytest.fixture
def paths(tmp_path: Path) -> NodePaths:
    paths = NodePaths(private_dir(tmp_path / "phone"))
    save_config(paths, Config(node=NodeTable(id="phone", role=Role.PHONE)))
    return paths


def hold(paths: NodePaths, fixes: list[Fix]) -> None:
    with Store.open(paths.database, node_id="phone") as store:
        store.add_person("Anna", "anna")
        store.add_fixes("anna", fixes, "history")


class Clock:
    def __init__(self, now_s: float) -> None:
        self._now_s = now_s

    def now_s(self) -> float:
        return self._now_s


def phone_at(paths: NodePaths, now_s: float) -> PhoneNode:
    node = open_node(paths)
    assert isinstance(node, PhoneNode)
    node._store = Store.open(paths.database, node_id="phone")
    node.clock = Clock(now_s)
    node.wake()
    return node


def silent(paths: NodePaths, after: timedelta, *more: str) -> Any:
    at = datetime.fromtimestamp(SURE_S, UTC) + timedelta(hours=3) + after
    words = ["--silent", f"{at:%Y-%m-%d %H:%M:%S}", "--data", str(paths.root), *more]
    done = CliRunner().invoke(why, words)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_run_is_told_once_it_lasts_as_long_as_a_position_is_good_for(paths: NodePaths) -> None:
    hold(paths, morning(5))
    with Store.open(paths.database, node_id="phone") as store:
        assert rough_at(store, "anna", SURE_S) is None
        assert rough_at(store, "anna", SURE_S + 3 * 240.0) is None
        found = rough_at(store, "anna", SURE_S + 4 * 240.0)
        assert found is not None
        assert (found.positions, found.since_s, found.sure_s) == (4, SURE_S + 240.0, SURE_S)
        assert (found.surest_m, found.lasts_s) == (860.0, 960.0)
        store.add_fixes("anna", [fix(SURE_S + 5 * 240.0 + 1.0, 2_900.0, 30.0)], "history")
        assert rough_at(store, "anna", SURE_S + 6 * 240.0) is None


def test_no_more_is_read_than_tells_it(paths: NodePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open page asks each second, and of a whole day there may be a position a second."""
    day = [fix(SURE_S - 10.0 * at, 2_850.0, 8.0) for at in range(8_000)]
    for long in (5, 60):
        hold(paths, [*day, *morning(long)[44:]])
        with Store.open(paths.database, node_id="phone") as store:
            read: list[Fix] = []

            def counted(*span: Any, of: Any = store.fixes, read: list[Fix] = read) -> Any:
                for one in of(*span):
                    read.append(one)
                    yield one

            monkeypatch.setattr(store, "fixes", counted)
            found = rough_at(store, "anna", SURE_S + long * 240.0)
            assert found is not None
            assert (found.positions, found.sure_s) == (long, SURE_S)
            assert len(read) < 3_000


def test_status_and_the_page_say_it_with_what_to_do(paths: NodePaths) -> None:
    hold(paths, morning(5))
    words = (
        "5 positions since 08:08, the surest of them told within 860 m, and no surer one since: "
        "where you are, and whether you move, is hardly known"
    )
    phone = phone_at(paths, SURE_S + 1_300.0)
    state = phone.status()
    assert state["rough"]["positions"] == 5
    assert state["rough"]["since_s"] == SURE_S + 240.0
    lines = lines_of({"up": True, **state})
    assert lines[lines.index(f"  {words}") + 1] == f"  -> {NEXT}"
    page = NodePage(phone)
    asyncio.run(page._route())
    assert page.snapshot().rough == f"{words}. {NEXT}"
    assert state_view(page.snapshot())["rough"] == f"{words}. {NEXT}"


@pytest.mark.parametrize("accuracy_m", [8.0, None])
def test_of_a_phone_that_tells_surely_nothing_is_said(
    paths: NodePaths, accuracy_m: float | None
) -> None:
    hold(paths, [*morning(5), fix(SURE_S + 1_250.0, 2_950.0, accuracy_m)])
    phone = phone_at(paths, SURE_S + 1_300.0)
    assert "rough" not in phone.status()
    page = NodePage(phone)
    asyncio.run(page._route())
    assert page.snapshot().rough == ""


def test_why_silent_says_that_the_mode_is_hidden_by_rough_positions_alone(
    paths: NodePaths,
) -> None:
    hold(paths, morning(5))
    said = silent(paths, timedelta(minutes=20))
    assert "\n  unknown, for only rough positions came in the last 20 min; heading" in said
    assert "\n  5 positions since 08:08, the surest of them told within 860 m" in said
    assert f"\n  -> {NEXT}\n" in said
    assert "  Why: It is not clear whether you are driving. Only rough positions came.\n" in said
    told = json.loads(silent(paths, timedelta(minutes=20), "--json", "-"))
    assert told["rough"]["positions"] == 5
    assert told["mode_hidden"] is True


def test_a_phone_that_said_nothing_is_not_said_to_be_rough(paths: NodePaths) -> None:
    hold(paths, morning(0))
    said = silent(paths, timedelta(minutes=20))
    assert "\n  unknown; heading" in said
    assert "rough" not in said


def test_rough_positions_long_ago_hide_no_mode(paths: NodePaths) -> None:
    hold(paths, morning(5))
    said = silent(paths, timedelta(minutes=80))
    assert "\n  unknown; heading" in said
    assert "5 positions since 08:08" in said


def test_the_doctor_finds_fault_only_with_a_whole_day_of_them(paths: NodePaths) -> None:
    def found(status: dict[str, Any]) -> Finding:
        doctor = Doctor(paths, 0.0)
        doctor._status = status
        (finding,) = asyncio.run(doctor._positions())
        return finding

    hold(paths, morning(5))
    assert found(phone_at(paths, SURE_S + 1_300.0).status()).ok
    day = [fix(SURE_S + 86_400.0 + 600.0 * at, 0.0, 1_500.0) for at in range(145)]
    with Store.open(paths.database, node_id="phone") as store:
        store.add_fixes("anna", day, "history")
    finding = found(phone_at(paths, day[-1].time_s).status())
    assert not finding.ok
    assert "145 positions since 08:04 the day before" in finding.problem
    assert "no surer one in a day" in finding.problem
    assert finding.next_step == NEXT


def test_a_store_that_cannot_be_read_keeps_neither_status_nor_page_from_telling_the_rest(
    paths: NodePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(paths, morning(5))
    phone = phone_at(paths, SURE_S + 1_300.0)
    assert "rough" in phone.status()

    def fails(*_: Any) -> Any:
        raise StoreError("The disk is gone.", "Look at it.")

    monkeypatch.setattr(phone.store, "fixes", fails)
    assert "rough" not in phone.status()
    asyncio.run(NodePage(phone)._route())
