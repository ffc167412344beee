"""What nodes say to one another, and hostile variants of it: one genuine body a key, and mutations that know its structure.

Seeded: a seed and a number give the same bytes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Raw

from hearthway.app.membership import (
    CLAIM,
    LEAVE,
    MOVE,
    RENEW,
    REVOKE,
    Claim,
    Leave,
    Move,
    Renew,
    Revoke,
)
from hearthway.app.wheel import AT_WHEEL
from hearthway.mesh.policy.consent import MESSAGE, ConsentWords, new_id, say
from hearthway.mesh.policy.tokens import HANDED, Handed
from hearthway.mesh.state.replica_wire import CHANGES, FRESH, PULL, Burial, Change, Changes, Pull
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.wire import envelope as env
from hearthway.mesh.wire.envelope import Head
from hearthway.records import codec, messages
from hearthway.records.chain import Countersign, Enrolment
from hearthway.records.chain import Head as ChainHead
from hearthway.records.company import ASK_TASTE, TASTE, TasteAsked, TasteTold
from hearthway.records.forgetting import ForgetOrder, SignedForget, Span
from hearthway.records.household import Consent
from hearthway.records.signals import Signal
from hearthway.records.suggestion import AnswerKind
from hearthway.records.tasks import (
    TASK_OFFER,
    TASK_STATE,
    NavigationTarget,
    Task,
    WaitingSuggestion,
)
from hearthway.sense.catalogue import WITH_CAR

VICTIM = "anna"  # whose data nobody else may touch
PURPOSES = (
    "anticipate", "advise", "learn", "witness", "replay", "wait", "forget", "household", "share",
    "handoff", "borrow", "control", "", "hearthway", "x" * 300,
)  # fmt: skip
NOW_S = 1_790_000_000.0


@dataclass(frozen=True)
class Spoken:
    """A genuine message. `kind` None: a batch of signals."""

    key: str
    record: Any
    purpose: str
    about: str
    asked: bool
    kind: Any

    @property
    def tree(self) -> Any:
        """The body as plain lists, dicts and numbers."""
        return msgspec.msgpack.decode(codec.pack(self.record))


def vocabulary(me: DeviceIdentity, target: str) -> list[Spoken]:
    """One genuine message for every key that some node listens to, as this device would say it."""
    own, member = me.device_id, me.roster.member(me.device_id)
    person = member.person if member is not None else ""
    ed = Ed25519PrivateKey.generate()
    public = ed.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    order = codec.pack(
        ForgetOrder(
            order_id="0" * 32,
            node=own,
            time_s=NOW_S,
            persons=(VICTIM,),
            spans=(Span(since_s=0.0, until_s=2e9, person_id=VICTIM),),
        )
    )
    forget = SignedForget(
        order=order, key=public, signature=ed.sign(b"hearthway-forget-order-1\0" + order)
    )
    words = ConsentWords(
        words=tuple(
            say(
                word,
                new_id(),
                Consent(
                    giver=VICTIM, receiver=person or "eve", keys=("Person.*",), purpose="share"
                ),
                own,
                me.sign,
                NOW_S,
            )
            for word in ("give", "accept", "revoke")
        )
    )
    change = {"wall_ms": int(NOW_S * 1000), "count": 0}
    changes = Changes(
        database=b"d" * 16,
        since=0,
        next=3,
        last=3,
        changes=(
            Change(key="Setting.fuzz", value=b"\x01", node=own, **change),
            Change(key=f"Person.{VICTIM}.mood", value=b"\xa3bad", node=own, **change),
            Change(key="Setting.theirs", value=b"\xa3bad", node="home", **change),
            Change(key=f"Device.{target}.name", value=b"\xa3bad", node=target, **change),
        ),
        buried=(Burial(key_hash=b"k" * 16, node=target, **change),),
        salt=b"s" * 16,
        digest=b"x" * 16,
    )
    surface = messages.Surface(
        suggestion_id="f" * 32,
        person=VICTIM,
        time_s=NOW_S,
        utc_offset_s=7200,
        lines=("Turn left into the river",),
        osm_ids=("node/1",),
    )
    head = ChainHead(node=own, seq=1, hash=b"h" * 32, signature=ed.sign(b"h" * 32))
    countersign = Countersign(
        node=target, seq=1, hash=b"h" * 32, time_s=NOW_S, witness=public, signature=b"s" * 64
    )
    enrolment = Enrolment(
        node=target, key=public, time_s=NOW_S, witness=public, signature=b"s" * 64
    )

    def task(content: Any, whose: str) -> Task:
        return Task(
            task_id="anna-task",
            person=whose,
            time_s=NOW_S,
            content=content,
            holder=target,
            version=1_000_000,
            holders=(own, target),
        )

    way = NavigationTarget(name="Elsewhere", lat=60.1, lon=24.9)
    lines = [
        (messages.TICK, messages.Tick(n=1, time_s=NOW_S), "replay", "", False),
        (messages.ACK, messages.Ack(n=1, node=own), "replay", "", False),
        (messages.SHOW, surface, "advise", person, False),
        (
            messages.ANSWER,
            messages.AnswerGiven(suggestion_id="f" * 32, kind=AnswerKind.ACCEPT, time_s=NOW_S),
            "learn",
            "",
            False,
        ),
        (
            messages.HEAD,
            messages.HeadShown(head=head, key=public, suggestion_id="f" * 32, time_s=NOW_S),
            "witness",
            "",
            False,
        ),
        (
            messages.COUNTERSIGN,
            messages.HeadWitnessed(countersign=countersign, enrolment=enrolment),
            "witness",
            "",
            False,
        ),
        (messages.FORGET, forget, "forget", "", True),
        (PULL, Pull(database=b"d" * 16, since=1), "household", "", True),
        (CHANGES, changes, "household", "", False),
        (FRESH, changes, "household", "", False),
        (RENEW, Renew(request=b"-----BEGIN CERTIFICATE REQUEST-----\n"), "household", "", True),
        (CLAIM, Claim(person_id=VICTIM), "household", "", True),
        (REVOKE, Revoke(device_id="phone"), "household", "", True),
        (MOVE, Move(address="somewhere"), "household", "", True),
        (MESSAGE, words, "household", "", True),
        (HANDED, Handed(token=b"hwg\x01" + bytes(200)), "household", "", True),
        (AT_WHEEL, msgspec.msgpack.decode(b"\x80"), "anticipate", VICTIM, True),
        (ASK_TASTE, TasteAsked(), "anticipate", "", True),
        (TASTE, TasteTold(meals=9.0, cuisines=(("sushi", 1.0),)), "anticipate", person, False),
        (TASK_OFFER, task(way, VICTIM), "handoff", VICTIM, True),
        (TASK_OFFER, task(WaitingSuggestion(surface=surface), person), "handoff", person, True),
        (TASK_STATE, task(way, VICTIM), "handoff", VICTIM, False),
        ("Command.Car.Unlock", {"door": 1}, "control", "", True),
        ("Setting.Fuzz", 1, "share", "", True),
    ]  # fmt: skip
    if not person:  # an adult or child may leave; a device of nobody may not
        lines.append((LEAVE, Leave(), "household", "", True))
    signals = [
        Signal(
            key=f"{stem}.{name}",
            value=value,
            time_s=NOW_S,
            unit="degrees",
            source=own,
            person=VICTIM,
        )
        for stem in ("Vehicle.CurrentLocation", "Person.Location")
        for name, value in (("Latitude", 60.1), ("Longitude", 24.9))
    ]
    spoken = [Spoken(k, r, p, a, asked, type(r)) for k, r, p, a, asked in lines]
    for purpose in ("anticipate", "borrow"):
        spoken.append(Spoken("", signals, purpose, "", asked=False, kind=None))
    along = Signal(key=WITH_CAR, value=True, time_s=NOW_S, source=own, person=VICTIM)
    spoken.append(Spoken("", [along], "anticipate", "", asked=False, kind=None))
    return spoken


class Mutator:
    """Hostile variants. Everything drawn comes from the one generator it was given."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    # -- plaintexts ----------------------------------------------------------------------------

    def leaf(self) -> Any:
        """A value that somebody did not expect."""
        rng = self._rng
        return rng.choice(
            (
                None, True, False, 0, -1, 1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64 - 1, -(2**63),
                0.0, -0.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf"),
                "", "\0", "../../etc/passwd", "ä" * 50, "%s%n", "a" * 300, "A.*", VICTIM, "home",
                "'; DROP TABLE registers; --", "\u202e", b"", b"\0", b"\xff" * 300, [], {}, [[]],
                {"": None}, {1: 2}, [None] * 40, {str(n): n for n in range(40)},
                Raw(b"\xa2\xff\xfe"),  # no UTF-8
                Raw(b"\xa3\xed\xa0\x80"),  # a lone surrogate
                Raw(b"\x91" * 900 + b"\xc0"), Raw(b"\x81\xa1a" * 900 + b"\xc0"),  # deep
                Raw(b"\xdd\xff\xff\xff\xff"), Raw(b"\xdf\xff\xff\xff\xff"),  # promises of 2**32
                Raw(b"\xc6\xff\xff\xff\xff"), Raw(b"\xdb\x7f\xff\xff\xff"), Raw(b"\xc1"),
                Raw(b"\xd6\xff\xff\xff\xff\xff"), Raw(b"\xc7\x0c\xff" + b"\xff" * 12),  # times
                Raw(b"\xd4\x05\x00"), Raw(b"\x82\xa1a\x01\xa1a\x02"),  # an extension; a key twice
                rng.randbytes(rng.randrange(40)), rng.randrange(-(2**63), 2**64), rng.random(),
            )
        )  # fmt: skip

    def tree(self, value: Any, times: int = 1) -> Any:
        """The same tree with something wrong in it."""
        for _ in range(times):
            value = self._once(value)
        return value

    def _once(self, value: Any) -> Any:
        rng = self._rng
        if isinstance(value, dict) and value and rng.random() < 0.85:
            found = dict(value)
            key = rng.choice(list(found))
            turn = rng.random()
            if turn < 0.6:
                found[key] = self._once(found[key])
            elif turn < 0.72:
                del found[key]
            elif turn < 0.84:
                found[rng.choice(("extra", "", "person", "node", "key"))] = self.leaf()
            elif turn < 0.92:
                found = {k: v for k, v in found.items() if k != key}
                found[self._name(key)] = value[key]
            else:
                return list(found.values())
            return found
        if isinstance(value, list) and value and rng.random() < 0.85:
            found_list = list(value)
            at = rng.randrange(len(found_list))
            turn = rng.random()
            if turn < 0.6:
                found_list[at] = self._once(found_list[at])
            elif turn < 0.7:
                del found_list[at]
            elif turn < 0.8:
                found_list.insert(at, self.leaf())
            elif turn < 0.88:
                found_list += found_list
            elif turn < 0.94:
                rng.shuffle(found_list)
            else:
                found_list = [found_list[at]] * rng.choice((2, 17, 200))
            return found_list
        if isinstance(value, str) and rng.random() < 0.5:
            return rng.choice(
                (value + "\0", value.upper(), value[:-1], value * 3, f" {value}", VICTIM)
            )
        if isinstance(value, bytes) and value and rng.random() < 0.5:
            return self.bytes(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and rng.random() < 0.5:
            return rng.choice((-value, value + 1, value * 10, str(value), [value], value - 1))
        return self.leaf()

    def _name(self, name: Any) -> Any:
        return (
            f"{name}_" if self._rng.random() < 0.7 else self._rng.choice((1, "", None, 2**64 - 1))
        )

    def body(self, spoken: Spoken) -> bytes:
        """A wrong body for that key."""
        rng = self._rng
        turn = rng.random()
        if turn < 0.12:
            return self.bytes(codec.pack(spoken.record))
        if turn < 0.16:
            return rng.randbytes(rng.randrange(64))
        return packed(self.tree(spoken.tree, rng.choice((1, 1, 1, 2, 5))))

    def head(self, spoken: Spoken) -> Any:
        """A head: right, or wrong in one or more fields."""
        rng = self._rng
        kind = env.ASK if spoken.asked else env.SIGNALS if spoken.kind is None else env.RECORD
        head: list[Any] = [kind, spoken.key, spoken.purpose, spoken.about, 0, b"", b""]
        turn = rng.random()
        if turn < 0.35:
            return head
        for _ in range(rng.choice((1, 1, 2))):
            at = rng.randrange(7)
            head[at] = (
                (lambda: rng.choice((0, 1, 2, 3, 4, 5, 6, 255, -1, 2**63))),
                (lambda: rng.choice((spoken.key + ".x", "", ".", "*", "Person.*", "Forget.Register", "A" * 900, "Household." + str(rng.random())))),
                (lambda: rng.choice(PURPOSES)),
                (lambda: rng.choice((VICTIM, "eve", "nobody", "", "x" * 500))),
                (lambda: rng.choice((1, 2**64 - 1, -1))),
                (lambda: rng.choice((b"hwg\x01" + rng.randbytes(90), b"x" * 5000, rng.randbytes(9)))),
                (lambda: rng.choice((rng.randbytes(16), b"c" * 15, b"c" * 17))),
            )[at]()  # fmt: skip
        if turn > 0.85:
            head[rng.randrange(7)] = self.leaf()
        elif turn > 0.8:
            return self.tree(head, 2)
        return head

    def frame(self, spoken: list[Spoken], *, asked: bool) -> bytes:
        """A frame's plaintext: one message or many, and often its own structure is wrong."""
        rng = self._rng
        count = rng.choices((1, 2, 3, 8, 64), (64, 16, 10, 8, 2))[0]
        if asked and rng.random() < 0.9:
            count = 1
        said = [rng.choice(spoken) for _ in range(count)]
        heads = [self.head(one) for one in said]
        bodies: list[Any] = [
            self.body(one) if rng.random() < 0.8 else codec.pack(one.record) for one in said
        ]
        frame: Any = [NOW_S, heads, list(range(count)), bodies, 0.0]
        turn = rng.random()
        if turn < 0.05:
            frame[2] = rng.choice(([], [count], [-1] * count, [0] * (count + 1), [2**63] * count))
        elif turn < 0.08:
            frame[0] = rng.choice((float("nan"), float("inf"), -1e308, "now", None))
        elif turn < 0.10:
            frame = [NOW_S, heads[:1], [0] * 3000, [b"\x01"] * 3000]
        elif turn < 0.14:
            frame = self.tree(frame, 2)
        elif turn < 0.16:
            frame = rng.choice((frame[:2], [*frame, "a newer field", {}], {}, [], None))
        elif turn < 0.18:
            return self.bytes(packed(frame))
        elif turn < 0.19:
            return rng.choice((b"", b"\xc1", b"\x95", b"\x91" * 5000, rng.randbytes(80)))
        return packed(frame)

    # -- bytes ---------------------------------------------------------------------------------

    def bytes(self, data: bytes) -> bytes:
        """A bit, a byte, a length or a part of it is wrong."""
        rng, spoilt = self._rng, bytearray(data)
        if not spoilt:
            return rng.randbytes(3)
        at = rng.randrange(len(spoilt))
        turn = rng.randrange(6)
        if turn == 0:
            spoilt[at] ^= 1 << rng.randrange(8)
        elif turn == 1:
            spoilt[at] = rng.choice((0, 0x7F, 0x80, 0xC1, 0xDD, 0xFF))
        elif turn == 2:
            del spoilt[at:]
        elif turn == 3:
            spoilt[at:at] = rng.randbytes(rng.choice((1, 4, 40)))
        elif turn == 4:
            del spoilt[at : at + rng.choice((1, 2, 8))]
        else:
            spoilt += rng.randbytes(rng.choice((1, 16, 200)))
        return bytes(spoilt)


def packed(tree: Any) -> bytes:
    """MessagePack; what cannot be written as such becomes nothing."""
    try:
        return msgspec.msgpack.encode(tree)
    except (TypeError, ValueError, OverflowError):
        return b"\xc0"


def valid(spoken: Spoken) -> tuple[Head, bytes]:
    """The message as it should be."""
    kind = env.ASK if spoken.asked else env.SIGNALS if spoken.kind is None else env.RECORD
    return Head(kind, spoken.key, spoken.purpose, spoken.about), codec.pack(spoken.record)
