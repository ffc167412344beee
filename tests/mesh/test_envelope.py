"""Envelopes and greetings: altered, replayed, misdirected or foreign ones are refused; the untouched one is not."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.mesh import envelope as env
from hearthway.mesh.certificates import load_certificate, new_key, request
from hearthway.mesh.envelope import Envelope, Hello
from hearthway.mesh.identity import HouseholdRoot
from hearthway.mesh.sessions import Session, Sessions
from hearthway.records import codec
from hearthway.records.errors import HearthwayError, IdentityError, WireError


class Pair:
    """A phone and a car that have greeted each other."""

    def __init__(self, household: Any) -> None:
        self.household = household
        self.phone = Sessions(household.identity("phone"), time.time)
        self.car = Sessions(household.identity("car"), time.time)
        self.greet(self.car, self.phone)
        self.greet(self.phone, self.car)

    @staticmethod
    def greet(a: Sessions, b: Sessions) -> None:
        """A greets B and hears the answer."""
        a_id, b_id = a.identity.device_id, b.identity.device_id
        heard = b.hear_greeting(a_id, a.greeting(b_id), answer=False)
        a.hear_greeting(b_id, b.greeting(a_id, echo=heard.session), answer=True)

    def envelope(self, **changes: Any) -> Envelope:
        """The car's next message to the phone."""
        peer = self.car.get("phone")
        assert peer is not None
        peer.sent_seq += 1
        message = Envelope(
            1, env.RECORD, "car", self.car.own, "phone", peer.session, peer.sent_seq, 1.0,
            "learn", (("Answer.Given", "answer-from-car"),), 0, b"\xc0",
        )  # fmt: skip
        return msgspec.structs.replace(message, **changes)

    def frame(self, **changes: Any) -> bytes:
        """The same, sealed by the car."""
        return env.seal(self.envelope(**changes), self.car.identity)


@pytest.fixture(name="pair")
def _pair(make_household: Any) -> Pair:
    return Pair(make_household(phone="phone", car="car", home="home"))


def test_the_untouched_envelope_is_accepted(pair: Pair) -> None:
    session, message = pair.phone.accept("car", pair.frame())
    assert (session.device_id, session.role) == ("car", "car")
    assert message.grants == (("Answer.Given", "answer-from-car"),)


def test_no_flipped_bit_is_accepted(pair: Pair) -> None:
    frame = pair.frame()
    for at in range(len(frame)):
        spoilt = bytearray(frame)
        spoilt[at] ^= 1 << (at % 8)
        with pytest.raises(WireError):
            pair.phone.accept("car", bytes(spoilt))
    assert pair.phone.accept("car", frame)  # the control, and nothing above used its number up


def test_a_message_counts_once_and_in_its_turn(pair: Pair) -> None:
    first, second, third = pair.frame(), pair.frame(), pair.frame()
    pair.phone.accept("car", first)
    pair.phone.accept("car", third)  # a lost one in between is normal
    for late in (first, second, third):
        with pytest.raises(WireError, match="twice or late"):
            pair.phone.accept("car", late)
    assert pair.phone.accept("car", pair.frame())


def test_a_message_for_another_node_or_session_is_refused(pair: Pair) -> None:
    for changes in (
        {"receiver": "home"},
        {"receiver_session": b"0" * 16},
        {"sender_session": b"0" * 16},
        {"version": 2},
    ):
        with pytest.raises(WireError):
            pair.phone.accept("car", pair.frame(**changes))
    with pytest.raises(WireError, match="stranger"):
        pair.phone.accept("home", pair.frame())  # the wire says home, the envelope car
    assert pair.phone.accept("car", pair.frame())


def test_after_a_restart_old_messages_are_worth_nothing(pair: Pair) -> None:
    old = pair.frame()
    pair.phone = Sessions(pair.household.identity("phone"), time.time)
    with pytest.raises(WireError, match="stranger"):
        pair.phone.accept("car", old)
    pair.greet(pair.car, pair.phone)
    with pytest.raises(WireError, match="not of this session"):
        pair.phone.accept("car", old)
    assert pair.phone.accept("car", pair.frame())


def test_another_members_signature_is_not_the_senders(pair: Pair) -> None:
    home = pair.household.identity("home")
    with pytest.raises(WireError, match="not signed by it"):
        pair.phone.accept("car", env.seal(pair.envelope(), home))
    with pytest.raises(WireError, match="stranger"):
        pair.phone.accept("home", env.seal(pair.envelope(sender="home"), home))


def test_a_greeting_cannot_pass_as_an_envelope_or_the_other_way_round(pair: Pair) -> None:
    with pytest.raises(WireError):
        pair.phone.accept("car", pair.car.greeting("phone"))
    with pytest.raises(WireError):
        pair.phone.hear_greeting("car", pair.frame(), answer=False)
    assert env.is_hello(pair.car.greeting("phone"))
    assert not env.is_hello(pair.frame())


