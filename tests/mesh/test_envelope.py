"""Sealed sessions and greetings: altered, replayed, misdirected or foreign ones are refused; the untouched one is not."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.mesh.trust.certificates import load_certificate, new_key, request
from hearthway.mesh.trust.identity import DeviceIdentity, HouseholdRoot
from hearthway.mesh.wire import envelope as env
from hearthway.mesh.wire.envelope import Frame, Head, Hello
from hearthway.mesh.wire.lanes import Heard, Session
from hearthway.mesh.wire.sessions import (
    OLD_EPOCH_S,
    NewerEpochError,
    OlderEpochError,
    Sessions,
    VersionsError,
)
from hearthway.records import codec
from hearthway.records.errors import HearthwayError, IdentityError, WireError


def _frame(n: int = 0) -> Frame:
    return Frame(1.0, (Head(env.RECORD, "Answer.Given", "learn"),), [0], [codec.pack(n)])


def _greet(a: Sessions, b: Sessions) -> tuple[bytes, bytes]:
    """A greets B and hears the answer; both frames."""
    a_id, b_id = a.identity.device_id, b.identity.device_id
    hello = a.greeting(b_id)
    _, heard = b.hear_greeting(a_id, hello, answer=False)
    answer = b.greeting(a_id, echo=heard.challenge)
    a.hear_greeting(b_id, answer, answer=True)
    return hello, answer


class Pair:
    """A phone, a car and a home that have greeted each other."""

    def __init__(self, household: Any) -> None:
        self.household = household
        self.phone = Sessions(household.identity("phone"), time.time)
        self.car = Sessions(household.identity("car"), time.time)
        self.home = Sessions(household.identity("home"), time.time)
        for a, b in (
            (self.car, self.phone), (self.phone, self.car),
            (self.home, self.phone), (self.phone, self.home),
        ):  # fmt: skip
            _greet(a, b)

    def sealed(self, n: int = 0, lane: int = env.RELIABLE) -> bytes:
        """The car's next frame for the phone."""
        session = self.car.get("phone")
        assert session is not None
        return self.car.seal(session, lane, _frame(n))[1]

    def heard(self, data: bytes, claimed: str = "car") -> int:
        """What the phone reads."""
        _, _, _, frame = self.phone.unseal(claimed, data)
        return codec.unpack(frame.bodies[0], int)


@pytest.fixture(name="pair")
def _pair(make_household: Any) -> Pair:
    return Pair(make_household(phone="phone", car="car", home="home"))


# -- sealed frames -------------------------------------------------------------------------------


def test_the_untouched_frame_is_read(pair: Pair) -> None:
    session, lane, seq, frame = pair.phone.unseal("car", pair.sealed(7))
    assert (session.device_id, session.role, lane, seq) == ("car", "car", env.RELIABLE, 1)
    assert frame == _frame(7)


def test_a_frame_holds_nothing_readable(pair: Pair) -> None:
    session = pair.car.get("phone")
    assert session is not None
    head = Head(env.RECORD, "Answer.Given", "learn")
    _, data = pair.car.seal(session, env.RELIABLE, Frame(1.0, (head,), [0], [b"Salaisuus"]))
    for plain in (b"Answer", b"learn", b"Salaisuus"):
        assert plain in env.pack_frame(Frame(1.0, (head,), [0], [b"Salaisuus"]))  # the control
        assert plain not in data


