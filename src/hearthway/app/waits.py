"""Asking followed venues for their wait: one fetch each, checked by rule, by key and by age, about nobody."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from hearthway.mesh.rules import Rules
from hearthway.mesh.store import Store
from hearthway.mesh.venue import ask, disclosure, parse_code
from hearthway.records.household import Role
from hearthway.records.life import Person
from hearthway.records.receipts import Crossing, Disclosure
from hearthway.records.venue import Followed, Wait

REQUEST_KEY = "Venue.WaitRequest"
TIMEOUT_S = 2.0
AT_ONCE = 4


class WaitDesk:
    """The phone's dealings with venues."""

    def __init__(self, store: Store, rules: Rules, node_id: str) -> None:
        self._store = store
        self._rules = rules
        self._node_id = node_id
        self.crossings: list[Crossing] = []

    def follow(self, code: str, person: Person | None) -> Followed:
        """Follow the venue whose code was scanned or typed; InputError where it is none."""
        followed = parse_code(code)
        self._store.follow(followed, person.person_id if person else "")
        return followed

    def ask(
        self, osm_ids: Sequence[str], now_s: float
    ) -> tuple[dict[str, Wait], tuple[Disclosure, ...], tuple[Crossing, ...]]:
        """Waits of the followed among these POIs, what asking disclosed, and the crossings it was."""
        wanted = [followed for followed in self._store.followed() if followed.osm_id in osm_ids]
        if not wanted:
            return {}, (), ()
        rule = self._rules.allows(REQUEST_KEY, Role.PHONE, Role.VENUE, "wait")
        crossing = Crossing(
            key=REQUEST_KEY,
            sender=self._node_id,
            receiver_role=Role.VENUE,
            purpose="wait",
            rule=rule.id if rule else "",
            count=len(wanted),
        )
        if rule is None:
            refused = {
                f.osm_id: Wait(osm_id=f.osm_id, why="your rules forbid asking") for f in wanted
            }
            return refused, (), (crossing,)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            waits = list(pool.map(lambda one: ask(self._store, one, now_s, TIMEOUT_S), wanted))
        return (
            {wait.osm_id: wait for wait in waits},
            tuple(disclosure(followed) for followed in wanted),
            (crossing,),
        )
