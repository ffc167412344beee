"""A router of this household in this process: Zenoh's own, from the file that the home wrote."""

from __future__ import annotations

import asyncio

import zenoh

from hearthway.records.errors import MeshError

from .router_config import RouterFile
from .zenoh_config import more_readers
from .zenoh_session import in_use


class Router:
    """Passes on what members say to one another, and reads none of it."""

    def __init__(self, file: RouterFile) -> None:
        self._file = file
        self._session: zenoh.Session | None = None

    async def open(self) -> None:
        """Listen; MeshError when the address cannot be listened at."""
        more_readers()
        try:
            self._session = await asyncio.to_thread(
                lambda: zenoh.open(zenoh.Config.from_json5(self._file.text))
            )
        except zenoh.ZError as why:
            if in_use(why):
                raise MeshError(
                    f"Another program listens at {self._file.listen} already.",
                    "Stop it, or choose another port: `hearthway router add` on the home, with --listen.",
                ) from None
            raise MeshError(
                f"The router cannot listen at {self._file.listen}.",
                "Is that an address of this machine? `hearthway router add` on the home takes --listen.",
            ) from None

    async def close(self) -> None:
        """Stop; safe to call twice."""
        session, self._session = self._session, None
        if session is not None:
            await asyncio.to_thread(session.close)
