"""Where the car charges, on the phone's own path: kept, learned again after a restart, refused by a rule, and forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hearthway.app.brain import Brain
from hearthway.assist.settings import GateSettings
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.forget import forget
from hearthway.mesh.state.receipts import ReceiptChain
from hearthway.mesh.state.store import Store
from hearthway.records.forgetting import PlaceScope
from hearthway.records.geo import offset
from hearthway.records.life import Person
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import CHARGING, ODOMETER, PLUGGED, SOC

HOME = (60.17, 24.94)
WORK = offset(*HOME, 9_000.0, 0.0)
BEGIN_S = 1_767_564_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        yield store


def brain_of(store: Store, person: Person, rules: Rules | None = None) -> Brain:
    return Brain(
        store,
        person,
        pois=None,
        roads=None,
        name_of=None,
        settings=GateSettings(),
        synthetic=False,
        rules=rules,
    )


def live(brain: Brain) -> None:
    """An hour at home, nine kilometres to work, there the car charges for an hour and says so, and home again."""
    now_s, km = BEGIN_S, 1_000.0
    for here, there, says in ((HOME, WORK, False), (WORK, HOME, True)):
        for _ in range(12):
            brain.observe([Fix(time_s=now_s, lat=here[0], lon=here[1])], [], "phone")
            now_s += 300.0
            if says and now_s % 3600.0 < 300.0:
                tell(brain, now_s, CHARGING, True)
        if says:
            tell(brain, now_s, CHARGING, False)
        tell(brain, now_s, ODOMETER, km * 1000.0)
        for step in range(1, 21):
            now_s += 30.0
            lat = here[0] + (there[0] - here[0]) * step / 20.0
            brain.observe([Fix(time_s=now_s, lat=lat, lon=HOME[1])], [], "phone")
        km += 9.0
        tell(brain, now_s, ODOMETER, km * 1000.0)
        tell(brain, now_s, SOC, 60.0)  # it is not seen to rise: only its word tells
    for _ in range(12):
        now_s += 300.0
        brain.observe([Fix(time_s=now_s, lat=HOME[0], lon=HOME[1])], [], "phone")


def tell(brain: Brain, time_s: float, key: str, value: float | bool) -> None:
    brain.observe([], [Signal(key=key, value=value, time_s=time_s, source="car")], "car")


def charged_at_work(brain: Brain) -> int:
    return sum(
        place.car_charged for place in brain.life.state.places if abs(place.lat - WORK[0]) < 0.01
    )


def test_its_own_word_is_kept_and_learned_again(store: Store) -> None:
    anna = store.add_person("Anna")
    brain = brain_of(store, anna)
    live(brain)
    assert charged_at_work(brain) == 1
    brain.rebuild()
    assert charged_at_work(brain) == 1
    assert charged_at_work(brain_of(store, anna)) == 1


def test_where_a_rule_lets_nothing_be_learned_from_it_nothing_is(store: Store) -> None:
    text = f'version = 2\n[[train]]\nid = "t"\nkeys = ["{SOC}", "{ODOMETER}"]\nkinds = ["fix"]\n'
    brain = brain_of(store, store.add_person("Anna"), Rules.parse(text, "r"))
    live(brain)
    assert charged_at_work(brain) == 0


def test_what_the_cable_told_is_kept_for_the_next_start(store: Store) -> None:
    anna = store.add_person("Anna")
    brain = brain_of(store, anna)
    for minute, value in enumerate((True, True, False)):
        tell(brain, BEGIN_S + 60.0 * minute, PLUGGED, value)
    told = [s.value for s in store.signals(anna.person_id) if s.key == PLUGGED]
    assert told == [True, False]


def test_a_forgotten_place_has_no_charging(store: Store) -> None:
    anna = store.add_person("Anna")
    brain = brain_of(store, anna)
    live(brain)
    brain.snapshot()
    chain = ReceiptChain(store, Ed25519PrivateKey.from_private_bytes(b"n" * 32))
    scope = PlaceScope(lat=WORK[0], lon=WORK[1], radius_m=500.0)
    forget(store, chain, scope, BEGIN_S + 90_000.0)
    assert charged_at_work(brain_of(store, anna)) == 0
    assert not [s for s in store.signals(anna.person_id) if s.key == CHARGING]
