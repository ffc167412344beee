"""Who asks, and what the owner's rules let them have of what this node knows."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from hearthway.app.node import Node
from hearthway.app.ruling import Ruling
from hearthway.mesh.policy.rules import Rules, said_by
from hearthway.mesh.trust.roster import Roster
from hearthway.records.errors import InputError
from hearthway.records.household import Party, PersonKind, Role

PURPOSE = "ask"
EXACT = "exact"
NOBODY = "nobody"  # a voice in a room: it may be anybody's


class Asker(Struct, frozen=True, kw_only=True):
    """Whoever asks. `own`: the node keeps this person's life, so nothing crosses from one person to another."""

    person: str  # "" for a voice in a room
    name: str
    kind: str
    own: bool

    @property
    def talk(self) -> str:
        """Whose questions back are kept apart from the others': a person, or the room that a voice is in."""
        return self.person or self.name


def _one(kind: str) -> str:
    return f"an {kind}" if kind == PersonKind.ADULT else f"a {kind}"


def may_leave(node: Node, key: str) -> bool:
    """Does a rule let what is said here, or its answer, go to another machine of the house?"""
    rules, role = node.part(Ruling).rules, str(node.config.node.role)
    return rules.allows(key, role, str(Role.HOME), PURPOSE) is not None


def asker_of(node: Node, owner: str, wanted: str) -> Asker:
    """The asker of that name or id; "" is the owner of the machine. InputError for somebody who is not of the household."""
    roster = None if node.mesh is None else node.mesh.identity.roster
    if wanted == NOBODY:
        return Asker(person="", name="anybody", kind=PersonKind.GUEST, own=False)
    names = {one.person_id: one.name for one in node.store.persons()}
    if not wanted:
        return _owner(node, roster, owner, names)
    folded = wanted.casefold()
    ids = [one for one, name in names.items() if folded in (one.casefold(), name.casefold())]
    if roster is not None:
        ids += [p.person_id for p in roster.people if p.person_id.casefold() == folded]
    found = next(iter(dict.fromkeys(ids)), "")
    if found and found == owner:
        return _owner(node, roster, owner, names)
    listed = None if roster is None else roster.person(found)
    if listed is None:
        known = ", ".join(
            sorted({owner, *(p.person_id for p in (roster.people if roster else ()))})
        )
        raise InputError(
            f"{wanted} is nobody of this household.",
            f"Known here: {known}. `hearthway people add` takes somebody in.",
        )
    if listed.until_s and node.clock.now_s() >= listed.until_s:
        raise InputError(
            f"The stay of {wanted} is over.", "`hearthway people set` makes it longer."
        )
    return Asker(person=found, name=names.get(found) or found, kind=str(listed.kind), own=False)


def _owner(node: Node, roster: Roster | None, owner: str, names: dict[str, str]) -> Asker:
    listed = None if roster is None else roster.person(owner)
    shared = node.config.node.role is not Role.PHONE
    return Asker(
        person=owner,
        name=names.get(owner) or owner or "you",
        kind=str(PersonKind.ADULT if listed is None else listed.kind),
        own=not shared,
    )


class Permits:
    """Which rule lets this asker have what, and why not where none does."""

    def __init__(self, node: Node, asker: Asker, owner: str) -> None:
        self._rules: Rules = node.part(Ruling).rules
        self._role = node.config.node.role
        self._asker = asker
        self._owner = owner
        roster = None if node.mesh is None else node.mesh.identity.roster
        own = None if roster is None else roster.party(node.config.node.id, node.wall.now_s())
        self._here = own or Party(role=str(self._role), device_id=node.config.node.id, alone=True)
        self._alone = roster is None or roster.alone()

    def of(
        self, keys: Iterable[str], personal: Iterable[str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """(key -> rule, "" where none lets it; key -> why not)."""
        rules, whys = {}, {}
        for key, about in [(k, "") for k in keys] + [(k, self._owner) for k in personal]:
            rules[key] = rule = self._rule(key, about)
            if not rule:
                whys[key] = self._why(key, about)
        return rules, whys

    def _rule(self, key: str, about: str) -> str:
        if self._shared_here:
            return self._sensed_here(key)
        receiver = Party(
            role=str(Role.PHONE),
            device_id=self._asker.person,
            person=self._asker.person or NOBODY,
            kind=self._asker.kind,
        )
        found = self._rules.decide(key, self._here, receiver, PURPOSE, about)
        # An answer is exact: what may be known as a cell alone is not said.
        return "" if found is None or found.precision != EXACT else found.rule

    @property
    def _shared_here(self) -> bool:
        """Is it the machine of whoever asks, where what it senses is there to be looked at?"""
        return self._asker.own or (
            self._role is not Role.PHONE and self._asker.kind != PersonKind.GUEST
        )

    def _sensed_here(self, key: str) -> str:
        """By which rule this node has it at all. What is only worked out here (receipts, a calendar) is the owner's own."""
        if not key.startswith(("Vehicle.", "Person.", "Home.")):
            return "own" if self._asker.own else ""
        if self._rules.collect is None:
            return "no collect rule limits it"
        return self._rules.collected_by(key, str(self._role))

    def _why(self, key: str, about: str) -> str:
        if self._shared_here:
            return "Your rules do not collect it here: `hearthway rules` shows them."
        kind = self._asker.kind
        named = self._rules.allows(key, str(self._role), str(Role.PHONE), PURPOSE)
        if named is not None and not about:
            who = "adults and children" if named.whose == "own" else named.whose
            return f"Rule {named.id} gives it to {who} alone: `hearthway rules`."
        if about:
            return (
                f"It is about whose {self._role} this is: a rule with the purpose "
                f"{PURPOSE} has to name {_one(kind)}, and both must have consented (`hearthway consent`)."
            )
        return f"A rule with the purpose {PURPOSE} has to name {_one(kind)}: `hearthway rules`."

    def may_order(self, command: str) -> str:
        """The rule that lets this asker order that of the home; "" where none does."""
        if self._asker.own or self._role is Role.HOME:
            sender = self._here if self._asker.own else self._as(Role.PHONE)
        else:
            sender = self._as(Role.PHONE)
        home = Party(role=str(Role.HOME), device_id="home", alone=self._alone)
        found = self._rules.decide(command, sender, home, "control")
        return "" if found is None else found.rule

    def who_orders(self, command: str) -> str:
        """The rule that lets it be ordered at all, and by whom; "" where none does."""
        found = self._rules.allows(command, str(Role.PHONE), str(Role.HOME), "control")
        return "" if found is None else f"{found.id} ({said_by(found, command)})"

    def _as(self, role: Role) -> Party:
        """The asker, as if with a device of their own."""
        person = self._asker.person
        return Party(
            role=str(role), device_id=person, person=person or NOBODY, kind=self._asker.kind
        )
