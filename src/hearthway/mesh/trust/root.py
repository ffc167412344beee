"""The household's root: founds the household, admits and renews devices, puts out devices and people.

Everything it decides stands in the signed roster, one after the other; see `roster` for what is in it.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_bytes, token_hex

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hearthway.records.errors import IdentityError, WireError
from hearthway.records.household import HouseholdPerson, PersonKind

from .addresses import check_address
from .certificates import (
    PAIR,
    certificate_key,
    check_dates,
    host_of,
    key_usage,
    load_certificate,
    load_private,
    new_key,
    private_pem,
    request,
    request_key,
    spki,
    subject_name,
)
from .devicekeys import keep_device, own_key, read_roster
from .epochs import ROOT, new_epoch_key, unwrap, wrap
from .keyfiles import private_dir, read_private, write_private
from .roster import (
    ROSTER_MAX_BYTES,
    Member,
    Revoked,
    Roster,
    check_device,
    forgets,
    merged,
    open_roster,
    prove_revoked,
    roster_digest,
    sign_roster,
    supersedes,
)
from .routers import ROUTER_ROLE, ROUTERS_MAX, Router, check_router

DEVICE_DAYS = 30
ROUTER_DAYS = (
    365  # it hears no list and renews nothing by itself; nodes trust it while it is listed
)
ROOT_DAYS = 3650
PERSON_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
GRANT_SEED_BYTES = 32
AHEAD = 1000  # serials: more than a household changes its list between a backup and its restore
_DIGEST_BYTES = 32
CLOCK_SKEW_S = 3600.0  # devices' clocks differ; a certificate is good an hour before it was made


class HouseholdRoot:
    """The household's key: admits devices and signs the roster. Lives on the home, and nowhere else.

    Every change reads the roster from disk again, under a lock: a pairing that waits for its code and a revocation
    beside it make one order of serials.
    """

    def __init__(
        self,
        keys: Path,
        key: ec.EllipticCurvePrivateKey,
        certificate: x509.Certificate,
        roster: Roster,
        epoch_key: bytes,
        signed: bytes = b"",
    ) -> None:
        self._keys = keys
        self._key = key
        self._certificate = certificate
        self._roster = roster
        self._epoch_key = epoch_key
        self._signed = signed

    @classmethod
    def load(cls, keys: Path, now_s: float) -> HouseholdRoot:
        """The root kept in `keys`; IdentityError when it is missing, open to others, or does not fit together."""
        root = cls.open(keys)
        check_dates(root._certificate, now_s, "The household's root certificate")
        with _locked(keys):
            root._refresh()
            # Founded before there were epochs, or before there were grants?
            if not root._roster.keys or root._roster.grant_key != root._grant_public():
                root._keep(turn=not root._roster.keys)
            root._settle()
        return root

    @classmethod
    def open(cls, keys: Path) -> HouseholdRoot:
        step = "This is the home's job: run this there, or restore the home from its backup."
        key = load_private(
            read_private(
                keys / "root.key",
                missing=f"There is no household root in {keys}.",
                next_step=step,
            ),
            "The household root",
        )
        certificate = load_certificate(
            read_private(
                keys / "root.pem",
                missing=f"The root's certificate is missing from {keys}.",
                next_step=step,
                secret=False,
            ),
            "The root's certificate",
        )
        if spki(certificate_key(certificate, "The root")) != spki(key.public_key()):
            raise IdentityError(f"The root's key and certificate in {keys} do not match.", step)
        roster, signed = read_roster(keys, certificate)
        return cls(keys, key, certificate, roster, unwrap(roster, ROOT, key), signed)

    @property
    def certificate_pem(self) -> bytes:
        """The root's certificate: what devices trust."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def certificate_der(self) -> bytes:
        """The same, DER: hashed into pairing."""
        return self._certificate.public_bytes(serialization.Encoding.DER)

    @property
    def household_id(self) -> str:
        """Random, stays for the household's life."""
        return self._roster.household_id

    @property
    def roster(self) -> Roster:
        """Who belongs to the household now."""
        return self._roster

    @property
    def signed_roster(self) -> bytes:
        """The roster as members get it."""
        return self._signed or sign_roster(self._roster, self._key)

    def grant_private(self) -> bytes:
        """The Ed25519 key that signs capability tokens: its 32-byte seed; the public half stands in the roster."""
        seed = read_private(
            self._keys / "grant.key",
            missing=f"The key for grants is missing from {self._keys}.",
            next_step="Restart the home: it makes a new one. Grants given before end with it.",
        )
        if len(seed) != GRANT_SEED_BYTES:
            raise IdentityError(
                "The key for grants has a wrong length.",
                f"Delete {self._keys / 'grant.key'} and restart the home.",
            )
        return seed

    def _grant_public(self) -> bytes:
        """The public half, its key made where there is none."""
        if not (self._keys / "grant.key").exists():
            write_private(self._keys / "grant.key", token_bytes(GRANT_SEED_BYTES))
        return _grant_public(self.grant_private())

    def sign_statement(self, context: bytes, statement: bytes) -> bytes:
        """ECDSA P-256 over SHA-256, DER, of what the household stands by; `context` keeps its kinds apart."""
        return self._key.sign(context + statement, ec.ECDSA(hashes.SHA256()))

    def sign(
        self, csr_pem: bytes, device_id: str, role: str, now_s: float, addresses: Sequence[str] = ()
    ) -> bytes:
        """A device certificate (PEM, 30 days) for the request's key; its own subject is ignored."""
        check_device(device_id, role)
        name = subject_name(device_id, role, self.household_id)
        return self._certify(
            request_key(csr_pem), name, now_s, DEVICE_DAYS, (device_id, "localhost"), addresses
        )

    def _certify(
        self,
        key: ec.EllipticCurvePublicKey,
        subject: x509.Name,
        now_s: float,
        days: int,
        hosts: Sequence[str],
        addresses: Sequence[str],
    ) -> bytes:
        start = datetime.fromtimestamp(now_s - CLOCK_SKEW_S, UTC)
        names: list[x509.GeneralName] = [x509.DNSName(host) for host in hosts]
        for text in sorted({"127.0.0.1", "::1", *(host_of(a) for a in addresses if a)}):
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(text)))
            except ValueError:
                if text and text.isascii():
                    names.append(x509.DNSName(text))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(datetime.fromtimestamp(now_s, UTC) + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(root=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def admit(
        self,
        csr_pem: bytes,
        device_id: str,
        role: str,
        now_s: float,
        address: str,
        *,
        person: HouseholdPerson | None = None,
    ) -> tuple[bytes, Member]:
        """Sign the request and put the device (and whose it is) on the roster; a taken id needs the same key.

        IdentityError for a revoked key: a device that was put out comes back with a new one.
        """
        public_key = spki(request_key(csr_pem))
        if address:  # empty for a device that nobody dials
            check_address(address)
        with self._turn():
            if self._roster.is_revoked(public_key):
                raise IdentityError(
                    f"{device_id} was revoked: its key is not trusted any more.",
                    "Run `hearthway pair` on it once more: it makes itself a new key.",
                )
            known = self._roster.member(device_id)
            if known is not None and known.public_key != public_key:
                raise IdentityError(
                    f'Another device of this household is called "{device_id}".',
                    "Choose another id with --name, or revoke the other one first.",
                )
            pem = self.sign(csr_pem, device_id, role, now_s, (address,))
            member = Member(
                device_id=device_id,
                role=role,
                address=address,
                public_key=public_key,
                person=person.person_id if person else known.person if known else "",
            )
            if person is not None and known is not None:
                _same_person(known, person.person_id)
            others = [m for m in self._roster.members if m.device_id != device_id]
            people = self._roster.people
            if person is not None:
                people = (*self._without(person.person_id), person)
            self._keep([*others, member], people=people)
        return pem, member

    def renew(self, csr_pem: bytes, device_id: str, now_s: float) -> bytes:
        """A new certificate (PEM) for a member, for the key it has; IdentityError for anybody and anything else."""
        with self._turn():
            member = self._member(device_id)
            if spki(request_key(csr_pem)) != member.public_key:
                raise IdentityError(
                    f"{device_id} asked for a certificate for another key than its own.",
                    "Pair it again to change its key.",
                )
            return self.sign(csr_pem, device_id, member.role, now_s, (member.address,))

    def revoke(self, device_id: str, grants: Iterable[str] = ()) -> Roster:
        """Take a device off the roster and turn the epoch: whoever has the new roster seals nothing to it.

        `grants`: ids of what was granted to it. Another device of that name has no right to them.
        """
        with self._turn():
            gone = self._member(device_id)
            self._not_the_home(gone)
            self._put_out([gone], grants=grants)
        return self._roster

    def add_person(self, person_id: str, kind: PersonKind, until_s: float = 0.0) -> Roster:
        """Somebody new in the household; `until_s` ends a guest's stay (Unix seconds, 0: no end)."""
        if self._refreshed().person(person_id) is not None:
            raise IdentityError(
                f"{person_id} is in the household already.",
                "Change it with `hearthway people set`.",
            )
        return self.set_person(person_id, kind, until_s)

    def set_person(self, person_id: str, kind: PersonKind, until_s: float = 0.0) -> Roster:
        """Say what somebody of the household is, new or known; IdentityError for an id that cannot be one."""
        person = HouseholdPerson(person_id=_person_id(person_id), kind=kind, until_s=until_s)
        with self._turn():
            if self._roster.person(person_id) != person:
                self._keep(people=(*self._without(person_id), person))
        return self._roster

    def introduce(self, device_id: str, person_id: str, kind: PersonKind) -> Roster:
        """A device's owner becomes one of the household, and the device theirs, in one roster."""
        with self._turn():
            _same_person(self._member(device_id), person_id)
            member = msgspec.structs.replace(self._member(device_id), person=person_id)
            others = [m for m in self._roster.members if m.device_id != device_id]
            person = HouseholdPerson(person_id=_person_id(person_id), kind=kind)
            self._keep([*others, member], people=(*self._without(person_id), person))
        return self._roster

    def introduce_first(self, device_id: str, person_id: str) -> bool:
        """The first phone of a household says whose it is, and is an adult's; False where it is not the first."""
        with self._turn():
            member, alone = self._member(device_id), self._roster.alone()
            if not alone or member.person:
                return False
            others = [m for m in self._roster.members if m.device_id != device_id]
            person = HouseholdPerson(person_id=_person_id(person_id), kind=PersonKind.ADULT)
            mine = msgspec.structs.replace(member, person=person_id)
            self._keep([*others, mine], people=(person,))
        return True

    def remove_person(self, person_id: str, grants: Iterable[str] = ()) -> Roster:
        """They leave: all their devices at once, in one turn of the epoch. Other nodes erase what is about them.

        `grants`: as for `revoke`.
        """
        with self._turn():
            if self._roster.person(person_id) is None:
                raise IdentityError(
                    f"Nobody of the household is {person_id}.", "`hearthway people` lists them."
                )
            theirs = [m for m in self._roster.members if m.person == person_id]
            for member in theirs:
                self._not_the_home(member)
            left = tuple(sorted({*self._roster.left, person_id}))
            self._put_out(theirs, people=self._without(person_id), left=left, grants=grants)
        return self._roster

    def revoke_grant(self, grant_id: str) -> Roster:
        """No node that has the new roster takes this grant any more, narrowed ones of it included."""
        with self._turn():
            if grant_id not in self._roster.revoked_grants:
                self._keep(grants=[grant_id])
        return self._roster

    def assign(self, device_id: str, person_id: str, *, erased: bool = False) -> Roster:
        """Say whose a device is; "" for one that all share.

        IdentityError for one that is another person's: what is about that one is on it. `erased`: it is not, because
        whoever asks erased it on this very machine.
        """
        with self._turn():
            member = self._member(device_id)
            if not erased:
                _same_person(member, person_id)
            if person_id and self._roster.person(person_id) is None:
                raise IdentityError(
                    f"Nobody of the household is {person_id}.", "`hearthway people` lists them."
                )
            if member.person != person_id:
                self._replace(msgspec.structs.replace(member, person=person_id))
        return self._roster

    def move(self, device_id: str, address: str) -> Roster:
        """A member listens elsewhere now ("host:port"); IdentityError for what is no address."""
        if address:
            check_address(address)
        with self._turn():
            member = self._member(device_id)
            if member.address != address:
                self._replace(msgspec.structs.replace(member, address=address))
        return self._roster

    def set_router(
        self, csr_pem: bytes, name: str, addresses: Sequence[str], now_s: float
    ) -> tuple[bytes, Router]:
        """List a router (new, or that one anew) and certify its key: PEM, 365 days. It becomes no member.

        A key that another one takes the place of is trusted no more. IdentityError for what can be no router's.
        """
        key = request_key(csr_pem)
        new = Router(name=name, addresses=tuple(addresses), public_key=spki(key))
        check_router(new)
        with self._turn():
            now = self._roster
            known = now.router(name)
            if now.is_revoked(new.public_key):
                raise IdentityError(
                    f"The key of the router {name} is not trusted any more.",
                    f"Delete its file and run `hearthway router add {name}` again.",
                )
            if known is None and len(now.routers) >= ROUTERS_MAX:
                raise IdentityError(
                    f"The household has {ROUTERS_MAX} routers already.",
                    "Remove one first: `hearthway router remove NAME`.",
                )
            if known != new:
                replaced = known is not None and known.public_key != new.public_key
                self._keep_routers(new, put_out=known if replaced else None)
        subject = subject_name(new.common_name, ROUTER_ROLE, self.household_id)
        pem = self._certify(key, subject, now_s, ROUTER_DAYS, (new.common_name,), addresses)
        return pem, new

    def remove_router(self, name: str) -> Roster:
        """No node that has the new roster trusts it any more. The epoch stays: a router has no key of it."""
        with self._turn():
            gone = self._roster.router(name)
            if gone is None:
                raise IdentityError(
                    f'No router of this household is called "{name}".',
                    "`hearthway router` lists them.",
                )
            self._keep_routers(put_out=gone)
        return self._roster

    def adopt(self, signed: bytes) -> Roster:
        """Hear a roster that this root signed and may not know of: it was restored from an older backup.

        What either branch revoked stays out; the next serial and epoch are higher than both. WireError where
        another root signed it. Hearing one's own past changes nothing.
        """
        theirs = open_roster(signed, self._key.public_key())
        if theirs.household_id != self.household_id:
            raise WireError("The list of devices is of another household.", PAIR)
        with self._turn():
            ours, digest = self._roster, roster_digest(signed)
            if digest in self._issued():
                return ours
            both = merged(ours, theirs)
            if supersedes(theirs, ours) and _says_the_same(both, theirs):
                self._write(theirs, signed, unwrap(theirs, ROOT, self._key))
            elif (
                ours.serial > theirs.serial
                and _says_the_same(both, ours)
                and not forgets(ours, theirs)
            ):
                self._note_issued(digest)
            else:
                self._issue(
                    both,
                    serial=max(ours.serial, theirs.serial) + 1,
                    epoch=max(ours.epoch, theirs.epoch) + 1,
                    key=new_epoch_key(),
                )
                self._note_issued(digest)
        return self._roster

    def enrol(self, device_id: str, role: str, now_s: float, address: str) -> None:
        """Make the home itself a device of its household, its keys beside the root's."""
        key = own_key(self._keys)
        pem, _ = self.admit(request(key, device_id), device_id, role, now_s, address)
        keep_device(self._keys, key, pem, self.certificate_pem, self.signed_roster)

    # -- inside: one change after the other ---------------------------------------------------

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with _locked(self._keys):
            self._refresh()
            yield

    def _refresh(self) -> None:
        """Another part of this node may have changed the roster meanwhile."""
        roster, signed = read_roster(self._keys, self._certificate)
        if signed != self._signed:
            self._roster, self._signed = roster, signed
            self._epoch_key = unwrap(roster, ROOT, self._key)

    def _refreshed(self) -> Roster:
        with self._turn():
            return self._roster

    def _member(self, device_id: str) -> Member:
        member = self._roster.member(device_id)
        if member is None:
            raise IdentityError(
                f'No device of this household is called "{device_id}".',
                "`hearthway status` lists them.",
            )
        return member

    def _not_the_home(self, member: Member) -> None:
        path = self._keys / "device.key"
        if path.exists() and spki(own_key(self._keys).public_key()) == member.public_key:
            raise IdentityError(
                f"{member.device_id} is the home itself: the household's root lives there.",
                "To end the household, stop every node and delete their data directories.",
            )

    def _without(self, person_id: str) -> tuple[HouseholdPerson, ...]:
        return tuple(p for p in self._roster.people if p.person_id != person_id)

    def _replace(self, member: Member) -> None:
        others = [m for m in self._roster.members if m.device_id != member.device_id]
        self._keep([*others, member])

    def _put_out(
        self,
        gone: Sequence[Member],
        *,
        people: Sequence[HouseholdPerson] | None = None,
        left: tuple[str, ...] | None = None,
        grants: Iterable[str] = (),
    ) -> None:
        keys = {m.public_key for m in gone}
        proofs = [self._proof(m.device_id, m.public_key) for m in gone]
        self._keep(
            [m for m in self._roster.members if m.public_key not in keys],
            people=people,
            revoked=[*self._roster.revoked, *proofs],
            left=left,
            grants=grants,
            turn=True,
        )

    def _keep_routers(self, new: Router | None = None, *, put_out: Router | None) -> None:
        names = {r.name for r in (new, put_out) if r is not None}
        routers = [r for r in self._roster.routers if r.name not in names]
        routers += [] if new is None else [new]
        revoked = self._roster.revoked
        if put_out is not None:
            revoked = (*revoked, self._proof(put_out.common_name, put_out.public_key))
        ordered = tuple(sorted(routers, key=lambda r: r.name))
        content = msgspec.structs.replace(self._roster, routers=ordered, revoked=revoked)
        self._issue(
            content,
            serial=self._roster.serial + 1,
            epoch=self._roster.epoch,
            key=self._epoch_key,
        )

    def _proof(self, device_id: str, public_key: bytes) -> Revoked:
        return prove_revoked(self.household_id, device_id, public_key, self._key)

    def _keep(
        self,
        members: Sequence[Member] | None = None,
        *,
        people: Sequence[HouseholdPerson] | None = None,
        revoked: Sequence[Revoked] | None = None,
        left: tuple[str, ...] | None = None,
        grants: Iterable[str] = (),
        turn: bool = False,
    ) -> None:
        """The next roster on disk, `grants` revoked besides, with a new epoch where `turn`: then somebody was put out."""
        now = self._roster
        roster = msgspec.structs.replace(
            now,
            members=now.members if members is None else tuple(members),
            people=now.people if people is None else tuple(people),
            revoked=now.revoked if revoked is None else tuple(revoked),
            left=now.left if left is None else left,
            revoked_grants=tuple(sorted({*now.revoked_grants, *grants})),
        )
        self._issue(
            roster,
            serial=now.serial + 1,
            epoch=now.epoch + 1 if turn else now.epoch,
            key=new_epoch_key() if turn else self._epoch_key,
        )

    def _issue(self, content: Roster, *, serial: int, epoch: int, key: bytes) -> None:
        own = spki(self._key.public_key())
        roster = msgspec.structs.replace(
            content,
            serial=serial,
            members=tuple(sorted(content.members, key=lambda m: m.device_id)),
            people=tuple(sorted(content.people, key=lambda p: p.person_id)),
            revoked=tuple(
                r if r.proof else self._proof(r.device_id, r.public_key) for r in content.revoked
            ),
            epoch=epoch,
            keys=wrap(key, self.household_id, epoch, own, content.members),
            grant_key=self._grant_public(),
        )
        signed = sign_roster(roster, self._key)
        if len(signed) > ROSTER_MAX_BYTES:  # nobody would read it, this home neither
            raise IdentityError(
                "The household's list would become too large; nothing was changed.",
                "Put devices out that are not used any more: `hearthway revoke`.",
            )
        self._write(roster, signed, key)

    def _write(self, roster: Roster, signed: bytes, key: bytes) -> None:
        write_private(self._keys / "roster.bin", signed)
        self._note_issued(roster_digest(signed))
        self._roster, self._signed, self._epoch_key = roster, signed, key

    def _issued(self) -> set[bytes]:
        """Digests of every roster this root issued or took in: its own past is no other branch."""
        path = self._keys / "rosters.log"
        data = path.read_bytes() if path.exists() else b""
        found = {data[i : i + _DIGEST_BYTES] for i in range(0, len(data), _DIGEST_BYTES)}
        return found | {roster_digest(self.signed_roster)}

    def _settle(self) -> None:
        """Restored from a backup or copied, as its key's file shows: go far ahead of what may have come after.

        So no serial stands for two rosters, and nodes that know more refuse ours and hand us theirs (`adopt`).
        """
        place, here = self._keys / "root.place", _place(self._keys)
        if place.exists() and place.read_bytes() != here:
            self._issue(
                self._roster,
                serial=self._roster.serial + AHEAD,
                epoch=self._roster.epoch,
                key=self._epoch_key,
            )
        if not place.exists() or place.read_bytes() != here:
            write_private(place, here)

    def _note_issued(self, digest: bytes) -> None:
        path = self._keys / "rosters.log"
        data = path.read_bytes() if path.exists() else b""
        write_private(path, data[: len(data) // _DIGEST_BYTES * _DIGEST_BYTES] + digest)


def _same_person(member: Member, person_id: str) -> None:
    """IdentityError where that device belongs to somebody, and is to be another's."""
    if member.person and member.person != person_id:
        raise IdentityError(
            f"{member.device_id} is {member.person}'s, and what it holds would go along with it.",
            "Run `hearthway people hand-down` on it: it is erased and pairs anew."
            f" If nobody has it any more: `hearthway revoke {member.device_id}`.",
        )


def _person_id(text: str) -> str:
    if PERSON_ID.fullmatch(text) is None:
        raise IdentityError(
            f"{text[:80]!r} cannot be a person's id.", "`hearthway people` on their phone says it."
        )
    return text


@contextmanager
def _locked(keys: Path) -> Iterator[None]:
    """One change of the root's files at a time, whoever makes it."""
    private_dir(keys)
    lock = os.open(keys / "root.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _place(keys: Path) -> bytes:
    """Which file on which disk holds the root's key: another one after any restore."""
    state = (keys / "root.key").stat()
    return f"{state.st_dev}:{state.st_ino}".encode()


def _says_the_same(a: Roster, b: Roster) -> bool:
    """Equal but for serial, epoch, its sealed keys, and the proofs of revocations."""

    def content(roster: Roster) -> Roster:
        revoked = tuple(msgspec.structs.replace(r, proof=b"") for r in roster.revoked)
        return msgspec.structs.replace(roster, serial=0, epoch=0, keys=(), revoked=revoked)

    return content(a) == content(b)


def _grant_public(seed: bytes) -> bytes:
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def create_household(keys: Path, household_name: str, now_s: float) -> HouseholdRoot:
    """A new household whose root is kept in `keys`; IdentityError where one is already."""
    if (keys / "root.key").exists():
        raise IdentityError(
            f"There is a household root in {keys} already.",
            "Use it, or choose another data directory for a second household.",
        )
    private_dir(keys)
    key = new_key()
    household_id = token_hex(8)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "Hearthway household root"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, household_id),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(now_s - CLOCK_SKEW_S, UTC))
        .not_valid_after(datetime.fromtimestamp(now_s, UTC) + timedelta(days=ROOT_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(root=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    epoch_key, grant_seed = new_epoch_key(), token_bytes(GRANT_SEED_BYTES)
    roster = Roster(
        household_id=household_id,
        name=household_name,
        serial=1,
        members=(),
        epoch=1,
        keys=wrap(epoch_key, household_id, 1, spki(key.public_key()), ()),
        grant_key=_grant_public(grant_seed),
    )
    signed = sign_roster(roster, key)
    # The key comes last: a crash before it leaves a directory that can simply be used again.
    write_private(keys / "root.pem", certificate.public_bytes(serialization.Encoding.PEM))
    write_private(keys / "grant.key", grant_seed)
    write_private(keys / "roster.bin", signed)
    write_private(keys / "rosters.log", roster_digest(signed))
    write_private(keys / "root.key", private_pem(key))
    write_private(keys / "root.place", _place(keys))
    return HouseholdRoot(keys, key, certificate, roster, epoch_key, signed)
