"""The doctor names the one cause: each of the usual ones is made for real, beside a household with none."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.ports import free_port

from hearthway.app.config import Config, MapTable, MeshTable, NodeTable, save_config
from hearthway.app.doctor import Doctor, Finding
from hearthway.app.paths import NodePaths, private_dir
from hearthway.mesh.trust.certificates import request
from hearthway.mesh.trust.identity import (
    DeviceIdentity,
    HouseholdRoot,
    create_household,
    device_key,
    keep_device,
)
from hearthway.records.household import Role

DAY_S = 86_400.0


class Ours:
    """A household of a home and a phone, with keys of its own; nothing runs."""

    def __init__(self, path: Path, founded_s: float | None = None) -> None:
        self.path = path
        self.founded_s = time.time() if founded_s is None else founded_s
        self.root = create_household(private_dir(path / "home" / "keys"), "Ours", self.founded_s)
        self.ports = {"home": free_port(), "phone": free_port()}
        self.root.enrol("home", Role.HOME, self.founded_s, f"127.0.0.1:{self.ports['home']}")
        self.admit("phone", f"127.0.0.1:{self.ports['phone']}")
        for name, role in (("home", Role.HOME), ("phone", Role.PHONE)):
            save_config(
                self.paths(name),
                Config(
                    node=NodeTable(id=name, role=role),
                    mesh=MeshTable(listen=f"127.0.0.1:{self.ports[name]}"),
                ),
            )

    def paths(self, name: str) -> NodePaths:
        return NodePaths(self.path / name)

    def admit(self, name: str, address: str, role: str = "phone") -> None:
        keys = self.path / name / "keys"
        key = device_key(keys)
        pem, _ = self.root.admit(request(key, name), name, role, self.founded_s, address)
        keep_device(keys, key, pem, self.root.certificate_pem, self.root.signed_roster)
        for told in ("home", "phone"):
            (self.path / told / "keys" / "roster.bin").write_bytes(self.root.signed_roster)

    def move_home(self, address: str) -> None:
        """The home's address in the list is another."""
        self.root = HouseholdRoot.load(self.path / "home" / "keys", self.founded_s)
        self.root.enrol("home", Role.HOME, self.founded_s, address)
        (self.path / "phone" / "keys" / "roster.bin").write_bytes(self.root.signed_roster)


