"""The venue: a restaurant's own tablet. It says its wait, signed, and is never a member of any household."""

from __future__ import annotations

import asyncio

from hearthway.mesh.trust.signing import signing_key
from hearthway.mesh.venues.venue import VenueDesk
from hearthway.mesh.venues.venue_link import VenueServer
from hearthway.records.errors import ConfigError, InputError

from .addresses import reachable
from .config import split_address
from .node import Node, Request


class VenueNode(Node):
    """The operator types a wait; whoever follows this venue may fetch it and check the signature."""

    _server: VenueServer | None = None

    async def started(self) -> None:
        table = self.config.venue
        if not table.osm_id or not table.name:
            raise ConfigError(
                "This venue does not say which place it is.",
                'Set [venue] osm_id = "node/..." and name = "..." in node.toml.',
            )
        key = signing_key(self.paths.keys / "venue.key")
        self._desk = VenueDesk(self.store, key, osm_id=table.osm_id, name=table.name)
        host, port = split_address(table.listen)
        self._server = self._desk.serve(host, port)
        await asyncio.to_thread(self._server.start)

    async def stopping(self) -> None:
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    def _verbs(self) -> None:
        super()._verbs()
        self.control.on("code", self._code)
        self.control.on("wait", self._wait)

    def status(self) -> Request:
        """A venue belongs to no household, and is well while it serves."""
        node = self.config.node
        return {
            "node": node.id,
            "role": str(node.role),
            "paired": False,
            "healthy": True,
            "problem": "",
            "next": "",
            "peers": [],
        }

    async def _code(self, _: Request) -> Request:
        address = reachable(self.config.venue.listen)
        return {"code": self._desk.code(address), "address": address}

    async def _wait(self, request: Request) -> Request:
        """Sign what the operator typed; on disk before anybody can fetch it."""
        try:
            minutes = float(request.get("minutes", ""))
            at_s = float(request.get("at_s") or self.clock.now_s())
            valid_min = float(request.get("valid_min") or self.config.venue.valid_min)
        except (TypeError, ValueError):
            raise InputError("A wait is a number of minutes.", "Type it like 15.") from None
        if request.get("at_s") and not self.config.replay.clock:
            raise InputError("This venue runs on the real clock.", "Leave out the time.")
        await asyncio.to_thread(self._desk.tell, minutes, at_s, valid_s=valid_min * 60.0)
        return {"minutes": minutes}
