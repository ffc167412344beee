"""Routers between sites: on the home they are listed and their files written; every node says how it stands with them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from hearthway.mesh.links.relay import Routed
from hearthway.mesh.links.router_config import RouterFile, read_router, router_text
from hearthway.mesh.trust.certificates import new_key, request, spki
from hearthway.mesh.trust.identity import HouseholdRoot
from hearthway.mesh.trust.roster import Roster
from hearthway.mesh.trust.routers import Router, check_router
from hearthway.records.errors import InputError

from .config import split_address
from .control_server import ControlServer
from .household import Household
from .part import Part
from .paths import private_dir, write_private

if TYPE_CHECKING:
    from .node import Node

Request = dict[str, Any]


class Routers(Part):
    """`hearthway router`, and the field `routers` of the status."""

    def verbs(self, control: ControlServer) -> None:
        control.on("routers", self._list)
        control.on("router-add", self._add)
        control.on("router-remove", self._remove)

    def status(self) -> Request:
        wire: object = self.node.wire
        found = wire.routers() if self.node.mesh is not None and isinstance(wire, Routed) else []
        return {"routers": msgspec.to_builtins(found)} if found else {}

    async def _list(self, _: Request) -> Request:
        roster = self.node.paired().identity.roster
        known = {one["name"]: one for one in self.status().get("routers", [])}
        rows = []
        for router in roster.routers:
            state = known.get(router.name, {"up": False, "problem": ""})
            file = await asyncio.to_thread(_file, self._path(router.name))
            rows.append(
                {
                    "name": router.name,
                    "addresses": list(router.addresses),
                    "up": state["up"],
                    "problem": state["problem"],
                    "file": "" if file is None else str(self._path(router.name)),
                    "file_old": file is not None and _is_old(file, router, roster),
                }
            )
        return {"routers": rows}

    async def _add(self, request_: Request) -> Request:
        """A router, or one that is listed anew: what is not said stays, its key too while its file is here."""
        home = _home(self.node)
        name, listen = str(request_.get("name", "")), str(request_.get("listen") or "")
        wanted = tuple(str(a) for a in request_.get("addresses") or ())
        known = self.node.paired().identity.roster.router(name)
        if not wanted and known is None:
            raise InputError(
                "Where do nodes reach it?", "Say --address HOST:PORT, once for each site."
            )
        addresses = wanted or known.addresses if known is not None else wanted
        check_router(Router(name=name, addresses=addresses, public_key=b""))
        file = await asyncio.to_thread(_file, self._path(name))
        if listen:
            split_address(listen)
        elif file is not None and not wanted:
            listen = file.listen
        else:
            listen = _everywhere(addresses)

        def add(root: HouseholdRoot) -> None:
            key = new_key() if file is None else _kept(file, root.roster.router(name))
            csr = request(key, name)
            pem, router = root.set_router(csr, name, addresses, self.node.wall.now_s())
            text = router_text(router, listen, key, pem, root.certificate_pem, root.roster)
            write_private(
                private_dir(self._path(name).parent) / self._path(name).name, text.encode()
            )

        await home.change(add)
        return {
            "name": name,
            "addresses": list(addresses),
            "listen": listen,
            "file": str(self._path(name)),
        }

    async def _remove(self, request_: Request) -> Request:
        home, name = _home(self.node), str(request_.get("name", ""))

        def remove(root: HouseholdRoot) -> None:
            root.remove_router(name)  # an error for what is no router's name
            self._path(name).unlink(missing_ok=True)

        await home.change(remove)
        return {"name": name}

    def _path(self, name: str) -> Path:
        return self.node.paths.root / "routers" / f"{name}.json5"


def _home(node: Node) -> Household:
    try:
        return node.part(Household)
    except LookupError:
        raise InputError("Routers are listed by the home.", "Run this on the home node.") from None


def _file(path: Path) -> RouterFile | None:
    """None where there is none that can be used: then the router gets a new key."""
    try:
        return read_router(path.read_bytes())
    except (OSError, InputError):
        return None


def _kept(file: RouterFile, known: Router | None) -> ec.EllipticCurvePrivateKey:
    """Its key while that is the listed one."""
    same = known is not None and known.public_key == spki(file.key.public_key())
    return file.key if same else new_key()


def _is_old(file: RouterFile, router: Router, roster: Roster) -> bool:
    members = frozenset(m.device_id for m in roster.members)
    return file.members != members or spki(file.key.public_key()) != router.public_key


def _everywhere(addresses: tuple[str, ...]) -> str:
    """Every address of its machine, at the port of the first one named."""
    port = split_address(addresses[0])[1]
    return f"[::]:{port}" if any("[" in a for a in addresses) else f"0.0.0.0:{port}"
