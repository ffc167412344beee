"""Consent by both sides: one person gives it, the other accepts it, either revokes it, each with a signed word.

A word is signed by the key of a device of that person (for a child: of an adult), so no other node can make one
up. Words only add up and a revoked consent never counts again, so nodes that meet merely exchange what they have.
A device that left the household can say nothing any more but that something is revoked.
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from collections.abc import Callable, Container, Iterable, Sequence

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from msgspec import Struct

from hearthway.mesh.trust.certificates import verify
from hearthway.mesh.trust.roster import Roster
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import InputError, RuleError, WireError
from hearthway.records.household import Consent, ConsentWord, PersonKind

from .rules_file import PURPOSES, compile_pattern

MESSAGE = "Household.Consent"
# Where words are kept: not among the household's shared registers, whose last writer could undo a revocation.
PREFIX = "Consent."
ENDED = "ConsentEnded."  # and an id: it was revoked
GIVE, ACCEPT, REVOKE = "give", "accept", "revoke"
WORDS_MAX = 1024  # in one message; see `consent_table` for how many are kept
KEYS_MAX = 64
KEY_LENGTH_MAX = 200
CONSENT_MAX_BYTES = 16 * 1024  # packed: the most keys, of the greatest length, and the rest
SIGNATURE_MAX_BYTES = 128  # of ECDSA P-256: 72
_CONTEXT = b"hearthway consent 1\0"
_ID = re.compile(r"[0-9a-f]{16}")
_CACHE_MAX = 4_096
_SIGNED_MAX = 8192
_signed_by: dict[
    bytes, bool
] = {}  # by digest: what nobody signed may be large, and is not to be kept


class ConsentWords(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a node has heard, for another one."""

    words: tuple[ConsentWord, ...]


class ConsentState(Struct, frozen=True, kw_only=True):
    """One consent as it stands: `state` is "waiting" (for its acceptance), "in force", "revoked" or "over"."""

    consent_id: str
    consent: Consent
    state: str


def say(
    word: str,
    consent_id: str,
    consent: Consent | None,
    device_id: str,
    sign: Callable[[bytes], bytes],
    time_s: float,
) -> ConsentWord:
    """A signed word; `sign` is the device's own key. A revocation needs no content."""
    body = b"" if word == REVOKE or consent is None else pack(consent)
    bare = ConsentWord(
        consent_id=consent_id,
        word=word,
        consent=body,
        device_id=device_id,
        time_s=time_s,
        signature=b"",
    )
    return msgspec.structs.replace(bare, signature=sign(_signed(bare)))


def new_id() -> str:
    """A random id: a consent that was revoked never comes back under it."""
    return secrets.token_hex(8)


def check_consent(consent: Consent, roster: Roster) -> None:
    """InputError with what to do unless it names two people of the household, keys and a purpose."""
    for who in (consent.giver, consent.receiver):
        if roster.person(who) is None:
            known = ", ".join(p.person_id for p in roster.people) or "nobody yet"
            raise InputError(f"{who!r} is nobody of this household.", f"Known: {known}.")
    if consent.giver == consent.receiver:
        raise InputError("One's own data needs no consent.", "Name somebody else.")
    if consent.purpose not in PURPOSES:
        raise InputError(f"{consent.purpose!r} is no purpose.", f"Use {', '.join(PURPOSES)}.")
    if not 0 < len(consent.keys) <= KEYS_MAX:
        raise InputError(f"A consent names 1 to {KEYS_MAX} keys.", "Person.Location.* is one.")
    if not math.isfinite(consent.until_s) or consent.until_s < 0:
        raise InputError("The end of the consent is no time.", "Give a number of days.")
    for key in consent.keys:
        if len(key) > KEY_LENGTH_MAX:
            raise InputError("That key is too long.", "Person.Location.* is one.")
        try:
            compile_pattern(key)
        except RuleError as why:
            raise InputError(why.message, why.next_step) from None


def verify_word(word: ConsentWord, roster: Roster) -> None:
    """WireError unless a device of the person concerned signed it; what it is about is checked when it is weighed."""
    if (
        word.word not in (GIVE, ACCEPT, REVOKE)
        or _ID.fullmatch(word.consent_id) is None
        or not math.isfinite(word.time_s)
        or (word.word == REVOKE) != (word.consent == b"")
        or len(word.consent) > CONSENT_MAX_BYTES
        or len(word.signature) > SIGNATURE_MAX_BYTES
    ):
        raise WireError("That is no word about a consent.", "Are both nodes on the same version?")
    keys = [m.public_key for m in roster.members if m.device_id == word.device_id]
    if (
        word.word == REVOKE
    ):  # a lost phone may still stop something: that takes nothing from anybody
        keys += [r.public_key for r in roster.revoked if r.device_id == word.device_id]
    if not any(is_signed(word, key) for key in keys):
        raise WireError(
            f"A word about a consent is not signed by {word.device_id[:40]!r} of this household.",
            "It was left aside.",
        )
    if word.word == REVOKE:
        return
    consent = unpack(word.consent, Consent)
    try:
        check_consent(consent, roster)
    except InputError as why:
        raise WireError(why.message, "It was left aside.") from None
    person = consent.giver if word.word == GIVE else consent.receiver
    if not may_speak_for(roster, word.device_id, person):
        raise WireError(
            f"{word.device_id} cannot speak for {person} about a consent.", "It was left aside."
        )


