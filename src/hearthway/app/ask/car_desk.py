"""Where the car is asked: read here (sentences, then the student where it is soonest), answered by the driver's phone, shown in one line.

The car keeps nobody's life. Without the phone it says what its own instruments show. No intent of a car's is ever carried out.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from hearthway.app.member import Member
from hearthway.app.offload import Offloading
from hearthway.app.offload_jobs import texts_asked
from hearthway.app.offload_receipt import computed
from hearthway.app.ruling import Ruling
from hearthway.app.wheel import UNKNOWN, AtWheel
from hearthway.app.witness import stages
from hearthway.assist.ask import answers, car_answers
from hearthway.assist.ask.cascade import Understood, clean
from hearthway.assist.ask.facts import Facts
from hearthway.assist.ask.intents import ELSEWHERE, TABLE
from hearthway.records.ask import (
    ASKED,
    CarQuestion,
    CarReply,
    Meaning,
    Names,
    Outcome,
    Reply,
    Understander,
)
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import InputError, MeshError, RuleDeniedError
from hearthway.records.household import PersonKind, Role
from hearthway.records.receipts import Computation, Crossing
from hearthway.records.situation import Evidence
from hearthway.sense.catalogue import BATTERY, SOC, SPEED, is_fresh

from .desk import Desk, spoken
from .from_car import QUESTION, REPLY
from .permits import NOBODY, PURPOSE, Asker

if TYPE_CHECKING:
    from hearthway.records.understanding import Understanding

    from .student import Understand

RANGE = f"{BATTERY}.Range"
STANDS_KMH = 3.6
PHONE_S = (
    15.0  # an order to the house takes the phone up to twelve; a phone that goes is noticed sooner
)
NOT_KNOWN = (Outcome.DENIED, Outcome.UNKNOWN, Outcome.NOT_UNDERSTOOD)
WHO = Asker(person="", name="whoever sits in the car", kind=str(PersonKind.GUEST), own=False)


@dataclass
class _Asked:
    """One question on its way, for its receipt."""

    driver: str
    phone: str = ""
    sent: Counter[str] = field(default_factory=Counter)  # bytes of it, by node
    ran: list[Computation] = field(default_factory=list)  # students that read it, and where


class CarDesk(Desk):
    """A car's questions, one at a time."""

    def __init__(self, node: Member) -> None:
        super().__init__(node)
        self._one = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = _Asked("")

    async def ask(self, text: object, person: str = "", language: str = "") -> Reply:
        """The reply to one thing said in the car. InputError for what is no question, or in a person's name."""
        spoken(language)
        if person not in ("", NOBODY):
            raise InputError(
                "In a car nobody is told apart by name.",
                "Ask without --person; a rule says whether its questions count as the driver's.",
            )
        said = clean(text)
        async with self._one:
            asked = self._asked = _Asked(self.node.part(AtWheel).driver())
            read = await self._read(said, None, WHO, language)
            reply = await self._replied(said, language, read, asked)
            reply = await self._kept(reply, asked)
        self.node.control.emit("said", id=reply.reply_id, line=reply.line)
        return reply

    async def read(self, text: object, person: str = "", language: str = "") -> Meaning | None:
        """The likeliest meaning of one thing said; None where nobody here understands it."""
        async with self._one:
            self._asked = _Asked(self.node.part(AtWheel).driver())
            found = await self._read(clean(text), None, WHO, language)
        return None if found is None else found.readings[0]

    # understanding -----------------------------------------------------------------------------------------------

    async def _read(
        self, said: str, owner: object, asker: Asker, language: str
    ) -> Understood | None:
        self._loop = asyncio.get_running_loop()
        return await super()._read(said, None, asker, language)

    def _student(self, identity: str, data: bytes, names: Names) -> Understander:
        from .student import StudentReader

        return StudentReader(data, names, lambda here: self._placed(identity, here))

    def _placed(self, identity: str, here: Understand) -> Understand:
        """The same, computed where it is soonest; in this process where that is here. Called from a reader's thread."""

        def in_process(data: bytes) -> bytes:
            return pack([here(text) for text in unpack(data, list[str])])

        def understand(text: str) -> Understanding:
            loop, asked = self._loop, self._asked
            if loop is None:
                raise MeshError("Nothing was asked yet.", "Ask again.")
            sent: list[str] = []
            work = self.node.part(Offloading).understand(
                identity,
                [text],
                keys=(QUESTION,),
                about=asked.driver,
                here=in_process,
                sent=sent.append,
            )
            by = ""
            try:
                done, [found] = asyncio.run_coroutine_threadsafe(work, loop).result()
                by = done.by
            finally:
                asked.sent.update(dict.fromkeys(sent, len(texts_asked([text]))))
                me = self.node.config.node.id
                asked.ran += computed("student", me, by, sent, model=identity)
            return found

        return understand

    # answering ---------------------------------------------------------------------------------------------------

    async def _replied(
        self, said: str, language: str, read: Understood | None, asked: _Asked
    ) -> Reply:
        speaks = read.language if read else language or self.node.config.ask.language
        meaning = read.readings[0] if read else Meaning(intent="")
        if meaning.intent != ELSEWHERE:
            never = answers.not_mine(speaks, meaning)  # an order to a car ends here
            if never is not None:
                return never
        phone, why = self._phone(asked.driver)
        if not phone:
            return self._alone(speaks, meaning, why)
        sure = read is not None and meaning.intent != ELSEWHERE
        of = tuple(one for one in read.readings if one.intent in TABLE) if read and sure else ()
        moving = self._moves()
        question = CarQuestion(
            text=said,
            language=read.language if of and read else language,
            readings=of,
            moving=moving,
        )
        asked.phone = phone
        asked.sent[phone] += len(pack(question))
        try:
            told = await self.node.paired().request(
                phone, QUESTION, question, PURPOSE, CarReply, PHONE_S, about=asked.driver
            )
        except RuleDeniedError as denied:
            return self._alone(speaks, meaning, "no-rule", denied.message, denied.next_step)
        except MeshError as why_not:
            why = "no-answer" if self.node.paired().ready(phone) else "no-phone"
            return self._alone(speaks, meaning, why, why_not.message, why_not.next_step)
        if told.outcome in NOT_KNOWN and not told.as_owner:
            own = self._own(speaks, meaning)
            if own is not None:
                return own
        return Reply(
            outcome=told.outcome,
            line=told.line,
            more=() if moving else told.more,
            language=told.language,
            intent=told.intent,
            slots=meaning.slots if told.intent == meaning.intent else {},
            by=told.by,
            of=meaning.of if told.intent == meaning.intent else "",
            reply_id=told.reply_id,
        )

    def _phone(self, driver: str) -> tuple[str, str]:
        """The driver's phone in reach that the rules let be asked; else "" and why not (car_answers.WHY)."""
        mesh = self.node.mesh
        if mesh is None:
            return "", "no-phone"
        if driver == UNKNOWN:
            return "", "no-driver" if mesh.ready(Role.PHONE) else "no-phone"
        roster, now_s = mesh.identity.roster, self.node.wall.now_s()
        parties = ((one, roster.party(one, now_s)) for one in mesh.ready(Role.PHONE))
        theirs = [one for one, party in parties if party is not None and party.person == driver]
        if not theirs:
            return "", "no-phone"
        may = [one for one in theirs if mesh.lets((QUESTION,), one, PURPOSE, about=driver)]
        return (may[0], "") if may else ("", "no-rule")

    def _alone(self, language: str, meaning: Meaning, why: str, *more: str) -> Reply:
        own = self._own(language, meaning)
        if own is not None:
            return own
        return car_answers.no_answer(language, meaning, why, *(one for one in more if one))

    def _own(self, language: str, meaning: Meaning) -> Reply | None:
        """What the car's own instruments show, as far as they may be collected here."""
        rules = self.node.part(Ruling).rules
        latest, permits = self.node.latest, {}
        for key in (SOC, RANGE):
            by = rules.collected_by(key, str(Role.CAR)) if rules.collect is not None else "own"
            permits[key] = by
        facts = Facts(
            now_s=self.node.clock.now_s(),
            language=language,
            own=False,
            permits=permits,
            soc=latest.get(SOC) if permits[SOC] else None,
            synthetic=self.node.config.replay.synthetic,
        )
        return car_answers.own_answer(facts, meaning, latest.get(RANGE) if permits[RANGE] else None)

    def _moves(self) -> bool:
        """Does it, or does nobody say? Then one line is all that is shown."""
        speed = self.node.latest.get(SPEED)
        stands = (
            speed is not None
            and is_fresh(speed, self.node.clock.now_s())
            and isinstance(speed.value, float)
            and abs(speed.value) < STANDS_KMH
        )
        return not stands

    # the receipt -------------------------------------------------------------------------------------------------

    async def _kept(self, reply: Reply, asked: _Asked) -> Reply:
        """A receipt of every question: who was asked by which rule, where it was understood, how many bytes went."""
        node, mesh = self.node, self.node.mesh
        me, now_s = node.config.node.id, node.clock.now_s()
        reply_id = reply.reply_id or f"{ASKED}{secrets.token_hex(8)}"
        counted = () if mesh is None else mesh.crossings()
        rules = {(c.key, c.purpose): c for c in counted if c.rule}
        wanted = [(QUESTION, PURPOSE), (REPLY, PURPOSE)] if asked.phone else []
        if any(one.node != me for one in asked.ran):
            wanted += [("Offload.Run", "offload"), (QUESTION, "offload")]
        crossings = tuple(
            Crossing(
                key=c.key,
                sender=c.sender,
                receiver_role=c.receiver_role,
                purpose=c.purpose,
                rule=c.rule,
            )
            for c in (rules[one] for one in wanted if one in rules)
        )
        fields = tuple(
            Evidence(key=one.key, source=one.source, age_s=one.age_s or 0.0)
            for one in reply.sources
        )
        await asyncio.to_thread(
            lambda: node.receipts.write(
                suggestion_id=reply_id,
                person="" if asked.driver == UNKNOWN else asked.driver,
                time_s=now_s,
                fields=fields,
                crossings=crossings,
                computations=(*stages(me, "assist"), *asked.ran),
                bytes_to=dict(asked.sent),
            )
        )
        if mesh is not None:
            await node.receipts.show_head(mesh, reply_id, now_s)
        return replace(reply, reply_id=reply_id, more=() if self._moves() else reply.more)
