"""Two sites with no way to one another and a router that both reach: real `hearthway up` nodes, pairing while together.

The relay between the namespaces carries nothing between phone and car on one side and home on the other.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hearthway.app.launch import NodeProcess
from hearthway.app.namespaces import Lan, LanPlan

from .test_ways import (
    CAPTURE,
    SEND,
    Wire,
    _agreed,
    _memory,
    _peers,
    _run,
    _settings,
    _until,
    _up,
)

pytestmark = [pytest.mark.netns, pytest.mark.timeout(120)]
NAMES = ("home", "car", "phone")
PORT = 7460
SIDES = (("phone", "home"), ("car", "home"))  # no way between these


class RouterProcess:
    """`hearthway router run` in the router's namespace."""

    def __init__(self, lan: Lan, file: Path) -> None:
        argv = [sys.executable, "-m", "hearthway", "router", "run", str(file), "--leash"]
        self._argv = lan.command("router", argv)
        self.start()

    def start(self) -> None:
        """And wait until it listens."""
        self._process = subprocess.Popen(
            self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert "is up" in self._process.stdout.readline()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.communicate(timeout=5)

    def close(self) -> None:
        """Let go of the leash."""
        self._process.communicate(timeout=10)


@contextmanager
def _captured(lan: Lan, pcap: Path) -> Iterator[None]:
    argv = lan.at_switch([sys.executable, "-I", "-S", str(CAPTURE), str(pcap)])
    capture = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert capture.stdout is not None
    assert capture.stdout.readline() == "ready\n"
    try:
        yield
    finally:
        capture.communicate(timeout=20)


async def _by(nodes: dict[str, NodeProcess], way: str | None, *pairs: tuple[str, str]) -> bool:
    """Do these reach one another so? None: not at all."""
    for a, b in (*pairs, *((b, a) for a, b in pairs)):
        peer = (await _peers(nodes[a]))[b]
        if (peer["via"] if peer["alive"] else None) != way:
            return False
    return True


def test_two_sites_are_one_household_by_a_router(bridged: LanPlan, tmp_path: Path) -> None:
    """Reach, a setting, a request; the router killed, its wire cut, and back; then together again, directly."""
    pcap = tmp_path / "sites.pcap"

    async def until(nodes: dict[str, NodeProcess], way: str | None, limit_s: float) -> float:
        return await _until(lambda: _by(nodes, way, *SIDES), limit_s, f"not by {way!r}")

    async def main(lan: Lan, wire: Wire) -> None:
        async with _up(lan, tmp_path, *NAMES) as nodes:
            address = f"{lan.address('router')}:{PORT}"
            added = await nodes["home"].ask("router-add", name="cottage", addresses=[address])
            for a, b in SIDES:
                wire.tell(f"cut {a} {b}")
            await until(nodes, None, 10.0)  # the control: there is no other way
            router = RouterProcess(lan, Path(added["file"]))
            try:
                took_s = [await until(nodes, "router cottage", 15.0)]
                assert await _by(nodes, "", ("phone", "car"))
                with _captured(lan, pcap):
                    send = [sys.executable, "-I", "-S", "-c", SEND, lan.address("router")]
                    _run(lan.command("phone", [*send, "kvartz-planted"]))
                    await nodes["phone"].ask("set", key="Setting.Far", value="kvartz-setting")
                    await _agreed(nodes, "Setting.Far", "kvartz-setting")
                    await nodes["home"].ask("set", key="Setting.Far", value="kvartz-home")
                    await _agreed(nodes, "Setting.Far", "kvartz-home")
                memory = {
                    name: await asyncio.to_thread(_memory, pid)
                    for name, pid in (("router", router.pid), ("home", nodes["home"].pid))
                }
                _nothing_was_read(memory["router"], memory["home"], pcap.read_bytes())

                killed_s = time.monotonic()
                await asyncio.to_thread(router.kill)
                await until(nodes, None, 5.0)
                took_s.append(time.monotonic() - killed_s)
                await asyncio.to_thread(router.start)
                took_s.append(await until(nodes, "router cottage", 10.0))
                wire.tell("cut home router")
                took_s.append(await until(nodes, None, 6.0))
                wire.tell("heal home router")
                took_s.append(await until(nodes, "router cottage", 15.0))

                gone = await nodes["phone"].ask(
                    "revoke", device="car"
                )  # asked of the home, and answered
                assert gone["device"] == "car"
                await _until(lambda: _is_out(nodes, "car"), 10.0)
                wire.tell("heal phone home")
                took_s.append(
                    await _until(lambda: _by(nodes, "", SIDES[0]), 15.0, "not taken directly")
                )
                await nodes["home"].ask("set", key="Setting.Far", value="near")
                both = {name: nodes[name] for name in ("home", "phone")}
                await _agreed(both, "Setting.Far", "near")
                assert (await _settings({"car": nodes["car"]}, "Setting.Far"))["car"] != "near"
                words = "found, killed and missed, back, cut and missed, healed, directly"
                print(f"{words}: {', '.join(f'{s:.1f}' for s in took_s)} s")
            finally:
                await asyncio.to_thread(router.close)

    with Lan.create((*NAMES, "router"), plan=bridged) as lan:
        wire = Wire(lan, (*NAMES, "router"))
        try:
            asyncio.run(main(lan, wire))
        finally:
            wire.close()


async def _is_out(nodes: dict[str, NodeProcess], device: str) -> bool:
    """Has everybody heard, the device itself too?"""
    others = [await _peers(nodes[name]) for name in nodes if name != device]
    own = await nodes[device].ask("status")
    return all(device not in peers for peers in others) and not own["healthy"]


def _nothing_was_read(router: bytes, home: bytes, pcap: bytes) -> None:
    """No setting in the router's memory or on the wire; the same search finds what each may hold."""
    secrets = (b"Setting.Far", b"kvartz-setting", b"kvartz-home")
    for word in secrets:
        assert word in home
        assert word not in router
        assert word not in pcap
    assert b"/to/home/phone" in router  # it is the router's memory: it knows who speaks to whom
    assert b"kvartz-planted" in pcap
    assert len(pcap) > 2000