def test_no_flipped_bit_is_accepted(pair: Pair) -> None:
    data = pair.sealed(7)
    for at in range(len(data) * 8):
        spoilt = bytearray(data)
        spoilt[at // 8] ^= 1 << (at % 8)
        with pytest.raises(WireError):
            pair.heard(bytes(spoilt))
    for cut in (data[:-1], data + b"\0", data[1:]):
        with pytest.raises(WireError):
            pair.heard(cut)
    assert pair.heard(data) == 7  # the control, and nothing above used its number up


def test_a_frame_counts_once_and_in_its_turn(pair: Pair) -> None:
    first, second, third = (pair.sealed(n) for n in range(3))
    assert pair.heard(first) == 0
    assert pair.heard(third) == 2  # a lost one in between is normal
    for late in (first, second, third):
        with pytest.raises(WireError, match="twice or late"):
            pair.heard(late)
    assert pair.heard(pair.sealed(3)) == 3


def test_each_lane_counts_by_itself_and_asks_may_overtake_once(pair: Pair) -> None:
    frames = {lane: [pair.sealed(n, lane) for n in range(3)] for lane in env.LANES[:3]}
    assert pair.heard(frames[env.RELIABLE][2]) == 2
    assert pair.heard(frames[env.UNRELIABLE][1]) == 1  # another wire, another order
    for n in (1, 0, 2):
        assert pair.heard(frames[env.ASKS][n]) == n
        with pytest.raises(WireError, match="twice or late"):
            pair.heard(frames[env.ASKS][n])
    relabelled = bytearray(pair.sealed(9, env.UNRELIABLE))
    relabelled[1] = env.RELIABLE
    with pytest.raises(WireError, match="not sealed"):
        pair.heard(bytes(relabelled))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 60), max_size=80), st.sampled_from([0, 8, 64]))
def test_no_number_counts_twice(numbers: list[int], window: int) -> None:
    heard, taken = Heard(window), list[int]()
    for seq in numbers:
        expected = seq not in taken and seq > max(taken, default=0) - max(window, 0)
        if not window:
            expected = seq > max(taken, default=0)
        assert heard.is_new(seq) == expected
        if expected:
            heard.take(seq)
            taken.append(seq)


def test_a_frame_for_another_node_way_or_direction_is_refused(pair: Pair) -> None:
    with pytest.raises(WireError, match="not sealed"):
        pair.heard(pair.sealed(), "home")  # the wire says home, the seal is the car's
    with pytest.raises(WireError, match="stranger"):
        pair.home.unseal("car", pair.sealed())
    _greet(pair.car, pair.home)
    with pytest.raises(WireError, match="not sealed"):
        pair.home.unseal("car", pair.sealed())  # sealed for the phone
    with pytest.raises(WireError, match="not sealed"):
        pair.car.unseal("phone", pair.sealed())  # sent back to where it came from
    assert pair.heard(pair.sealed(4)) == 4


def test_after_a_restart_old_frames_are_worth_nothing(pair: Pair) -> None:
    old = pair.sealed()
    pair.phone = Sessions(pair.household.identity("phone"), time.time)
    with pytest.raises(WireError, match="stranger"):
        pair.heard(old)
    _greet(pair.car, pair.phone)
    with pytest.raises(WireError, match="not sealed"):
        pair.heard(old)
    assert pair.heard(pair.sealed(5)) == 5


def test_after_a_drop_keys_are_new(pair: Pair) -> None:
    old = pair.sealed()
    pair.phone.drop("car")
    _greet(pair.phone, pair.car)
    with pytest.raises(WireError, match="not sealed"):
        pair.heard(old)
    _greet(pair.car, pair.phone)
    assert pair.heard(pair.sealed(6)) == 6


def test_replies_answer_one_question(pair: Pair) -> None:
    asked, answering = pair.phone.get("car"), pair.car.get("phone")
    assert asked is not None
    assert answering is not None

    def reply(reference: int) -> bytes:
        head = Head(env.REPLY, "Answer.Given", "learn", "", reference)
        return pair.car.seal(answering, env.REPLIES, Frame(1.0, (head,), [0], [b"\x01"]))[1]

    assert pair.phone.unseal_reply(asked, reply(7), 7)[1].bodies == [b"\x01"]
    with pytest.raises(WireError, match="another question"):
        pair.phone.unseal_reply(asked, reply(7), 8)
    with pytest.raises(WireError):
        pair.phone.unseal("car", reply(7))  # a reply nobody asked for
    with pytest.raises(WireError):
        pair.phone.unseal_reply(asked, pair.sealed(1), 1)  # a frame is no reply
    pair.phone.drop("car")
    with pytest.raises(WireError, match="new session"):
        pair.phone.unseal_reply(asked, reply(7), 7)


# -- epochs --------------------------------------------------------------------------------------


def _told(sessions: Sessions, root: HouseholdRoot) -> list[str]:
    return sessions.use(sessions.identity.with_roster(root.signed_roster))


