"""Households to test with: real keys, real certificates, addresses on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx
from cryptography.hazmat.primitives.serialization import Encoding
from tests.ports import free_address

from hearthway.mesh.links.router_config import RouterFile, read_router, router_text
from hearthway.mesh.state import replica_sync
from hearthway.mesh.trust.certificates import new_key, request
from hearthway.mesh.trust.identity import (
    DeviceIdentity,
    HouseholdRoot,
    create_household,
    device_key,
    keep_device,
)

from .replicas import Node


@dataclass
class Household:
    """A root and its devices' directories; every device has the whole roster."""

    root: HouseholdRoot
    path: Path
    addresses: dict[str, str]

    def add(self, device_id: str, role: str, *, tell: bool = True, listed: bool = True) -> None:
        """Admit a device; with `tell` every device gets the new roster. Not `listed`: nobody knows where it is."""
        address = self.addresses[device_id] = free_address()
        keys = self.path / device_id
        key = device_key(keys)
        at = address if listed else ""
        pem, _ = self.root.admit(request(key, device_id), device_id, role, time.time(), at)
        keep_device(keys, key, pem, self.root.certificate_pem, self.root.signed_roster)
        if tell:
            self.tell()

    def tell(self) -> None:
        """Give every device the newest roster, as if the home had."""
        for device_id in self.addresses:
            (self.path / device_id / "roster.bin").write_bytes(self.root.signed_roster)

    def router(self, name: str, *addresses: str, tell: bool = True) -> RouterFile:
        """List a router; its file, as the home writes it."""
        key = new_key()
        pem, router = self.root.set_router(request(key, name), name, addresses, time.time())
        if tell:
            self.tell()
        root, listen = self.root, addresses[0]
        text = router_text(router, listen, key, pem, root.certificate_pem, root.roster)
        return read_router(text.encode())

    def as_device(self, file: RouterFile, device_id: str) -> DeviceIdentity:
        """That router's keys where a device has its own: what whoever runs a router could try."""
        keys = self.path / f"as-{file.name}"
        pem = file.certificate.public_bytes(Encoding.PEM)
        keep_device(keys, file.key, pem, self.root.certificate_pem, self.root.signed_roster)
        return replace(
            self.identity(device_id), keys=keys, certificate=file.certificate, key=file.key
        )

    def identity(self, device_id: str) -> DeviceIdentity:
        """That device, loaded from its directory."""
        with ThreadPoolExecutor(1) as aside:  # files are read beside the event loop, as nodes do
            return aside.submit(DeviceIdentity.load, self.path / device_id, time.time()).result()


MakeHousehold = Callable[..., Household]


@pytest.fixture(name="make_household")
def _make_household(tmp_path: Path) -> MakeHousehold:
    """make_household(phone="phone", car="car", ...): device ids and their roles. Not `listed`: none finds another."""
    count = 0

    def make(*, listed: bool = True, **roles: str) -> Household:
        nonlocal count
        count += 1
        path = tmp_path / f"household-{count}"
        household = Household(create_household(path / "root", "Test", time.time()), path, {})
        for device_id, role in roles.items():
            household.add(device_id, role, tell=False, listed=listed)
        household.tell()
        return household

    return make


@pytest.fixture(name="storm_three", scope="module")
def _storm_three(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, DeviceIdentity]]:
    """A car, a home and a phone for many runs, whose replicas try again soon."""
    path = tmp_path_factory.mktemp("storm")
    household = Household(create_household(path / "root", "Test", time.time()), path, {})
    for name in ("car", "home", "phone"):
        household.add(name, name, tell=False)
    household.tell()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replica_sync, "RETRY_S", (0.01, 0.05))
        patch.setattr(replica_sync, "COMPARE_AFTER_S", 0.2)
        patch.setattr(
            replica_sync, "AGAIN_S", 1.0
        )  # a push that is lost as the last one shows then
        patch.setattr(replica_sync, "PULL_TIMEOUT_S", 1.0)
        yield {name: household.identity(name) for name in household.addresses}


@pytest.fixture(name="nodes")
def _nodes(tmp_path: Path) -> Iterator[dict[str, Node]]:
    """A replica for every device of `replicas.ROSTER`."""
    made = {
        name: Node(tmp_path / f"{name}.db", name)
        for name in ("phone", "car", "home", "phone-bo", "guest-phone")
    }
    with ExitStack() as stack:
        for one in made.values():
            stack.callback(one.store.close)
        yield made


@pytest.fixture(name="no_blocking")
def _no_blocking() -> Iterator[None]:
    """A blocking call in the event loop from our own code fails the test."""
    with blockbuster_ctx("hearthway.mesh"):
        yield
