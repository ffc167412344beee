"""The venue: a restaurant's own tablet. It says its wait, signed, and is never a member of any household."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from hearthway.learn.seatings import still_here
from hearthway.mesh.trust.signing import signing_key
from hearthway.mesh.venues.book import Book
from hearthway.mesh.venues.desk import VenueDesk
from hearthway.mesh.venues.venue_link import VenueServer
from hearthway.records.errors import ConfigError, InputError
from hearthway.records.venue import Party

from .addresses import reachable
from .clock import EventClock
from .config import split_address
from .node import Node, Request
from .venue_word import VenueWord


class VenueNode(Node):
    """The operator types a wait or enters who comes, sits and leaves; whoever follows this venue may ask for its word."""

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
        self._book = Book(self.store)
        self._word = VenueWord(self._desk, self._book, tuple(table.tables), self.clock)
        host, port = split_address(table.listen)
        self._server = self._desk.serve(host, port, self._word)
        await asyncio.to_thread(self._server.start)

    async def stopping(self) -> None:
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    def _verbs(self) -> None:
        super()._verbs()
        self.control.on("code", self._code)
        self.control.on("wait", self._wait)
        self.control.on("arrive", self._arrive)
        self.control.on("seat", self._seat)
        self.control.on("leave", self._leave)
        self.control.on("queue", self._queue)

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
            valid_min = float(request.get("valid_min") or self.config.venue.valid_min)
        except (TypeError, ValueError):
            raise InputError("A wait is a number of minutes.", "Type it like 15.") from None
        at_s = self._at_s(request)
        await asyncio.to_thread(self._desk.tell, minutes, at_s, valid_s=valid_min * 60.0)
        return {"minutes": minutes}

    async def _arrive(self, request: Request) -> Request:
        """A party comes and waits, or sits down at once."""
        size, seated, at_s = (
            _whole(request, "size"),
            bool(request.get("seated")),
            self._at_s(request),
        )
        return await self._enter(lambda: self._book.came(size, at_s, seated=seated))

    async def _seat(self, request: Request) -> Request:
        number, at_s = _whole(request, "party"), self._at_s(request)
        return await self._enter(lambda: self._book.seat(number, at_s))

    async def _leave(self, request: Request) -> Request:
        number, at_s = _whole(request, "party"), self._at_s(request)
        return await self._enter(lambda: self._book.leave(number, at_s))

    async def _enter(self, write: Callable[[], Party]) -> Request:
        """Write it; acknowledged when it is on disk."""
        party = await asyncio.to_thread(write)
        await asyncio.to_thread(self._word.entered)
        return {"party": party.number, "size": party.size, "seated": party.seated_s is not None}

    async def _queue(self, _: Request) -> Request:
        """Who is there, and what is expected."""
        return await asyncio.to_thread(self._seen)

    def _seen(self) -> Request:
        now_s = self.clock.now_s()
        seated, waiting = still_here(self._book.parties(now_s), now_s)
        curve = self._word.expected()
        return {
            "waiting": [_shown(party, party.came_s, now_s) for party in waiting],
            "seated": [_shown(party, party.seated_s or now_s, now_s) for party in seated],
            "typed": self._desk.typed(now_s) is not None,
            "unknown": curve if isinstance(curve, str) else "",
            "ahead": []
            if isinstance(curve, str)
            else [
                {
                    "in_min": point.in_min,
                    "wait_min": point.wait_min,
                    "low_min": point.low_min,
                    "high_min": point.high_min,
                }
                for point in curve
            ],
        }

    def _at_s(self, request: Request) -> float:
        """When it happened: now, but for a replay, whose time goes on with what it says."""
        if not request.get("at_s"):
            return self.clock.now_s()
        if not isinstance(self.clock, EventClock):
            raise InputError("This venue runs on the real clock.", "Leave out the time.")
        try:
            at_s = float(request["at_s"])
        except (TypeError, ValueError, OverflowError):
            at_s = math.nan
        if not math.isfinite(at_s):
            raise InputError("A time is a number of seconds.", "Leave it out.")
        self.clock.set(at_s)
        return at_s


def _shown(party: Party, since_s: float, now_s: float) -> Request:
    since_min = round(max(0.0, now_s - since_s) / 60.0)
    return {"party": party.number, "size": party.size, "since_min": since_min}


def _whole(request: Request, name: str) -> int:
    value = request.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**53:
        raise InputError(f"The {name} is a whole number.", "Type it like 4.")
    return value
