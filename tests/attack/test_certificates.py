"""A wrong root, a missing or an expired certificate: the node says so within 3 s of its start, and what to do."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from hearthway.mesh.links.link import Health
from hearthway.mesh.links.probe import probe, probe_context
from hearthway.mesh.trust.certificates import load_private, request
from hearthway.mesh.trust.identity import DeviceIdentity, HouseholdRoot, create_household

SAID_WITHIN_S = 3.0  # after the node answers
DAY_S = 86_400.0


def _other_root(keys: Path, _: Any) -> None:
    shutil.rmtree(keys / "other", ignore_errors=True)
    create_household(keys / "other", "other", time.time())
    shutil.copyfile(keys / "other" / "root.pem", keys / "ca.pem")


def _other_household(keys: Path, _: Any) -> None:
    other = create_household(keys / "other", "other", time.time())
    other.enrol("car", "car", time.time(), "127.0.0.1:1")
    for name in ("device.pem", "device.key"):
        shutil.copyfile(keys / "other" / name, keys / name)


def _no(name: str) -> Callable[[Path, Any], None]:
    return lambda keys, _: (keys / name).unlink()


def _garbage(name: str) -> Callable[[Path, Any], None]:
    def change(keys: Path, _: Any) -> None:
        (keys / name).write_bytes(b"\x00\xff" * 500)

    return change


def _open_to_all(keys: Path, _: Any) -> None:
    (keys / "device.key").chmod(0o644)


def _at(days: float) -> Callable[[Path, Any], None]:
    """A certificate as a home with a clock that is `days` off would have made it."""

    def change(keys: Path, home: Path) -> None:
        root = HouseholdRoot.load(home, time.time())
        key = load_private((keys / "device.key").read_bytes(), "key")
        pem = root.sign(request(key, "car"), "car", "car", time.time() + days * DAY_S)
        (keys / "device.pem").write_bytes(pem)
        assert serialization.load_pem_private_key((keys / "device.key").read_bytes(), None)

    return change


CASES: dict[str, tuple[Callable[[Path, Any], None], str, str]] = {
    "another household's root": (_other_root, "was not issued by this household", "pair"),
    "another household's certificate": (_other_household, "was not issued by this", "pair"),
    "no certificate": (_no("device.pem"), "holds no", "pair"),
    "no key": (_no("device.key"), "holds no", "pair"),
    "no root": (_no("ca.pem"), "holds no", "pair"),
    "no list of devices": (_no("roster.bin"), "list of devices is missing", "pair"),
    "a garbage certificate": (_garbage("device.pem"), "not a readable certificate", "pair"),
    "a garbage key": (_garbage("device.key"), "not a readable private key", "pair"),
    "a garbage list of devices": (_garbage("roster.bin"), "list of devices", "pair"),
    "a key that others can read": (_open_to_all, "can be read by other users", "chmod 600"),
    "an expired certificate": (_at(-31), "expired on", "pair"),
    "a certificate of the future": (_at(40), "clock says", "clock"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_node_says_what_is_wrong_and_what_to_do(
    household: Any, car_copy: Any, cli: Any, case: str
) -> None:
    damage, problem, step = CASES[case]
    damage(car_copy.paths.keys, household.home.paths.keys)
    car_copy.up()
    began = time.monotonic()
    status: dict[str, Any] = {}
    while time.monotonic() - began < SAID_WITHIN_S:
        status = car_copy.ask("status")
        if problem in str(status["problem"]):
            break
        time.sleep(0.05)
    assert time.monotonic() - began < SAID_WITHIN_S
    assert not status["healthy"], status
    assert problem in status["problem"], status
    assert step in status["next"], status
    assert "Traceback" not in car_copy.said()
    shown = cli("status", "--data", car_copy.paths.root)
    assert "NOT healthy" in shown.out
    assert problem in shown.out
    assert "-> " in shown.out
    household.serves()


def test_the_untouched_copy_is_healthy(household: Any, car_copy: Any) -> None:
    car_copy.up()
    car_copy.ask("await-peers", roles=["home", "phone"])
    assert car_copy.ask("status")["healthy"]


@pytest.mark.parametrize(
    ("days", "words"), [(-31, "has expired"), (40, "not valid yet"), (0, "")], ids=str
)
def test_a_peer_whose_clock_is_off_is_told_from_a_stranger(
    household: Any, tmp_path: Path, days: float, words: str
) -> None:
    keys = tmp_path / "keys"
    shutil.copytree(household.car.paths.keys, keys)
    _at(days)(keys, household.home.paths.keys)

    async def scenario() -> Health:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(keys / "device.pem", keys / "device.key")

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            phone = DeviceIdentity.load(household.phone.paths.keys, time.time())
            return await probe(probe_context(phone), "car", f"127.0.0.1:{port}")

    health = asyncio.run(scenario())
    assert health.ok == (not words)
    assert words in health.problem
    assert not words or "clock" in health.next_step


def test_an_expired_device_pairs_again_without_a_restart(household: Any, car_copy: Any) -> None:
    _at(-31)(car_copy.paths.keys, household.home.paths.keys)
    car_copy.up()
    assert not car_copy.ask("status")["healthy"]
    household.pair(car_copy)
    car_copy.ask("await-peers", roles=["home"])
    assert car_copy.ask("status")["healthy"]
