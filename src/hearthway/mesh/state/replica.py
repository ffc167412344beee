"""The household's settings and latest values, the same on every node: last writer wins, told by whom it may be told.

A write of node N is taken from N itself or from the home (which holds the household's root), never on another
node's word. A key says whose it is, and nobody else's write of it counts:

Setting.* and Household.*   everybody's, under the rules
Person.<id>.*               that person's devices
Device.<id>.*               that device

Both ends ask the rules, key by key; what a rule lets cross only less precisely is not replicated at all.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.trust.roster import Roster
from hearthway.records.codec import pack
from hearthway.records.errors import InputError, WireError
from hearthway.records.geo import valid_point
from hearthway.records.household import Party, PersonKind, Role

from .hlc import CAP_MS, COUNT_MAX, Hlc, HlcClock, check, following, usable_ms
from .registers import CLOCK_SLACK_S, SHARED, Cursor, Register, Tombstone
from .replica_wire import Burial, Change, Changes, Pull
from .room import BYTES_MAX, KEYS_MAX, Room
from .store import Store

VALUE_MAX_BYTES = 64 * 1024
SALT_MAX_BYTES = 64  # of BLAKE2b
SEQ_MAX = 2**63 - 1  # of SQLite
DATABASE_MAX_BYTES = 64
PAGE_ROWS = 500  # scanned for one answer, whether let or not: bounds the work of a request
PAGE_BYTES = 256 * 1024
KEY = re.compile(r"(?=.{3,200}\Z)[A-Z][A-Za-z]*(\.[A-Za-z0-9_-]+)+")
FORGET_KEY, FORGET_PURPOSE = "Forget.Register", "forget"


class View(Struct, frozen=True, kw_only=True):
    """What decides who may tell what to whom: this node's own end, the household's list, the owner's rules."""

    me: Party
    roster: Roster
    rules: Rules


class Applied(Struct, frozen=True, kw_only=True):
    """What became of a page: `changed` won here, `refused` counts reasons, `gap`: changes before it are missing."""

    changed: int
    refused: dict[str, int]
    gap: bool = False


# --- who may write, who may tell -----------------------------------------------------------------


def owner_of(key: str) -> tuple[str, str] | None:
    """("person", id), ("device", id) or ("everybody", ""); None for a key that is not replicated."""
    if KEY.fullmatch(key) is None:
        return None
    if key.startswith(SHARED):
        return ("everybody", "")
    kind, owner, *rest = key.split(".")
    if kind in ("Person", "Device") and rest:
        return (kind.lower(), owner)
    return None


def may_write(key: str, author: str, roster: Roster) -> bool:
    """Does the key belong to that device, to its person, or to everybody?"""
    owner = owner_of(key)
    if owner is None:
        return False
    kind, name = owner
    if kind == "everybody":
        return not _is_guest(author, roster)
    if kind == "device":
        return author == name
    member = roster.member(author)
    return member is not None and member.person == name


def _is_guest(author: str, roster: Roster) -> bool:
    """A guest's device, or a phone that is nobody's yet: what is everybody's is not theirs to change."""
    member = roster.member(author)
    if member is None:
        return False
    person = roster.person(member.person)
    if person is None:
        return member.role == Role.PHONE and not member.person and not roster.alone()
    return person.kind == PersonKind.GUEST


def about(key: str, roster: Roster) -> str:
    """The person whom a key is about, "" for nobody."""
    kind, name = owner_of(key) or ("", "")
    if kind == "device":
        member = roster.member(name)
        return member.person if member is not None else ""
    return name if kind == "person" else ""


def may_tell(author: str, sender: Party) -> bool:
    """Is `sender` believed about writes of `author`? Its own, and everybody's if it is the home."""
    return author == sender.device_id or sender.role == Role.HOME


def lets(key: str, sender: Party, receiver: Party, view: View) -> bool:
    """Do the rules let this key cross, exactly as it is?"""
    purpose = "household" if key.startswith("Household.") else "share"
    decision = view.rules.decide(key, sender, receiver, purpose, about(key, view.roster))
    return decision is not None and decision.precision == "exact"


