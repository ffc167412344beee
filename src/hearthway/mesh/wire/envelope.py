"""What travels between nodes: signed greetings, sealed frames of many messages, and the root-signed roster.

A greeting proves who a node is and carries half of a key exchange. After it no message is signed: frames are
sealed with AES-256-GCM under keys that only the two of them can derive (`sessions`). A frame's header is
authenticated, its number ascends, and keys are bound to sender, receiver, both sessions, lane and epoch.
"""

from __future__ import annotations

import math
import struct
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from hearthway.mesh.links.link import FRAME_MAX_BYTES
from hearthway.mesh.trust.certificates import verify
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.records import codec
from hearthway.records.errors import WireError
from hearthway.records.household import Party

LOW, HIGH = 2, 2  # the versions of this wire that this Hearthway speaks
RECORD, SIGNALS, ASK, REPLY, REFUSED = 1, 2, 3, 4, 5
SEALED, ROSTER, ROSTER_ASK = b"S", b"R", b"Q"
UNRELIABLE, RELIABLE, ASKS, REPLIES = 0, 1, 2, 3
LANES = (UNRELIABLE, RELIABLE, ASKS, REPLIES)
_HELLO_CONTEXT = b"hearthway hello 2\0"
MESSAGES_MAX = 256  # of one frame; a sender puts 64 into one
SIGNALS_MAX = 1024  # of one message: a sender splits what is more
_MOST = msgspec.Meta(max_length=MESSAGES_MAX)  # refused before anything is made of it
KEY_MAX_CHARS, PURPOSE_MAX_CHARS, ABOUT_MAX_CHARS = 256, 32, 128
GRANT_MAX_BYTES = 4096
_HEADER = struct.Struct(">cBIQ")
HEADER_BYTES = _HEADER.size
TAG_BYTES = 16
_NEXT_STEP = "Are both nodes on the same version, and both of this household?"


class Hello(Struct, frozen=True, array_like=True):
    """Who a node is and its half of a session; fields that a newer version appends are passed over.

    `challenge` is random each time; `echo` that of the greeting it answers, or empty. `ephemeral` is an X25519
    public key, `time_s` real time, `software` the Hearthway version.
    """

    device_id: str
    session: bytes
    receiver: str
    challenge: bytes
    echo: bytes
    low: int
    high: int
    roster_serial: int
    epoch: int
    certificate: bytes
    ephemeral: bytes
    time_s: float
    software: str


class Head(Struct, frozen=True, array_like=True):
    """What is said of a message beside its body. A reply's `reference` is the number of the ask it answers."""

    kind: int
    key: str
    purpose: str
    about: str = ""  # person id
    reference: int = 0
    grant: bytes = b""  # a capability token
    command: bytes = b""  # 16 bytes: carry this out at most once


class Frame(Struct, frozen=True, array_like=True):
    """Messages in order: body n has the head `heads[of[n]]`. `time_s` is real time at the sender."""

    time_s: float
    heads: Annotated[tuple[Head, ...], _MOST]
    of: Annotated[list[int], _MOST]
    bodies: Annotated[list[bytes], _MOST]
    held_s: float = 0.0  # a reply's: how long the answerer took


class Meta(Struct, frozen=True):
    """What a handler may know about a message beside its record."""

    sender: str
    sender_role: str
    keys: tuple[str, ...]
    purpose: str
    time_s: float
    seq: int
    about: str = ""
    party: Party | None = None

    @property
    def key(self) -> str:
        """The key of a message with one record."""
        return self.keys[0]


class _Signed(Struct, frozen=True, array_like=True):
    tag: str
    content: bytes
    signature: bytes


_ENCODER = msgspec.msgpack.Encoder()


def pack_frame(frame: Frame) -> bytes:
    """The frame's bytes, to be sealed."""
    return _ENCODER.encode(frame)


def unpack_frame(data: bytes) -> Frame:
    """The frame in unsealed bytes; WireError when it is none."""
    frame = codec.unpack(data, Frame)
    heads, of, bodies = frame.heads, frame.of, frame.bodies
    if len(of) == len(bodies) == len(heads) == 1 and of[0] == 0:  # every question and answer
        _check_head(heads[0])
    else:
        if len(of) != len(bodies) or (of and not 0 <= min(of) <= max(of) < len(heads)):
            raise WireError("A frame's messages and heads do not match.", _NEXT_STEP)
        for head in heads:
            _check_head(head)
    if not math.isfinite(frame.time_s):
        raise WireError("A frame is of no time.", _NEXT_STEP)
    return frame


def _check_head(head: Head) -> None:
    """What is asked and counted by key is remembered: nothing of any length."""
    if (
        len(head.key) > KEY_MAX_CHARS
        or len(head.purpose) > PURPOSE_MAX_CHARS
        or len(head.about) > ABOUT_MAX_CHARS
        or len(head.grant) > GRANT_MAX_BYTES
    ):
        raise WireError("A message's key, purpose, person or grant is too long.", _NEXT_STEP)


def header(lane: int, epoch: int, seq: int) -> bytes:
    """A sealed frame's header: authenticated, not secret."""
    return _HEADER.pack(SEALED, lane, epoch, seq)


def read_header(frame: bytes) -> tuple[int, int, int]:
    """(lane, epoch, number) that a sealed frame claims; WireError when it cannot be one."""
    if len(frame) > FRAME_MAX_BYTES:
        raise WireError(f"A frame of {len(frame)} bytes is too large.", _NEXT_STEP)
    if len(frame) < HEADER_BYTES + TAG_BYTES or frame[:1] != SEALED:
        raise WireError("A frame is not a sealed one.", _NEXT_STEP)
    _, lane, epoch, seq = _HEADER.unpack_from(frame)
    if lane not in LANES or not seq:
        raise WireError("A frame is of no known lane.", _NEXT_STEP)
    return lane, epoch, seq


def seal_hello(hello: Hello, identity: DeviceIdentity) -> bytes:
    """The frame of a hello, signed by this device."""
    content = codec.pack(hello)
    return codec.pack(_Signed("h", content, identity.sign(_HELLO_CONTEXT + content)))


def is_hello(frame: bytes) -> bool:
    """Does the frame claim to be a hello? Cheap; proves nothing."""
    return frame[:3] == b"\x93\xa1h"


def read_hello(frame: bytes) -> tuple[Hello, bytes, bytes]:
    """(hello, signed bytes, signature), NOT verified."""
    if len(frame) > FRAME_MAX_BYTES:
        raise WireError(f"A frame of {len(frame)} bytes is too large.", _NEXT_STEP)
    signed = codec.unpack(frame, _Signed)
    if signed.tag != "h":
        raise WireError("A frame is of the wrong kind.", _NEXT_STEP)
    return codec.unpack(signed.content, Hello), signed.content, signed.signature


def check_hello_signature(
    key: ec.EllipticCurvePublicKey, content: bytes, signature: bytes, who: str
) -> None:
    """WireError unless `who`'s key signed these hello bytes."""
    if not verify(key, signature, _HELLO_CONTEXT + content):
        raise WireError(f"A greeting in the name of {who} is not signed by it.", _NEXT_STEP)
