"""What the owner says of places, in the store: it goes with the place, whichever way that is forgotten, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hearthway.mesh.policy.retention import sweep
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.export import export
from hearthway.mesh.state.forget import forget
from hearthway.mesh.state.place_words import place_words, say, unsay
from hearthway.mesh.state.receipts import ReceiptChain
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.signing import signing_key
from hearthway.records.forgetting import PersonScope, PlaceScope, RangeScope, Scope
from hearthway.records.geo import offset
from hearthway.records.life import PlaceWord
from hearthway.records.signals import Fix

ANNA, BO = "anna", "bo"
T0_S, DAY_S = 1_700_000_000.0, 86_400.0
FLAT, GYM = (60.2, 24.9), (60.25, 24.9)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Anna: the flat on days 0, 1 and 3, the gym on day 1 alone; she passes the flat on day 5. Both names said on day 1."""
    with Store.open(tmp_path / "node.db", node_id="phone") as opened:
        opened.add_person("Anna", ANNA)
        opened.add_person("Bo", BO)
        fixes = []
        for day, at in ((0, FLAT), (1, FLAT), (3, FLAT)):
            fixes += stay(day, 8.0, at)
        fixes += stay(1, 12.0, GYM) + stay(1, 12.4, offset(*GYM, 5_000.0, 0.0))
        fixes += [Fix(time_s=T0_S + 5 * DAY_S, lat=FLAT[0], lon=FLAT[1])]
        opened.add_fixes(ANNA, fixes, "a")
        opened.add_fixes(BO, stay(1, 8.0, FLAT), "b")
        for number, (at, name) in enumerate(((FLAT, "Secret-flat"), (GYM, "Secret-gym"))):
            said_s = T0_S + DAY_S + 14 * 3600.0 + number
            say(
                opened, ANNA, PlaceWord(kind="name", time_s=said_s, lat=at[0], lon=at[1], name=name)
            )
        yield opened


@pytest.fixture
def chain(store: Store, tmp_path: Path) -> ReceiptChain:
    return ReceiptChain(store, signing_key(tmp_path / "key"))


def stay(day: int, hour: float, at: tuple[float, float]) -> list[Fix]:
    start_s = T0_S + day * DAY_S + hour * 3600.0
    return [Fix(time_s=start_s + 300.0 * n, lat=at[0], lon=at[1]) for n in range(6)]


def names(store: Store, person: str = ANNA) -> list[str]:
    return [word.name for word in place_words(store, person)]


def span(first: float, last: float, person: str | None = ANNA) -> RangeScope:
    return RangeScope(since_s=T0_S + first * DAY_S, until_s=T0_S + last * DAY_S, person_id=person)


BOTH = ["Secret-flat", "Secret-gym"]


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        (PersonScope(person_id=ANNA), []),
        (PersonScope(person_id=BO), BOTH),
        (span(1, 2), ["Secret-flat"]),
        (span(1, 2, None), ["Secret-flat"]),
        (span(1, 2, BO), BOTH),
        (span(0, 1), BOTH),
        (span(0, 4), []),
        (span(4, 6), BOTH),
        (PlaceScope(lat=GYM[0], lon=GYM[1], radius_m=100.0), ["Secret-flat"]),
        (PlaceScope(lat=FLAT[0], lon=FLAT[1], radius_m=100.0, person_id=ANNA), ["Secret-gym"]),
        (PlaceScope(lat=GYM[0], lon=GYM[1], radius_m=100.0, person_id=BO), BOTH),
        (PlaceScope(lat=61.0, lon=24.9, radius_m=100.0), BOTH),
    ],
)
def test_a_word_goes_with_its_place(
    store: Store, chain: ReceiptChain, scope: Scope, left: list[str]
) -> None:
    report = forget(store, chain, scope, T0_S + 9 * DAY_S)
    assert names(store) == left
    assert report.counts.get("place_words", 0) == 2 - len(left)
    assert report.clean
    for name in set(BOTH) - set(left):
        assert name.encode() not in store.path.read_bytes()


def test_a_kept_word_tells_nothing_of_the_time_that_was_forgotten(
    store: Store, chain: ReceiptChain
) -> None:
    (before, _) = place_words(store, ANNA)
    forget(store, chain, span(0.9, 2), T0_S + 9 * DAY_S)
    (after,) = place_words(store, ANNA)
    last_s = max(f.time_s for f in store.fixes(ANNA) if f.time_s < T0_S + DAY_S)
    assert before.time_s > last_s + DAY_S / 2
    assert 0.0 < after.time_s - last_s < 1e-3
    assert (after.name, after.lat, after.lon) == (before.name, before.lat, before.lon)


def test_several_of_one_time_keep_their_order(store: Store, chain: ReceiptChain) -> None:
    for number in range(3):
        said_s = T0_S + DAY_S + 15 * 3600.0 + number
        say(
            store,
            ANNA,
            PlaceWord(kind="home", time_s=said_s, lat=FLAT[0], lon=FLAT[1], name=str(number)),
        )
    forget(store, chain, span(0.9, 2), T0_S + 9 * DAY_S)
    assert names(store) == ["Secret-flat", "0", "1", "2"]


def test_one_instead_of_another_and_taken_back(store: Store) -> None:
    flat, gym = place_words(store, ANNA)
    say(
        store,
        ANNA,
        PlaceWord(kind="name", time_s=T0_S + 8 * DAY_S, lat=FLAT[0], lon=FLAT[1], name="x"),
        [flat],
    )
    assert names(store) == ["Secret-gym", "x"]
    store.put_model(ANNA, "life", T0_S + 8 * DAY_S, b"with the name")
    unsay(store, ANNA, [gym])
    assert names(store) == ["x"]
    assert store.model(ANNA, "life") is None, "a kill here leaves no model that holds it"
    assert names(store, BO) == []


def test_an_export_holds_them(store: Store, chain: ReceiptChain) -> None:
    assert [one["name"] for one in export(store, chain, ANNA)["place_words"]] == BOTH
    assert export(store, chain, BO)["place_words"] == []


def test_history_that_is_kept_for_days_only_takes_them_along(
    store: Store, chain: ReceiptChain
) -> None:
    rules = Rules.parse('version = 2\n[[keep]]\nid = "days"\nkinds = ["fix"]\ndays = 7\n', "r")
    assert sweep(store, chain, rules, T0_S + 7.5 * DAY_S) == {"fixes": 6}
    assert names(store) == BOTH
    counts = sweep(store, chain, rules, T0_S + 9.0 * DAY_S)
    assert counts["place_words"] == 1
    assert names(store) == ["Secret-flat"], "it was there on day 3 as well"
    assert place_words(store, ANNA)[0].time_s < 1.0
    sweep(store, chain, rules, T0_S + 11.0 * DAY_S)
    assert names(store) == []


def test_several_that_outlast_what_is_kept_keep_their_order(
    store: Store, chain: ReceiptChain
) -> None:
    rules = Rules.parse('version = 2\n[[keep]]\nid = "days"\nkinds = ["fix"]\ndays = 7\n', "r")
    home = PlaceWord(
        kind="home", time_s=T0_S + DAY_S + 15 * 3600.0, lat=FLAT[0], lon=FLAT[1], name="home"
    )
    say(store, ANNA, home)
    for day in (9.0, 9.5):  # the second time they are dated back already
        store.add_fixes(ANNA, [Fix(time_s=T0_S + (day - 7.2) * DAY_S, lat=61.0, lon=24.9)], "a")
        assert sweep(store, chain, rules, T0_S + day * DAY_S)["fixes"] >= 1
        assert names(store) == ["Secret-flat", "home"]
