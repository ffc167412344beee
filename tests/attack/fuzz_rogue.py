"""A rogue member: valid keys, a real stream, real sessions, and hostile content. A process: `python -m tests.attack.fuzz_rogue`.

    KEYS TARGET HOST:PORT FRAMES SEED

It prints one JSON line: what it sent, what was answered, and what was accepted that no rule lets.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from hearthway.mesh.state.replica_wire import FRESH, Change, Changes
from hearthway.mesh.wire import envelope as env
from hearthway.mesh.wire.envelope import Frame, Head
from hearthway.records import codec
from hearthway.records.errors import HearthwayError
from hearthway.records.tasks import TASK_OFFER, NavigationTarget, Task

from .fuzz_corpus import NOW_S, Mutator, Spoken, packed, valid, vocabulary
from .fuzz_greetings import Greetings
from .fuzz_member import OWN_FAULT_S, Rogue

BURST = 200  # frames between two questions that must be answered
GREETS_EVERY = 1000  # frames: then it greets in one of the ways that no honest member does; first after one burst
NEVER = frozenset({"Household.Revoke", "Household.Leave", "Household.Grant"})  # whatever the body


class Storm:
    """Frames of every family, in bursts; after each the target must still answer."""

    def __init__(self, rogue: Rogue, seed: int) -> None:
        self.rogue = rogue
        self.rng = random.Random(seed)
        self.mutate = Mutator(self.rng)
        self.greetings = Greetings(rogue, random.Random(f"{seed} {rogue.me} {rogue.target}"))
        self.words = vocabulary(rogue.identity, rogue.target)
        self.sent: Counter[str] = Counter()
        self.messages = 0
        self.answers: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self.slowest_s = 0.0
        self.cut = self.silent = 0
        self.controls: dict[str, bool] = {}
        self.recorded: deque[bytes] = deque(maxlen=400)
        self.roster = (rogue.identity.keys / "roster.bin").read_bytes()
        member = rogue.identity.roster.member(rogue.me)
        self.person = member.person if member is not None else ""
        self._open: list[tuple[asyncio.Future[bytes], int, Spoken, bytes, Head]] = []

    async def run(self, frames: int) -> None:
        """So many frames, over as many streams as it takes."""
        families = (
            (self._plain, 46), (self._asked, 24), (self._sealed, 12), (self._again, 6),
            (self._hello, 1), (self._link, 5), (self._relayed, 4), (self._roster, 1), (self._alone, 1),
        )  # fmt: skip
        kinds, weights = [f for f, _ in families], [w for _, w in families]
        self.controls["before"] = await self.control("before")
        await self._storm(frames, kinds, weights)
        self.controls["after"] = await self.control("after")

    async def control(self, when: str) -> bool:
        """Unmutated: a question, a task and a setting of its own are taken where the rules let them, and only there."""
        rogue = self.rogue
        await rogue.connect()
        try:
            await rogue.genuine()
            task = Task(
                task_id=f"own-{rogue.me}-{when}",
                person=self.person,
                time_s=NOW_S,
                content=NavigationTarget(name="Forum", lat=60.1, lon=24.9),
                holder=rogue.target,
                version=1,
                holders=(rogue.me, rogue.target),
            )
            head = Head(env.ASK, TASK_OFFER, "handoff", self.person)
            plain = env.pack_frame(Frame(time.time(), (head,), [0], [codec.pack(task)]))
            seq, data = rogue.seal(plain, env.ASKS)
            found = rogue.reply(await rogue.ask(b"=" + data), seq)
            let = rogue.lets(TASK_OFFER, self.person, "handoff")
            if found is None or (found.kind == env.REPLY) != let:
                return False
            change = Change(
                key=f"Setting.{when}-{rogue.me}",
                value=b"\x01",
                wall_ms=int(time.time() * 1000),
                count=0,
                node=rogue.me,
            )
            page = Changes(database=b"c" * 16, since=0, next=1, last=1, changes=(change,))
            head = Head(env.RECORD, FRESH, "household")
            plain = env.pack_frame(Frame(time.time(), (head,), [0], [codec.pack(page)]))
            rogue.send(b"F=" + rogue.seal(plain)[1])
            await rogue.writer.drain()
            await rogue.genuine()
            return True
        finally:
            await rogue.close()

    async def _storm(
        self, frames: int, kinds: list[Callable[[], None]], weights: list[int]
    ) -> None:
        while sum(self.sent.values()) < frames:
            try:
                await self.rogue.connect()
                for _ in range(20):
                    for family in self.rng.choices(kinds, weights, k=BURST):
                        self.sent[family.__name__[1:]] += 1
                        family()
                    await self.rogue.writer.drain()
                    await self._answers()
                    self._judge()
                    if sum(self.sent.values()) >= GREETS_EVERY * self.greetings.done.total():
                        await self.greetings.step()
                    if sum(self.sent.values()) >= frames:
                        break
            except (OSError, TimeoutError, asyncio.IncompleteReadError, HearthwayError):
                self.cut += 1
                if self.cut > 200:
                    raise
                await asyncio.sleep(0.2)
            finally:
                await self.rogue.close()

    async def _answers(self) -> None:
        """The target must answer; where we spoilt our own session, in a new one."""
        try:
            self.slowest_s = max(self.slowest_s, await self.rogue.genuine(OWN_FAULT_S))
        except TimeoutError:
            self.silent += 1
            await self.rogue.close()
            await self.rogue.connect()
            self.slowest_s = max(self.slowest_s, await self.rogue.genuine())

    # -- families ------------------------------------------------------------------------------

    def _frame(self, data: bytes) -> None:
        self.rogue.send(b"F=" + data)

    def _plain(self) -> None:
        """Good seals, wrong content."""
        plain = self.mutate.frame(self.words, asked=False)
        self.messages += plain.count(b"\xc4") or 1
        _, data = self.rogue.seal(plain, self.rng.choice((env.RELIABLE, env.UNRELIABLE)))
        self.recorded.append(data)
        self._frame(data)

    def _asked(self) -> None:
        asked = [w for w in self.words if w.asked] if self.rng.random() < 0.8 else self.words
        if self.rng.random() < 0.3:  # the frame's own form is wrong
            self._ask(self.mutate.frame(asked, asked=True))
            return
        word = self.rng.choice(asked)
        head = self.mutate.head(word)
        body = self.mutate.body(word) if self.rng.random() < 0.7 else codec.pack(word.record)
        plain = packed([time.time(), [head], [0], [body]])
        try:
            known = env.unpack_frame(plain).heads[0]
        except HearthwayError:
            self._ask(plain)
            return
        self._ask(plain, word, body, known)

    def _ask(
        self,
        plain: bytes,
        word: Spoken | None = None,
        body: bytes = b"",
        head: Head | None = None,
    ) -> None:
        seq, data = self.rogue.seal(plain, self.rng.choice((env.ASKS,) * 12 + env.LANES))
        self.recorded.append(data)
        self.messages += 1
        answer = self.rogue.asking(b"=" + data)
        if word is not None and head is not None:
            self._open.append((answer, seq, word, body, head))

    def _sealed(self) -> None:
        """Sealed bytes, lanes, epochs and numbers that are wrong."""
        word = self.rng.choice(self.words)
        head, body = valid(word)
        plain = env.pack_frame(Frame(time.time(), (head,), [0], [body]))
        own, rng = self.rogue.identity, self.rng
        turn = rng.randrange(4)
        if turn == 0:
            data = self.mutate.bytes(self.rogue.seal(plain)[1])
        elif turn == 1:  # a header that does not fit its seal
            data = (
                env.header(rng.randrange(256), rng.randrange(2**32), rng.randrange(2**64))
                + (self.rogue.seal(plain)[1][env.HEADER_BYTES :])
            )
        elif turn == 2:  # another epoch, truly sealed under a key of our own making
            epoch = rng.choice((own.epoch + 1, own.epoch + 2, 2**32 - 1))
            data = self.rogue.session.seal(env.RELIABLE, epoch, rng.randbytes(32), plain)[1]
        else:
            data = env.header(env.RELIABLE, own.epoch, 2**64 - 1) + rng.randbytes(
                rng.choice((0, 15, 16, 17, 900))
            )
        self._frame(data)

    def _again(self) -> None:
        """Something genuine a second time, late, or by another way."""
        if not self.recorded:
            return
        data = self.rng.choice(self.recorded)
        if self.rng.random() < 0.5:
            self._frame(data)
        else:
            self.rogue.asking(b"=" + data)

    def _hello(self) -> None:
        """Greetings signed by this device, or by nobody, of the wrong form."""
        rng, rogue = self.rng, self.rogue
        good = rogue.sessions.greeting(rogue.target, b"e" * 16)
        turn = rng.random()
        if turn < 0.4:
            tree = msgspec.msgpack.decode(env.read_hello(good)[1])
            content = packed(self.mutate.tree(tree, rng.choice((1, 2))))
            signature = rogue.identity.sign(b"hearthway hello 2\0" + content)
            data = packed(["h", content, signature])
        elif turn < 0.5:  # a lower version than this node speaks, signed
            hello = env.read_hello(good)[0]
            low, high = rng.choice(((0, 1), (1, 1), (3, 9), (9, 1), (-5, 2**40)))
            data = env.seal_hello(
                msgspec.structs.replace(hello, low=low, high=high), rogue.identity
            )
        elif turn < 0.7:
            data = packed(self.mutate.tree(msgspec.msgpack.decode(good)))
        else:
            data = b"\x93\xa1h" + self.mutate.bytes(good[3:])
        rogue.asking(b"=" + data)

    def _link(self) -> None:
        """Words of the stream itself."""
        rng = self.rng
        kind = rng.choice((b"F", b"A", b"R", b"P", b"p", b"h", b"H", b"M", b"W", b"\0", b"=", b"x"))
        if kind == b"H":
            kind += b"\0"  # once is enough to be held
        self.rogue.send(kind + rng.choice((b"", b"\0", rng.randbytes(8), rng.randbytes(300))))

    def _relayed(self) -> None:
        """Hand this on; handed on; whom I reach."""
        rng, rogue = self.rng, self.rogue
        who = rng.choice(("home", "phone", "car", rogue.me, rogue.target, "nobody", "", "x" * 500))
        frame = rng.choice(list(self.recorded)) if self.recorded else b"S"
        if rng.random() < 0.4:
            frame = rng.choice(
                (rogue.sessions.greeting(rogue.target), b"R" + self.roster, b"Q", frame)
            )
        tree: Any = [
            who,
            rng.random() < 0.5,
            rng.choice((0.0, 0.1, -1.0, float("nan"), 1e308)),
            frame,
        ]
        if rng.random() < 0.5:
            tree = self.mutate.tree(tree, rng.choice((1, 2)))
        body = packed(tree)
        kind = rng.choice((b">", b"<", b"?", b"", b"!"))
        if kind == b"?":
            body = packed(self.mutate.tree([rogue.me, "nobody"], 2))
        if rng.random() < 0.5:
            rogue.send(b"F" + kind + body)
        else:
            rogue.asking(kind + body)

    def _roster(self) -> None:
        """Lists of devices that the root did not sign, and questions for ours."""
        rng = self.rng
        signed = msgspec.msgpack.decode(self.roster)
        inner = msgspec.msgpack.decode(signed[0])
        turn = rng.randrange(4)
        if turn == 0:
            data = self.mutate.bytes(self.roster)
        elif turn == 1:
            inner["serial"] = 2**63
            data = packed([packed(inner), signed[1]])
        elif turn == 2:
            data = packed(self.mutate.tree(signed))
        else:
            self._frame(b"Q" + rng.randbytes(rng.randrange(9)))
            return
        self._frame(b"R" + data)

    def _alone(self) -> None:
        """The same structure at its limits: thousands of messages, heads, signals, or long names in one frame."""
        rng = self.rng
        head = [env.RECORD, "Replay.Tick", "replay", "", 0, b"", b""]
        n = rng.choice((65, 1000, 20_000))
        plain = rng.choice(
            (
                lambda: packed([0.0, [head], [0] * n, [b"\x80"] * n]),
                lambda: packed([0.0, [head] * n, list(range(n)), [b"\x80"] * n]),
                lambda: packed([0.0, [[2, "", "anticipate"]], [0], [packed([{"key": "Vehicle.Speed", "value": 1.0, "time_s": 1.0}] * n)]]),
                lambda: packed([0.0, [[1, "Household." + "x" * n, "household"]], [0], [b"\x80"]]),
                lambda: packed([0.0, [[1, "Replay.Tick", "replay", "y" * n]], [0], [b"\x80"]]),
                lambda: packed([0.0, [], [], []]),
            )
        )()  # fmt: skip
        self._frame(self.rogue.seal(plain)[1])

    # -- what came of it -----------------------------------------------------------------------

    def _judge(self) -> None:
        """Every answered question: may it have been?"""
        asked, self._open = self._open, []
        for answer, seq, word, body, head in asked:
            if not answer.done() or answer.cancelled() or answer.exception() is not None:
                self.answers["none"] += 1
                continue
            found = self.rogue.reply(answer.result(), seq)
            name = (
                "other"
                if found is None
                else {env.REPLY: "taken", env.REFUSED: "refused"}.get(found.kind, "other")
            )
            self.answers[name] += 1
            if name == "taken" and not self._may(word, body, head):
                self.accepted[head.key[:60]] += 1

    def _may(self, word: Spoken, body: bytes, head: Head) -> bool:
        """By the rules, by the record's form, and by whose it is: computed here, not asked of the target."""
        if head.key in NEVER or head.kind != env.ASK:
            return False
        if not self.rogue.lets(head.key, head.about, head.purpose):
            return False
        try:
            record = codec.unpack(body, word.kind)
        except HearthwayError:
            return head.key == "Car.AtWheel"  # it holds nothing that could be wrong
        return not self.person or getattr(record, "person", "") in ("", self.person)


async def main(words: list[str]) -> None:
    """Storm, and say what came of it."""
    keys, target, address, frames, seed = words
    host, _, port = address.rpartition(":")
    rogue = Rogue(Path(keys), target, host, int(port))
    storm = Storm(rogue, int(seed))
    began = time.monotonic()
    await storm.run(int(frames))
    spent_s = time.monotonic() - began
    print(
        json.dumps(
            {
                "rogue": rogue.me,
                "target": target,
                "frames": sum(storm.sent.values()),
                "families": dict(sorted(storm.sent.items())),
                "answers": dict(sorted(storm.answers.items())),
                "greetings": dict(sorted(storm.greetings.done.items())),
                "accepted": dict(sorted((storm.accepted + storm.greetings.accepted).items())),
                "slowest_answer_s": round(storm.slowest_s, 3),
                "controls": storm.controls,
                "cut": storm.cut,
                "silent": storm.silent,
                "spent_s": round(spent_s, 1),
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
