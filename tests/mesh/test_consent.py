"""Consent: both sides' signed words, nobody else's; revoked is revoked."""

from __future__ import annotations

import math
import time
from itertools import permutations

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from hearthway.mesh.policy.consent import (
    _CONTEXT,
    ACCEPT,
    CONSENT_MAX_BYTES,
    ENDED,
    GIVE,
    MESSAGE,
    PREFIX,
    REVOKE,
    WORDS_MAX,
    Consents,
    check_consent,
    may_end,
    may_speak_for,
    new_id,
    register_key,
    say,
    states,
    verify_word,
)
from hearthway.mesh.trust.certificates import new_key, spki
from hearthway.mesh.trust.roster import Member, Revoked, Roster
from hearthway.records.codec import pack
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
    moved = msgspec.structs.replace(word(GIVE, "ben"), device_id="anna")
    forged = say(GIVE, ID, TO_BEN, "anna", signer("ben"), NOW)  # by a key of the household
    for one in (moved, forged):
        with pytest.raises(WireError, match="not signed"):
            verify_word(one, ROSTER)
    verify_word(word(GIVE, "anna"), ROSTER)
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


def test_answers_are_remembered_and_no_more_of_them_than_4096() -> None:
    consents = Consents(lambda: NOW)
    consents.use(states([word(GIVE, "anna"), word(ACCEPT, "ben")], ROSTER, NOW))
    for n in range(4096):
        assert not consents("anna", "ben", f"A.B{n}", "share")
        assert len(consents._until) == n + 1
    assert not consents("anna", "ben", "A.B0", "share")
    assert len(consents._until) == 4096  # asked before
    assert not consents("ben", "anna", "Person.Location.Latitude", "share")
    assert not consents("anna", "ben", "Person.Location.Latitude", "advise")
    assert len(consents._until) == 2
    assert consents("anna", "ben", "Person.Location.Latitude", "share")


def test_asking_is_quick() -> None:
    consents = Consents(lambda: NOW)
    consents.use(states([word(GIVE, "anna"), word(ACCEPT, "ben")], ROSTER, NOW))
    start_s = time.perf_counter()
    for _ in range(10_000):
        consents("anna", "ben", "Person.Location.Latitude", "share")
    assert (time.perf_counter() - start_s) / 10_000 < 50e-6


def test_of_what_nobody_signed_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered: dict[bytes, bool] = {}
    monkeypatch.setattr("hearthway.mesh.policy.consent._signed_by", remembered)
    good = word(GIVE, "anna")
    verify_word(good, ROSTER)  # the control
    for large in ({"consent": bytes(CONSENT_MAX_BYTES + 1)}, {"signature": bytes(129)}):
        with pytest.raises(WireError, match="no word"):
            verify_word(msgspec.structs.replace(good, **large), ROSTER)
    assert len(remembered) == 1  # nor is any signature looked at for them
    for n in range(8192):  # the control among them
        remembered[n.to_bytes(32, "big")] = False
    with pytest.raises(WireError, match="not signed"):
        verify_word(msgspec.structs.replace(good, time_s=0.0), ROSTER)
    assert len(remembered) == 8192
    monkeypatch.setattr("hearthway.mesh.policy.consent._SIGNED_MAX", 50)
    for n in range(60):
        noise = n.to_bytes(2, "big") * (CONSENT_MAX_BYTES // 2)
        with pytest.raises(WireError, match="not signed"):
            verify_word(msgspec.structs.replace(good, consent=noise), ROSTER)
    assert len(remembered) == 50
    assert {len(at) for at in remembered} == {32}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"consent": bytes(16_385)}, "no word"),
        ({"consent": bytes(16_384)}, "not signed"),
        ({"signature": bytes(129)}, "no word"),
        ({"signature": bytes(128)}, "not signed"),
    ],
)
def test_the_limits_of_a_word_are_what_they_say(wrong: dict[str, bytes], message: str) -> None:
    with pytest.raises(WireError, match=message):
        verify_word(msgspec.structs.replace(word(GIVE, "anna"), **wrong), ROSTER)


def test_a_word_that_is_left_aside_is_told_why_and_what_became_of_it() -> None:
    verify_word(word(GIVE, "anna"), ROSTER)
    gossip = msgspec.structs.replace(TO_BEN, purpose="gossip")
    for wrong, message, next_step in (
        (word("own", "anna"), "That is no word about a consent.", "same version"),
        (word(GIVE, "stranger"), "not signed by 'stranger'", "left aside"),
        (word(GIVE, "anna", gossip), "'gossip' is no purpose.", "left aside"),
        (word(GIVE, "ben"), "ben cannot speak for anna", "left aside"),
    ):
        with pytest.raises(WireError) as caught:
            verify_word(wrong, ROSTER)
        assert message in caught.value.message
        assert next_step in caught.value.next_step


