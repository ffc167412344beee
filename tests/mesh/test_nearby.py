"""Who is on a network of our own: by the kernel's routes, and over real streams."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from hearthway.mesh.links.memory import MemoryHub
from hearthway.mesh.links.nearby import Nearby
from hearthway.mesh.links.presence import Presence
from hearthway.mesh.links.relay import Neighbouring, RelayLink
from hearthway.mesh.links.ways import PONG
from hearthway.mesh.links.zenoh_link import ZenohLink

# As Linux says it: the bytes of an IPv4 address backwards, flags 1 up, 2 gateway, 200 reject.
ROUTES4 = """Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
wlan0 00000000 0104A8C0 0003 0 0 0 00000000 0 0 0
wlan0 0004A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0
wlan0 0005A8C0 0104A8C0 0003 0 0 0 00FFFFFF 0 0 0
wg0 0008080A 00000000 0001 0 0 0 00FFFFFF 0 0 0
tap0 0009080A 00000000 0001 0 0 0 00FFFFFF 0 0 0
wwan0 000A080A 00000000 0001 0 0 0 00FFFFFF 0 0 0
wlan0 8004A8C0 0104A8C0 0003 0 0 0 C0FFFFFF 0 0 0
wlan0 00000A0A 00000000 0201 0 0 0 0000FFFF 0 0 0
"""
ROUTES6 = """fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001 wlan0
fd990000000000000000000000000000 40 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000100 00000001 00000000 00000003 wlan0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003 wlan0
"""
FLAGS = {"wlan0": 0x1003, "wg0": 0x91, "tap0": 0x1003, "wwan0": 0x1083, "lo": 0x9}


@pytest.fixture(name="kernel")
def _kernel(tmp_path: Path) -> tuple[Path, Path]:
    proc, sys = tmp_path / "proc", tmp_path / "sys"
    proc.mkdir()
    (proc / "route").write_text(ROUTES4)
    (proc / "ipv6_route").write_text(ROUTES6)
    for name, flags in FLAGS.items():
        (sys / name).mkdir(parents=True)
        (sys / name / "flags").write_text(hex(flags) + "\n")
    (sys / "tap0" / "tun_flags").write_text("0x1002\n")
    return proc, sys


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("192.168.4.9", True),  # on the Wi-Fi
        ("::ffff:192.168.4.9", True),
        ("127.0.0.1", True),  # this machine
        ("::1", True),
        ("fd00::7", True),
        ("fe80::7%wlan0", True),
        ("192.168.5.9", False),  # behind a router
        ("192.168.4.130", False),  # a longer route says so, though a shorter one is direct
        ("203.0.113.9", False),  # by the default route
        ("fd99::7", False),
        ("2001:db8::7", False),
        ("10.8.8.3", False),  # in a tunnel (WireGuard: point to point)
        ("10.8.9.3", False),  # in a tunnel of layer 2
        ("10.8.10.3", False),  # a modem
        ("10.10.3.4", False),  # a route that refuses
        ("fe80::7%wg0", False),
        ("fe80::7", False),  # of which interface?
        ("fe80::7%../../etc", False),
        ("", False),
        ("car.local", False),
        ("192.168.4", False),
    ],
)
def test_what_the_routes_say(kernel: tuple[Path, Path], host: str, near: bool) -> None:
    assert Nearby(*kernel)(host) is near


def test_where_the_kernel_tells_nothing_nobody_is_near(kernel: tuple[Path, Path]) -> None:
    proc, sys = kernel
    assert not Nearby(proc / "none", sys)("192.168.4.9")
    assert not Nearby(proc, sys / "none")("192.168.4.9")
    for broken in ("", "x\ny\n", "Iface\nwlan0 zz zz 0001 0 0 0 zz 0 0 0\n", "a\nwlan0 00\n"):
        (proc / "route").write_text(broken)
        assert not Nearby(proc, sys)("192.168.4.9")
    assert Nearby(proc / "none", sys / "none")("127.0.0.1")  # the control


def test_a_route_that_changes_is_seen_within_seconds(
    kernel: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    nearby, began_s = Nearby(*kernel), time.monotonic()
    assert nearby("192.168.4.9")
    (kernel[0] / "route").write_text(ROUTES4.splitlines()[0] + "\n")
    assert nearby("192.168.4.9")
    monkeypatch.setattr(
        "hearthway.mesh.links.nearby.time.monotonic", lambda: began_s + 6.0
    )  # no event loop runs here
    assert not nearby("192.168.4.9")
    for n in range(2000):  # addresses come from outside
        nearby(f"192.168.{n % 250}.{n // 250}")
    assert len(nearby._known) <= 256


# over real streams ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def _up(household: Any) -> AsyncIterator[tuple[ZenohLink, RelayLink]]:
    links = []
    for name in ("car", "phone"):
        identity = household.identity(name)
        links.append(ZenohLink(identity, listen=identity.address, now_s=time.time()))
    try:
        for link in links:
            await link.open()
        async with asyncio.timeout(10.0):
            while not all(any(link.streams().values()) for link in links):  # noqa: ASYNC110 - told by no event
                await asyncio.sleep(0.01)
        yield links[0], RelayLink(links[1])
    finally:
        for link in links:
            await link.close()


def test_a_stream_from_a_network_of_ours_is_near_and_answers(make_household: Any) -> None:
    household = make_household(car="car", phone="phone", home="home")

    async def main() -> None:
        async with _up(household) as (car, _):
            assert isinstance(car, Neighbouring)
            assert car.is_near("phone")
            assert await car.answers_near("phone")
            assert (
                await asyncio.gather(*(car.answers_near("phone") for _ in range(5))) == [True] * 5
            )
            for who in ("home", "nobody"):
                assert not car.is_near(who)
                assert not await car.answers_near(who)
            car._nearby = lambda host: False  # type: ignore[assignment]  # by a router
            assert not car.is_near("phone")
            assert not await car.answers_near("phone")

    asyncio.run(main())


def test_a_stream_on_which_nobody_answers_any_more_is_not_near(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who left and comes by another way has an old stream standing for a moment: an answer elsewhere is none."""
    household = make_household(car="car", phone="phone")
    monkeypatch.setattr("hearthway.mesh.links.zenoh_link._NEAR_S", 0.3)

    async def main() -> None:
        async with _up(household) as (car, _):
            heard = car._presence.hear
            monkeypatch.setattr(
                car._presence,
                "hear",
                lambda who, kind, stream: heard(who, kind, None if kind == PONG else stream),
            )
            assert not await car.answers_near("phone")
            monkeypatch.setattr(car._presence, "hear", heard)
            assert await car.answers_near("phone")  # the control
            assert car._presence._asked == {}

    asyncio.run(main())


