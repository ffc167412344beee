"""A household of five replicas without a mesh, to test them page by page."""

from __future__ import annotations

from pathlib import Path

from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.registers import Register
from hearthway.mesh.state.replica import Replica, View
from hearthway.mesh.state.replica_wire import Changes
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.roster import Member, Roster
from hearthway.records.household import HouseholdPerson, Party, PersonKind

ANNA, BO, GUEST = "a1", "b2", "g3"
NOW_S = 1_800_000_000.0
YEAR_S = 365.25 * 86_400.0


def member(device_id: str, role: str, person: str = "") -> Member:
    """A device of the test household."""
    return Member(device_id=device_id, role=role, address="", public_key=b"", person=person)


ROSTER = Roster(
    household_id="h",
    name="Test",
    serial=1,
    members=(
        member("car", "car"),
        member("guest-phone", "phone", GUEST),
        member("home", "home"),
        member("phone", "phone", ANNA),
        member("phone-bo", "phone", BO),
    ),
    people=(
        HouseholdPerson(person_id=ANNA, kind=PersonKind.ADULT),
        HouseholdPerson(person_id=BO, kind=PersonKind.ADULT),
        HouseholdPerson(person_id=GUEST, kind=PersonKind.GUEST),
    ),
)


def rule(name: str, keys: str, sender: str, purpose: str = "share", extra: str = "") -> str:
    """A rule in TOML: those keys go from that role to the others."""
    others = [r for r in ("phone", "car", "home") if r != sender]
    return (
        f'[[rule]]\nid = "{name}-{sender}"\nkeys = ["{keys}"]\nfrom = "{sender}"\n'
        f'to = {others!r}\npurpose = "{purpose}"\n{extra}\n'.replace("'", '"')
    )


RULES = Rules.parse(
    "version = 1\n"
    + "".join(
        rule("settings", "Setting.*", role)
        + rule("person", "Person.*", role)
        + rule("device", "Device.*", role)
        + rule("household", "Household.*", role, "household")
        for role in ("phone", "car", "home")
    )
    + rule("forget", "Forget.*", "phone", "forget"),
    "test",
)


def party(device_id: str) -> Party:
    """That device of the test household."""
    found = ROSTER.party(device_id, NOW_S)
    assert found is not None
    return found


def view(device_id: str, rules: Rules = RULES, roster: Roster = ROSTER) -> View:
    """What that device judges by."""
    return View(me=party(device_id), roster=roster, rules=rules)


class Node:
    """A replica with a clock that is wrong by `skew_s`."""

    def __init__(self, path: Path, name: str, skew_s: float = 0.0) -> None:
        self.name, self.path, self.skew_s = name, path, skew_s
        self.time_s = NOW_S
        self.open()

    def open(self) -> None:
        self.store = Store.open(self.path, node_id=self.name)
        self.replica = Replica(self.store, lambda: self.time_s + self.skew_s)

    def set(self, key: str, value: bytes, **fields: float) -> Register:
        return self.replica.set(key, value, roster=ROSTER, **fields)

    def pull(self, other: Node, rules: Rules = RULES) -> Changes:
        """Everything, as `replica_sync` does it; the last page."""
        while True:
            page = other.replica.page(
                party(self.name), self.replica.question(other.name), view(other.name, rules)
            )
            self.replica.apply(party(other.name), page, view(self.name, rules), answer=True)
            if page.next >= page.last:
                return page
            assert page.next > page.since

    def value(self, key: str) -> bytes | None:
        found = self.store.get_register(key)
        return None if found is None else found.value


def sync(*nodes: Node) -> None:
    """Everybody with everybody, twice: what the home has heard late comes around as well."""
    for _ in range(2):
        for one in nodes:
            for other in nodes:
                if one is not other:
                    one.pull(other)