def objection(change: Change, sender: Party, view: View, lost_after: Hlc | None = None) -> str:
    """Why a change told by `sender` is not taken; "" when nothing speaks against it.

    `lost_after`: this node's own writes after that moment may come back from whoever might have made them itself.
    """
    if owner_of(change.key) is None or len(change.value) > VALUE_MAX_BYTES:
        return "not a replicated key or value"
    numbers = (change.ttl_s, change.age_s, change.time_s or 0.0)
    if not all(math.isfinite(x) for x in numbers) or change.ttl_s < 0.0 or change.age_s < 0.0:
        return "a number that is none"
    if (change.lat is None) != (change.lon is None):
        return "half a place"
    if (
        change.lat is not None
        and change.lon is not None
        and not valid_point(change.lat, change.lon)
    ):
        return "a place off the earth"
    try:
        check(moment(change))
    except WireError:
        return "dated past the year 9999"
    if not may_tell(change.node, sender) and not (
        lost_after is not None
        and change.node == view.me.device_id
        and moment(change) > lost_after
        and may_write(change.key, sender.device_id, view.roster)
    ):
        return "another node's word"
    if not may_write(change.key, change.node, view.roster) and not _left(change, sender, view):
        return "not its owner"
    if not lets(change.key, sender, view.me, view):
        return "no rule"
    return ""


def _left(change: Change, sender: Party, view: View) -> bool:
    """The home still knows what devices wrote that are members no more: it checked when it took it."""
    return sender.role == Role.HOME and view.roster.member(change.node) is None


def may_bury(key: str, burial: Burial, sender: Party, view: View) -> bool:
    """Its own writes, everybody's if it is the home; or what is about its person or nobody, under the rule to forget."""
    if sender.role == Role.HOME:
        return True
    if burial.node == sender.device_id and may_write(key, burial.node, view.roster):
        return lets(key, sender, view.me, view)
    if about(key, view.roster) not in ("", sender.person) or sender.kind == PersonKind.GUEST:
        return False
    return view.rules.decide(FORGET_KEY, sender, view.me, FORGET_PURPOSE) is not None


def moment(stamped: Change | Burial) -> Hlc:
    """When it was written."""
    return Hlc(stamped.wall_ms, stamped.count, stamped.node)


# --- the replica ---------------------------------------------------------------------------------


