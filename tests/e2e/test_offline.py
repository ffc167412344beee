"""No internet, proved twice; and two runs that are the same, byte for byte."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hearthway.app.drive import Drive, DriveOptions
from hearthway.app.loopback import Loopback
from hearthway.app.namespaces import Lan
from hearthway.atlas.store import Atlas
from hearthway.records.errors import HearthwayError
from hearthway.synthetic.drives import DrivePool
from hearthway.synthetic.household import SyntheticHousehold, generate
from hearthway.synthetic.settings import Settings

pytestmark = [pytest.mark.netns, pytest.mark.usefixtures("isolated")]
SEND = (
    "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))"
)


def assert_nothing_left(measured: dict[str, Any]) -> None:
    """The check that the drive must pass and a planted datagram must fail."""
    assert measured["sink_packets"] == 0


class Planted(Drive):
    """A drive that sends one datagram towards the internet from the phone's namespace, and ends there."""

    refused = 0  # sends that the kernel of the phone's namespace refused for want of a route

    async def _pair(self, lan: Lan | Loopback) -> None:
        before = lan.counters("phone").no_route
        process = await asyncio.create_subprocess_exec(
            *lan.command("phone", [sys.executable, "-I", "-S", "-c", SEND]),
            stderr=subprocess.DEVNULL,
        )
        await process.wait()
        self.refused = lan.counters("phone").no_route - before
        assert isinstance(lan, Lan)
        for name in ("phone", "car", "home", "venue"):
            routes = await asyncio.create_subprocess_exec(
                *lan.command(name, ["ip", "route", "show", "default"]), stdout=subprocess.PIPE
            )
            out, _ = await routes.communicate()
            self.result.drill.append(out.decode().strip())
        await super()._pair(lan)

    async def _follow(self) -> None:
        """Not followed: this drive ends before."""

    async def _import(self) -> None:
        """Nothing is imported."""

    async def _replay(self) -> None:
        """Nothing is replayed; the nodes say what their kernel counted."""


@pytest.fixture(scope="module")
def household() -> SyntheticHousehold:
    atlas = Atlas.bundled()
    try:
        return generate(Settings(), atlas, atlas, DrivePool.bundled(), atlas.place_name)
    finally:
        atlas.close()


def _planted(data: Path, household: SyntheticHousehold, *, sink: bool) -> Planted:
    run = Planted(DriveOptions(data=data, sink=sink), household, lambda _: None)
    asyncio.run(run.run())
    return run


def test_the_sink_counts_nothing(driven_with_sink: Any) -> None:
    assert "a default route into a sink" in driven_with_sink.out
    assert_nothing_left(driven_with_sink.result["measured"])
    assert "sink: 0 packets to the internet" in driven_with_sink.out


def test_a_planted_datagram_is_counted(tmp_path: Path, household: SyntheticHousehold) -> None:
    """The control of the proof: the same check fails, in namespaces that have a default route."""
    run = _planted(tmp_path / "planted", household, sink=True)
    assert all("default via" in routes for routes in run.result.drill)
    with pytest.raises(AssertionError):
        assert_nothing_left(run.result.measured)


def test_without_a_route_there_is_none(tmp_path: Path, household: SyntheticHousehold) -> None:
    """No node has a default route: the planted datagram cannot even leave."""
    run = _planted(tmp_path / "routeless", household, sink=False)
    assert run.result.drill == [""] * 4
    assert run.refused == 1, "a refused attempt counts too"


def test_two_runs_are_the_same_but_for_measured(driven: Any, driven_with_sink: Any) -> None:
    """Other processes, ports, keys, hash seed and network: the same suggestions, silences and receipts."""
    assert driven.comparable == driven_with_sink.comparable


def test_a_directory_that_no_drive_made_is_left_alone(
    tmp_path: Path, household: SyntheticHousehold
) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(HearthwayError, match="not empty"):
        asyncio.run(Drive(DriveOptions(data=tmp_path), household, lambda _: None).run())
    assert (tmp_path / "letters.txt").read_text() == "mine"