def test_what_is_on_disk_and_on_the_wire_keeps_its_name() -> None:
    assert (MESSAGE, PREFIX, ENDED) == ("Household.Consent", "Consent.", "ConsentEnded.")
    assert (GIVE, ACCEPT, REVOKE) == ("give", "accept", "revoke")
    assert WORDS_MAX == 1024  # a node of another version looks at no more of a message
    said = word(GIVE, "anna")
    bare = msgspec.structs.replace(said, signature=b"")
    KEYS["anna"].public_key().verify(
        said.signature, b"hearthway consent 1\0" + pack(bare), ec.ECDSA(hashes.SHA256())
    )


def test_the_limits_of_a_consent_are_what_they_say() -> None:
    longest = "A" + ".B" * 99 + "C"
    assert len(longest) == 200
    for right in (
        {"keys": ("A.B",) * 64},
        {"keys": (longest,)},
        {"keys": (longest,) * 64},
        {"until_s": 0.0},
        {"until_s": 1.0},
    ):
        consent = msgspec.structs.replace(TO_BEN, **right)
        check_consent(consent, ROSTER)
        verify_word(word(GIVE, "anna", consent), ROSTER)
    with pytest.raises(InputError, match="too long"):
        check_consent(msgspec.structs.replace(TO_BEN, keys=(longest + "C",)), ROSTER)
    nobody = msgspec.structs.replace(ROSTER, people=())
    for roster, known in ((ROSTER, "anna, ben, kid, guest"), (nobody, "nobody yet")):
        with pytest.raises(InputError) as caught:
            check_consent(msgspec.structs.replace(TO_BEN, giver="eve"), roster)
        assert caught.value.next_step == f"Known: {known}."


def test_a_word_has_one_form() -> None:
    revoke = word(REVOKE, "anna")
    assert revoke.consent == b""
    verify_word(revoke, ROSTER)
    for what, changes in (
        (GIVE, {"consent": b""}),
        (REVOKE, {"consent": word(GIVE, "anna").consent}),
        (GIVE, {"consent_id": ID + "0"}),
        (GIVE, {"consent_id": ID.upper()}),
        (GIVE, {"time_s": math.inf}),
        (GIVE, {"word": "own"}),
    ):
        wrong = msgspec.structs.replace(word(what, "anna"), signature=b"", **changes)
        signed = _CONTEXT + pack(wrong)
        wrong = msgspec.structs.replace(wrong, signature=signer("anna")(signed))
        with pytest.raises(WireError, match="no word"):
            verify_word(wrong, ROSTER)
    assert say(GIVE, ID, None, "anna", signer("anna"), NOW).consent == b""
    assert len(new_id()) == 16
    assert new_id() != new_id()
    assert register_key(revoke) == f"Consent.{ID}.revoke.anna"