class Replica:
    """One node's copy. Blocking, safe from several threads: `replica_sync` runs it beside the event loop."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        """`now`: this device's clock (Unix seconds), however wrong it is."""
        self.store = store
        self._now = now
        self._clock = HlcClock(store.node_id, store.last_hlc())
        self._room = Room(store)
        self._digests: dict[str, tuple[tuple[int, Rules, int], bytes]] = {}  # by member
        store.database_id()  # made now: reading pages must not write

    def set(
        self,
        key: str,
        value: bytes,
        *,
        roster: Roster | None = None,
        ttl_s: float = 0.0,
        time_s: float | None = None,
        lat: float | None = None,
        lon: float | None = None,
    ) -> Register:
        """Write here and now; once this returns, it is on disk. InputError on a key that is not this node's to write.

        `roster` None: in no household yet, so only what is everybody's or this device's own.
        """
        node = self.store.node_id
        known = (
            roster if roster is not None else Roster(household_id="", name="", serial=0, members=())
        )
        if not may_write(key, node, known):
            raise InputError(
                f"{key} is not for {node} to write.",
                "Settings of everybody begin with Setting., a person's with Person.ID. on a device of that person.",
            )
        if len(value) > VALUE_MAX_BYTES:
            raise InputError(f"A value of {len(value)} bytes is too large.", "64 KiB fit.")
        with self.store.database.transaction():
            if not self._room.begin().takes(node, key, value):
                raise InputError(
                    f"{node} has written as much as other nodes keep of one device; {key} would reach none of them.",
                    f"{KEYS_MAX} settings and {BYTES_MAX >> 20} MiB fit: write less into one that is there, or on another device.",
                )
            moment_here = self._clock.tick(self._now())
            while True:
                now_s = self._now()
                wanted = Register(
                    key=key,
                    value=value,
                    hlc=moment_here,
                    person_id=about(key, known),
                    time_s=time_s,
                    lat=lat,
                    lon=lon,
                    ttl_s=ttl_s,
                    written_s=now_s,
                )
                if self.store.merge_register(wanted):
                    return wanted
                # another process of this device wrote later than our clock knows: count on from there
                last, before = self.store.last_hlc(), self.store.last_of(key)
                if last is not None:
                    self._clock.observe(last)
                moment_here = self._clock.tick(now_s)
                if before is not None and moment_here <= before:  # from centuries ahead
                    after = following(before.wall_ms, before.count, usable_ms(now_s))
                    moment_here = check(Hlc(*after, node))

    def page(self, asker: Party, pull: Pull, view: View, *, answer: bool = True) -> Changes:
        """What changed here after the asker's cursor and may be told to it.

        Unasked (no `answer`): without its own writes, and without a digest.
        """
        store = self.store
        with store.database.snapshot():
            mine, last = store.database_id(), store.last_seq()
            since = pull.since if pull.database == mine and 0 <= pull.since <= last else 0
            rows = store.registers_after(since, PAGE_ROWS)
            buried = store.tombstones_after(since, PAGE_ROWS)
            seen = store.cursor(asker.device_id)
            fit = _Fit(self._until(rows, buried, last))
            for row in rows:
                if row.seq > fit.until:
                    break
                told = self._shares(row, view.me, asker, view) or (
                    pull.own and self._gives_back(row, asker, view)
                )
                fit.add(row, self._now(), told and (answer or row.hlc.node != asker.device_id))
            digest = self._told_digest(asker, view, last) if answer and fit.until == last else b""
        return Changes(
            database=mine,
            since=since,
            next=fit.until,
            last=last,
            changes=tuple(fit.changes),
            buried=tuple(
                _burial(t) for t in buried if t.seq <= fit.until and (t.shared or not asker.person)
            ),
            salt=store.salt(),
            seen_database=seen.database,
            seen=seen.seq,
            digest=digest,
        )

    @staticmethod
    def _until(rows: list[Register], buried: list[Tombstone], last: int) -> int:
        """The last number this page can vouch for."""
        return min((f[-1].seq for f in (rows, buried) if len(f) == PAGE_ROWS), default=last)

    def _told_digest(self, asker: Party, view: View, last: int) -> bytes:
        """Asked often, worked out once a change."""
        state = (last, view.rules, view.roster.serial)
        known = self._digests.get(asker.device_id)
        if known is None or known[0] != state:
            known = self._digests[asker.device_id] = (state, self.digest(view, view.me, asker))
        return known[1]

    @staticmethod
    def _shares(row: Register, giver: Party, taker: Party, view: View) -> bool:
        return (
            owner_of(row.key) is not None
            and may_tell(row.hlc.node, giver)
            and lets(row.key, giver, taker, view)
        )

    @staticmethod
    def _gives_back(row: Register, asker: Party, view: View) -> bool:
        """What the asker wrote, lost, and this node might have written itself: its word gives it no power more."""
        return (
            row.hlc.node == asker.device_id
            and may_write(row.key, view.me.device_id, view.roster)
            and lets(row.key, view.me, asker, view)
        )

    def question(self, peer: str) -> Pull:
        """What to ask that peer for next."""
        with self.store.database.snapshot():
            cursor, lost_after = self.store.cursor(peer), self.store.lost_after(peer)
        return Pull(database=cursor.database, since=cursor.seq, own=lost_after is not None)

    def apply(self, sender: Party, page: Changes, view: View, *, answer: bool) -> Applied:
        """Merge a page of `sender`, and the cursor with it, in one transaction.

        `answer`: it answers our own pull. Else it came by itself, and moves the cursor only if nothing is missing.
        """
        if not 0 <= page.next <= SEQ_MAX or len(page.database) > DATABASE_MAX_BYTES:
            raise WireError("A page of changes counts in numbers that can be none.")
        refused: Counter[str] = Counter()
        changed = 0
        with self.store.database.transaction():
            room = self._room.begin()
            lost_after = self.store.lost_after(sender.device_id) if answer else None
            changed += self._bury(sender, page, view, refused)
            for change in page.changes:
                why = objection(change, sender, view, lost_after)
                if not why and not room.takes(change.node, change.key, change.value):
                    why = "too much of one device"
                if why:
                    refused[why] += 1
                elif self._take(change, view):
                    changed += 1
            cursor = self.store.cursor(sender.device_id)
            gap = not answer and (page.database != cursor.database or page.since > cursor.seq)
            reached = Cursor(database=page.database, seq=page.next)
            if reached != cursor and (answer or (not gap and page.next > cursor.seq)):
                self.store.set_cursor(sender.device_id, reached)
            if lost_after is not None and page.next >= page.last:
                self.store.has_back(sender.device_id)
        return Applied(changed=changed, refused=dict(sorted(refused.items())), gap=gap)

    def _take(self, change: Change, view: View) -> bool:
        written = moment(change)
        self._clock.observe(written)
        return self.store.merge_register(
            Register(
                key=change.key,
                value=change.value,
                hlc=written,
                person_id=about(change.key, view.roster),
                time_s=change.time_s,
                lat=change.lat,
                lon=change.lon,
                ttl_s=change.ttl_s,
                written_s=self._now() - change.age_s,
            )
        )

    def _bury(self, sender: Party, page: Changes, view: View, refused: Counter[str]) -> int:
        if not page.buried:
            return 0
        if len(page.salt) > SALT_MAX_BYTES:
            refused["no salt"] += 1
            return 0
        keys = self.store.keys_by_hash(page.salt)
        done = 0
        for burial in page.buried:
            key = keys.get(burial.key_hash, "")
            register = self.store.get_register(key) if owner_of(key) else None
            if register is None:
                continue
            if not may_bury(register.key, burial, sender, view):
                refused["another node's word"] += 1
            elif register.hlc <= moment(burial) <= Hlc(CAP_MS, COUNT_MAX, burial.node):
                self._clock.observe(moment(burial))
                self.store.bury_register(register.key, moment(burial))
                done += 1
        return done

    def digest(
        self, view: View | None = None, giver: Party | None = None, taker: Party | None = None
    ) -> bytes:
        """A hash over key, moment and value of every replicated register; or only of what `giver` may tell `taker`."""
        total = hashlib.blake2b(digest_size=16)
        for row in self.store.registers():
            if owner_of(row.key) is None:
                continue
            if view and giver and taker and not self._shares(row, giver, taker, view):
                continue
            total.update(pack((row.key, row.hlc, row.value)))
        return total.digest()

    def in_step(self, sender: Party, page: Changes, view: View) -> bool | None:
        """Do both hold the same, as of the last page of a pull? None while one of them has not merged everything."""
        store = self.store
        cursor = store.cursor(sender.device_id)
        if not page.digest or cursor != Cursor(database=page.database, seq=page.last):
            return None
        if page.seen_database != store.database_id():
            return None
        unheard = store.registers_after(page.seen, PAGE_ROWS)
        if len(unheard) == PAGE_ROWS or any(
            row.hlc.node != sender.device_id and self._shares(row, view.me, sender, view)
            for row in unheard
        ):
            return None
        return self.digest(view, sender, view.me) == page.digest


