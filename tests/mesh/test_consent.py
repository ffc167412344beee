"""Consent: both sides' signed words, nobody else's; revoked is revoked."""

from __future__ import annotations

import math
import time
from itertools import permutations

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from hearthway.mesh.certificates import new_key, spki
from hearthway.mesh.consent import (
    ACCEPT,
    GIVE,
    REVOKE,
    Consents,
    check_consent,
    new_id,
    register_key,
    say,
    states,
    verify_word,
)
from hearthway.mesh.roster import Member, Revoked, Roster
from hearthway.records.errors import InputError, WireError
from hearthway.records.household import Consent, ConsentWord, HouseholdPerson, PersonKind

NOW = 1_700_000_000.0
KEYS = {name: new_key() for name in ("anna", "ben", "kid", "guest", "car", "anna-2", "stranger")}


def member(name: str, person: str, role: str = "phone") -> Member:
    return Member(
        device_id=name,
        role=role,
        address="",
        public_key=spki(KEYS[name].public_key()),
        person=person,
    )


ROSTER = Roster(
    household_id="h",
    name="Ours",
    serial=1,
    members=(
        member("anna", "anna"),
        member("anna-2", "anna"),
        member("ben", "ben"),
        member("kid", "kid"),
        member("guest", "guest"),
        member("car", "", "car"),
    ),
    people=(
        HouseholdPerson(person_id="anna", kind=PersonKind.ADULT),
        HouseholdPerson(person_id="ben", kind=PersonKind.ADULT),
        HouseholdPerson(person_id="kid", kind=PersonKind.CHILD),
        HouseholdPerson(person_id="guest", kind=PersonKind.GUEST, until_s=NOW + 100),
    ),
)
TO_BEN = Consent(giver="anna", receiver="ben", keys=("Person.Location.*",), purpose="share")
ID = "00112233445566aa"


def signer(name: str):  # type: ignore[no-untyped-def]  # a test's helper: bytes -> bytes
    return lambda data: KEYS[name].sign(data, ec.ECDSA(hashes.SHA256()))


def word(what: str, device: str, consent: Consent | None = TO_BEN, at: str = ID) -> ConsentWord:
    return say(what, at, consent, device, signer(device), NOW)


def state(*words: ConsentWord, roster: Roster = ROSTER, now_s: float = NOW) -> list[str]:
    return [one.state for one in states(words, roster, now_s)]


def test_it_counts_when_both_have_said_so_and_ends_when_either_says_so() -> None:
    give, accept = word(GIVE, "anna"), word(ACCEPT, "ben")
    assert state(give) == ["waiting"]
    assert state(accept) == []
    assert state(give, accept) == ["in force"]
    for device in ("anna", "anna-2", "ben"):
        revoke = word(REVOKE, device)
        for order in permutations((give, accept, revoke)):
            assert state(*order) == ["revoked"]
    assert state(give, accept, word(REVOKE, "guest")) == ["in force"]  # between others
    assert state(give, accept, word(REVOKE, "car")) == ["in force"]


@pytest.mark.parametrize("device", ["ben", "kid", "guest", "car"])
def test_nobody_gives_for_another(device: str) -> None:
    forged = word(GIVE, device)
    with pytest.raises(WireError, match="cannot speak"):
        verify_word(forged, ROSTER)
    assert state(forged, word(ACCEPT, "ben")) == []
    verify_word(word(GIVE, "anna"), ROSTER)


@pytest.mark.parametrize("device", ["anna", "kid", "guest", "car"])
def test_nobody_accepts_for_another(device: str) -> None:
    with pytest.raises(WireError):
        verify_word(word(ACCEPT, device), ROSTER)
    assert state(word(GIVE, "anna"), word(ACCEPT, device)) == ["waiting"]


def test_a_child_is_spoken_for_by_an_adult_only() -> None:
    of_kid = msgspec.structs.replace(TO_BEN, giver="kid")
    with pytest.raises(WireError):
        verify_word(word(GIVE, "kid", of_kid), ROSTER)
    with pytest.raises(WireError):
        verify_word(word(GIVE, "guest", of_kid), ROSTER)
    assert state(word(GIVE, "anna", of_kid), word(ACCEPT, "ben", of_kid)) == ["in force"]


def test_another_device_cannot_sign_in_its_name() -> None:
    forged = msgspec.structs.replace(word(GIVE, "ben"), device_id="anna")
    with pytest.raises(WireError, match="not signed"):
        verify_word(forged, ROSTER)
    with pytest.raises(WireError):
        verify_word(msgspec.structs.replace(word(GIVE, "anna"), device_id="stranger"), ROSTER)


def test_every_altered_field_is_found() -> None:
    good = word(GIVE, "anna")
    other = word(GIVE, "anna", msgspec.structs.replace(TO_BEN, keys=("Person.*",)))
    for change in (
        {"consent_id": new_id()},
        {"word": ACCEPT},
        {"consent": other.consent},
        {"time_s": NOW + 1},
        {"signature": other.signature},
    ):
        with pytest.raises(WireError):
            verify_word(msgspec.structs.replace(good, **change), ROSTER)


