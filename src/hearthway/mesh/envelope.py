"""What travels between nodes: a signed envelope, bound to one sender's and one receiver's session.

The signature covers every field. Receiver, both sessions and an ascending number stand among them, so an
envelope cannot be altered, sent to another node, or sent twice.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from hearthway.records import codec
from hearthway.records.errors import WireError

from .certificates import verify
from .identity import DeviceIdentity
from .link import FRAME_MAX_BYTES

VERSION = 1
RECORD, SIGNALS, ASK, REPLY, REFUSED, ROSTER = (
    "record",
    "signals",
    "ask",
    "reply",
    "refused",
    "roster",
)
_CONTEXT = b"hearthway envelope 1\0"
_HELLO_CONTEXT = b"hearthway hello 1\0"
_NEXT_STEP = "Are both nodes on the same version, and both of this household?"


class Envelope(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A message. `grants` are its keys, each with the id of the rule that let it leave."""

    version: int
    kind: str
    sender: str
    sender_session: bytes
    receiver: str
    receiver_session: bytes
    seq: int
    time_s: float  # real time at the sender
    purpose: str
    grants: tuple[tuple[str, str], ...]
    reference: int  # a reply's: the `seq` of what it answers
    body: bytes


class Hello(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Who a node is and which session it is in; `echo` is the session of the one it answers, or empty."""

    version: int
    device_id: str
    session: bytes
    receiver: str
    echo: bytes
    roster_serial: int
    certificate: bytes


class Meta(Struct, frozen=True):
    """What a handler may know about a message beside its record."""

    sender: str
    sender_role: str
    keys: tuple[str, ...]
    purpose: str
    time_s: float
    seq: int

    @property
    def key(self) -> str:
        """The key of a message with one record."""
        return self.keys[0]


class _Signed(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    tag: str
    content: bytes
    signature: bytes


def seal(envelope: Envelope, identity: DeviceIdentity) -> bytes:
    """The frame of an envelope, signed by this device."""
    content = codec.pack(envelope)
    return codec.pack(_Signed("e", content, identity.sign(_CONTEXT + content)))


def seal_hello(hello: Hello, identity: DeviceIdentity) -> bytes:
    """The frame of a hello, signed by this device."""
    content = codec.pack(hello)
    return codec.pack(_Signed("h", content, identity.sign(_HELLO_CONTEXT + content)))


def is_hello(frame: bytes) -> bool:
    """Does the frame claim to be a hello? Cheap; proves nothing."""
    return frame[:3] == b"\x93\xa1h"


def read_envelope(frame: bytes) -> tuple[Envelope, bytes, bytes]:
    """(envelope, signed bytes, signature), NOT verified: only to look up whose key to verify with."""
    signed = _signed(frame, "e")
    envelope = codec.unpack(signed.content, Envelope)
    if envelope.version != VERSION:
        raise WireError(f"A message has version {envelope.version}, not {VERSION}.", _NEXT_STEP)
    return envelope, signed.content, signed.signature


def check_signature(
    key: ec.EllipticCurvePublicKey, content: bytes, signature: bytes, who: str
) -> None:
    """WireError unless `who`'s key signed these envelope bytes."""
    if not verify(key, signature, _CONTEXT + content):
        raise WireError(f"A message in the name of {who} is not signed by it.", _NEXT_STEP)


def read_hello(frame: bytes) -> tuple[Hello, bytes, bytes]:
    """(hello, signed bytes, signature), NOT verified."""
    signed = _signed(frame, "h")
    hello = codec.unpack(signed.content, Hello)
    if hello.version != VERSION:
        raise WireError(f"{hello.device_id} speaks version {hello.version}.", _NEXT_STEP)
    return hello, signed.content, signed.signature


def check_hello_signature(
    key: ec.EllipticCurvePublicKey, content: bytes, signature: bytes, who: str
) -> None:
    """WireError unless `who`'s key signed these hello bytes."""
    if not verify(key, signature, _HELLO_CONTEXT + content):
        raise WireError(f"A greeting in the name of {who} is not signed by it.", _NEXT_STEP)


def _signed(frame: bytes, tag: str) -> _Signed:
    if len(frame) > FRAME_MAX_BYTES:
        raise WireError(f"A frame of {len(frame)} bytes is too large.", _NEXT_STEP)
    signed = codec.unpack(frame, _Signed)
    if signed.tag != tag:
        raise WireError("A frame is of the wrong kind.", _NEXT_STEP)
    return signed