def test_the_epoch_turns_without_a_new_handshake(pair: Pair) -> None:
    under_way = pair.sealed(1)
    pair.household.root.revoke("home")
    assert _told(pair.phone, pair.household.root) == ["home"]
    assert pair.heard(under_way) == 1  # sealed before the car heard of it
    assert _told(pair.car, pair.household.root) == []
    data = pair.sealed(2)
    assert env.read_header(data)[1] == pair.phone.identity.epoch
    assert pair.heard(data) == 2


def test_who_has_not_heard_of_a_revocation_cannot_read_what_is_sealed_after_it(pair: Pair) -> None:
    pair.household.root.revoke("home")
    _told(pair.car, pair.household.root)
    data = pair.sealed(3)
    with pytest.raises(NewerEpochError):
        pair.heard(data)
    ignorant = pair.phone.get("car")
    assert ignorant is not None
    lane, epoch, seq = env.read_header(data)
    thief = dataclasses.replace(ignorant, _heard={}, _ciphers={})
    with pytest.raises(WireError, match="not sealed"):  # the session's secret alone is not enough
        thief.unseal(lane, epoch, pair.phone.identity.epoch_key, seq, data)
    _told(pair.phone, pair.household.root)
    assert pair.heard(data) == 3  # the control: nothing was used up