def test_what_is_accepted_is_exactly_what_was_given() -> None:
    wider = msgspec.structs.replace(TO_BEN, keys=("Person.*",))
    both = [word(GIVE, "anna"), word(GIVE, "anna-2", wider), word(ACCEPT, "ben")]
    found = states(both, ROSTER, NOW)
    assert {(one.consent.keys, one.state) for one in found} == {
        (("Person.Location.*",), "in force"),
        (("Person.*",), "waiting"),
    }
    assert len({register_key(one) for one in both}) == 3


def test_it_ends_with_its_time() -> None:
    short = msgspec.structs.replace(TO_BEN, until_s=NOW + 10)
    words = [word(GIVE, "anna", short), word(ACCEPT, "ben", short)]
    assert state(*words, now_s=NOW + 9.9) == ["in force"]
    assert state(*words, now_s=NOW + 10) == ["over"]
    now = [NOW]
    consents = Consents(lambda: now[0])
    consents.use(states(words, ROSTER, NOW))
    assert consents("anna", "ben", "Person.Location.Latitude", "share")
    now[0] = NOW + 10
    assert not consents("anna", "ben", "Person.Location.Latitude", "share")


def test_a_lost_phone_gives_nothing_any_more_but_what_it_revoked_stays_so() -> None:
    gone = msgspec.structs.replace(
        ROSTER,
        members=tuple(m for m in ROSTER.members if m.device_id != "anna-2"),
        revoked=(Revoked(device_id="anna-2", public_key=spki(KEYS["anna-2"].public_key())),),
    )
    lost_gave = word(GIVE, "anna-2")
    assert state(lost_gave, word(ACCEPT, "ben")) == ["in force"]
    assert state(lost_gave, word(ACCEPT, "ben"), roster=gone) == []
    words = (word(GIVE, "anna"), word(ACCEPT, "ben"), word(REVOKE, "anna-2"))
    assert state(*words, roster=gone) == ["revoked"]
    verify_word(words[2], gone)
    with pytest.raises(WireError):
        verify_word(lost_gave, gone)


def test_who_left_is_asked_for_nothing() -> None:
    words = (word(GIVE, "anna"), word(ACCEPT, "ben"))
    without_ben = msgspec.structs.replace(
        ROSTER,
        people=tuple(p for p in ROSTER.people if p.person_id != "ben"),
        members=tuple(m for m in ROSTER.members if m.person != "ben"),
    )
    assert state(*words, roster=without_ben) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"receiver": "anna"},
        {"receiver": "nobody"},
        {"giver": ""},
        {"keys": ()},
        {"keys": ("*",)},
        {"keys": ("A." * 200 + "B",)},
        {"keys": ("A.B",) * 65},
        {"purpose": "gossip"},
        {"until_s": math.nan},
        {"until_s": -1.0},
    ],
)
def test_what_is_no_consent(wrong: dict[str, object]) -> None:
    consent = msgspec.structs.replace(TO_BEN, **wrong)
    with pytest.raises(InputError) as caught:
        check_consent(consent, ROSTER)
    assert caught.value.next_step
    with pytest.raises(WireError):
        verify_word(word(GIVE, "anna", consent), ROSTER)


_noise = st.builds(
    ConsentWord,
    consent_id=st.sampled_from([ID, "", "zz", "0" * 16]),
    word=st.sampled_from([GIVE, ACCEPT, REVOKE, "", "own"]),
    consent=st.binary(max_size=60),
    device_id=st.sampled_from([*KEYS, ""]),
    time_s=st.floats(),
    signature=st.binary(max_size=80),
)


@given(st.lists(_noise, max_size=6))
def test_noise_is_left_aside_and_spoils_nothing(noise: list[ConsentWord]) -> None:
    for one in noise:
        with pytest.raises(WireError):
            verify_word(one, ROSTER)
    noise = [
        one for one in noise if one.word != REVOKE
    ]  # those are weighed as verified when they came
    assert state(*noise, word(GIVE, "anna"), word(ACCEPT, "ben")) == ["in force"]


def test_asking_is_quick_and_bounded() -> None:
    consents = Consents(lambda: NOW)
    consents.use(states([word(GIVE, "anna"), word(ACCEPT, "ben")], ROSTER, NOW))
    for n in range(20_000):
        consents("anna", "ben", f"A.B{n}", "share")
    assert len(consents._until) <= 16_384
    assert not consents("ben", "anna", "Person.Location.Latitude", "share")
    assert not consents("anna", "ben", "Person.Location.Latitude", "advise")
    start_s = time.perf_counter()
    for _ in range(10_000):
        consents("anna", "ben", "Person.Location.Latitude", "share")
    assert (time.perf_counter() - start_s) / 10_000 < 50e-6