def test_replies_answer_one_question(pair: Pair) -> None:
    reply = pair.frame(kind=env.REPLY, reference=7)
    assert pair.phone.accept_reply("car", reply, 7).reference == 7
    with pytest.raises(WireError, match="another question"):
        pair.phone.accept_reply("car", reply, 8)


# -- greetings -----------------------------------------------------------------------------------


def _hello(pair: Pair, **changes: Any) -> Hello:
    car = pair.car.identity
    hello = Hello(1, "car", pair.car.own, "phone", b"", car.roster.serial, car.certificate_der)
    return msgspec.structs.replace(hello, **changes)


def _heard(pair: Pair, frame: bytes, *, answer: bool = False) -> Session:
    return pair.phone.hear_greeting("car", frame, answer=answer)


def test_no_flipped_bit_of_a_greeting_is_accepted(pair: Pair) -> None:
    frame = pair.car.greeting("phone")
    for at in range(0, len(frame), 3):
        spoilt = bytearray(frame)
        spoilt[at] ^= 1 << (at % 8)
        with pytest.raises(HearthwayError):
            _heard(pair, bytes(spoilt))
    assert _heard(pair, frame).role == "car"


def test_a_greeting_for_another_or_by_another_way_is_refused(pair: Pair) -> None:
    identity = pair.car.identity
    with pytest.raises(WireError, match="by way of"):
        _heard(pair, env.seal_hello(_hello(pair, receiver="home"), identity))
    with pytest.raises(WireError, match="by way of"):
        pair.phone.hear_greeting("home", pair.car.greeting("phone"), answer=False)
    with pytest.raises(WireError, match="version"):
        _heard(pair, env.seal_hello(_hello(pair, version=9), identity))
    with pytest.raises(WireError, match="old greeting"):
        _heard(pair, pair.car.greeting("phone", echo=b"0" * 16), answer=True)
    assert _heard(pair, pair.car.greeting("phone", echo=pair.phone.own), answer=True)


def test_a_foreign_or_borrowed_certificate_greets_nobody(pair: Pair, make_household: Any) -> None:
    foreign = make_household(phone="phone", car="car").identity("car")
    with pytest.raises(IdentityError, match="not issued"):
        _heard(pair, env.seal_hello(_hello(pair, certificate=foreign.certificate_der), foreign))
    home = pair.household.identity("home")
    with pytest.raises(WireError, match="not on the household's list"):
        _heard(pair, env.seal_hello(_hello(pair, certificate=home.certificate_der), home))
    with pytest.raises(WireError, match="not signed"):  # the car's certificate without its key
        _heard(pair, env.seal_hello(_hello(pair), home))


def test_a_new_certificate_for_another_key_is_not_the_member(pair: Pair) -> None:
    """Signed by our own root, for the car's name, but not the key the roster knows."""
    key = new_key()
    root: HouseholdRoot = pair.household.root
    pem = root.sign(request(key, "car"), "car", "car", time.time())
    thief = dataclasses.replace(
        pair.car.identity, key=key, certificate=load_certificate(pem, "thief")
    )
    with pytest.raises(WireError, match="not on the household's list"):
        _heard(pair, env.seal_hello(_hello(pair, certificate=thief.certificate_der), thief))
    promoted = root.sign(request(pair.car.identity.key, "car"), "car", "home", time.time())
    identity = dataclasses.replace(
        pair.car.identity, certificate=load_certificate(promoted, "promoted")
    )
    with pytest.raises(WireError, match="not on the household's list"):
        _heard(pair, env.seal_hello(_hello(pair, certificate=identity.certificate_der), identity))


def test_an_expired_certificate_greets_nobody(pair: Pair) -> None:
    later = Sessions(pair.household.identity("phone"), lambda: time.time() + 31 * 86_400)
    with pytest.raises(IdentityError, match="expired"):
        later.hear_greeting("car", pair.car.greeting("phone"), answer=False)


def test_who_leaves_the_roster_loses_its_session(pair: Pair) -> None:
    pair.household.root.revoke("car")
    pair.phone.identity = pair.phone.identity.with_roster(pair.household.root.signed_roster)
    assert pair.phone.forget_strangers() == ["car"]
    with pytest.raises(WireError, match="stranger"):
        pair.phone.accept("car", pair.frame())
    with pytest.raises(WireError, match="not on the household's list"):
        _heard(pair, pair.car.greeting("phone"))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_a_wire_error(data: bytes) -> None:
    for read in (env.read_envelope, env.read_hello):
        with pytest.raises(WireError):
            read(data)
        with pytest.raises(WireError):
            read(codec.pack(["e", data, b""]))
        with pytest.raises(WireError):
            read(codec.pack(["h", data, b""]))
