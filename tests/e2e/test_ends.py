"""However a drive ends, nothing of it stays; and the next one works in the same place."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def _under_way(process: Any, processes: Any, data: Path) -> dict[int, str]:
    """Its processes, once four nodes run and the phone has learned a life."""
    processes.wait_for(
        lambda: (data / "car" / "drive.jsonl.gz").exists() or process.poll() is not None, 60.0
    )
    assert process.poll() is None, process.communicate()
    members: dict[int, str] = processes.family(process.pid)
    assert len(members) >= 4
    return members


@pytest.mark.parametrize(
    ("number", "within_s"),
    [
        pytest.param(signal.SIGINT, 0.0, id="Ctrl-C"),
        pytest.param(signal.SIGKILL, 5.0, id="kill -9"),
    ],
)
def test_nothing_is_left(
    tmp_path: Path,
    started: Callable[..., Any],
    processes: Any,
    number: signal.Signals,
    within_s: float,
) -> None:
    """Ctrl-C ends every process before the drive itself ends, with code 130; a kill leaves none for long."""
    data = tmp_path / "drive"
    process = started("drive", "--data", str(data), "--speed", "20")
    members = _under_way(process, processes, data)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert processes.left_of(members, within_s) == []
    assert "Traceback" not in out + err
    if number is signal.SIGINT:
        assert process.returncode == 130
        assert err.strip() == "stopped"
        assert not list(data.rglob("*.sock")), "a socket is left"
        assert not (data / "car" / "drive.jsonl.gz").exists()


def test_the_second_run_works_and_a_rule_forbids_it(
    tmp_path: Path, copied: Any, new_drive: Callable[..., Any], hearthway: Callable[..., Any]
) -> None:
    """The same place again, now with the owner's rules: without the car's signals nothing is said.

    The drive before it in that directory is the positive control: the rules file is the one fact that differs.
    """
    rules = tmp_path / "rules.toml"
    rules.write_text(_without(hearthway("rules", "--default").out, "car-signals"))
    silent = new_drive(copied.data, "--rules", str(rules))
    assert silent.result["suggestions"] == []
    assert silent.result["receipts"] == []
    assert "nothing was said" in silent.out
    database = (copied.data / "phone" / "node.db").read_bytes()
    assert b"Vehicle.CurrentLocation" not in database


def _without(rules: str, name: str) -> str:
    """The rules file without the rule of that name."""
    head, *tables = rules.split("[[rule]]")
    kept = [table for table in tables if f'id = "{name}"' not in table]
    assert len(kept) == len(tables) - 1
    return "[[rule]]".join([head, *kept])


@pytest.mark.netns
def test_the_phone_is_killed_between_situation_and_suggestion(
    tmp_path: Path, driven: Any, new_drive: Callable[..., Any]
) -> None:
    """Car and home stay healthy, the car says what it can no longer do; the suggestion arrives all the same."""
    drilled = new_drive(tmp_path / "drill", "--drill", "phone")
    told = drilled.result["drill"]
    assert told[0] == "killed phone"
    assert "car healthy: True" in told
    assert "home healthy: True" in told
    assert any("out of reach: no suggestions" in line for line in told)
    assert any("phone is back" in line for line in told)
    idle = os.getloadavg()[0] < (os.cpu_count() or 1)  # on a busy machine a second is not a second
    assert drilled.result["measured"]["drill_restart_s"] < (3.0 if idle else 10.0)
    same = [one["suggestion_id"] for one in driven.result["suggestions"]]
    assert [one["suggestion_id"] for one in drilled.result["suggestions"]] == same
    assert {r["node"] for r in drilled.result["receipts"]} == {"phone", "car", "home"}
