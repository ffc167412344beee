"""What a node needs of a wire. Two implementations keep this contract: `memory.py` and `zenoh_link.py`.

The contract, held by one test suite for both:
- frames of one sender reach a receiver in the order they were put, asks included;
- `on_frame` and `on_ask` handlers are called one after the other, in the event loop; what `on_ask` returns
  is awaited apart, so that a slow answer holds nobody up; a MeshError from it means no answer;
- reliable frames arrive while the link is up, unreliable ones may be dropped rather than wait;
- a frame for a device that is not alive goes nowhere and counts no byte.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec import Struct

from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.trust.roster import Roster
from hearthway.records.household import Peer

FRAME_MAX_BYTES = 4 * 1024 * 1024

FrameHandler = Callable[[str, bytes], None]  # (device id the wire claims, frame)
AskHandler = Callable[[str, bytes], Awaitable[bytes]]
PeerHandler = Callable[[str, bool], None]


class Health(Struct, frozen=True, kw_only=True):
    """Can this node talk to its household? If not, `problem` and `next_step` are sentences for the person."""

    ok: bool
    problem: str = ""
    next_step: str = ""


class RouterState(Struct, frozen=True, kw_only=True):
    """A router as this node sees it: `up` while it carries its frames; `problem` only where it was looked for in vain."""

    name: str
    addresses: tuple[str, ...]
    up: bool
    problem: str = ""


class Link(Protocol):
    """One node's end of the wire. The sender named by the wire is a hint: envelopes prove it."""

    @property
    def device_id(self) -> str: ...
    @property
    def roster(self) -> Roster | None:
        """Whom this link talks to; None: everybody (only without a wire)."""

    async def open(self) -> None:
        """Join; MeshError when this node itself cannot (port in use, keys missing)."""

    async def close(self) -> None:
        """Leave; afterwards no handler is called. Safe to call twice."""

    async def put(self, to: str, frame: bytes, *, reliable: bool) -> int:
        """Send to a device id, or to every alive device of a role; how many it was handed to."""

    async def ask(self, device_id: str, frame: bytes, timeout_s: float) -> bytes:
        """Send and wait for the answer; MeshError when the device is away or silent."""

    def on_frame(self, callback: FrameHandler) -> None: ...
    def on_ask(self, callback: AskHandler) -> None: ...
    def on_peer(self, callback: PeerHandler) -> None: ...
    def peers(self) -> dict[str, Peer]:
        """Every other member of the roster, alive or not."""

    def counters(self) -> dict[str, int]:
        """Bytes of frames handed to each device so far."""

    def health(self) -> Health: ...
    async def update_roster(self, roster: Roster) -> None:
        """Talk to these members from now on, and to nobody else."""

    async def update_identity(self, identity: DeviceIdentity) -> None:
        """Go on with a renewed certificate; peers may go for a moment and come back."""
