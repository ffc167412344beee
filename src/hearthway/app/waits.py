"""Asking followed venues for their wait: seldom, checked by rule, by key and by age, about nobody."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import msgspec
from msgspec import Struct

from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.store import Store
from hearthway.mesh.venues.forecast import at_arrival
from hearthway.mesh.venues.venue import ask, disclosure, parse_code
from hearthway.mesh.venues.venue_seal import ASKING_BYTES
from hearthway.records.household import Role
from hearthway.records.life import Person
from hearthway.records.receipts import Crossing, Disclosure
from hearthway.records.venue import Followed, Told, Wait

REQUEST_KEY = "Venue.WaitRequest"
TIMEOUT_S = 2.0
AT_ONCE = 4
ASK_EVERY_S = 60.0  # event time: a queue moves slowly, and every question tells the venue something


class Account(Struct, frozen=True, kw_only=True):
    """What asking was, since the last account: for the receipt."""

    disclosures: tuple[Disclosure, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    bytes_to: dict[str, int] = {}


class WaitDesk:
    """The phone's dealings with venues."""

    def __init__(self, store: Store, rules: Rules, node_id: str) -> None:
        self._store = store
        self._rules = rules
        self._node_id = node_id
        self._last: dict[str, tuple[float, Told]] = {}
        self._asked: dict[str, tuple[Followed, int]] = {}
        self._refused = 0

    def use_rules(self, rules: Rules) -> None:
        """From now on venues are asked by these."""
        self._rules = rules

    def follow(self, code: str, person: Person | None) -> Followed:
        """Follow the venue whose code was scanned or typed; InputError where it is none."""
        followed = parse_code(code)
        self._store.follow(followed, person.person_id if person else "")
        return followed

    def ask(self, arrivals: Mapping[str, float], now_s: float) -> dict[str, Wait]:
        """Waits of the followed among these POIs, for their time of arrival; blocks up to `TIMEOUT_S`.

        When one arrives is looked up in what the venue said, here, and never told.
        """
        wanted = [followed for followed in self._store.followed() if followed.osm_id in arrivals]
        if wanted and self._rules.allows(REQUEST_KEY, Role.PHONE, Role.VENUE, "wait") is None:
            self._refused += len(wanted)
            why = "your rules forbid asking"
            return {one.osm_id: Wait(osm_id=one.osm_id, why=why) for one in wanted}
        due = [one for one in wanted if not self._recent(one.osm_id, now_s)]
        if due:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                told = list(pool.map(lambda one: ask(self._store, one, now_s, TIMEOUT_S), due))
            for followed, said in zip(due, told, strict=True):
                self._last[followed.osm_id] = (now_s, said)
                self._asked[followed.osm_id] = (followed, self._asked_times(followed.osm_id) + 1)
        return {one.osm_id: self._as_of(one.osm_id, arrivals[one.osm_id], now_s) for one in wanted}

    def account(self) -> Account:
        """What was asked since the last account."""
        asked = [self._asked[osm_id] for osm_id in sorted(self._asked)]
        rule = self._rules.allows(REQUEST_KEY, Role.PHONE, Role.VENUE, "wait")
        total = sum(times for _, times in asked)
        account = Account(
            disclosures=tuple(disclosure(followed) for followed, _ in asked),
            crossings=tuple(
                Crossing(
                    key=REQUEST_KEY,
                    sender=self._node_id,
                    receiver_role=Role.VENUE,
                    purpose="wait",
                    rule=name,
                    count=count,
                )
                for name, count in ((rule.id if rule else "", total), ("", self._refused))
                if count
            ),
            bytes_to={
                f"venue {followed.osm_id}": times * ASKING_BYTES for followed, times in asked
            },
        )
        self._asked.clear()
        self._refused = 0
        return account

    def _asked_times(self, osm_id: str) -> int:
        return self._asked[osm_id][1] if osm_id in self._asked else 0

    def _recent(self, osm_id: str, now_s: float) -> bool:
        return osm_id in self._last and 0 <= now_s - self._last[osm_id][0] < ASK_EVERY_S

    def _as_of(self, osm_id: str, arrive_s: float, now_s: float) -> Wait:
        asked_s, told = self._last[osm_id]
        wait = at_arrival(told, arrive_s, now_s)
        if wait.age_s is None:
            return wait
        return msgspec.structs.replace(wait, age_s=wait.age_s + now_s - asked_s)
