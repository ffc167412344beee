"""A stolen phone, real processes and links: whoever is in reach drops it within five seconds, and it says so itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

DROPS_S = 5.0


def _sees(node: Any, other: str) -> bool:
    peers = {p["node"]: p["alive"] for p in node.ask("status")["peers"]}
    return bool(peers.get(other, False))


def _until(true: Callable[[], bool], limit_s: float) -> float:
    """Seconds until it held; fails the test when it did not."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > limit_s:
            pytest.fail(f"not within {limit_s} s")
        time.sleep(0.05)
    return time.monotonic() - began


def _misses(node: Any, name: str) -> bool:
    return not _sees(node, name)


@pytest.fixture
def lost(household: Any, new_node: Callable[..., Any]) -> Iterator[Any]:
    """A second phone of the household, up and reached by home and phone."""
    node = new_node("phone", "phone-lost")
    node.up()
    household.pair(node)
    household.serves()
    for other in (household.home, household.phone):
        _until(partial(_sees, other, "phone-lost"), 15.0)
        _until(partial(_sees, node, other.name), 15.0)
    yield node
    node.process.stop()


@pytest.mark.parametrize("asked", ["home", pytest.param("phone", marks=pytest.mark.slow)])
def test_nodes_in_reach_drop_a_stolen_phone(
    household: Any, lost: Any, cli: Callable[..., Any], asked: str
) -> None:
    where = getattr(household, asked).paths.root
    began = time.monotonic()
    done = cli("revoke", "phone-lost", "--yes", "--data", where)
    assert done.code == 0, done.said
    asked_s = time.monotonic() - began
    began = time.monotonic()
    for other in (household.home, household.phone):
        _until(partial(_misses, other, "phone-lost"), DROPS_S)
    dropped_s = time.monotonic() - began
    state_s = _until(lambda: "taken out" in lost.ask("status")["problem"], DROPS_S)
    print(f"verb {asked_s:.2f} s, dropped {dropped_s:.2f} s later, said {state_s:.2f} s after that")
    state = lost.ask("status")
    assert not state["healthy"]
    assert "pair" in state["next"]
    assert not [p for p in state["peers"] if p["alive"]]
    household.serves()  # the others go on
    lost.process.stop()
    lost.up()  # a restart brings nothing back
    time.sleep(1.0)
    for other in (household.home, household.phone):
        assert not _sees(other, "phone-lost")
    assert "taken out" in lost.ask("status")["problem"]
    household.pair(
        lost
    )  # found again and trusted: it pairs anew, with a new key, all its data in place
    _until(lambda: _sees(household.home, "phone-lost"), 15.0)
    _until(lambda: bool(lost.ask("status")["healthy"]), 15.0)
    household.home.ask("revoke", device="phone-lost")


def test_what_cannot_be_put_out_is_a_sentence(household: Any, cli: Callable[..., Any]) -> None:
    home = household.home.paths.root
    cli("revoke", "tv", "--yes", "--data", home).refuses("No device", "hearthway status")
    cli("revoke", "home", "--yes", "--data", home).refuses("home itself")
    cli("people", "remove", "nobody", "--yes", "--data", home).refuses("hearthway people")
    cli("people", "add", "x", "--kind", "child", "--until", "2030-01-01", "--data", home).refuses(
        "guest"
    )
    phone: Path = household.phone.paths.root
    cli("people", "add", "x", "--kind", "child", "--data", phone).refuses("home node")
    listed = cli("people", "--data", home)
    assert listed.code == 0, listed.said
    assert "nobody's" in listed.out