class _Fit:
    """Gathers changes until a page is full."""

    def __init__(self, until: int) -> None:
        self.until = until  # the number that the page reaches
        self.changes: list[Change] = []
        self._before = 0
        self._bytes = 0

    def add(self, row: Register, now_s: float, told: bool) -> None:
        """Take it in; where there is no room for it, the page ends before."""
        if told:
            self._bytes += len(row.key) + len(row.value) + 100
            if self._bytes > PAGE_BYTES and self.changes:
                self.until = self._before
                return
            self.changes.append(_change(row, now_s))
        self._before = row.seq


def _change(row: Register, now_s: float) -> Change:
    return Change(
        key=row.key,
        value=row.value,
        wall_ms=row.hlc.wall_ms,
        count=row.hlc.count,
        node=row.hlc.node,
        ttl_s=row.ttl_s,
        age_s=_age_s(row, now_s),
        time_s=row.time_s,
        lat=row.lat,
        lon=row.lon,
    )


def _age_s(row: Register, now_s: float) -> float:
    """Never less than it is: a clock that was set back makes it stale."""
    age_s = now_s - row.written_s
    return max(0.0, age_s) if age_s >= -CLOCK_SLACK_S else row.ttl_s + CLOCK_SLACK_S


def _burial(tombstone: Tombstone) -> Burial:
    at = tombstone.hlc
    return Burial(key_hash=tombstone.key_hash, wall_ms=at.wall_ms, count=at.count, node=at.node)