def test_an_old_epoch_is_over_soon(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = pair.sealed(1), pair.sealed(2)
    pair.household.root.revoke("home")
    _told(pair.phone, pair.household.root)
    assert pair.heard(first) == 1
    started = time.monotonic()
    monkeypatch.setattr(
        "hearthway.mesh.wire.sessions.time.monotonic", lambda: started + OLD_EPOCH_S + 1
    )
    with pytest.raises(OlderEpochError):
        pair.heard(second)
    _told(pair.car, pair.household.root)
    assert pair.heard(pair.sealed(3)) == 3


def test_who_leaves_the_roster_loses_its_session(pair: Pair) -> None:
    pair.household.root.revoke("car")
    assert _told(pair.phone, pair.household.root) == ["car"]
    with pytest.raises(WireError, match="stranger"):
        pair.heard(pair.sealed())
    with pytest.raises(WireError, match="not on the household's list"):
        pair.phone.hear_greeting("car", pair.car.greeting("phone"), answer=False)
    with pytest.raises(IdentityError):  # and it cannot take the new key
        _told(pair.car, pair.household.root)


# -- greetings -----------------------------------------------------------------------------------


def _hello(pair: Pair, **changes: Any) -> Hello:
    hello = env.read_hello(pair.car.greeting("phone"))[0]
    return msgspec.structs.replace(hello, **changes)


def _heard(pair: Pair, frame: bytes, *, answer: bool = False) -> Session:
    return pair.phone.hear_greeting("car", frame, answer=answer)[0]


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
    with pytest.raises(WireError, match="usable key"):
        _heard(
            pair, env.seal_hello(_hello(pair, session=b"n" * 16, ephemeral=b"\0" * 32), identity)
        )
    with pytest.raises(WireError):
        _heard(pair, env.seal_hello(_hello(pair, session=b"short"), identity))
    assert _heard(pair, env.seal_hello(_hello(pair), identity))


def test_an_answer_counts_for_the_newest_greeting_only(pair: Pair) -> None:
    _, answer = _greet(pair.phone, pair.car)
    assert _heard(pair, answer, answer=True).greeted  # the control: the greeting still stands
    pair.phone.greeting("car")
    for old in (answer, pair.car.greeting("phone"), pair.car.greeting("phone", echo=b"0" * 16)):
        with pytest.raises(WireError, match="old greeting"):
            _heard(pair, old, answer=True)


def test_a_recorded_greeting_ends_no_session_and_brings_nothing_back(pair: Pair) -> None:
    """The car restarts; then its old greeting and its old frames come again."""
    old_hello, old_frame, unheard = pair.car.greeting("phone"), pair.sealed(1), pair.sealed(2)
    assert pair.heard(old_frame) == 1
    pair.car = Sessions(pair.household.identity("car"), time.time)
    _greet(pair.phone, pair.car)
    _greet(pair.car, pair.phone)
    assert pair.heard(pair.sealed(3)) == 3
    with pytest.raises(WireError, match="was over here"):
        _heard(pair, old_hello)
    for frame in (old_frame, unheard):
        with pytest.raises(WireError):
            pair.heard(frame)
    session = pair.phone.get("car")
    assert session is not None
    assert session.greeted
    assert pair.heard(pair.sealed(4)) == 4


def test_an_answer_older_than_the_greeting_heard_before_it_ends_no_session(
    pair: Pair,
) -> None:
    """The car answers, loses the phone and greets it anew; its greeting comes first, by a quicker way, and then the answer."""
    pair.phone.drop("car")
    ours = pair.phone.greeting("car")
    _, hello = pair.car.hear_greeting("phone", ours, answer=False)
    answer = pair.car.greeting("phone", echo=hello.challenge)
    pair.car.drop("phone")
    _, hello = pair.phone.hear_greeting("car", pair.car.greeting("phone"), answer=False)
    anew, _ = pair.car.hear_greeting(
        "phone", pair.phone.greeting("car", echo=hello.challenge), answer=True
    )
    old = _heard(pair, answer, answer=True)
    assert pair.phone.get("car") is old
    _, data = pair.car.seal(anew, env.RELIABLE, _frame(7))
    assert pair.heard(data) == 7
    now = pair.phone.get("car")
    assert now is not None
    assert now is not old
    assert not now.greeted  # it is greeted before anything is sent
    with pytest.raises(WireError, match="was over here"):
        _heard(pair, answer)  # and the one before never counts again


def test_an_unproved_session_displaces_nothing_until_it_speaks(pair: Pair) -> None:
    again = Sessions(pair.household.identity("car"), time.time)
    hello = again.greeting("phone")
    session, heard = pair.phone.hear_greeting("car", hello, answer=False)
    assert pair.phone.get("car") is not session
    assert pair.heard(pair.sealed(1)) == 1  # the one before still counts
    again.hear_greeting("phone", pair.phone.greeting("car", echo=heard.challenge), answer=True)
    peer = again.get("phone")
    assert peer is not None
    assert pair.heard(again.seal(peer, env.RELIABLE, _frame(2))[1]) == 2
    assert pair.phone.get("car") is session
    with pytest.raises(WireError, match="not sealed"):
        pair.heard(pair.sealed(3))


def test_a_foreign_or_borrowed_certificate_greets_nobody(pair: Pair, make_household: Any) -> None:
    foreign = make_household(phone="phone", car="car").identity("car")
    with pytest.raises(IdentityError, match="not issued"):
        _heard(pair, env.seal_hello(_hello(pair, certificate=foreign.certificate_der), foreign))
    home = pair.household.identity("home")
    with pytest.raises(WireError, match="not on the household's list"):
        _heard(pair, env.seal_hello(_hello(pair, certificate=home.certificate_der), home))
    with pytest.raises(WireError, match="not signed"):  # the car's certificate without its key
        _heard(pair, env.seal_hello(_hello(pair), home))
    assert _heard(pair, env.seal_hello(_hello(pair), pair.car.identity))


def test_a_new_certificate_for_another_key_is_not_the_member(pair: Pair) -> None:
    """Signed by our own root, for the car's name, but not the key or role the roster knows."""
    key = new_key()
    root: HouseholdRoot = pair.household.root

    def as_car(pem: bytes, **changes: Any) -> DeviceIdentity:
        certificate = load_certificate(pem, "thief")
        return dataclasses.replace(pair.car.identity, certificate=certificate, **changes)

    for thief in (
        as_car(root.sign(request(key, "car"), "car", "car", time.time()), key=key),
        as_car(root.sign(request(pair.car.identity.key, "car"), "car", "home", time.time())),
    ):
        with pytest.raises(WireError, match="not on the household's list"):
            _heard(pair, env.seal_hello(_hello(pair, certificate=thief.certificate_der), thief))
    renewed = as_car(root.sign(request(pair.car.identity.key, "car"), "car", "car", time.time()))
    assert _heard(pair, env.seal_hello(_hello(pair, certificate=renewed.certificate_der), renewed))


def test_an_expired_certificate_greets_nobody(pair: Pair) -> None:
    now_s = [time.time()]
    later = Sessions(pair.household.identity("phone"), lambda: now_s[0])
    hello = pair.car.greeting("phone")
    assert later.hear_greeting("car", hello, answer=False)  # the control
    now_s[0] += 31 * 86_400
    with pytest.raises(IdentityError, match="expired"):
        later.hear_greeting("car", hello, answer=False)
    assert later.forget_strangers() == ["car"]  # nor does its session live on


# -- versions ------------------------------------------------------------------------------------


def test_the_highest_common_version_is_used_and_new_fields_are_passed_over(
    make_household: Any,
) -> None:
    household = make_household(phone="phone", car="car")
    newer = Sessions(household.identity("phone"), time.time, versions=(2, 3))
    older = Sessions(household.identity("car"), time.time)

    def greeting(receiver: str, echo: bytes = b"") -> bytes:
        hello = env.read_hello(Sessions.greeting(newer, receiver, echo))[0]
        content = codec.pack([*msgspec.structs.astuple(hello), "a field of version 3", 7])
        signature = newer.identity.sign(b"hearthway hello 2\0" + content)
        return codec.pack(["h", content, signature])

    newer.greeting = greeting  # type: ignore[method-assign]
    _greet(newer, older)
    _greet(older, newer)
    session = newer.get("car")
    assert session is not None
    assert session.version == 2
    later = [*msgspec.structs.astuple(_frame(5)), "a field of version 3"]
    data = session.seal(
        env.RELIABLE, newer.identity.epoch, newer.identity.epoch_key, codec.pack(later)
    )[1]
    assert older.unseal("phone", data)[3] == _frame(5)


def test_no_common_version_is_said_with_both(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")
    newer = Sessions(household.identity("phone"), time.time, versions=(3, 3))
    older = Sessions(household.identity("car"), time.time)
    for a, b in ((newer, older), (older, newer)):
        who = a.identity.device_id
        with pytest.raises(VersionsError) as caught:
            b.hear_greeting(who, a.greeting(b.identity.device_id), answer=False)
        assert "version 3 of the wire" in caught.value.message or (
            "version 2 of the wire" in caught.value.message
        )
        assert "version 3" in caught.value.message
        assert "version 2" in caught.value.message


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_a_wire_error(data: bytes) -> None:
    for read in (env.read_header, env.read_hello, env.unpack_frame):
        with pytest.raises(WireError):
            read(data)
    with pytest.raises(WireError):
        env.read_hello(codec.pack(["h", data, b""]))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-2, 3)), st.lists(st.binary(max_size=4), max_size=4))
