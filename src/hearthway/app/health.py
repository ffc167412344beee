"""How this node is: whom it reaches and how well, its certificate, its storage, its last trouble and what to do."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from typing import TYPE_CHECKING, Any

from hearthway import __version__
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import HearthwayError

from .part import Part

if TYPE_CHECKING:
    from hearthway.records.household import Peer

    from .node import Node

DAY_S = 86_400.0
FREE_MIN_MB = 200.0  # below: said as a problem, while writing still works
FREE_SOME = "Free some space, or let `[[keep]]` rules delete old history."
OFFSET_MAX_S = 60.0
_NEXT_OF = {
    "mesh unhealthy": "`hearthway doctor` names the cause.",
    "no household": "`hearthway doctor` names the cause.",
    "task failed": "node.log has the line.",
}


def little_room(free_mb: float) -> str:
    """That so much is too little, in a sentence."""
    return f"Only {free_mb:.0f} MB are free on this disk."


class _LastTrouble(logging.Handler):
    """Remembers the last warning or error of this node's log; ids and figures only, as in the log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: dict[str, Any] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = getattr(record, "fields", {})
        text = str(fields.get("problem") or record.getMessage())
        self.found = {
            "text": text,
            "time_s": round(record.created, 1),
            "next": str(fields.get("next") or _NEXT_OF.get(record.getMessage(), "See node.log.")),
        }


class Health(Part):
    """Fields of `hearthway status` beside `healthy`."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._mesh: MeshNode | None = None
        self._trouble = _LastTrouble()
        self._started = time.monotonic()

    async def starting(self) -> None:
        logging.getLogger("hearthway").addHandler(self._trouble)

    def mesh_started(self, mesh: MeshNode) -> None:
        self._mesh = mesh

    def status(self) -> dict[str, Any]:
        mesh = self._mesh
        found: dict[str, Any] = {
            "version": __version__,
            "up_s": round(time.monotonic() - self._started, 1),
            "storage": self._storage(),
            "last_trouble": self._trouble.found,
        }
        if mesh is not None:
            identity = mesh.identity
            left_s = identity.certificate.not_valid_after_utc.timestamp() - self.node.wall.now_s()
            found |= {
                "household": identity.roster.name,
                "person": (m.person if (m := identity.roster.member(identity.device_id)) else ""),
                "roster_serial": identity.roster.serial,
                "epoch": identity.epoch,
                "certificate_days": round(left_s / DAY_S, 1),
                "peers": [self._peer(mesh, peer) for _, peer in sorted(mesh.peers().items())],
            }
        return found

    def _peer(self, mesh: MeshNode, peer: Peer) -> dict[str, Any]:
        quality = mesh.quality(peer.device_id)
        offset_s = quality.clock_offset_s
        since_s = time.monotonic() - peer.since_s if peer.since_s else None
        return {
            "node": peer.device_id,
            "role": str(peer.role),
            "alive": peer.alive,
            "via": peer.via,
            "for_s": None if since_s is None else round(max(0.0, since_s), 1),
            "rtt_ms": None if quality.rtt_s is None else round(quality.rtt_s * 1000.0, 1),
            "clock_offset_s": None if offset_s is None else round(offset_s, 3),
            "version": quality.version,
            "problem": peer.detail,
        }

    def _storage(self) -> dict[str, Any]:
        root = self.node.paths.root
        size = sum(
            file.stat().st_size
            for file in root.glob(f"{self.node.paths.database.name}*")
            if file.is_file()
        )
        free_mb = shutil.disk_usage(root).free / 1e6
        found: dict[str, Any] = {
            "database_mb": round(size / 1e6, 2),
            "free_mb": round(free_mb, 1),
            "problem": "",
            "next": "",
        }
        database = self.node.store.database
        if (trouble := database.trouble) is not None:
            found["problem"], found["next"] = trouble.message, trouble.next_step
            self.node.spawn(asyncio.to_thread(database.probe), "storage")
        elif free_mb < FREE_MIN_MB:
            found["problem"], found["next"] = little_room(free_mb), FREE_SOME
        elif not os.access(self.node.paths.database, os.W_OK):
            found["problem"] = f"{self.node.paths.database} cannot be written."
            found["next"] = "Check its owner and mode."
        else:
            try:
                self.node.store.generation()
            except HearthwayError as why:
                found["problem"], found["next"] = why.message, why.next_step
        return found