def _counts(word: ConsentWord, roster: Roster) -> bool:
    try:
        verify_word(word, roster)
    except WireError:
        return False
    return True


def states(
    words: Iterable[ConsentWord], roster: Roster, now_s: float, ended: Container[str] = ()
) -> list[ConsentState]:
    """Every consent of these words as it stands, by id. Words that do not verify now count for nothing.

    What is accepted is exactly what was given, byte for byte. Revocations are weighed as they are: they were
    verified when they came, and whoever revoked may have left since. `ended`: ids that were revoked before, which
    stay so whoever has the revoking device by now.
    """
    given: set[tuple[str, bytes]] = set()
    accepted: set[tuple[str, bytes]] = set()
    revokers: dict[str, list[ConsentWord]] = {}
    for word in words:
        if word.word == REVOKE:
            revokers.setdefault(word.consent_id, []).append(word)
        elif _counts(word, roster):
            (given if word.word == GIVE else accepted).add((word.consent_id, word.consent))
    found = []
    for consent_id, content in sorted(given):
        consent = unpack(content, Consent)
        said = revokers.get(consent_id, ())
        if consent_id in ended or any(_ends(roster, word, consent) for word in said):
            state = "revoked"
        elif consent.until_s and now_s >= consent.until_s:
            state = "over"
        else:
            state = "in force" if (consent_id, content) in accepted else "waiting"
        found.append(ConsentState(consent_id=consent_id, consent=consent, state=state))
    return found


class Consents:
    """What is in force, compiled: asking costs a dictionary look-up. `now_s` tells when one is over."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._between: dict[
            tuple[str, str, str], list[tuple[tuple[re.Pattern[str], ...], float]]
        ] = {}
        self._until: dict[tuple[str, str, str, str], float] = {}

    def use(self, found: Sequence[ConsentState]) -> None:
        """From now on these count, and no others."""
        between: dict[tuple[str, str, str], list[tuple[tuple[re.Pattern[str], ...], float]]] = {}
        for one in found:
            if one.state != "in force":
                continue
            consent = one.consent
            at = (consent.giver, consent.receiver, consent.purpose)
            patterns = tuple(compile_pattern(key) for key in consent.keys)
            between.setdefault(at, []).append((patterns, consent.until_s or math.inf))
        self._between, self._until = between, {}

    def __call__(self, giver: str, receiver: str, key: str, purpose: str) -> bool:
        """Have both agreed, and does it still hold?"""
        question = (giver, receiver, key, purpose)
        until_s = self._until.get(question)
        if until_s is None:
            until_s = max(
                (
                    until_s
                    for patterns, until_s in self._between.get((giver, receiver, purpose), ())
                    if any(p.fullmatch(key) for p in patterns)
                ),
                default=-math.inf,
            )
            if len(self._until) >= _CACHE_MAX:
                self._until.clear()
            self._until[question] = until_s
        return until_s == math.inf or self._now_s() < until_s


def register_key(word: ConsentWord) -> str:
    """Where a word is kept: each device has a place of its own for it, so that none takes another's."""
    return f"{PREFIX}{word.consent_id}.{word.word}.{word.device_id}"


def may_speak_for(roster: Roster, device_id: str, person_id: str) -> bool:
    """May that device give or accept for this person: it is theirs, or an adult's and the person a child?"""
    member, person = roster.member(device_id), roster.person(person_id)
    if member is None or person is None or not member.person:
        return False
    if person.kind == PersonKind.CHILD:
        speaker = roster.person(member.person)
        return speaker is not None and speaker.kind == PersonKind.ADULT
    return member.person == person_id


def may_end(roster: Roster, device_id: str, consent: Consent) -> bool:
    """May that device revoke it: a device of either side, or one that has left since it said so?"""
    member = roster.member(device_id)
    if member is None:
        return True  # it left since; when it spoke it was verified
    return member.person in (consent.giver, consent.receiver) or any(
        may_speak_for(roster, device_id, who) for who in (consent.giver, consent.receiver)
    )


def _ends(roster: Roster, word: ConsentWord, consent: Consent) -> bool:
    """Does that revocation count: of either side, or of a device that left, also where another has its id by now?"""
    member = roster.member(word.device_id)
    gone = member is None or not is_signed(word, member.public_key)
    return gone or may_end(roster, word.device_id, consent)


def _signed(word: ConsentWord) -> bytes:
    return _CONTEXT + pack(msgspec.structs.replace(word, signature=b""))


def is_signed(word: ConsentWord, public_key: bytes) -> bool:
    """Did the device with that key (SPKI DER) say exactly this? Remembered: all are weighed whenever one comes."""
    at = hashlib.blake2b(pack((word, public_key)), digest_size=32).digest()
    found = _signed_by.get(at)
    if found is None:
        while len(_signed_by) >= _SIGNED_MAX:
            _signed_by.pop(next(iter(_signed_by)))
        found = _signed_by[at] = _verifies(word, public_key)
    return found


def _verifies(word: ConsentWord, public_key: bytes) -> bool:
    try:
        key = load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return isinstance(key, ec.EllipticCurvePublicKey) and verify(key, word.signature, _signed(word))