def test_heads_and_bodies_must_match(of: list[int], bodies: list[bytes]) -> None:
    heads = (Head(env.RECORD, "A", "learn"), Head(env.RECORD, "B", "learn"))
    data = codec.pack([1.0, heads, of, bodies])
    if len(of) == len(bodies) and all(0 <= n < 2 for n in of):
        assert env.unpack_frame(data).of == of
    else:
        with pytest.raises(WireError):
            env.unpack_frame(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "A" * 257},
        {"purpose": "p" * 33},
        {"about": "x" * 129},
        {"grant": b"g" * 4097},
    ],
)
def test_what_is_remembered_by_name_has_no_names_of_any_length(changes: dict[str, Any]) -> None:
    head = Head(env.RECORD, "Answer.Given", "learn")
    assert env.unpack_frame(env.pack_frame(Frame(1.0, (head,), [0], [b"\x01"])))  # the control
    long = msgspec.structs.replace(head, **changes)
    with pytest.raises(WireError, match="too long"):
        env.unpack_frame(env.pack_frame(Frame(1.0, (long,), [0], [b"\x01"])))


def test_a_frame_of_thousands_or_of_no_time_is_none() -> None:
    head = Head(env.RECORD, "Answer.Given", "learn")
    assert env.unpack_frame(env.pack_frame(Frame(1.0, (head,), [0] * 256, [b"\x01"] * 256)))
    with pytest.raises(WireError, match="length <= 256"):
        env.unpack_frame(env.pack_frame(Frame(1.0, (head,), [0] * 257, [b"\x01"] * 257)))
    with pytest.raises(WireError, match="length <= 256"):
        env.unpack_frame(env.pack_frame(Frame(1.0, (head,) * 257, [0], [b"\x01"])))
    for time_s in (float("nan"), float("inf")):
        with pytest.raises(WireError, match="no time"):
            env.unpack_frame(env.pack_frame(Frame(time_s, (head,), [0], [b"\x01"])))
