"""What a mesh node asks others for: whether a capability token counts, and whether a command was carried out before."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from hearthway.records.household import Decision

READ, WRITE = "read", "write"


class GrantCheck(Protocol):
    """Capability tokens (`grants.py`)."""

    def allows(
        self, token: bytes, key: str, operation: str, holder: str, now_s: float
    ) -> Decision | None:
        """May the device `holder` "read" or "write" `key` at `now_s` with this token? None: no. Never raises."""


class CommandJournal(Protocol):
    """Which commands were begun here, over restarts: a repeat is answered, not carried out again."""

    async def begin(self, sender: str, command_id: bytes) -> bytes | None:
        """None: new, and noted durably as begun. b"": begun before, how it ended is not known. Else its reply."""

    def done(self, sender: str, command_id: bytes, reply: bytes) -> None:
        """Keep how it ended; waits for nothing."""


class Quality(Struct, frozen=True, kw_only=True):
    """How well a peer is reached, as measured by greetings and requests."""

    rtt_s: float | None = None  # smoothed; None before the first answer
    clock_offset_s: float | None = None  # its clock minus ours, as good as rtt_s / 2
    version: str = ""  # its Hearthway
