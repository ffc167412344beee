"""Consent on a running node: words are signed here, kept, handed to every node in reach, and weighed at every crossing."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import msgspec

from hearthway.mesh.policy.consent import (
    ACCEPT,
    ENDED,
    GIVE,
    MESSAGE,
    PREFIX,
    REVOKE,
    WORDS_MAX,
    ConsentState,
    ConsentWords,
    check_consent,
    may_end,
    may_speak_for,
    new_id,
    register_key,
    say,
    states,
    verify_word,
)
from hearthway.mesh.policy.consent_table import OF_DEVICE_MAX, ConsentTable, is_over
from hearthway.mesh.policy.rules_file import compile_pattern
from hearthway.mesh.state.hlc import HlcClock
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.roster import Roster
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import ConfigError, HearthwayError, InputError, WireError
from hearthway.records.household import Consent, ConsentWord

from .control_server import ControlServer
from .part import Part
from .ruling import Ruling

if TYPE_CHECKING:
    from .node import Node, Request

log = logging.getLogger("hearthway.consents")
DAY_S = 86_400.0
TIMEOUT_S = 10.0
WRONG_MAX = (
    256  # words of one sender that do not verify, in a minute: each costs a signature to find out
)
MINUTE_S = 60.0
SWEEP_S = 1.0  # every word that is kept is looked at: not once for each that finds no room


def stored_words(store: Store) -> list[ConsentWord]:
    """Every word about a consent that this node has heard and keeps."""
    return [unpack(register.value, ConsentWord) for register in store.registers(PREFIX)]


def batched(words: tuple[ConsentWord, ...]) -> list[tuple[ConsentWord, ...]]:
    """In messages that every node takes whole."""
    return [words[n : n + WORDS_MAX] for n in range(0, len(words), WORDS_MAX)]


def ended_ids(store: Store) -> set[str]:
    """Consents that were revoked as far as this node knows: they stay so, whoever has the device that said it."""
    return {register.key.removeprefix(ENDED) for register in store.registers(ENDED)}


class Consenting(Part):
    """Every node holds every word: the car decides by them as the phone does."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._mesh: MeshNode | None = None
        self._words = ConsentTable()
        self._wrong: dict[str, tuple[float, int]] = {}  # by sender: since when, and how many
        self._swept: tuple[Roster | None, float] = (None, 0.0)  # by which list, and when
        self._ended: set[str] = set()
        self._weighed: Roster | None = None
        self._in_force = 0
        self._timer: asyncio.TimerHandle | None = None
        self._to_tell: asyncio.Queue[tuple[str, tuple[ConsentWord, ...]]] = asyncio.Queue()

    async def stopping(self) -> None:
        self._again_at(0.0)

    async def starting(self) -> None:
        self._ended = await asyncio.to_thread(ended_ids, self.node.store)
        for word in await asyncio.to_thread(stored_words, self.node.store):
            self._words.keep(word)
        self.node.spawn(self._teller(), "consents told")

    def mesh_started(self, mesh: MeshNode) -> None:
        self._mesh = mesh
        mesh.on_roster(self._rostered)
        mesh.serve(MESSAGE, ConsentWords, self._told)
        self._weigh()

    def peer_changed(self, device_id: str, alive: bool) -> None:  # the mesh's callback form
        if alive:
            for words in batched(tuple(self._words)):
                self._to_tell.put_nowait((device_id, words))

    def verbs(self, control: ControlServer) -> None:
        control.on("consents", self._list)
        control.on("consent-give", self._give)
        control.on("consent-accept", self._accept)
        control.on("consent-revoke", self._revoke)

    def status(self) -> dict[str, Any]:
        return {"consents_in_force": self._in_force} if self._words else {}

    def found(self) -> list[ConsentState]:
        """Every consent as it stands now."""
        mesh = self._mesh
        if mesh is None:
            return []
        now_s, roster = self.node.wall.now_s(), mesh.identity.roster
        return states(self._words, roster, now_s, self._ended)

    def between(self, giver: str, receiver: str, key: str, purpose: str) -> str:
        """The id of a consent in force by which the receiver may have that key of the giver's; "" where there is none."""
        return next(
            (
                one.consent_id
                for one in self.found()
                if one.state == "in force"
                and (one.consent.giver, one.consent.receiver) == (giver, receiver)
                and one.consent.purpose == purpose
                and any(compile_pattern(pattern).fullmatch(key) for pattern in one.consent.keys)
            ),
            "",
        )

    # words come and go ------------------------------------------------------------------------

    def _rostered(self) -> None:
        """Who belongs to the household decides whose words count."""
        mesh = self._mesh
        if mesh is not None and self._words and mesh.identity.roster is not self._weighed:
            self._weigh()

    def _weigh(self) -> None:
        found = self.found()
        self._weighed = None if self._mesh is None else self._mesh.identity.roster
        over = sorted({one.consent_id for one in found if one.state == "revoked"} - self._ended)
        if over:
            self._ended.update(over)
            self.node.spawn(asyncio.to_thread(self._keep_ended, over), "consents that ended")
        self._in_force = sum(one.state == "in force" for one in found)
        self.node.part(Ruling).agreed(found)
        self._again_at(
            min(
                (
                    one.consent.until_s
                    for one in found
                    if one.state == "in force" and one.consent.until_s
                ),
                default=0.0,
            )
        )

    def _again_at(self, end_s: float) -> None:
        """What was decided with a consent must not outlive it: weigh again at its very end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if end_s:
            wait_s = min(max(0.0, end_s - self.node.wall.now_s()), DAY_S)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._weigh)

    async def _told(self, meta: Any, told: ConsentWords) -> None:
        new = await self._take(told.words, meta.sender)
        if new:
            self._spread(new, but=meta.sender)

    async def _take(self, words: tuple[ConsentWord, ...], sender: str) -> tuple[ConsentWord, ...]:
        """Keep what is new, has room and verifies; a word that does not is left aside and does not spoil the others."""
        mesh = self._mesh
        new: list[ConsentWord] = []
        if mesh is None:
            return ()
        for word in words[:WORDS_MAX]:
            roster = mesh.identity.roster
            if word in self._words or self._is_settled(word):
                continue
            if not await self._make_room(word, roster) or self._lies_too_often(sender):
                continue
            try:
                verify_word(word, roster)
                self._check_end(word, roster)
            except WireError as why:
                self._lied(sender)
                log.info("a word about a consent was left aside: %s", type(why).__name__)
                continue
            self._words.keep(word)
            new.append(word)
        if new:
            self._weigh()  # at once; a revocation must not wait for the disk
            await asyncio.to_thread(self._keep, new)
        return tuple(new)

    def _is_settled(self, word: ConsentWord) -> bool:
        """Nothing that it says can change anything here: it was revoked before, or is over."""
        if word.word == REVOKE:
            return word.consent_id in self._ended
        return is_over(word, self.node.wall.now_s())

    async def _make_room(self, word: ConsentWord, roster: Roster) -> bool:
        """Is there room in its speaker's share, once what counts no more is gone?"""
        if self._words.has_room(word, roster):
            return True
        now_s = self.node.wall.now_s()
        swept_by, swept_s = self._swept
        if swept_by is roster and 0.0 <= now_s - swept_s < SWEEP_S:
            return False
        self._swept = roster, now_s
        gone = self._words.sweep(roster, now_s)
        if gone:
            await asyncio.to_thread(self._drop, gone)
        return bool(gone) and word not in self._words and self._words.has_room(word, roster)

    def _lies_too_often(self, sender: str) -> bool:
        since_s, wrong = self._wrong.get(sender, (0.0, 0))
        return wrong >= WRONG_MAX and time.monotonic() - since_s < MINUTE_S

    def _lied(self, sender: str) -> None:
        now_s = time.monotonic()
        since_s, wrong = self._wrong.get(sender, (now_s, 0))
        self._wrong[sender] = (since_s, wrong + 1) if now_s - since_s < MINUTE_S else (now_s, 1)

    def _check_end(self, word: ConsentWord, roster: Roster) -> None:
        """WireError for a revocation by a third party: it must not come to count when that one leaves."""
        ends = self._words.given(word.consent_id)
        if (
            word.word == REVOKE
            and ends
            and not any(may_end(roster, word.device_id, c) for c in ends)
        ):
            raise WireError("That consent is between others.", "It was left aside.")

    def _keep(self, words: list[ConsentWord]) -> None:
        store = self.node.store
        clock = HlcClock(self.node.config.node.id, store.last_hlc())
        for word in words:
            moment = clock.tick(self.node.wall.now_s())
            store.put_register(register_key(word), pack(word), moment)

    def _drop(self, words: list[ConsentWord]) -> None:
        for word in words:
            self.node.store.drop_register(register_key(word))

    def _keep_ended(self, ids: list[str]) -> None:
        store = self.node.store
        clock = HlcClock(self.node.config.node.id, store.last_hlc())
        for consent_id in ids:
            store.put_register(ENDED + consent_id, b"", clock.tick(self.node.wall.now_s()))

    def _spread(self, words: tuple[ConsentWord, ...], but: str = "") -> None:
        mesh = self._mesh
        if mesh is not None:
            for device_id in sorted(mesh.peers()):
                if words and device_id != but and mesh.ready(device_id):
                    self._to_tell.put_nowait((device_id, words))

    async def _teller(self) -> None:
        """Tells every node for itself: one that hangs holds up no other."""
        async with asyncio.TaskGroup() as group:
            while True:
                device_id, words = await self._to_tell.get()
                group.create_task(self._tell(device_id, words))

    async def _tell(self, device_id: str, words: tuple[ConsentWord, ...]) -> None:
        """Hand words on; a phone hears them through the car or the home where the rules say so."""
        mesh = self._mesh
        if mesh is None:
            return
        try:
            record = ConsentWords(words=words)
            await mesh.request(device_id, MESSAGE, record, "household", type(None), TIMEOUT_S)
        except HearthwayError as why:  # it hears of them when it is back
            log.info("consents not told to %s: %s", device_id, type(why).__name__)

    # verbs ------------------------------------------------------------------------------------

    def _paired(self) -> MeshNode:
        if self._mesh is None:
            raise ConfigError(
                "This node is not paired yet.", "Run `hearthway pair` here and at home."
            )
        return self._mesh

    def _person(self, name_or_id: str) -> str:
        roster = self._paired().identity.roster
        if roster.person(name_or_id) is not None:
            return name_or_id
        return self.node.store.person(name_or_id).person_id

    async def _say(self, word: str, consent_id: str, consent: Consent | None) -> None:
        mesh = self._paired()
        identity = mesh.identity
        signed = say(
            word,
            consent_id,
            consent,
            identity.device_id,
            identity.sign,
            self.node.wall.now_s(),
        )
        verify_word(signed, identity.roster)
        new = await self._take((signed,), identity.device_id)
        if not new:
            raise InputError(
                f"This device has said {OF_DEVICE_MAX} words about consents that hold or were revoked; no more are kept.",
                "Say it on another device of yours. Consents with an end (--days) make room once they are over.",
            )
        self._spread(new)

    async def _give(self, request: Request) -> Request:
        roster = self._paired().identity.roster
        me = self.node.config.node.id
        member = roster.member(me)
        giver = self._person(str(request["for"])) if request.get("for") else ""
        giver = giver or (member.person if member is not None else "")
        if not giver:
            raise InputError(
                "The household does not list whose device this is.",
                "`hearthway people` on the home says whose it is.",
            )
        if not may_speak_for(roster, me, giver):
            raise InputError(
                f"This device cannot give consent for {giver}.",
                "One's own phone gives it; for a child, an adult's.",
            )
        days = float(request.get("days") or 0)
        consent = Consent(
            giver=giver,
            receiver=self._person(str(request["to"])),
            keys=tuple(str(key) for key in request["keys"]),
            purpose=str(request["purpose"]),
            until_s=self.node.wall.now_s() + days * DAY_S if days else 0.0,
        )
        check_consent(consent, roster)
        consent_id = new_id()
        await self._say(GIVE, consent_id, consent)
        return {"id": consent_id, "receiver": consent.receiver}

    def _of(self, prefix: str) -> ConsentState:
        found = [one for one in self.found() if prefix and one.consent_id.startswith(prefix)]
        if len(found) != 1:
            raise InputError(
                f"{len(found) or 'No'} consents begin with {prefix!r} here.",
                "`hearthway consent list` shows them.",
            )
        return found[0]

    async def _accept(self, request: Request) -> Request:
        one, roster = self._of(str(request["id"])), self._paired().identity.roster
        if not may_speak_for(roster, self.node.config.node.id, one.consent.receiver):
            raise InputError(
                f"This consent was given to {one.consent.receiver}.", "Accept it on that phone."
            )
        if one.state != "waiting":
            raise InputError(f"That consent is {one.state}.", "A new one can be given.")
        await self._say(ACCEPT, one.consent_id, one.consent)
        return {"id": one.consent_id}

    async def _revoke(self, request: Request) -> Request:
        one, roster = self._of(str(request["id"])), self._paired().identity.roster
        if not may_end(roster, self.node.config.node.id, one.consent):
            raise InputError("That consent is between others.", "Either of them revokes it.")
        if one.state != "revoked":
            await self._say(REVOKE, one.consent_id, None)
        return {"id": one.consent_id}

    async def _list(self, _: Request) -> Request:
        return {"consents": [msgspec.to_builtins(one) for one in self.found()]}
