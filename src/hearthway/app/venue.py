"""The venue: a restaurant's own tablet. It says its wait, signed, and is never a member of any household."""

from __future__ import annotations

import asyncio

from hearthway.mesh.hlc import Hlc, HlcClock
from hearthway.mesh.signing import public_bytes, signing_key
from hearthway.mesh.venue import encode_code, sign_wait
from hearthway.mesh.venue_link import VenueServer
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import ConfigError, InputError
from hearthway.records.venue import Followed, SignedWait, WaitStatement

from .config import split_address
from .node import Node, Request, reachable

WAIT_KEY = "venue.wait"


class VenueNode(Node):
    """The operator types a wait; whoever follows this venue may fetch it and check the signature."""

    _server: VenueServer | None = None
    _current: SignedWait | None = None
    _serial = 0

    async def started(self) -> None:
        table = self.config.venue
        if not table.osm_id or not table.name:
            raise ConfigError(
                "This venue does not say which place it is.",
                'Set [venue] osm_id = "node/..." and name = "..." in node.toml.',
            )
        self._key = signing_key(self.paths.keys / "venue.key")
        self._hlc = HlcClock(self.config.node.id)
        kept = self.store.get_register(WAIT_KEY)
        if kept is not None:
            self._current = unpack(kept.value, SignedWait)
            self._serial = unpack(self._current.statement, WaitStatement).serial
            self._hlc.merge(kept.hlc, self.wall.now_s())
        host, port = split_address(table.listen)
        self._server = VenueServer(host, port, lambda: self._current)
        await asyncio.to_thread(self._server.start)

    async def stopping(self) -> None:
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    def _verbs(self) -> None:
        super()._verbs()
        self.control.on("code", self._code)
        self.control.on("wait", self._wait)

    async def _code(self, _: Request) -> Request:
        table = self.config.venue
        followed = Followed(
            osm_id=table.osm_id,
            name=table.name,
            address=reachable(table.listen),
            key=public_bytes(self._key),
        )
        return {"code": encode_code(followed), "address": followed.address}

    async def _wait(self, request: Request) -> Request:
        """Sign what the operator typed; on disk before anybody can fetch it."""
        table = self.config.venue
        try:
            minutes = float(request.get("minutes", ""))
            issued_s = float(request.get("at_s") or self.clock.now_s())
            valid_min = float(request.get("valid_min") or table.valid_min)
        except (TypeError, ValueError):
            raise InputError("A wait is a number of minutes.", "Type it like 15.") from None
        if request.get("at_s") and not self.config.replay.clock:
            raise InputError("This venue runs on the real clock.", "Leave out the time.")
        statement = WaitStatement(
            osm_id=table.osm_id,
            name=table.name,
            wait_min=minutes,
            issued_s=issued_s,
            valid_until_s=issued_s + valid_min * 60.0,
            serial=self._serial + 1,
        )
        signed = sign_wait(self._key, statement)
        stamp: Hlc = self._hlc.tick(self.wall.now_s())
        await asyncio.to_thread(self.store.put_register, WAIT_KEY, pack(signed), stamp)
        self._serial, self._current = statement.serial, signed
        return {"serial": statement.serial, "valid_until_s": statement.valid_until_s}