@asynccontextmanager
async def answering(identity: DeviceIdentity, port: int) -> AsyncIterator[None]:
    """That device, as far as a handshake shows it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate_path, identity.key_path)
    context.load_verify_locations(identity.ca_path)
    context.verify_mode = ssl.CERT_REQUIRED

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", port, ssl=context)
    try:
        yield
    finally:
        server.close()


async def examined(ours: Ours, now_s: float | None = None) -> list[Finding]:
    """What the doctor finds on the phone. It does not run: that one finding is taken for granted."""
    told: list[Finding] = []
    found = await Doctor(ours.paths("phone"), time.time() if now_s is None else now_s).examine(
        told.append
    )
    assert told == found
    for finding in found:
        assert finding.ok == (not finding.problem)
        assert finding.ok or finding.next_step
    running, rest = found[2], [*found[:2], *found[3:]]
    assert running.problem == "This node is not running."
    return rest


def cause(found: list[Finding]) -> Finding:
    return next(finding for finding in found if not finding.ok)


def test_a_sound_household_has_no_cause(tmp_path: Path) -> None:
    ours = Ours(tmp_path)

    async def main() -> list[Finding]:
        home = await asyncio.to_thread(DeviceIdentity.load, ours.paths("home").keys, time.time())
        async with answering(home, ours.ports["home"]):
            return await examined(ours)

    found = asyncio.run(main())
    assert [f.problem for f in found if not f.ok] == []
    assert any("home at 127.0.0.1" in f.checked for f in found)


def test_an_expired_certificate(tmp_path: Path) -> None:
    ours = Ours(tmp_path)
    found = cause(asyncio.run(examined(ours, time.time() + 60 * DAY_S)))
    assert found.cause == "certificate"
    assert "expired" in found.problem
    assert "pair" in found.next_step.lower()


def test_a_clock_that_is_behind(tmp_path: Path) -> None:
    ours = Ours(tmp_path)
    found = cause(asyncio.run(examined(ours, time.time() - 400 * DAY_S)))
    assert found.cause == "clock"
    assert "behind" in found.problem


def test_a_port_that_another_program_holds(tmp_path: Path) -> None:
    ours = Ours(tmp_path)
    with socket.create_server(("127.0.0.1", ours.ports["phone"])):
        found = cause(asyncio.run(examined(ours)))
    assert found.cause == "port"
    assert "Another program" in found.problem


def test_a_home_that_does_not_run(tmp_path: Path) -> None:
    found = cause(asyncio.run(examined(Ours(tmp_path))))
    assert found.cause == "peer"
    assert "nothing listens" in found.problem


def test_a_firewall_that_drops(tmp_path: Path) -> None:
    """A full backlog answers like a dropping firewall: not at all."""
    ours = Ours(tmp_path)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", ours.ports["home"]))
        silent.listen(0)
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", ours.ports["home"]))
            waiting.append(one)
        time.sleep(0.1)
        found = cause(asyncio.run(examined(ours)))
        for one in waiting:
            one.close()
    assert found.cause == "firewall"
    assert str(ours.ports["home"]) in found.next_step


def test_another_device_at_the_address(tmp_path: Path) -> None:
    ours = Ours(tmp_path)
    ours.admit("car", "127.0.0.1:1", role="car")

    async def main() -> list[Finding]:
        car = await asyncio.to_thread(DeviceIdentity.load, tmp_path / "car" / "keys", time.time())
        async with answering(car, ours.ports["home"]):
            return await examined(ours)

    found = next(f for f in asyncio.run(main()) if f.checked.startswith("home"))
    assert found.cause == "address"
    assert "stands car, not home" in found.problem


def test_another_household_at_the_address(tmp_path: Path) -> None:
    ours, theirs = Ours(tmp_path / "ours"), Ours(tmp_path / "theirs")

    async def main() -> list[Finding]:
        other = await asyncio.to_thread(DeviceIdentity.load, theirs.paths("home").keys, time.time())
        async with answering(other, ours.ports["home"]):
            return await examined(ours)

    found = cause(asyncio.run(main()))
    assert found.cause in ("certificate", "address")
    assert "another household" in found.problem or "refuses" in found.problem


def test_an_address_that_is_not_ours_any_more(tmp_path: Path) -> None:
    ours = Ours(tmp_path)
    ours.admit("phone", f"192.0.2.7:{ours.ports['phone']}")
    found = cause(asyncio.run(examined(ours)))
    assert found.cause == "address"
    assert "192.0.2.7" in found.problem


def test_settings_that_cannot_be_read_end_the_examination(tmp_path: Path) -> None:
    paths = NodePaths(private_dir(tmp_path / "phone"))
    paths.config.write_text("role = ")
    found = asyncio.run(Doctor(paths, time.time()).examine(lambda _: None))
    assert [f.cause for f in found] == ["config"]
    assert found[0].next_step


@pytest.mark.parametrize("damage", ["device.pem", "ca.pem", "roster.bin"])
def test_damaged_keys(tmp_path: Path, damage: str) -> None:
    ours = Ours(tmp_path)
    (ours.paths("phone").keys / damage).write_bytes(b"\x00garbage")
    found = cause(asyncio.run(examined(ours)))
    assert found.cause == "certificate"
    assert found.next_step


def test_a_running_node_of_no_household_has_nothing_wrong(tmp_path: Path, household: Any) -> None:
    paths = NodePaths(private_dir(tmp_path / "alone"))
    save_config(
        paths,
        Config(
            node=NodeTable(id="alone", role=Role.PHONE),
            mesh=MeshTable(listen=f"127.0.0.1:{free_port()}"),
            map=MapTable(atlas="none"),
        ),
    )

    async def main() -> None:
        async with household(phone="phone") as nodes:
            await nodes.up("alone")
            found = await Doctor(paths, time.time()).examine(lambda _: None)
            assert [one.problem for one in found if not one.ok] == []
            assert any("not paired, which is nothing wrong" in one.checked for one in found)
            # the control: of one that is paired it is missed that nothing listens (its wire is in memory)
            found = await Doctor(nodes["phone"].paths, time.time()).examine(lambda _: None)
            assert cause(found).cause == "port"

    asyncio.run(main())


def test_a_database_of_somebody_else_comes_before_what_follows_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node does not run, for it cannot: to start it is no help."""
    ours = Ours(tmp_path)
    database = ours.paths("phone").database
    database.touch()

    def access(path: Path, _: int) -> bool:
        return path != database

    monkeypatch.setattr("hearthway.app.doctor.os.access", access)  # a superuser may read anything
    found = cause(asyncio.run(Doctor(ours.paths("phone"), time.time()).examine(lambda _: None)))
    assert (found.cause, found.next_step) == ("storage", "Check its owner and mode.")
    assert str(database) in found.problem


def test_a_full_disk_comes_before_what_may_follow_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither does the node run, nor is its certificate good: both may be for want of room."""
    ours = Ours(tmp_path)
    full = shutil.disk_usage(tmp_path)._replace(free=3_000_000)
    monkeypatch.setattr("hearthway.app.doctor.shutil.disk_usage", lambda _: full)
    doctor = Doctor(ours.paths("phone"), time.time() + 60 * DAY_S)
    found = cause(asyncio.run(doctor.examine(lambda _: None)))
    assert (found.cause, found.problem) == ("storage", "Only 3 MB are free on this disk.")
    assert "Free some space" in found.next_step
