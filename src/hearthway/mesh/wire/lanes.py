"""The keys and numbers of one session: a lane each way for what may travel on different wires.

key = HKDF-SHA256(X25519 ephemeral-ephemeral || the household's key of the epoch, salt: both session ids, info: version,
household, epoch, lane, sender, receiver). So a peer that has not heard of a revocation cannot read what is sealed
after it, and no frame counts for another receiver, session, lane or direction. A key's nonce is the frame's number.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hearthway.records.errors import WireError

from .envelope import ASKS, HEADER_BYTES, REPLIES, header

KEY_BYTES = 32
NONCE_BYTES = 12
_INFO = b"hearthway seal 2\0"
_ASKS_WINDOW = 1024  # asks may overtake one another by so many, and still each counts once
_SEQ_MAX = 2**64 - 1


class UnopenedError(WireError):
    """A frame that no session with its sender opens: one of the two may have restarted."""


@dataclass
class Heard:
    """Which numbers of a lane have been heard."""

    window: int  # 0: only ascending numbers count
    highest: int = 0
    _seen: int = 0  # bit n: highest - n has been heard

    def __post_init__(self) -> None:
        self._mask = (1 << self.window) - 1

    def is_new(self, seq: int) -> bool:
        """Would this number count?"""
        if seq > self.highest:
            return True
        behind = self.highest - seq
        return behind < self.window and not self._seen >> behind & 1

    def take(self, seq: int) -> None:
        """It was genuine: it never counts again."""
        if seq > self.highest:
            if self.window:
                ahead = min(seq - self.highest, self.window)
                self._seen = (self._seen << ahead | 1) & self._mask
            self.highest = seq
        elif self.window:
            self._seen |= 1 << (self.highest - seq)


@dataclass
class Session:
    """One peer, as it proved itself, and what the two can read of one another."""

    device_id: str
    role: str
    key: ec.EllipticCurvePublicKey
    session: bytes  # the peer's id of it
    household_id: str
    own_id: str
    own_session: bytes
    shared: bytes = field(repr=False)  # the exchanged secret
    version: int = 2
    roster_serial: int = 0
    expires_s: float = 0.0  # its certificate, Unix seconds
    greeted: bool = False  # it answered our greeting, so it knows our session: we may send
    lived: bool = False  # it answered, or a frame opened in it: no recording of an old greeting
    _sent: dict[int, int] = field(default_factory=dict, repr=False)
    _heard: dict[int, Heard] = field(default_factory=dict, repr=False)
    _ciphers: dict[tuple[int, int, bool], AESGCM] = field(default_factory=dict, repr=False)

    def seal(self, lane: int, epoch: int, epoch_key: bytes, plain: bytes) -> tuple[int, bytes]:
        """(its number, the frame): only this peer can read it, once."""
        seq = self._sent.get(lane, 0) + 1
        if seq > _SEQ_MAX:
            raise WireError(f"The session with {self.device_id} is used up.", "It starts anew.")
        self._sent[lane] = seq
        head = header(lane, epoch, seq)
        cipher = self._ciphers.get((lane, epoch, True)) or self._derived(
            lane, epoch, epoch_key, out=True
        )
        return seq, head + cipher.encrypt(seq.to_bytes(NONCE_BYTES, "big"), plain, head)

    def unseal(self, lane: int, epoch: int, epoch_key: bytes, seq: int, frame: bytes) -> bytes:
        """What the frame holds; WireError unless this peer sealed it, for us, and it was not heard before."""
        heard = self._heard.get(lane)
        if heard is None:
            heard = self._heard[lane] = Heard(_ASKS_WINDOW if lane == ASKS else 0)
        if lane != REPLIES and not heard.is_new(seq):
            raise WireError(f"A message of {self.device_id} came twice or late.", "It was dropped.")
        cipher = self._ciphers.get((lane, epoch, False)) or self._derived(
            lane, epoch, epoch_key, out=False
        )
        try:
            plain = cipher.decrypt(
                seq.to_bytes(NONCE_BYTES, "big"),
                memoryview(frame)[HEADER_BYTES:],
                frame[:HEADER_BYTES],
            )
        except InvalidTag:
            raise UnopenedError(
                f"A message in the name of {self.device_id} was not sealed by it in this session.",
                "It was dropped.",
            ) from None
        if lane != REPLIES:  # a reply counts once because its question does
            heard.take(seq)
        return plain

    def forget_epochs(self, keep: set[int]) -> None:
        """Drop the keys of all other epochs."""
        for at in [at for at in self._ciphers if at[1] not in keep]:
            del self._ciphers[at]

    def _derived(self, lane: int, epoch: int, epoch_key: bytes, *, out: bool) -> AESGCM:
        ends = (self.own_id, self.device_id) if out else (self.device_id, self.own_id)
        texts = (str(self.version), self.household_id, str(epoch), str(lane), *ends)
        first_is_ours = self.own_id < self.device_id
        halves = (self.own_session, self.session)
        salt = b"".join(halves if first_is_ours else reversed(halves))
        info = _INFO + b"\0".join(text.encode() for text in texts)
        key = HKDF(hashes.SHA256(), KEY_BYTES, salt, info).derive(self.shared + epoch_key)
        cipher = self._ciphers[lane, epoch, out] = AESGCM(key)
        return cipher
