"""What a backup that was killed left in the node's directory is gone at the next start."""

from __future__ import annotations

import asyncio

from hearthway.mesh.state.backup import sweep

from .part import Part


class Backups(Part):
    """A copy of the database, left behind, would hold what is forgotten later."""

    async def starting(self) -> None:
        await asyncio.to_thread(sweep, self.node.paths.root)
