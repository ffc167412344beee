"""The owner's rules where data leaves and enters a node: each decision asked once, remembered a second, and counted.

A decision is for a key, its purpose, the person it is about, and the two parties. Whatever changes one of them
(rules, consents, roster, who is there) ends what was remembered; a guest's last second does so too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.records.errors import RuleDeniedError
from hearthway.records.household import Decision, Party
from hearthway.records.receipts import Crossing

from .checks import GrantCheck

EXACT = "exact"
_OTHERS = "*"
REMEMBER_S = 1.0
_CROSSINGS_MAX = 10_000
_REMEMBERED_MAX = 4_096  # keys come from outside, at most `envelope.KEY_MAX_CHARS` long
_NAMES_MAX = (
    1_000  # of one sender: what it says beyond is counted under no name, and takes nobody's room
)
_Question = tuple[str, str, str, str, bool]


class Tally:
    """How often one kind of crossing took place."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Gate:
    """One node's rules, and the count of every crossing."""

    def __init__(
        self,
        identity: Callable[[], DeviceIdentity],
        rules: Rules,
        now: Callable[[], float],
        grants: GrantCheck | None,
    ) -> None:
        self._identity = identity
        self._rules = rules
        self._now = now
        self._grants = grants
        self.generation = 0  # grows when what was decided must be asked anew
        self._from_s = 0.0
        self._until_s = 0.0
        self._parties: dict[str, Party | None] = {}
        self._decisions: dict[_Question, Decision | None] = {}
        self._tallies: dict[tuple[str, str, str, str, str], Tally] = {}
        self._names: dict[str, int] = {}  # how many of them are of each sender

    def use_rules(self, rules: Rules) -> None:
        """Decide by these from now on."""
        self._rules = rules
        self.changed()

    def changed(self) -> None:
        """Roster, consents or who is there changed."""
        self.generation += 1
        self._parties.clear()
        self._decisions.clear()
        self._until_s = 0.0

    def fresh(self) -> int:
        """The generation of what is remembered now."""
        now_s = self._now()
        if not self._from_s <= now_s < self._until_s:
            self.changed()
            ends = [p.until_s for p in self._identity().roster.people if p.until_s > now_s]
            self._from_s, self._until_s = now_s, min([now_s + REMEMBER_S, *ends])
        return self.generation

    def party(self, device_id: str) -> Party | None:
        """That device as an end of a crossing; None when it is nobody (any more)."""
        if device_id not in self._parties:
            if len(self._parties) >= _REMEMBERED_MAX:
                self._parties.clear()
            self._parties[device_id] = self._identity().roster.party(device_id, self._now())
        return self._parties[device_id]

    def outward(self, key: str, receiver: str, purpose: str, about: str) -> Decision | None:
        """May this leave for that device?"""
        return self._decide((key, receiver, purpose, about, True))

    def inward(self, key: str, sender: str, purpose: str, about: str) -> Decision | None:
        """May this enter from that device? Our own rules decide, whatever the sender's did."""
        return self._decide((key, sender, purpose, about, False))

    def all_cross(
        self, keys: Sequence[str], other: str, purpose: str, about: str, *, out: bool, count: bool
    ) -> bool:
        """May each of these cross as it is? Those that travel inside one record are asked about one by one."""
        allowed = True
        sender = self._identity().device_id if out else other
        party = self.party(other if out else self._identity().device_id)
        for key in keys:
            decision = self._decide((key, other, purpose, about, out))
            rule = "" if decision is None or decision.precision != EXACT else decision.rule
            allowed = allowed and bool(rule)
            if count:
                self.count(key, sender, "" if party is None else party.role, purpose, rule)
        return allowed

    def granted(self, token: bytes, key: str, operation: str, holder: str) -> Decision | None:
        """Does a capability token let that device, while it belongs here, read or write the key?"""
        if not token or self._grants is None:
            return None
        self.fresh()
        if self.party(holder) is None:  # a guest whose stay is over has no grant either
            return None
        return self._grants.allows(token, key, operation, holder, self._now())

    def named(self, key: str, role: str, purpose: str, to: str | None) -> bool:
        """Does any rule let the key leave a node of this role (for the role `to`)?"""
        return any(to in (None, r) for r, _ in self._rules.receivers(key, role, purpose))

    def _decide(self, question: _Question) -> Decision | None:
        self.fresh()
        try:
            return self._decisions[question]
        except KeyError:
            pass
        key, other, purpose, about, out = question
        own_party, other_party = self.party(self._identity().device_id), self.party(other)
        decision = None
        if own_party is not None and other_party is not None:
            ends = (own_party, other_party) if out else (other_party, own_party)
            decision = self._rules.decide(key, *ends, purpose, about)
        if len(self._decisions) >= _REMEMBERED_MAX:  # keys come from outside
            self._decisions.clear()
        self._decisions[question] = decision
        return decision

    # -- counting ------------------------------------------------------------------------------

    def tally(self, key: str, sender: str, role: str, purpose: str, rule: str) -> Tally:
        """The counter of these crossings; `rule` "" for refused ones."""
        at = (key, sender, role, purpose, rule)
        tally = self._tallies.get(at)
        if tally is None:
            names = self._names.get(sender, 0)
            if names >= _NAMES_MAX and key != _OTHERS:
                return self.tally(_OTHERS, sender, role, _OTHERS, rule)
            tally = Tally()
            if len(self._tallies) < _CROSSINGS_MAX:
                self._tallies[at] = tally
                self._names[sender] = names + 1
        return tally

    def count(self, key: str, sender: str, role: str, purpose: str, rule: str) -> None:
        """One more of these."""
        tally = self._tallies.get((key, sender, role, purpose, rule))
        (tally or self.tally(key, sender, role, purpose, rule)).count += 1

    def crossings(self, *, drain: bool) -> list[Crossing]:
        """Every crossing counted so far; with `drain` counting starts anew."""
        counted = [
            Crossing(
                key=key,
                sender=sender,
                receiver_role=role,
                purpose=purpose,
                rule=rule,
                count=t.count,
            )
            for (key, sender, role, purpose, rule), t in sorted(
                self._tallies.items(), key=lambda item: item[0]
            )
            if t.count
        ]
        if drain:
            self._tallies.clear()
            self._names.clear()
            self.changed()  # nobody goes on counting on what was handed out
        return counted


def denied(key: str, sender: Any, receiver: Any, purpose: str) -> RuleDeniedError:
    """The error of a crossing that no rule lets; sender and receiver by name or role."""
    return RuleDeniedError(
        f"The owner's rules do not let {key} go from {sender} to {receiver} to {purpose}.",
        "`hearthway rules` shows what they let; add a rule if you want this.",
    )
