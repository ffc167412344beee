"""The home's side of pairing: a code lets one device in; five wrong ones in all close the door."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import inspect
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spake2 import SPAKE2_B

from hearthway.mesh.links.door import shut
from hearthway.mesh.trust.certificates import request_key, spki
from hearthway.mesh.trust.identity import HouseholdRoot
from hearthway.mesh.trust.roster import Member, Roster
from hearthway.records.errors import HearthwayError, IdentityError, PairingError, WireError
from hearthway.records.household import HouseholdPerson, PersonKind

from .invitation import SECRET_BYTES, is_code
from .pairing_wire import (
    FRAME_MAX_BYTES,
    SALT_BYTES,
    STEP_S,
    TOTAL_S,
    VERSION,
    Admission,
    Application,
    Frame,
    Greeting,
    Keys,
    Offer,
    Refusal,
    Wire,
    plain,
    run_spake,
    salted,
)

CODE_VALID_S = 600.0
ATTEMPTS = 5
_CONNECTIONS_MAX = 24
_PER_HOST_MAX = 4  # one machine's flood pushes out its own connections, not another's
_AT_ONCE = 2  # key shares computed side by side: pure Python, 70 ms each
_SEEN_MAX = 4096


class SeenOffers:
    """Offers that were made before, so that a recorded one is told from a wrong code. Bounded, oldest out."""

    def __init__(self) -> None:
        self._seen: dict[bytes, None] = {}

    def again(self, offer: Offer) -> bool:
        """Was this share offered before? It is remembered now."""
        digest = hashlib.sha256(offer.share).digest()
        if digest in self._seen:
            return True
        self._seen[digest] = None
        if len(self._seen) > _SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        return False


@dataclass(eq=False)
class _Connection:
    """Somebody at the door."""

    wire: Wire
    host: str
    task: asyncio.Task[None] | None = None
    offered: bool = False  # it said something that a device says
    admitted: bool = False


class PairingServer:
    """Admits one device for one code (or its QR secret), then says "used" to everybody else."""

    def __init__(
        self,
        root: HouseholdRoot,
        *,
        host: str,
        port: int,
        code: str,
        now: Callable[[], float],
        secret: bytes = b"",
        kind: PersonKind | None = None,
        until_s: float = 0.0,
        attempts: int = ATTEMPTS,
        valid_s: float = CODE_VALID_S,
        step_s: float = STEP_S,
        seen: SeenOffers | None = None,
        fresh: Callable[[], HouseholdRoot] | None = None,
        on_paired: Callable[[Member], Any] | None = None,
    ) -> None:
        """`port` 0 takes a free one; `now` is real time; `on_paired` may return an awaitable.

        `secret`: 16 bytes of a QR code, or none. `kind`: what the owner of the device is to be in the
        household. `fresh` gives the root as it is on disk at the moment of admission (in a thread), so that
        nobody who was put out meanwhile comes back.
        """
        if not is_code(code) or len(secret) not in (0, SECRET_BYTES):
            raise PairingError("A pairing code has six digits.", "Use new_code().")
        self._root_hash = hashlib.sha256(root.certificate_der).digest()
        self._fresh = fresh if fresh is not None else lambda: root
        self._host = host
        self._port = port
        self._secrets = (code.encode(), secret)
        self._now = now
        self._kind = kind
        self._guest_until_s = until_s
        self._attempts = attempts
        self._wrong = 0
        self._until_s = now() + valid_s
        self._step_s = step_s
        self._seen = seen if seen is not None else SeenOffers()
        self._on_paired = on_paired
        self._spent = False
        self._server: asyncio.Server | None = None
        self._shut = False
        self._connections: list[_Connection] = []  # oldest first
        self._computing = asyncio.Semaphore(_AT_ONCE)
        self._afterwards: set[asyncio.Future[Any]] = set()  # what `on_paired` returned

    @property
    def wrong(self) -> int:
        """How many wrong codes were tried."""
        return self._wrong

    @property
    def attempts_left(self) -> int:
        """Wrong codes that will still be looked at."""
        return max(0, self._attempts - self._wrong)

    @property
    def state(self) -> str:
        """ "open", "used", "locked" or "expired"."""
        closed = self._closed()
        return "open" if closed is None else Refusal(closed.refused).name.lower()

    @property
    def address(self) -> str:
        """Where devices pair, "host:port"."""
        return f"{self._host}:{self._port}"

    @property
    def root_hash(self) -> bytes:
        """SHA-256 of the root's certificate, for the QR code."""
        return self._root_hash

    async def open(self) -> None:
        """Listen; PairingError when the port is taken."""
        try:
            self._server = await asyncio.start_server(
                self._connected, self._host, self._port, limit=FRAME_MAX_BYTES, backlog=256
            )
        except OSError as why:
            raise PairingError(
                f"Pairing cannot listen at {self.address}: {why.strerror}.",
                "Stop the program that listens there, or choose another port.",
            ) from None
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and end what is under way; waits for what `on_paired` began, and raises its errors."""
        if self._server is None:
            return
        server, self._server = self._server, None
        self._shut = True
        await shut(server)
        tasks = [c.task for c in self._connections if c.task is not None]
        for connection in self._connections:
            connection.wire.abort()  # a task that never began would leave its connection open
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
        afterwards = list(self._afterwards)
        self._afterwards.clear()
        await asyncio.gather(*afterwards)

    async def __aenter__(self) -> PairingServer:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._shut:  # it was being accepted while the door closed
            writer.transport.abort()
            return
        name = writer.get_extra_info("peername")
        host = str(name[0]) if name else ""
        if ":" in host:
            host = ":".join(host.split(":")[:4])  # an IPv6 host has its whole /64 for itself
        self._make_room(host)
        connection = _Connection(Wire(reader, writer, self._step_s), host)
        self._connections.append(connection)
        connection.task = asyncio.get_running_loop().create_task(self._serve(connection))

    def _make_room(self, host: str) -> None:
        """A flood costs whoever floods: the oldest of the same host goes, or of the one that holds most.

        Those that only connected go first: a device offers its share as soon as it is greeted.
        """
        waiting = [c for c in self._connections if not c.admitted]
        hosts = Counter(c.host for c in waiting)
        if hosts[host] >= _PER_HOST_MAX:
            crowded = host
        elif len(waiting) >= _CONNECTIONS_MAX:
            crowded = max(sorted(hosts), key=lambda h: hosts[h])
        else:
            return
        theirs = [c for c in waiting if c.host == crowded]
        oldest = next((c for c in theirs if not c.offered), theirs[0])
        self._connections.remove(oldest)
        oldest.wire.abort()
        if oldest.task is not None:
            oldest.task.cancel()

    async def _serve(self, connection: _Connection) -> None:
        try:
            async with asyncio.timeout(TOTAL_S):
                await self._handshake(connection)
        except (HearthwayError, TimeoutError, OSError, EOFError):
            pass  # whoever it was gets no more words: they could only help a guesser
        finally:
            with contextlib.suppress(ValueError):
                self._connections.remove(connection)
            await connection.wire.close()

    async def _handshake(self, connection: _Connection) -> None:
        wire, salt = connection.wire, secrets.token_bytes(SALT_BYTES)
        root = salted(b"root", salt, self._root_hash)
        await wire.send(Greeting(VERSION, salt, root))
        offer = await wire.receive(Offer)
        connection.offered = True
        closed = self._closed()
        if offer.version != VERSION:
            closed = Frame(b"", Refusal.VERSION)
        elif closed is None and self._seen.again(offer):
            closed = Frame(b"", Refusal.REPLAYED)
        if closed is not None:
            await wire.send(closed)
            return
        secret = self._secrets[1 if offer.secret else 0]
        if not secret:
            raise WireError("No QR code was shown.", "Type the digits.")
        async with self._computing:
            side = SPAKE2_B(secret, idA=offer.key, idB=root)
            share, shared = await asyncio.to_thread(run_spake, side, offer.share)
        await wire.send(Frame(share))
        keys = Keys.derive(shared, wire.transcript)
        proof = await wire.receive(Frame)
        # No await between here and the claim: parallel connections cannot share one attempt.
        refusal = self._closed()
        if refusal is None and not hmac.compare_digest(plain(proof), keys.device_proof()):
            self._wrong += 1
            refusal = Frame(b"", Refusal.CODE, self.attempts_left)
        if refusal is not None:
            await wire.send(refusal)
            return
        self._spent = connection.admitted = True
        try:
            await wire.send(Frame(keys.home_proof()))
            member = await self._admit(wire, keys, offer)
        except BaseException:
            self._spent = False  # the right code, but it did not get through: it may try again
            raise
        if self._on_paired is not None:
            result = self._on_paired(member)
            if inspect.isawaitable(result):  # apart: closing the door must not cut it short
                self._afterwards.add(asyncio.ensure_future(result))

    async def _admit(self, wire: Wire, keys: Keys, offer: Offer) -> Member:
        sealed = await wire.receive(Frame, FRAME_MAX_BYTES)
        wanted = keys.open_at_home(sealed)
        try:
            key_hash = hashlib.sha256(spki(request_key(wanted.request))).digest()
            if not hmac.compare_digest(salted(b"key", offer.salt, key_hash), offer.key):
                raise WireError("The request is for another key than was offered.", "Pair again.")
            # In a thread: it writes the roster to disk.
            admission, member = await asyncio.to_thread(self._sign, wanted)
        except HearthwayError as why:
            declined = Admission(declined=why.message, next_step=why.next_step)
            await wire.send(keys.seal_to_device(declined))
            raise
        await wire.send(keys.seal_to_device(admission))
        return member

    def _sign(self, wanted: Application) -> tuple[Admission, Member]:
        root = self._fresh()
        person = self._owner(root.roster, wanted)
        pem, member = root.admit(
            wanted.request,
            wanted.device_id,
            wanted.role,
            self._now(),
            wanted.address,
            person=person,
        )
        admission = Admission(certificate=pem, root=root.certificate_pem, roster=root.signed_roster)
        return admission, member

    def _owner(self, roster: Roster, wanted: Application) -> HouseholdPerson | None:
        """Whose device it is to be; IdentityError where only the home's people can say, or said otherwise."""
        known = roster.member(wanted.device_id)
        person_id = wanted.person or (known.person if known is not None else "")
        if not person_id:
            if self._kind is not None:
                raise IdentityError(
                    f"Nobody lives on {wanted.device_id} yet, so it cannot be {_a(self._kind)}'s.",
                    "Import a history there first (`hearthway import FILE --person NAME`), or leave out --for.",
                )
            return None
        listed = roster.person(person_id)
        if listed is None:
            if self._kind is None and roster.people:
                raise IdentityError(
                    "Somebody new would join the household, and nobody said as what.",
                    "Run `hearthway pair --for adult` (or child, or guest) on the home.",
                )
            kind = self._kind or PersonKind.ADULT  # the first of a household
            return HouseholdPerson(person_id=person_id, kind=kind, until_s=self._guest_until_s)
        if self._kind is not None and self._kind is not listed.kind:
            raise IdentityError(
                f"This device's owner is {_a(listed.kind)} of the household, not {_a(self._kind)}.",
                f"Run `hearthway pair --for {listed.kind}` on the home.",
            )
        others = [
            m for m in roster.members if m.person == person_id and m.device_id != wanted.device_id
        ]
        claimed = known is None or known.person != person_id  # admit() holds a known id to its key
        if self._kind is None and claimed and others:
            # Who may have whose data hangs on this id: a device must not simply say that it is somebody's.
            raise IdentityError(
                f"{others[0].device_id} says it belongs to this person too.",
                f"If both do, run `hearthway pair --for {listed.kind}` on the home.",
            )
        if self._kind is PersonKind.GUEST:
            return HouseholdPerson(
                person_id=person_id, kind=PersonKind.GUEST, until_s=self._guest_until_s
            )
        return listed

    def _closed(self) -> Frame | None:
        if self._spent:
            return Frame(b"", Refusal.USED)
        if self._wrong >= self._attempts:
            return Frame(b"", Refusal.LOCKED, 0)
        if self._now() > self._until_s:
            return Frame(b"", Refusal.EXPIRED)
        return None


def _a(kind: PersonKind) -> str:
    return f"an {kind}" if kind is PersonKind.ADULT else f"a {kind}"
