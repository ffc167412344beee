"""A grant is for a member: it outlives neither a guest's stay nor a device's place in the list."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.trust.roster import Member, Roster
from hearthway.mesh.wire.gate import Gate
from hearthway.records.household import Decision, HouseholdPerson, PersonKind

NOW_S = 1_800_000_000.0


class _Grants:
    def allows(self, token: bytes, key: str, operation: str, holder: str, now_s: float) -> Any:
        return Decision(rule="grant")


def test_a_grant_does_not_outlive_the_stay() -> None:
    guest = Member(device_id="guest", role="phone", address="", public_key=b"g", person="gus")
    home = Member(device_id="home", role="home", address="", public_key=b"h")
    stay = HouseholdPerson(person_id="gus", kind=PersonKind.GUEST, until_s=NOW_S + 60.0)
    roster = Roster(household_id="h", name="Ours", serial=1, members=(guest, home), people=(stay,))
    now_s = NOW_S
    identity: Any = SimpleNamespace(roster=roster, device_id="home")
    gate = Gate(lambda: identity, Rules(()), lambda: now_s, _Grants())
    assert gate.granted(b"t", "Home.Climate.Level", "read", "guest") is not None  # the control
    assert gate.granted(b"t", "Home.Climate.Level", "read", "stranger") is None
    now_s += 60.0
    assert gate.granted(b"t", "Home.Climate.Level", "read", "guest") is None
