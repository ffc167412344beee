"""Who a peer has proved to be: greetings checked against the root and the roster, numbers that only ascend."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from hearthway.records.errors import WireError

from .certificates import certificate_key, check_certificate, load_certificate, spki
from .envelope import (
    VERSION,
    Envelope,
    Hello,
    check_hello_signature,
    check_signature,
    read_envelope,
    read_hello,
    seal_hello,
)
from .identity import DeviceIdentity

_NEXT_STEP = "Pair that device again; if it is not yours, do not let it in."


@dataclass
class Session:
    """One peer, as it proved itself."""

    device_id: str
    role: str
    key: ec.EllipticCurvePublicKey
    session: bytes
    roster_serial: int
    heard_seq: int = 0  # the highest number heard
    sent_seq: int = 0
    greeted: bool = False  # it answered our greeting, so it knows our session: we may send


class Sessions:
    """The sessions of one node. Its own session id is new with every start."""

    def __init__(self, identity: DeviceIdentity, now: Callable[[], float]) -> None:
        self.identity = identity
        self._now = now
        self.own = secrets.token_bytes(16)
        self._by_id: dict[str, Session] = {}

    def get(self, device_id: str) -> Session | None:
        """The peer's session, if it proved itself and is still on the roster."""
        return self._by_id.get(device_id)

    def drop(self, device_id: str) -> None:
        """The peer went away: greet again before sending. Its numbers stay, so nothing old is taken."""
        session = self._by_id.get(device_id)
        if session is not None:
            session.greeted = False

    def forget_strangers(self) -> list[str]:
        """Drop sessions of devices that left the roster or changed key or role; their ids."""
        gone = []
        for device_id, session in sorted(self._by_id.items()):
            member = self.identity.roster.member(device_id)
            if (
                member is None
                or member.role != session.role
                or member.public_key != spki(session.key)
            ):
                gone.append(device_id)
                del self._by_id[device_id]
        return gone

    def greeting(self, receiver: str, echo: bytes = b"") -> bytes:
        """Our hello to `receiver`."""
        return seal_hello(
            Hello(
                VERSION,
                self.identity.device_id,
                self.own,
                receiver,
                echo,
                self.identity.roster.serial,
                self.identity.certificate_der,
            ),
            self.identity,
        )

    def hear_greeting(self, claimed: str, frame: bytes, *, answer: bool) -> Session:
        """Check a hello from `claimed`; WireError or IdentityError says what does not hold."""
        hello, content, signature = read_hello(frame)
        who = hello.device_id
        if who != claimed or hello.receiver != self.identity.device_id:
            raise WireError(f"A greeting of {who} came by way of {claimed}.", _NEXT_STEP)
        if answer and hello.echo != self.own:
            raise WireError(f"{who} answered an old greeting.", "It is asked again by itself.")
        what = f"The certificate of {who}"
        certificate = load_certificate(hello.certificate, what)
        subject = check_certificate(certificate, self.identity.root, self._now(), what)
        key = certificate_key(certificate, what)
        check_hello_signature(key, content, signature, who)
        member = self.identity.roster.member(who)
        if (
            subject.device_id != who
            or member is None
            or member.role != subject.role
            or member.public_key != spki(key)
        ):
            raise WireError(f"{who} is not on the household's list of devices.", _NEXT_STEP)
        known = self._by_id.get(who)
        if known is None or known.session != hello.session:
            known = self._by_id[who] = Session(
                who, subject.role, key, hello.session, hello.roster_serial
            )
        known.roster_serial = hello.roster_serial
        if answer:
            known.greeted = True
        return known

    def accept(self, claimed: str, frame: bytes) -> tuple[Session, Envelope]:
        """Check an envelope that is not a reply: from a greeted peer, for us, new; else WireError."""
        session, envelope = self._check(claimed, frame)
        if envelope.seq <= session.heard_seq:
            raise WireError(f"A message of {claimed} came twice or late.", "It was dropped.")
        session.heard_seq = envelope.seq
        return session, envelope

    def accept_reply(self, claimed: str, frame: bytes, reference: int) -> Envelope:
        """Check the reply to our message number `reference`; else WireError."""
        _, envelope = self._check(claimed, frame)
        if envelope.reference != reference:
            raise WireError(f"{claimed} answered another question.", "Ask again.")
        return envelope

    def _check(self, claimed: str, frame: bytes) -> tuple[Session, Envelope]:
        envelope, content, signature = read_envelope(frame)
        session = self._by_id.get(envelope.sender)
        if session is None or envelope.sender != claimed:
            raise WireError(f"A message came from a stranger ({claimed}).", _NEXT_STEP)
        check_signature(session.key, content, signature, claimed)
        if (envelope.receiver, envelope.receiver_session, envelope.sender_session) != (
            self.identity.device_id,
            self.own,
            session.session,
        ):
            raise WireError(f"A message of {claimed} is not of this session.", "It was dropped.")
        return session, envelope