def test_whom_only_a_neighbour_sees_is_not_near() -> None:
    async def main() -> None:
        hub = MemoryHub()
        inner = hub.link("car", "car")
        car, phone = RelayLink(inner), hub.link("phone", "phone")
        for link in (car, phone):
            await link.open()
        await asyncio.sleep(0.01)
        assert car.is_near("phone")
        assert await car.answers_near("phone")
        hub.far.add(frozenset(("car", "phone")))
        assert not car.is_near("phone")
        hub.far.clear()
        hub.cut("car", "phone")
        await asyncio.sleep(0.01)
        car._via["phone"] = "home"  # reached, but through the home
        assert not car.is_near("phone")
        assert not await car.answers_near("phone")
        for link in (car, phone):
            await link.close()

    asyncio.run(main())


def test_who_gives_up_takes_nobody_elses_answer() -> None:
    async def scenario() -> None:
        presence = Presence(Mock(), lambda: True, Mock(), Mock())
        stream = Mock(closed=False)
        stream.write.return_value = True
        patient = asyncio.create_task(presence.answers(stream, 5.0))
        assert not await presence.answers(stream, 0.01)
        assert not patient.done()
        presence.hear("phone", PONG, stream)
        assert await patient
        assert presence._asked == {}

    asyncio.run(scenario())
