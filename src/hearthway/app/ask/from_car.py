"""On a phone: questions that were asked aloud in the car which its owner drives, answered as the rules say of whoever asks there."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from hearthway.app.part import Part
from hearthway.app.ruling import Ruling
from hearthway.app.witness import stages
from hearthway.assist.ask.intents import CAR_ACT, TABLE
from hearthway.mesh.wire.envelope import Meta
from hearthway.mesh.wire.gate import denied
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.ask import ASKED, LANGUAGES, TEXT_MAX, CarQuestion, CarReply, Meaning, Reply
from hearthway.records.codec import pack
from hearthway.records.errors import InputError
from hearthway.records.household import PersonKind
from hearthway.records.receipts import Crossing, Disclosure

from .part import Asking
from .permits import EXACT, PURPOSE, Asker

if TYPE_CHECKING:
    from hearthway.app.phone import PhoneNode

QUESTION, REPLY = "Ask.Question", "Ask.Reply"
AS_OWNER = (
    "Ask.AsOwner"  # let through by a rule, whoever asks in the car is told what its driver is
)
READINGS_MAX, SLOTS_MAX = 2, 8


class AskedFromCar(Part):
    """Answers what the car asks, and keeps who was told."""

    def mesh_started(self, mesh: MeshNode) -> None:
        mesh.serve(QUESTION, CarQuestion, self._asked, reply_key=REPLY)

    async def _asked(self, meta: Meta, question: CarQuestion) -> CarReply:
        _check(question)
        here = self.node.config.node
        rules = {QUESTION: self._rule(QUESTION, meta), REPLY: self._rule(REPLY, meta, back=True)}
        if not rules[REPLY]:  # before anything is looked at for words that may not go back
            raise denied(REPLY, here.role, meta.sender_role, PURPOSE)
        asker = self._asker(meta)
        if any(one.intent in TABLE and TABLE[one.intent].command for one in question.readings):
            question = replace(question, readings=())  # an order is what is taken for one here
        reply = await self.node.part(Asking).reply(question, asker)
        answer = CarReply(
            outcome=reply.outcome,
            line=reply.line,
            more=() if question.moving else reply.more,
            language=reply.language,
            intent=reply.intent,
            by=reply.by,
            reply_id=reply.reply_id or f"{ASKED}{secrets.token_hex(8)}",
            as_owner=asker.own,
        )
        await self._receipt(meta, reply, answer, rules)
        return answer

    def _rule(self, key: str, meta: Meta, *, back: bool = False) -> str:
        """The rule that lets the key come from that car (or go back to it), exactly as it is; "" where none does."""
        roster = self.node.paired().identity.roster
        own = roster.party(self.node.config.node.id, self.node.wall.now_s())
        if own is None or meta.party is None:
            return ""
        ends = (own, meta.party) if back else (meta.party, own)
        found = self.node.part(Ruling).rules.decide(key, *ends, PURPOSE, meta.about)
        return "" if found is None or found.precision != EXACT else found.rule

    def _asker(self, meta: Meta) -> Asker:
        """The owner where a rule says that this car's questions are; else a guest. InputError for another's drive."""
        owner = cast("PhoneNode", self.node).owner
        roster, person = (
            self.node.paired().identity.roster,
            "" if owner is None else owner.person_id,
        )
        if roster.people and meta.about != person:
            raise InputError(
                "The car asked somebody else's phone than its driver's.",
                "`hearthway wheel` says who drives.",
            )
        if owner is None or not self._rule(AS_OWNER, meta):
            name = f"whoever sits in {meta.sender}"
            return Asker(person="", name=name, kind=str(PersonKind.GUEST), own=False)
        listed = roster.person(person)
        kind = PersonKind.ADULT if listed is None else listed.kind
        return Asker(person=person, name=owner.name or person, kind=str(kind), own=True)

    async def _receipt(
        self, meta: Meta, reply: Reply, answer: CarReply, rules: Mapping[str, str]
    ) -> None:
        """That it was asked from there, by which rules, and what its words were made of. Beside the answer's own."""
        node = cast("PhoneNode", self.node)
        me, learned = node.config.node, tuple(dict.fromkeys(one.key for one in reply.sources))
        ways = ((QUESTION, meta.sender, str(me.role)), (REPLY, me.id, meta.sender_role))
        await asyncio.to_thread(
            lambda: node.receipts.write(
                suggestion_id=answer.reply_id,
                person=meta.about,
                time_s=node.clock.now_s(),
                fields=(),
                crossings=tuple(
                    Crossing(
                        key=key, sender=sender, receiver_role=to, purpose=PURPOSE, rule=rules[key]
                    )
                    for key, sender, to in ways
                ),
                computations=stages(me.id, "assist"),
                disclosures=(Disclosure(peer=f"whoever sits in {meta.sender}", learned=learned),),
                bytes_to={meta.sender: len(pack(answer))},
            )
        )


def _check(question: CarQuestion) -> None:
    """InputError for what no car asks."""
    fits = (
        len(question.text) <= TEXT_MAX
        and question.language in ("", *LANGUAGES)
        and len(question.readings) <= READINGS_MAX
        and all(map(_is_ours, question.readings))
    )
    if not fits:
        raise InputError("That is no question of a car's.", "Are both nodes on the same version?")


def _is_ours(meaning: Meaning) -> bool:
    words = (*meaning.slots, *meaning.slots.values(), meaning.by, meaning.of)
    return (
        (meaning.intent in TABLE or meaning.intent == CAR_ACT)
        and len(meaning.slots) <= SLOTS_MAX
        and all(len(word) <= TEXT_MAX for word in words)
    )