def test_a_key_that_is_none_verifies_nothing() -> None:
    edwards = (
        ed25519.Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    for key in (b"", b"junk", edwards, spki(KEYS["ben"].public_key())):
        other = msgspec.structs.replace(
            ROSTER,
            members=(msgspec.structs.replace(ROSTER.members[0], public_key=key),),
        )
        with pytest.raises(WireError, match="not signed"):
            verify_word(word(GIVE, "anna"), other)


def test_who_may_speak_and_who_may_end() -> None:
    speaks = {
        (device, person)
        for device in ("anna", "anna-2", "ben", "kid", "guest", "car", "stranger")
        for person in ("anna", "ben", "kid", "guest", "nobody", "")
        if may_speak_for(ROSTER, device, person)
    }
    assert speaks == {
        ("anna", "anna"),
        ("anna-2", "anna"),
        ("ben", "ben"),
        ("guest", "guest"),
        ("anna", "kid"),
        ("anna-2", "kid"),
        ("ben", "kid"),
    }
    for receiver, ends in (("ben", {"anna", "anna-2", "ben"}), ("kid", {"anna", "anna-2", "kid"})):
        consent = msgspec.structs.replace(TO_BEN, receiver=receiver)
        ends = ends | {"stranger"} | ({"ben"} if receiver == "kid" else set())
        assert {d for d in KEYS if may_end(ROSTER, d, consent)} == ends
    without = msgspec.structs.replace(ROSTER, people=ROSTER.people[1:])
    assert may_speak_for(without, "anna", "kid") is False  # whose phone is nobody's we know
    nameless = (*ROSTER.people, HouseholdPerson(person_id="", kind=PersonKind.ADULT))
    listed = msgspec.structs.replace(ROSTER, people=nameless)
    assert may_speak_for(listed, "car", "") is False  # nobody's device speaks for nobody
    assert may_speak_for(listed, "anna", "anna")


def test_states_are_ordered_and_only_of_what_was_given() -> None:
    other = "0" * 16
    words = [word(ACCEPT, "ben"), word(GIVE, "anna"), word(GIVE, "anna", at=other)]
    found = states(words, ROSTER, NOW)
    assert [(one.consent_id, one.state) for one in found] == [
        (other, "waiting"),
        (ID, "in force"),
    ]
    assert found[1].consent == TO_BEN
    short = msgspec.structs.replace(TO_BEN, until_s=NOW - 1)
    ended = [word(GIVE, "anna", short), word(REVOKE, "ben")]
    assert state(*ended) == ["revoked"]  # rather than over
    assert state(*ended[:1]) == ["over"]


def test_the_longest_of_several_consents_holds_and_only_the_newest_list_counts() -> None:
    short = msgspec.structs.replace(TO_BEN, keys=("Person.*",), until_s=NOW + 10)
    longer = msgspec.structs.replace(TO_BEN, keys=("A.B", "Person.Mood"), until_s=NOW + 20)
    other = "0" * 16
    words = [
        w
        for consent, at in ((short, ID), (longer, other))
        for w in (word(GIVE, "anna", consent, at), word(ACCEPT, "ben", consent, at))
    ]
    now = [NOW]
    consents = Consents(lambda: now[0])
    assert not consents("anna", "ben", "Person.Mood", "share")
    consents.use(states(words, ROSTER, NOW))
    now[0] = NOW + 15
    assert consents("anna", "ben", "Person.Mood", "share")
    assert consents("anna", "ben", "A.B", "share")
    assert not consents("anna", "ben", "Person.Name", "share")
    assert not consents("anna", "ben", "A.B.C", "share")
    consents.use(states([word(GIVE, "anna"), word(ACCEPT, "ben")], ROSTER, NOW))
    assert not consents("anna", "ben", "Person.Mood", "share")
    now[0] = NOW + 1e12
    assert consents("anna", "ben", "Person.Location.Latitude", "share")  # without an end
    consents.use(states([word(GIVE, "anna")], ROSTER, NOW))
    assert not consents("anna", "ben", "Person.Location.Latitude", "share")


def test_what_was_revoked_stays_so_when_the_device_goes_to_somebody_else() -> None:
    said = [word(GIVE, "anna"), word(ACCEPT, "ben"), word(REVOKE, "anna-2")]
    assert [one.state for one in states(said, ROSTER, NOW)] == ["revoked"]
    others = tuple(m for m in ROSTER.members if m.device_id != "anna-2")
    handed = msgspec.structs.replace(member("anna-2", "kid"))
    kids = msgspec.structs.replace(ROSTER, members=(*others, handed))
    assert [one.state for one in states(said, kids, NOW, {ID})] == ["revoked"]
    fresh = msgspec.structs.replace(handed, public_key=spki(KEYS["stranger"].public_key()))
    anew = msgspec.structs.replace(ROSTER, members=(*others, fresh))  # wiped, paired under its id
    assert [one.state for one in states(said, anew, NOW)] == ["revoked"]
    between = [word(GIVE, "anna"), word(ACCEPT, "ben"), word(REVOKE, "guest")]
    assert [one.state for one in states(between, ROSTER, NOW)] == ["in force"]  # still


def test_one_lost_device_revokes_nothing_in_anothers_name() -> None:
    lost = msgspec.structs.replace(
        ROSTER,
        members=tuple(m for m in ROSTER.members if m.device_id != "anna-2"),
        revoked=tuple(
            Revoked(device_id=name, public_key=spki(KEYS[name].public_key()))
            for name in ("anna-2", "stranger")
        ),
    )
    forged = say(REVOKE, ID, None, "anna-2", signer("stranger"), NOW)
    with pytest.raises(WireError, match="not signed"):
        verify_word(forged, lost)
    verify_word(word(REVOKE, "anna-2"), lost)  # the control
