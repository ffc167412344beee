"""Pairing: a six-digit code becomes a device certificate (SPAKE2, key confirmation, then a sealed request).

Both key hashes are SPAKE2's identities, and the confirmation covers every byte sent before it, so a machine in
the middle gets one guess a run and changes nothing unseen. The device confirms first; the home counts a guess
exactly there, however many connections run at once.

    home   -> greeting {version, root hash, household id}
    device -> offer    {device id, role, key hash, SPAKE2 A}
    home   -> answer   {SPAKE2 B}
    device -> confirm  HMAC
    home   -> confirm  HMAC, or a refusal with the attempts left
    device -> sealed   {request, address}
    home   -> sealed   {certificate, root certificate, roster}
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import inspect
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct
from spake2 import SPAKE2_A, SPAKE2_B, SPAKEError
from spake2.ed25519_basic import NotOnCurve

from hearthway.records import codec
from hearthway.records.errors import HearthwayError, IdentityError, PairingError, WireError

from .certificates import (
    certificate_key,
    check_certificate,
    load_certificate,
    request,
    request_key,
    spki,
)
from .identity import HouseholdRoot, device_key, keep_device
from .probe import split_address
from .roster import Member, Roster, check_device, open_roster

VERSION = 1
CODE_DIGITS = 6
CODE_VALID_S = 600.0
FRAME_MAX_BYTES = 64 * 1024
_STEP_S = 5.0
_TOTAL_S = 20.0
_CONNECTIONS_MAX = 8
_SHARE_BYTES = 33  # a side's letter and a point of Ed25519

T = TypeVar("T")


class PairedHousehold(Struct, frozen=True, kw_only=True):
    """What a device knows after pairing; its keys and certificate are on disk."""

    household_id: str
    name: str
    device_id: str
    role: str
    roster: Roster


class _Greeting(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    root_hash: bytes
    household_id: str


class _Offer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    device_id: str
    role: str
    key_hash: bytes
    message: bytes


class _Answer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`refused` is empty, or why not: "code", "locked", "expired", "used", "busy", "identity", "version"."""

    content: bytes
    refused: str = ""
    words: str = ""
    attempts_left: int = -1


