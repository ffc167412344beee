"""Where a node is asked: understanding, the rules, the facts, the answer or the order, and the receipt.

text -> cascade -> (a question back) -> rules -> facts -> answer, or an order to the house -> receipt
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import replace

from hearthway.app.handoff import Tasks
from hearthway.app.member import Member
from hearthway.app.models import Models
from hearthway.app.phone import PhoneNode
from hearthway.app.witness import stages
from hearthway.assist.ask import answers
from hearthway.assist.ask.beside import as_if_now, parts, past, several
from hearthway.assist.ask.cascade import Understood, clean, missing_slot, taken, understand
from hearthway.assist.ask.intents import EXACT, LATER, TABLE, uses
from hearthway.assist.ask.later import at_once, untimed
from hearthway.assist.ask.slots import near_of
from hearthway.assist.ask.unused import with_unused
from hearthway.records.ask import ASKED, LANGUAGES, Expected, Meaning, Names, Reply, Understander
from hearthway.records.errors import InputError, StudentError
from hearthway.records.household import Role
from hearthway.records.life import Person
from hearthway.records.receipts import Crossing, Disclosure
from hearthway.records.situation import Evidence
from hearthway.records.tasks import Conversation, Turn

from .endpoint import QUESTION, Endpoint
from .gathering import Gatherer
from .near import KINDS
from .ordering import Ordering
from .permits import PURPOSE, Asker, Permits, asker_of, may_leave
from .sentences import Sentences, short_answer
from .wording import has_usual, usual_words

TASKS = (
    "home",
    "ask",
)  # of students that understand; the one that knows the words of a house goes first
STUDENT = "student"  # as its readings are marked
WAITS_S = 120.0  # for the answer to a question back; later, what is said is about something else
OUTSIDE = ("Map.", "Venue.")  # figures of no person and no house


class _Open(Struct, frozen=True):
    """A question back to somebody whose life is not kept here."""

    expected: Expected
    time_s: float


class _Ready(Struct, frozen=True):
    """Who reads, and what things are called; `places` are the asker's own."""

    names: Names
    places: tuple[str, ...]
    readers: list[Understander]


def _as_said(meaning: Meaning, said: str, near: str, ready: _Ready) -> Meaning:
    """A reading with what only this household tells of its words: a place of the asker's, an order that names a time, and
    what a reader by the whole of a text left of it."""
    if near and meaning.by not in EXACT:
        meaning = replace(meaning, slots={**meaning.slots, "near": near})
    if meaning.intent in TABLE:
        meaning = with_unused(meaning, said, ready.names, _usual(meaning))
    return at_once(meaning, said, ready.names)


def _usual(meaning: Meaning) -> frozenset[str] | None:
    """Words that an answer does not change by; None where words beside slots are not looked at: of a sentence, and of a
    language model where its words may be any ("will I freeze?")."""
    if meaning.by in EXACT or (meaning.by != STUDENT and not has_usual(meaning.intent)):
        return None
    return usual_words(meaning.intent)


def _may_be_more(meaning: Meaning) -> bool:
    """Is it read by the whole of a text, or does a place in a sentence hold a sentence of its own?"""
    return meaning.by not in EXACT or any(parts(one) for one in meaning.slots.values())


def _beside(
    said: str, found: Understood | None, ready: _Ready, languages: Sequence[str]
) -> Understood | None:
    """Several things at once, or how it was: what no reader of one thing about now should answer. By sentences alone."""
    exact = ready.readers[:1]
    pieces = parts(said)
    read = [understand(one, exact, languages) for one in pieces]
    if pieces and all(read):
        language = next(one.language for one in read if one is not None)
        return Understood(readings=(several(pieces),), language=language)
    now = as_if_now(said)
    if not now:
        return None
    of_now = understand(now, exact, languages)
    for one, asked in ((of_now, now), (found, "")):
        meaning = None if one is None else past(one.readings[0], said, asked)
        if one is not None and meaning is not None:
            return Understood(readings=(meaning,), language=one.language)
    return None


