"""Who a peer has proved to be: greetings checked against the root and the roster, sessions sealed under the epoch's key.

Our half of a session (id and ephemeral key) is drawn for each peer anew when it went away or left the roster, so no
key or number is ever used for two things. A greeting that answers ours is fresh and is believed; one that comes by
itself may be an old recording, so it stays a candidate until a frame sealed in it, or an answer, proves it live.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from hearthway import __version__
from hearthway.mesh.trust.certificates import (
    certificate_key,
    check_certificate,
    load_certificate,
    spki,
)
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.records.errors import WireError

from .envelope import (
    HIGH,
    LOW,
    REPLIES,
    Frame,
    Hello,
    check_hello_signature,
    pack_frame,
    read_header,
    read_hello,
    seal_hello,
    unpack_frame,
)
from .lanes import Session, UnopenedError

OLD_EPOCH_S = 10.0  # frames under way while a roster arrives may still be of the last epoch
_RETIRED_MAX = 1024
_NEXT_STEP = "Pair that device again; if it is not yours, do not let it in."


class NewerEpochError(WireError):
    """A frame is of an epoch this node has not heard of: it needs the newer roster."""


class OlderEpochError(WireError):
    """A frame is of an epoch that is over: its sender needs the newer roster."""


class EndedError(WireError):
    """The certificate that began a session has ended."""


class VersionsError(WireError):
    """Two nodes have no version of the wire in common. `challenge` is that of the greeting that says so."""

    def __init__(self, message: str, next_step: str, challenge: bytes) -> None:
        super().__init__(message, next_step)
        self.challenge = challenge


@dataclass
class _Peering:
    """Our half for one peer, and the sessions made with it."""

    own: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    private: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate, repr=False)
    current: Session | None = None
    candidate: Session | None = None
    challenge: bytes = b""  # of our latest greeting
    retired: dict[bytes, None] = field(default_factory=dict)

    def promote(self, session: Session) -> None:
        """The peer lives in this session now; the one it lived in before never counts again.

        One that was only heard of stays a candidate: its greeting may be newer than the answer that proves this one.
        """
        before, self.current = self.current, session
        if self.candidate is session:
            self.candidate = None
        session.lived = True
        if before is None or before is session:
            return
        if not before.lived and self.candidate is None:
            self.candidate = before
            return
        self.retired[before.session] = None
        while len(self.retired) > _RETIRED_MAX:
            self.retired.pop(next(iter(self.retired)))


class Sessions:
    """The sessions of one node."""

    def __init__(
        self,
        identity: DeviceIdentity,
        now: Callable[[], float],
        *,
        versions: tuple[int, int] = (LOW, HIGH),
    ) -> None:
        """`now` is real time; `versions` the lowest and highest version of the wire that this node speaks."""
        self.identity = identity  # with the newest roster; only `use` changes it
        self._now = now
        self.versions = versions
        self._peerings: dict[str, _Peering] = {}
        self._old: dict[int, tuple[bytes, float]] = {}  # epoch: key, until (monotonic)

    def use(self, identity: DeviceIdentity) -> list[str]:
        """From now on seal under its epoch's key; who lost its session by it."""
        if identity.epoch != self.identity.epoch:
            until = time.monotonic() + OLD_EPOCH_S
            self._old = {self.identity.epoch: (self.identity.epoch_key, until)}
        self.identity = identity
        return self.forget_strangers()

    def get(self, device_id: str) -> Session | None:
        """The peer's session, if it proved itself and is still on the roster."""
        peering = self._peerings.get(device_id)
        return peering.current if peering else None

    def drop(self, device_id: str) -> None:
        """The peer went away: nothing of that session counts any more; greet again before sending."""
        self._peerings.pop(device_id, None)

    def drop_all(self) -> list[str]:
        """This node is out of the household: it has no sessions; whose they were."""
        gone = sorted(d for d, p in self._peerings.items() if p.current is not None)
        self._peerings.clear()
        return gone

    def forget_strangers(self) -> list[str]:
        """Drop sessions of devices that left, whose stay or certificate ended, or whose key or role changed; their ids."""
        now_s = self._now()
        gone = []
        for device_id, peering in sorted(self._peerings.items()):
            session = peering.current
            if session is None:
                peering.candidate = None
            elif now_s >= session.expires_s or not self._is_member(session, now_s):
                gone.append(device_id)
                del self._peerings[device_id]
        return gone

    def greeting(self, receiver: str, echo: bytes = b"") -> bytes:
        """Our hello to `receiver`."""
        peering = self._peerings.setdefault(receiver, _Peering())
        identity = self.identity
        challenge = secrets.token_bytes(16)
        if not echo:
            peering.challenge = challenge
        return seal_hello(
            Hello(
                identity.device_id,
                peering.own,
                receiver,
                challenge,
                echo,
                *self.versions,
                identity.roster.serial,
                identity.epoch,
                identity.certificate_der,
                peering.private.public_key().public_bytes_raw(),
                self._now(),
                __version__,
            ),
            identity,
        )

    def hear_greeting(self, claimed: str, frame: bytes, *, answer: bool) -> tuple[Session, Hello]:
        """Check a hello from `claimed`; WireError or IdentityError says what does not hold.

        With `answer` it must answer our latest greeting. Else the session may be a candidate yet.
        """
        hello, content, signature = read_hello(frame)
        who = hello.device_id
        if who != claimed or hello.receiver != self.identity.device_id:
            raise WireError(f"A greeting of {who} came by way of {claimed}.", _NEXT_STEP)
        now_s = self._now()
        what = f"The certificate of {who}"
        certificate = load_certificate(hello.certificate, what)
        subject = check_certificate(certificate, self.identity.root, now_s, what)
        key = certificate_key(certificate, what)
        check_hello_signature(key, content, signature, who)
        peering = self._peerings.get(who)
        if answer and (peering is None or not hello.echo or hello.echo != peering.challenge):
            raise WireError(f"{who} answered an old greeting.", "It is asked again by itself.")
        version = self._version(hello)
        session = Session(
            who,
            subject.role,
            key,
            hello.session,
            self.identity.household_id,
            self.identity.device_id,
            b"",
            b"",
            version,
            hello.roster_serial,
            certificate.not_valid_after_utc.timestamp(),
        )
        if subject.device_id != who or not self._is_member(session, now_s):
            raise WireError(f"{who} is not on the household's list of devices.", _NEXT_STEP)
        if peering is None:
            peering = self._peerings[who] = _Peering()
        if hello.session in peering.retired or len(hello.session) != 16:
            if answer:  # alive in it after all: with a new half of ours its keys are new ones
                del self._peerings[who]
            raise WireError(f"{who} is in a session that was over here.", "It begins anew.")
        for known in (peering.current, peering.candidate):
            if known is not None and known.session == hello.session:
                session = known
        if not session.own_session:
            session.own_session = peering.own
            session.shared = _exchange(peering.private, hello.ephemeral, who)
        session.roster_serial = max(session.roster_serial, hello.roster_serial)
        ends_s = certificate.not_valid_after_utc.timestamp()
        session.expires_s = max(session.expires_s, ends_s)  # it may have been renewed since
        if answer:
            # Another candidate stays: where ways differ, an answer may be older than the greeting heard before it.
            peering.promote(session)
            session.greeted = True
        elif peering.current is None:
            peering.current = session
        elif session is not peering.current:
            peering.candidate = session
            peering.current.greeted = False  # it may have restarted: greet before sending
        return session, hello

    def seal(self, session: Session, lane: int, frame: Frame) -> tuple[int, bytes]:
        """(number, sealed frame) of the newest epoch."""
        identity = self.identity
        return session.seal(lane, identity.epoch, identity.epoch_key, pack_frame(frame))

    def unseal(self, claimed: str, data: bytes) -> tuple[Session, int, int, Frame]:
        """(session, lane, number, frame) of what a peer sealed for us and we have not heard; else WireError."""
        lane, epoch, seq = read_header(data)
        peering = self._peerings.get(claimed)
        if lane == REPLIES:
            raise WireError(f"A reply of {claimed} came by itself.", _NEXT_STEP)
        if peering is None or peering.current is None:
            raise UnopenedError(f"A message came from a stranger ({claimed}).", _NEXT_STEP)
        key = self._epoch_key(claimed, epoch)
        session = peering.current
        if self._now() >= session.expires_s:  # a renewed one is shown by greeting again
            raise EndedError(f"The certificate of {claimed} has ended.", "It is greeted again.")
        try:
            plain = session.unseal(lane, epoch, key, seq, data)
        except WireError:
            if peering.candidate is None:
                raise
            session = peering.candidate
            plain = session.unseal(lane, epoch, key, seq, data)
            peering.promote(session)
        session.lived = True
        return session, lane, seq, unpack_frame(plain)

    def unseal_reply(self, asked: Session, data: bytes, reference: int) -> tuple[int, Frame]:
        """(number, frame) of the reply to our ask number `reference` in that session; else WireError."""
        lane, epoch, seq = read_header(data)
        if self.get(asked.device_id) is not asked or lane != REPLIES:
            raise WireError(f"{asked.device_id} began a new session meanwhile.", "Ask again.")
        key = self._epoch_key(asked.device_id, epoch)
        frame = unpack_frame(asked.unseal(lane, epoch, key, seq, data))
        if len(frame.bodies) != 1 or frame.heads[frame.of[0]].reference != reference:
            raise WireError(f"{asked.device_id} answered another question.", "Ask again.")
        return seq, frame

    def _epoch_key(self, claimed: str, epoch: int) -> bytes:
        own = self.identity
        if epoch == own.epoch:
            return own.epoch_key
        if epoch > own.epoch:
            raise NewerEpochError(
                f"{claimed} uses a newer household key than this device knows.",
                "The list of devices is asked for by itself.",
            )
        key, until = self._old.get(epoch, (b"", 0.0))
        if not key or time.monotonic() > until:
            self._old.pop(epoch, None)
            for peering in self._peerings.values():
                if peering.current is not None:
                    peering.current.forget_epochs({own.epoch, *self._old})
            raise OlderEpochError(
                f"{claimed} uses a household key that is over.",
                "It is handed the list of devices by itself.",
            )
        return key

    def _is_member(self, session: Session, now_s: float) -> bool:
        roster = self.identity.roster
        member = roster.member(session.device_id)
        return (
            member is not None
            and roster.party(session.device_id, now_s) is not None
            and member.role == session.role
            and member.public_key == spki(session.key)
        )

    def _version(self, hello: Hello) -> int:
        low, high = self.versions
        if hello.low <= hello.high and max(low, hello.low) <= min(high, hello.high):
            return min(high, hello.high)
        own = self.identity.device_id
        raise VersionsError(
            f"{hello.device_id} ({_named(hello.software)}) speaks {_range(hello.low, hello.high)} of the wire, "
            f"{own} (Hearthway {__version__}) {_range(low, high)}.",
            "Update the older of the two.",
            hello.challenge,
        )


def _exchange(private: X25519PrivateKey, public: bytes, who: str) -> bytes:
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:  # a wrong length, or a point that would make the secret known to everybody
        raise WireError(f"{who} sent no usable key.", _NEXT_STEP) from None


def _named(software: str) -> str:
    plain = "".join(c for c in software[:20] if c.isascii() and (c.isalnum() or c in ".+-"))
    return f"Hearthway {plain}" if plain else "an unknown Hearthway"


def _range(low: int, high: int) -> str:
    return f"version {low}" if low == high else f"versions {low} to {high}"