class _Application(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    request: bytes
    address: str


class _Admission(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    certificate: bytes
    root: bytes
    roster: bytes


def new_code(rng: random.Random | None = None) -> str:
    """Six digits, each code equally likely; a seeded `rng` is for tests only."""
    source = rng if rng is not None else secrets.SystemRandom()
    return f"{source.randrange(10**CODE_DIGITS):0{CODE_DIGITS}d}"


class _Wire:
    """Bounded frames over a stream, and the transcript of all of them."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._hash = hashlib.sha256(b"hearthway pairing 1\0")

    @property
    def transcript(self) -> bytes:
        """SHA-256 over every frame so far, lengths included."""
        return self._hash.digest()

    async def send(self, record: object) -> None:
        data = codec.pack(record)
        framed = len(data).to_bytes(4, "big") + data
        self._hash.update(framed)
        self._writer.write(framed)
        async with asyncio.timeout(_STEP_S):
            await self._writer.drain()

    async def receive(self, kind: type[T]) -> T:
        """The next record; WireError when it is too large or something else, TimeoutError when too slow."""
        async with asyncio.timeout(_STEP_S):
            head = await self._reader.readexactly(4)
            size = int.from_bytes(head, "big")
            if size > FRAME_MAX_BYTES:
                raise WireError(
                    f"The other side sent a frame of {size} bytes.", "Is that address Hearthway's?"
                )
            data = await self._reader.readexactly(size)
        self._hash.update(head + data)
        return codec.unpack(data, kind)

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_STEP_S):
                await self._writer.wait_closed()


@dataclass(frozen=True)
class _Keys:
    """What both sides derive: equal if and only if code, identities and transcript are."""

    confirm_device: bytes
    confirm_home: bytes
    to_home: bytes
    to_device: bytes
    transcript: bytes

    @classmethod
    def derive(cls, shared: bytes, transcript: bytes) -> _Keys:
        raw = HKDF(hashes.SHA256(), 128, transcript, b"hearthway pairing 1").derive(shared)
        return cls(raw[:32], raw[32:64], raw[64:96], raw[96:], transcript)

    def device_proof(self) -> bytes:
        return hmac.digest(self.confirm_device, b"device" + self.transcript, "sha256")

    def home_proof(self) -> bytes:
        return hmac.digest(self.confirm_home, b"home" + self.transcript, "sha256")


# Each direction's key seals exactly one message, so a fixed nonce is never used twice.
_NONCE = bytes(12)


def _seal(key: bytes, transcript: bytes, record: object) -> bytes:
    return ChaCha20Poly1305(key).encrypt(_NONCE, codec.pack(record), transcript)


def _unseal(key: bytes, transcript: bytes, sealed: bytes, kind: type[T]) -> T:
    try:
        return codec.unpack(ChaCha20Poly1305(key).decrypt(_NONCE, sealed, transcript), kind)
    except InvalidTag:
        raise WireError("A sealed message was altered on the way.", "Pair again.") from None


def _device_side(device_id: str, role: str, key_hash: bytes) -> bytes:
    return b"\0".join((b"device", device_id.encode(), role.encode(), key_hash))


def _home_side(household_id: str, root_hash: bytes) -> bytes:
    return b"\0".join((b"home", household_id.encode(), root_hash))


class PairingServer:
    """The home's side: admits one device for one code, then closes the door."""

    def __init__(
        self,
        root: HouseholdRoot,
        *,
        host: str,
        port: int,
        code: str,
        now: Callable[[], float],
        attempts: int = 5,
        valid_s: float = CODE_VALID_S,
        on_paired: Callable[[Member], Any] | None = None,
    ) -> None:
        """`port` 0 takes a free one; `now` is real time; `on_paired` may return an awaitable."""
        if len(code) != CODE_DIGITS or not (code.isascii() and code.isdigit()):
            raise PairingError("A pairing code has six digits.", "Use new_code().")
        self._root = root
        self._host = host
        self._port = port
        self._code = code.encode()
        self._now = now
        self._attempts_left = attempts
        self._until_s = now() + valid_s
        self._on_paired = on_paired
        self._spent = False
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._afterwards: set[asyncio.Future[Any]] = set()  # what `on_paired` returned

    @property
    def attempts_left(self) -> int:
        """Wrong codes that will still be looked at."""
        return self._attempts_left

    @property
    def address(self) -> str:
        """Where devices pair, "host:port"."""
        return f"{self._host}:{self._port}"

    async def open(self) -> None:
        """Listen; PairingError when the port is taken."""
        try:
            self._server = await asyncio.start_server(
                self._connected, self._host, self._port, limit=FRAME_MAX_BYTES
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
        server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
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
        if len(self._connections) >= _CONNECTIONS_MAX:
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(_Wire(reader, writer)))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, wire: _Wire) -> None:
        try:
            async with asyncio.timeout(_TOTAL_S):
                await self._handshake(wire)
        except (HearthwayError, TimeoutError, OSError, EOFError):
            pass  # whoever it was gets no more words: they could only help a guesser
        finally:
            await wire.close()

    async def _handshake(self, wire: _Wire) -> None:
        root_hash = hashlib.sha256(self._root.certificate_der).digest()
        await wire.send(_Greeting(VERSION, root_hash, self._root.household_id))
        offer = await wire.receive(_Offer)
        closed = self._closed()
        if offer.version != VERSION:
            closed = _Answer(b"", "version", f"The home speaks version {VERSION}.")
        else:
            try:
                check_device(offer.device_id, offer.role)
            except IdentityError as why:
                closed = _Answer(b"", "identity", str(why))
        if closed is not None:
            await wire.send(closed)
            return
        spake = SPAKE2_B(
            self._code,
            idA=_device_side(offer.device_id, offer.role, offer.key_hash),
            idB=_home_side(self._root.household_id, root_hash),
        )
        answer, shared = await asyncio.to_thread(_run_spake, spake, offer.message)
        await wire.send(_Answer(answer))
        keys = _Keys.derive(shared, wire.transcript)
        proof = await wire.receive(_Answer)
        # No await between here and the claim: parallel connections cannot share one attempt.
        refusal = self._closed()
        if refusal is None and not hmac.compare_digest(_plain(proof), keys.device_proof()):
            self._attempts_left -= 1
            refusal = _Answer(b"", "code", "", self._attempts_left)
        if refusal is not None:
            await wire.send(refusal)
            return
        self._spent = True
        try:
            await wire.send(_Answer(keys.home_proof()))
            member = await self._admit(wire, keys, offer)
        except BaseException:
            self._spent = False  # the right code, but it did not get through: it may try again
            raise
        if self._on_paired is not None:
            result = self._on_paired(member)
            if inspect.isawaitable(result):  # apart: closing the door must not cut it short
                task = asyncio.ensure_future(result)
                self._afterwards.add(task)

    async def _admit(self, wire: _Wire, keys: _Keys, offer: _Offer) -> Member:
        sealed = await wire.receive(_Answer)
        wanted = _unseal(keys.to_home, keys.transcript, _plain(sealed), _Application)
        key = spki(request_key(wanted.request))
        if not hmac.compare_digest(hashlib.sha256(key).digest(), offer.key_hash):
            raise WireError("The request is for another key than was offered.", "Pair again.")
        try:
            pem, member = await asyncio.to_thread(  # it writes the roster to disk
                self._root.admit,
                wanted.request,
                offer.device_id,
                offer.role,
                self._now(),
                wanted.address,
            )
        except IdentityError as why:
            await wire.send(_Answer(b"", "identity", str(why)))
            raise
        admission = _Admission(pem, self._root.certificate_pem, self._root.signed_roster)
        await wire.send(_Answer(_seal(keys.to_device, keys.transcript, admission)))
        return member

    def _closed(self) -> _Answer | None:
        if self._spent:
            return _Answer(b"", "used")
        if self._attempts_left <= 0:
            return _Answer(b"", "locked", "", 0)
        if self._now() > self._until_s:
            return _Answer(b"", "expired")
        return None


async def pair(
    address: str,
    code: str,
    *,
    device_id: str,
    role: str,
    keys: Path,
    listen: str,
    now_s: float,
) -> PairedHousehold:
    """Join the household whose home pairs at `address` ("host:port"); `listen` is where peers will find us.

    PairingError says what may be wrong; nothing on disk but this device's own key changes before success.
    """
    code = code.replace(" ", "").replace("-", "")
    if len(code) != CODE_DIGITS or not (code.isascii() and code.isdigit()):
        raise PairingError("A pairing code has six digits.", "Type the code that the home shows.")
    check_device(device_id, role)
    host, port = split_address(address)
    if not port:
        raise PairingError(f"{address} has no port.", "Write it as the home shows it: host:port.")
    key = await asyncio.to_thread(device_key, keys)
    try:
        async with asyncio.timeout(_STEP_S):
            reader, writer = await asyncio.open_connection(host, port, limit=FRAME_MAX_BYTES)
    except (OSError, TimeoutError):
        raise PairingError(
            f"No home is pairing at {address}.",
            "Run `hearthway pair` on the home first, and check that both are in the same network.",
        ) from None
    wire = _Wire(reader, writer)
    try:
        async with asyncio.timeout(_TOTAL_S):
            admission = await _apply(
                wire, code, device_id, role, spki(key.public_key()), key, listen
            )
    except (TimeoutError, OSError, EOFError):
        raise PairingError(
            f"The home at {address} stopped answering while pairing.",
            "Ask it for a new code and try again.",
        ) from None
    except WireError as why:
        raise PairingError(
            f"Pairing was disturbed: {why.message}",
            "Is that address your home's? Ask it for a new code and try again.",
        ) from None
    finally:
        await wire.close()
    root = load_certificate(admission.root, "The household's root certificate")
    certificate = load_certificate(admission.certificate, "The new certificate")
    subject = check_certificate(certificate, root, now_s, "The new certificate")
    roster = open_roster(admission.roster, certificate_key(root, "The household's root"))
    if (
        (subject.device_id, subject.role) != (device_id, role)
        or spki(certificate_key(certificate, "The new certificate")) != spki(key.public_key())
        or roster.household_id != subject.household_id
    ):
        raise PairingError("The home gave a certificate that is not ours.", "Pair again.")
    await asyncio.to_thread(
        keep_device, keys, key, admission.certificate, admission.root, admission.roster
    )
    return PairedHousehold(
        household_id=roster.household_id,
        name=roster.name,
        device_id=device_id,
        role=role,
        roster=roster,
    )


async def _apply(
    wire: _Wire, code: str, device_id: str, role: str, public_key: bytes, key: Any, listen: str
) -> _Admission:
    greeting = await wire.receive(_Greeting)
    if greeting.version != VERSION:
        raise PairingError(
            f"The home speaks pairing version {greeting.version}, this device {VERSION}.",
            "Update both to the same version of Hearthway.",
        )
    key_hash = hashlib.sha256(public_key).digest()
    spake = SPAKE2_A(
        code.encode(),
        idA=_device_side(device_id, role, key_hash),
        idB=_home_side(greeting.household_id, greeting.root_hash),
    )
    message = await asyncio.to_thread(spake.start)
    await wire.send(_Offer(VERSION, device_id, role, key_hash, message))
    answer = _open_answer(await wire.receive(_Answer))
    shared = await asyncio.to_thread(_finish_spake, spake, answer)
    keys = _Keys.derive(shared, wire.transcript)
    await wire.send(_Answer(keys.device_proof()))
    proof = _open_answer(await wire.receive(_Answer))
    if not hmac.compare_digest(proof, keys.home_proof()):
        raise PairingError(
            "The other side does not know the code: it is not your home, or somebody is in between.",
            "Do not use this code again; move to a network you trust and ask for a new one.",
        )
    application = _Application(request(key, device_id), listen)
    await wire.send(_Answer(_seal(keys.to_home, keys.transcript, application)))
    sealed = _open_answer(await wire.receive(_Answer))
    admission = _unseal(keys.to_device, keys.transcript, sealed, _Admission)
    root = load_certificate(admission.root, "The household's root certificate")
    der = root.public_bytes(serialization.Encoding.DER)
    if not hmac.compare_digest(hashlib.sha256(der).digest(), greeting.root_hash):
        raise PairingError("The home's root is not the one that was agreed on.", "Pair again.")
    return admission


def _open_answer(answer: _Answer) -> bytes:
    """The content; PairingError when the home refused. Refusals come unsealed, so they are only its word."""
    if not answer.refused:
        return _plain(answer)
    new = "Ask the home for a new code."
    if answer.refused == "code":
        left = answer.attempts_left
        raise PairingError(
            "The code does not match: it is mistyped, it belongs to another pairing, or somebody is in between."
            + (f" {left} attempts are left." if left >= 0 else ""),
            "Compare it with what the home shows." if left > 0 else new,
        )
    words = {
        "locked": "Too many wrong codes were tried, so this code is closed.",
        "expired": "This code has expired.",
        "used": "This code has been used by a device already.",
        "version": "The home runs another version of Hearthway.",
        "identity": "The home does not admit this device.",
    }.get(answer.refused, "The home refused.")
    told = f" It says: {answer.words[:200]}" if answer.words else ""
    raise PairingError(words + told, new if answer.refused in ("locked", "expired", "used") else "")


def _plain(answer: _Answer) -> bytes:
    """The content of a frame that says nothing else; WireError when it does."""
    if answer != _Answer(answer.content):
        raise WireError("A frame says more than it should.", "Pair again.")
    return answer.content


def _run_spake(spake: Any, message: bytes) -> tuple[bytes, bytes]:
    return spake.start(), _finish_spake(spake, message)


def _finish_spake(spake: Any, message: bytes) -> bytes:
    wrong = WireError("The other side's key share is not valid.", "Pair again.")
    if len(message) != _SHARE_BYTES:  # the package only asserts it
        raise wrong
    try:
        return bytes(spake.finish(message))
    except (SPAKEError, NotOnCurve, ValueError):
        raise wrong from None
