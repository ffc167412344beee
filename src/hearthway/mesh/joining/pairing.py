"""The device's side of pairing: an invitation becomes a certificate (SPAKE2, key confirmation, a sealed request).

Both salted hashes (of this device's key and of the household's root) are SPAKE2's identities, and the
confirmation covers every byte sent before it, so a machine in the middle gets one guess a run and changes
nothing unseen. The device confirms first; the home counts a guess exactly there, however many connections run
at once. `pairing_wire` has the frames, `pairing_home` the other side.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct
from spake2 import SPAKE2_A

from hearthway.mesh.links.probe import split_address
from hearthway.mesh.trust.certificates import (
    certificate_key,
    check_certificate,
    load_certificate,
    request,
    spki,
)
from hearthway.mesh.trust.identity import device_key, keep_device
from hearthway.mesh.trust.roster import Roster, check_device, open_roster
from hearthway.records.count import count_of
from hearthway.records.errors import PairingError, WireError

from .invitation import Invitation
from .pairing_wire import (
    FRAME_MAX_BYTES,
    SALT_BYTES,
    STEP_S,
    TOTAL_S,
    VERSION,
    Admission,
    Application,
    Frame,
    Keys,
    Offer,
    Refusal,
    Wire,
    finish_spake,
    plain,
    salted,
)

RETRY_S = 6.0  # so long a home that drops connections is called again: it may be flooded
_PAUSE_S = 0.2
_NEW = "Run `hearthway pair` on the home for a new code."


class PairedHousehold(Struct, frozen=True, kw_only=True):
    """What a device knows after pairing; its keys and certificate are on disk."""

    household_id: str
    name: str
    device_id: str
    role: str
    roster: Roster


class _NotHereError(PairingError):
    """This address leads nowhere, or not to our home: the next one may."""


class _DroppedError(PairingError):
    """The home cut the connection before anything was proved: trying again costs no attempt."""


class _Applicant(Struct, frozen=True, kw_only=True):
    """Who wants to join, and with what."""

    invitation: Invitation
    device_id: str
    role: str
    person: str
    listen: Callable[[str], str]


async def pair(
    invitation: Invitation,
    *,
    device_id: str,
    role: str,
    keys: Path,
    listen: Callable[[str], str],
    now_s: float,
    person: str = "",
) -> PairedHousehold:
    """Join the household that invites. `listen(address)` says where peers find us, as seen from the home there.

    `person` is the id of whom this device belongs to; empty for one that all share. PairingError says what may
    be wrong; nothing on disk but this device's own key changes before success.
    """
    check_device(device_id, role)
    key = await asyncio.to_thread(device_key, keys)
    applicant = _Applicant(
        invitation=invitation, device_id=device_id, role=role, person=person, listen=listen
    )
    admission = await _try_all(applicant, key)
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


async def _try_all(applicant: _Applicant, key: ec.EllipticCurvePrivateKey) -> Admission:
    """One address after the other; those that cut us off are called again for a while."""
    addresses = applicant.invitation.addresses
    until_s = time.monotonic() + RETRY_S
    while True:
        told: list[PairingError] = []
        for address in addresses:
            try:
                return await _call(applicant, key, address)
            except (_NotHereError, _DroppedError) as why:
                told.append(why)
        dropped = [why for why in told if isinstance(why, _DroppedError)]
        if not dropped:
            # Somebody in the middle is worse news than nobody at another address.
            raise min(told, key=lambda why: why.message.startswith("No home is pairing"))
        if time.monotonic() >= until_s:
            raise dropped[0]
        await asyncio.sleep(_PAUSE_S)


async def _call(applicant: _Applicant, key: ec.EllipticCurvePrivateKey, address: str) -> Admission:
    host, port = split_address(address)
    identity = salted(
        b"key",
        salt := secrets.token_bytes(SALT_BYTES),
        hashlib.sha256(spki(key.public_key())).digest(),
    )
    # Before the call: a home that is flooded waits for nobody.
    side = SPAKE2_A(applicant.invitation.secret, idA=identity)
    share = await asyncio.to_thread(side.start)
    try:
        async with asyncio.timeout(STEP_S):
            reader, writer = await asyncio.open_connection(host, port, limit=FRAME_MAX_BYTES)
    except (OSError, TimeoutError):
        raise _NotHereError(
            f"No home is pairing at {address}.",
            "Run `hearthway pair` on the home first, and check that both are in the same network"
            " and that its firewall lets that port in.",
        ) from None
    wire = Wire(reader, writer, STEP_S)
    try:
        async with asyncio.timeout(TOTAL_S):
            offer = Offer(VERSION, applicant.invitation.which, salt, identity, share)
            return await _apply(wire, applicant, key, offer, side, address)
    except (TimeoutError, OSError, EOFError):
        raise PairingError(
            f"The home at {address} stopped answering while pairing.",
            "It may be busy or out of reach. " + _NEW,
        ) from None
    except WireError as why:
        raise PairingError(
            f"Pairing was disturbed: {why.message}",
            "Is that address your home's? Somebody in between may have changed it. " + _NEW,
        ) from None
    finally:
        await wire.close()


async def _apply(
    wire: Wire,
    applicant: _Applicant,
    key: ec.EllipticCurvePrivateKey,
    offer: Offer,
    side: SPAKE2_A,
    address: str,
) -> Admission:
    invitation = applicant.invitation
    try:
        greeting = await wire.receive_greeting()
        if greeting.version != VERSION:
            raise PairingError(
                f"The home speaks pairing version {greeting.version}, this device {VERSION}.",
                "Update both to the same version of Hearthway.",
            )
        pinned = invitation.root_hash
        if pinned and salted(b"root", greeting.salt, pinned) != greeting.root:
            raise _NotHereError(
                f"At {address} is not the home of this QR code: somebody is in between, or it is another home.",
                "Nothing was sent. Check the network, and take a new QR code from your home.",
            )
        side.idB = greeting.root  # the share does not depend on it, what comes of it does
        await wire.send(offer)
        first = await wire.receive(Frame)
    except (OSError, EOFError) as why:
        if isinstance(why, TimeoutError):
            raise
        raise _DroppedError(
            f"The home at {address} cut the connection before pairing began.",
            "Is it Hearthway's address? If so, the home may be flooded with connections: try again.",
        ) from None
    shared = await asyncio.to_thread(finish_spake, side, _content(first))
    keys = Keys.derive(shared, wire.transcript)
    await wire.send(Frame(keys.device_proof()))
    proof = _content(await wire.receive(Frame))
    if not hmac.compare_digest(proof, keys.home_proof()):
        raise PairingError(
            "The other side does not know the code: it is not your home, somebody is in between,"
            " or an old conversation is being repeated.",
            "Do not use this code again; move to a network you trust and ask for a new one.",
        )
    application = Application(
        request=request(key, applicant.device_id),
        device_id=applicant.device_id,
        role=applicant.role,
        address=applicant.listen(address),
        person=applicant.person,
    )
    await wire.send(keys.seal_to_home(application))
    admission = keys.open_at_device(await wire.receive(Frame, FRAME_MAX_BYTES))
    if admission.declined:
        raise PairingError(f"The home says: {admission.declined}", admission.next_step)
    root = load_certificate(admission.root, "The household's root certificate")
    digest = hashlib.sha256(root.public_bytes(serialization.Encoding.DER)).digest()
    if not hmac.compare_digest(salted(b"root", greeting.salt, digest), greeting.root):
        raise PairingError("The home's root is not the one that was agreed on.", "Pair again.")
    return admission


def _content(frame: Frame) -> bytes:
    """The content; PairingError when the home refused. Refusals come unsealed, so they are only its word."""
    if frame.refused == Refusal.NONE:
        return plain(frame)
    if frame.refused == Refusal.CODE:
        left = frame.attempts_left
        raise PairingError(
            "The code does not match: it is mistyped, it belongs to another pairing, or somebody is in between."
            + (
                f" {count_of(left, 'attempt')} {'is' if left == 1 else 'are'} left."
                if left >= 0
                else ""
            ),
            "Compare it with what the home shows." if left > 0 else _NEW,
        )
    words, step = {
        Refusal.LOCKED: (
            "Five wrong codes were tried, here or by somebody else, so this code is locked.",
            _NEW + " If it was not you, somebody in your network is guessing.",
        ),
        Refusal.EXPIRED: ("This code has expired: codes are good for ten minutes.", _NEW),
        Refusal.USED: (
            "This code has been used by another device already.",
            "If that was not yours, put it out with `hearthway revoke` on the home. " + _NEW,
        ),
        Refusal.REPLAYED: (
            "The home has heard this very message before: somebody recorded it and repeats it.",
            "Move to a network you trust. " + _NEW,
        ),
        Refusal.VERSION: (
            "The home runs another version of Hearthway.",
            "Update both to the same version.",
        ),
    }.get(
        Refusal(frame.refused) if frame.refused in set(Refusal) else Refusal.NONE,
        ("The home refused.", _NEW),
    )
    raise PairingError(words, step)