class Desk:
    """One node's questions."""

    def __init__(self, node: Member) -> None:
        self.node = node
        self._open: dict[str, _Open] = {}
        self._readers: tuple[Names, list[Understander]] | None = None
        self._failed: list[tuple[str, str, str]] = []
        self._forgot = 0  # how often: readers made amid it are of what was before
        for task in TASKS:
            node.part(Models).watch(task, self.forget)

    def forget(self) -> None:
        """Something was erased: nothing that was said before may be gone on with."""
        self._open.clear()
        self._readers = None
        self._forgot += 1

    async def ask(self, text: object, person: str = "", language: str = "") -> Reply:
        """The reply to one thing said by that person of the household ("": the owner of this machine).

        InputError for what is no question, nobody of the household, or another language than the two.
        """
        spoken(language)
        owner = self.node.owner if isinstance(self.node, PhoneNode) else None
        said = clean(text)
        asker = asker_of(self.node, "" if owner is None else owner.person_id, person)
        return await self.reply(said, asker, language)

    async def reply(
        self, said: str, asker: Asker, language: str, read: Understood | None = None
    ) -> Reply:
        """The reply to a cleaned text; `read`: what another node of the household understood of it."""
        node = self.node
        owner = node.owner if isinstance(node, PhoneNode) else None
        expected = self._take_open(asker)
        if expected is not None:
            reply = await self._go_on(asker, owner, expected, said)
            if reply is not None:
                return reply
        found = read or await self._read(said, owner, asker, language)
        if found is None:
            return answers.not_understood(language or node.config.ask.language)
        if len(found.readings) > 1 and any(one.intent in TABLE for one in found.readings):
            asked, wanted = answers.asks_which(found.language, found.readings)
            return self._ask_back(asker, said, asked, wanted)
        return await self._mean(asker, owner, said, found.readings[0], found.language)

    async def read(self, text: object, person: str = "", language: str = "") -> Meaning | None:
        """The likeliest meaning of one thing said, from names of things alone; None where nobody understands it."""
        node = self.node
        owner = node.owner if isinstance(node, PhoneNode) else None
        asker = asker_of(node, "" if owner is None else owner.person_id, person)
        found = await self._read(clean(text), owner, asker, language)
        return None if found is None else found.readings[0]

    # understanding -----------------------------------------------------------------------------------------------

    async def _read(
        self, said: str, owner: Person | None, asker: Asker, language: str
    ) -> Understood | None:
        ready = await self._ready(owner, asker)
        first = language or self.node.config.ask.language
        languages = (first, *(one for one in LANGUAGES if one != first))
        found = await asyncio.to_thread(understand, said, ready.readers, languages)
        if found is None or _may_be_more(found.readings[0]):
            beside = await asyncio.to_thread(_beside, said, found, ready, languages)
            if beside is not None:
                return beside
        if found is None:
            return await self._late(said, ready, languages)
        near = near_of(said, (*ready.places, *KINDS))
        return replace(
            found, readings=tuple(_as_said(m, said, near, ready) for m in found.readings)
        )

    @staticmethod
    async def _late(said: str, ready: _Ready, languages: Sequence[str]) -> Understood | None:
        """An order that nobody understands with its time, and somebody does without it."""
        rest = untimed(said, ready.names)
        if not rest:
            return None
        found = await asyncio.to_thread(understand, rest, ready.readers, languages)
        late = None if found is None else at_once(found.readings[0], said, ready.names)
        if found is None or late is None or late.intent != LATER:
            return None
        return replace(found, readings=(late,))

    async def _ready(self, owner: Person | None, asker: Asker) -> _Ready:
        asked = Gatherer(self.node, owner, "en", {}, own=asker.own)
        names, places = await self._in_turn(lambda: (asked.names(), asked.places()))
        while self._readers is None or self._readers[0] != names:
            forgot = self._forgot
            made = await asyncio.to_thread(self._made, names)
            await self._give_up()
            if forgot == self._forgot:  # else another model serves now, or another rule holds
                self._readers = names, made
        return _Ready(names=names, places=places, readers=self._readers[1])

    async def _give_up(self) -> None:
        """What a student of the household's could not be used for is said, and the one before it serves."""
        while self._failed:
            task, identity, why = self._failed.pop()
            self.node.note(f"The student for {task} is not used: {why}")
            await self.node.part(Models).failed(task, identity, why)

    def _made(self, names: Names) -> list[Understander]:
        """Those who read, the exact one first."""
        ask = self.node.config.ask
        readers: list[Understander] = [Sentences(names), *self._students(names)]
        if ask.model_url:
            model = Endpoint(ask.model_url, ask.model, names)
            if model.is_here or may_leave(self.node, QUESTION):
                readers.append(model)
            else:
                self.node.note(
                    f"The model at {ask.model_url} is not asked: no rule lets {QUESTION} go from "
                    f"{self.node.config.node.role} to home for the purpose {PURPOSE}."
                )
        return readers

    def _students(self, names: Names) -> list[Understander]:
        """Those that serve here; one that cannot be read is given up, and the others answer. In a thread."""
        models = self.node.part(Models)
        readers: list[Understander] = []
        for task in TASKS:
            found = models.load(task)
            if found is None:
                continue
            identity, data = found
            try:
                readers.append(self._student(identity, data, names))
            except StudentError as why:
                self._failed.append((task, identity, why.message))
        return readers

    def _student(self, identity: str, data: bytes, names: Names) -> Understander:
        from .student import StudentReader

        return StudentReader(data, names)

    async def _in_turn(self, work: Any) -> Any:
        node = self.node
        if isinstance(node, PhoneNode):
            return await node.in_turn(work)
        return await asyncio.to_thread(work)

    async def _go_on(
        self, asker: Asker, owner: Person | None, expected: Expected, said: str
    ) -> Reply | None:
        """What was said, as the answer to the question back; None where it is something else."""
        language = expected.language
        short = await asyncio.to_thread(short_answer, said, language)
        if short == "no":
            return answers.left_alone(language)
        if expected.kind == "slot" and await self._asks_anew(owner, asker, said):
            return None
        meaning = taken(expected, said, short)
        if meaning is None:
            return None
        meaning = at_once(meaning, said, (await self._ready(owner, asker)).names)
        confirmed = expected.kind == "confirm"
        return await self._mean(asker, owner, said, meaning, language, confirmed=confirmed)

    async def _asks_anew(self, owner: Person | None, asker: Asker, said: str) -> bool:
        """Is it a whole sentence, and so no slot of the one before?"""
        exact = (await self._ready(owner, asker)).readers[:1]
        return await asyncio.to_thread(understand, said, exact) is not None

    # a question back ---------------------------------------------------------------------------------------------

    def _ask_back(self, asker: Asker, said: str, reply: Reply, expected: Expected) -> Reply:
        """Held until the next thing is said: the owner's as a task, which goes along into the car."""
        now_s = self.node.clock.now_s()
        if not asker.own:
            self._open[asker.talk] = _Open(expected, now_s)
            return reply
        turns = (
            Turn(by_person=True, text=said, time_s=now_s),
            Turn(by_person=False, text=reply.line, time_s=now_s),
        )
        content = Conversation(turns=turns, expected=expected)
        self.node.part(Tasks).start(content, asker.person, now_s)
        return reply

    def _take_open(self, asker: Asker) -> Expected | None:
        """What the next thing said may answer; it is asked once."""
        now_s = self.node.clock.now_s()
        if not asker.own:
            held = self._open.pop(asker.talk, None)
            fresh = held is not None and 0.0 <= now_s - held.time_s <= WAITS_S
            return held.expected if held is not None and fresh else None
        found: Expected | None = None
        for task in self.node.part(Tasks).held():
            content = task.content
            if task.person != asker.person or not isinstance(content, Conversation):
                continue
            if content.expected is UNSET:
                continue  # a talk of another kind
            self.node.part(Tasks).finish(task.task_id)
            if 0.0 <= now_s - task.time_s <= WAITS_S:
                found = content.expected
        return found

    # answering ---------------------------------------------------------------------------------------------------

    async def _mean(
        self,
        asker: Asker,
        owner: Person | None,
        said: str,
        meaning: Meaning,
        language: str,
        *,
        confirmed: bool = False,
    ) -> Reply:
        other = answers.not_mine(language, meaning)
        if other is not None:
            return other
        slot = missing_slot(meaning)
        if slot:
            return self._ask_back(asker, said, *answers.asks_slot(language, meaning, slot))
        permits = Permits(self.node, asker, "" if owner is None else owner.person_id)
        intent = TABLE[meaning.intent]
        if intent.command:
            return await self._order(asker, owner, said, meaning, language, permits, confirmed)
        keys, personal = uses(intent, meaning.slots)
        rules, whys = permits.of(keys, (*personal, *intent.wishes))
        if any(not rules[key] for key in (*keys, *personal)):
            return answers.denied(language, meaning, rules, asker.name, whys)
        gatherer = Gatherer(self.node, owner, language, rules, own=asker.own)
        facts = await self._in_turn(lambda: gatherer.facts(meaning))
        return await self._receipted(asker, owner, answers.answer(facts, meaning))

    async def _order(
        self,
        asker: Asker,
        owner: Person | None,
        said: str,
        meaning: Meaning,
        language: str,
        permits: Permits,
        confirmed: bool,  # passed on
    ) -> Reply:
        command = TABLE[meaning.intent].command
        rule = permits.may_order(command)
        if not rule:
            return answers.may_not_order(
                language, meaning, asker.name, command, permits.who_orders(command)
            )
        gatherer = Gatherer(self.node, owner, language, {}, own=asker.own)
        lights = await self._in_turn(gatherer.lights)
        ordering = Ordering(self.node, lights, language)
        order = ordering.order_of(meaning)
        if isinstance(order, Reply):
            return order
        sure = meaning.by in EXACT and not TABLE[meaning.intent].confirms
        if not confirmed and (not sure or ordering.many(order)):
            back = answers.asks_confirm(language, meaning, ordering.words(order))
            return self._ask_back(asker, said, *back)
        reply = await ordering.carry_out(order, meaning, command, rule)
        return await self._receipted(asker, owner, reply)

    # the receipt -------------------------------------------------------------------------------------------------

    async def _receipted(self, asker: Asker, owner: Person | None, reply: Reply) -> Reply:
        """Whatever of anybody or of the house was used stands in a receipt: by which rule, and who was told."""
        used = [one for one in reply.sources if not one.key.startswith(OUTSIDE)]
        if not used:
            return reply
        node, now_s = self.node, self.node.clock.now_s()
        reply_id = f"{ASKED}{secrets.token_hex(8)}"
        keys = dict.fromkeys((one.key, one.rule) for one in used)
        fields = {
            (one.key, one.source): Evidence(
                key=one.key, source=one.source, age_s=one.age_s or 0.0, person=one.person
            )
            for one in used
        }
        told = (
            ()
            if asker.own
            else (
                Disclosure(
                    peer=f"{asker.name} ({asker.kind})", learned=tuple(key for key, _ in keys)
                ),
            )
        )
        mesh = self.node.mesh
        await asyncio.to_thread(
            lambda: node.receipts.write(
                suggestion_id=reply_id,
                person="" if owner is None else owner.person_id,
                time_s=now_s,
                fields=tuple(fields.values()),
                crossings=tuple(
                    Crossing(
                        key=key,
                        sender=node.config.node.id,
                        receiver_role=str(node.config.node.role if asker.own else Role.PHONE),
                        purpose=PURPOSE,
                        rule=rule,
                    )
                    for key, rule in keys
                ),
                computations=stages(node.config.node.id, "sense", "context", "assist"),
                disclosures=told,
                mesh=mesh,
            )
        )
        if mesh is not None:
            await node.receipts.show_head(mesh, reply_id, now_s)
        return replace(reply, reply_id=reply_id)


def spoken(language: str) -> None:
    """InputError for another language than the two; "" is any of them."""
    if language and language not in LANGUAGES:
        raise InputError(f"{language!r} is not spoken here.", f"Use {' or '.join(LANGUAGES)}.")
