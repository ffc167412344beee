"""Forgetting: what remains equals what would be there had it never come, and no file holds a byte of it."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.mesh.state import forget as forgetting
from hearthway.mesh.state.database import Database
from hearthway.mesh.state.forget import acknowledge, apply, forget, pending, resume
from hearthway.mesh.state.hlc import Hlc
from hearthway.mesh.state.receipts import ReceiptChain
from hearthway.mesh.state.store import Store
from hearthway.records.codec import pack
from hearthway.records.errors import InputError, StoreError, WireError
from hearthway.records.forgetting import (
    ForgetOrder,
    PersonScope,
    PlaceScope,
    RangeScope,
    Scope,
    Span,
)
from hearthway.records.geo import distance_m, offset
from hearthway.records.life import Place
from hearthway.records.poi import Opening, OpenState, Poi
from hearthway.records.receipts import Receipt
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Destination, Situation, Via
from hearthway.records.suggestion import Answer, AnswerKind, Option, Suggestion
from hearthway.records.venue import Followed, Wait

KEY = Ed25519PrivateKey.from_private_bytes(b"n" * 32)
ANNA, BO = "a" * 16, "b" * 16
HOME, WORK, CAFE = (60.1000123, 24.9000456), (60.2000789, 24.8000321), (60.1500654, 24.9500987)
NAME = "Annabella-Xyzzy"


def suggestion(
    number: int, person: str, time_s: float, at: tuple[float, float], poi: tuple[float, float]
) -> Suggestion:
    place = Place(place_id="p1", lat=at[0], lon=at[1], visits=3, label="Grandma's secret flat")
    option = Option(
        poi=Poi(
            osm_id=f"node/{number}",
            kind="cafe",
            name=f"Cafe-{number}-Plugh",
            lat=poi[0],
            lon=poi[1],
        ),
        utility=1.0,
        opening=Opening(state=OpenState.OPEN),
        arrive_s=time_s + 60,
        detour_s=10.0,
        walk_m=20.0,
        wait=Wait(osm_id=f"node/{number}"),
    )
    return Suggestion(
        suggestion_id=f"{number:032x}",
        need="dinner",
        person=person,
        time_s=time_s,
        utc_offset_s=0,
        headline="dinner?",
        lines=(),
        options=(option,),
        reasons=(),
        p_useful=0.5,
        utility=1.0,
        threshold=0.5,
        propensity=1.0,
        situation=Situation(
            time_s=time_s,
            utc_offset_s=0,
            person=person,
            mode="driving",
            lat=61.0,
            lon=25.5,
            destinations=(Destination(place=place, p=0.5),),
        ),
    )


def receipt(one: Suggestion) -> Receipt:
    return Receipt(
        suggestion_id=one.suggestion_id,
        node="phone",
        role="phone",
        person=one.person,
        time_s=one.time_s,
        fields=(),
        crossings=(),
        computations=(),
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data" / "node.db", node_id="phone") as opened:
        yield opened


@pytest.fixture
def chain(store: Store) -> ReceiptChain:
    return ReceiptChain(store, KEY)


def fill(store: Store, chain: ReceiptChain) -> None:
    """Two people, a morning at home, a stay at the cafe, an afternoon at work."""
    for person, name in ((ANNA, NAME), (BO, "Bo")):
        store.add_person(name, person)
        stays = ((0.0, HOME), (10_000.0, CAFE), (20_000.0, WORK))
        store.add_fixes(
            person,
            [
                Fix(time_s=start + 30.0 * i + 0.25, lat=at[0], lon=at[1])
                for start, at in stays
                for i in range(50)
            ],
            f"/somewhere/{name}-and-Bo.gpx",
        )
        store.add_signals(
            person,
            [
                Signal(key="Person.HeartRate", value=60.0 + i, time_s=100.0 * i, person=person)
                for i in range(220)
            ],
        )
        store.put_model(person, "places", 30_000.0, f"model of {name}".encode())
        store.put_register(
            f"latest.{person}.soc", b"42", Hlc(1, 0, "car"), person_id=person, time_s=10_100.0
        )
        store.put_register(f"settings.{person}.dial", b"7", Hlc(1, 0, "phone"), person_id=person)
    number = 0
    for person in (ANNA, BO):
        for time_s, at, poi in ((500.0, HOME, WORK), (9000.0, WORK, CAFE), (25_000.0, WORK, WORK)):
            number += 1
            one = suggestion(number, person, time_s, at, poi)
            store.add_suggestion(one)
            chain.append(receipt(one))
            store.add_answer(
                Answer(
                    suggestion_id=one.suggestion_id,
                    person=person,
                    kind=AnswerKind.ACCEPT,
                    time_s=time_s + 5,
                    osm_id=f"node/{number}",
                    lat=poi[0],
                    lon=poi[1],
                )
            )
            store.add_event(
                "said",
                person,
                time_s,
                f"body of {person}".encode(),
                suggestion_id=one.suggestion_id,
            )
        store.follow(
            Followed(
                osm_id=f"node/{number - 1}", name="Cafe-Plugh", address="10.0.0.1:1", key=b"k" * 32
            ),
            person,
        )
        store.saw_serial(f"node/{number - 1}", 4)


def everything(store: Store) -> bytes:
    store.database.rows("PRAGMA wal_checkpoint(PASSIVE)")
    return b"".join(path.read_bytes() for path in sorted(store.path.parent.iterdir()))


def coordinates(*points: tuple[float, float]) -> list[bytes]:
    """As SQLite and MessagePack write them: 8 bytes, most significant first."""
    return [struct.pack(">d", value) for point in points for value in point]


def test_a_person_is_gone_with_name_and_every_byte(store: Store, chain: ReceiptChain) -> None:
    fill(store, chain)
    bo_before = (list(store.fixes(BO)), store.answers(BO), store.suggestions(BO))
    assert NAME.encode() in everything(store)
    report = forget(store, chain, PersonScope(person_id=ANNA), 50_000.0)
    assert report.clean
    assert report.counts == {
        "answers": 3,
        "events": 3,
        "fixes": 150,
        "followed": 1,
        "models": 1,
        "persons": 1,
        "receipts": 3,
        "registers": 2,
        "signals": 220,
        "suggestions": 3,
    }
    assert report.erased == (1, 2, 3)
    left = everything(store)
    for gone in (NAME, NAME.casefold(), ANNA, "Cafe-2-Plugh"):
        assert gone.encode() not in left, gone
    assert store.database.rows("PRAGMA freelist_count") == [(0,)]  # no page is left to read
    assert len(store.database.rows("SELECT * FROM sources")) == 1
    assert [one.name for one in store.persons()] == ["Bo"]
    assert (list(store.fixes(BO)), store.answers(BO), store.suggestions(BO)) == bo_before
    assert store.model(BO, "places") is not None
    verdict = chain.verify()
    assert verdict.ok, verdict
    assert verdict.erased == 3
    assert store.generation() == 1
    with pytest.raises(InputError, match="Known: Bo"):
        forget(store, chain, PersonScope(person_id=ANNA), 50_001.0)


def test_a_place_is_gone_for_everyone(store: Store, chain: ReceiptChain) -> None:
    fill(store, chain)
    scope = PlaceScope(lat=CAFE[0], lon=CAFE[1], radius_m=150.0)
    report = forget(store, chain, scope, 50_000.0)
    assert report.clean
    assert report.erased == (2, 5)
    for person in (ANNA, BO):
        assert {(fix.lat, fix.lon) for fix in store.fixes(person)} == {HOME, WORK}
        # the signals of the visit went with it, and only they
        beside = [one.time_s for one in store.signals(person)]
        assert not [time_s for time_s in beside if 10_000.0 <= time_s <= 10_000.0 + 49 * 30]
        assert {9900.0, 11_600.0} <= set(beside)
        assert [one.time_s for one in store.suggestions(person)] == [500.0, 25_000.0]
        assert [one.time_s for one in store.answers(person)] == [505.0, 25_005.0]
        assert store.model(person, "places") is None
        assert store.followed(person) == []
        assert store.get_register(f"latest.{person}.soc") is None
        assert store.get_register(f"settings.{person}.dial") is not None
    assert store.last_serial("node/2") is None
    left = everything(store)
    for gone in (*coordinates(CAFE), b"Cafe-2-Plugh", b"Cafe-Plugh"):
        assert gone not in left
    assert chain.verify().ok


def test_of_what_comes_after_a_visit_goes_what_would_be_one_stay_with_what_was_before_it(
    store: Store, chain: ReceiptChain
) -> None:
    store.add_person(NAME, ANNA)
    car = Store.open(store.path.parent / "car" / "node.db", node_id="car")
    car.add_person(NAME, ANNA)
    away_m = {
        0: 900,
        60: 600,
        120: 300,
        180: 0,
        4000: 0,
        4060: 300,
        4120: 690,
        4180: 710,
        4240: 800,
    }
    passing = {9000: 300, 9060: 0, 9120: 250, 9180: 900}  # no stop is read into three minutes
    far = {20_000: 5000, 20_300: 0, 20_600: 5000}
    for time_s, metres in {**away_m, **passing, **far}.items():
        lat, lon = offset(*CAFE, float(metres), 0.0)
        for one in (store, car):
            one.add_fixes(ANNA, [Fix(time_s=float(time_s), lat=lat, lon=lon)], "a")
            one.add_signals(ANNA, [Signal(key="x", value=1.0, time_s=time_s + 1.0)])
    forget(store, chain, PlaceScope(lat=CAFE[0], lon=CAFE[1], radius_m=150.0), 5e4, nodes=["car"])
    apply(car, ReceiptChain(car, KEY), pending(store)[0].order, 50_001.0)
    kept = [0, 60, 120, 4180, 4240, 9000, 9120, 9180, 20_000, 20_600]
    for one in (store, car):
        assert [fix.time_s for fix in one.fixes(ANNA)] == kept
        assert [signal.time_s - 1.0 for signal in one.signals(ANNA)] == kept
    car.close()


def test_a_place_that_suggestions_only_mention_takes_them_along(
    store: Store, chain: ReceiptChain
) -> None:
    fill(store, chain)
    forget(store, chain, PlaceScope(lat=HOME[0], lon=HOME[1], radius_m=50.0, person_id=ANNA), 5e4)
    assert [one.time_s for one in store.suggestions(ANNA)] == [9000.0, 25_000.0]
    assert len(store.suggestions(BO)) == 3
    assert store.model(ANNA, "places") is None
    assert store.model(BO, "places") is not None
    assert HOME in {(fix.lat, fix.lon) for fix in store.fixes(BO)}


def test_a_usual_stop_on_the_way_counts_as_mentioned(store: Store, chain: ReceiptChain) -> None:
    fill(store, chain)
    said = store.suggestions(ANNA)[-1]
    stop = Via(lat=61.5, lon=23.7, seconds=480.0, times=9, of=10)
    place = Place(place_id="p9", lat=60.3, lon=25.0, visits=3)
    goal = Destination(place=place, p=0.9, via=stop)
    situation = msgspec.structs.replace(said.situation, destinations=(goal,))
    by_way = msgspec.structs.replace(said, suggestion_id="by-way", situation=situation)
    store.add_suggestion(by_way)
    before = len(store.suggestions(ANNA))
    forget(store, chain, PlaceScope(lat=61.5, lon=23.7, radius_m=50.0, person_id=ANNA), 5e4)
    left = [one.suggestion_id for one in store.suggestions(ANNA)]
    assert "by-way" not in left
    assert len(left) == before - 1


def test_a_range_is_gone_its_end_is_not(store: Store, chain: ReceiptChain) -> None:
    fill(store, chain)
    report = forget(
        store, chain, RangeScope(since_s=10_000.0, until_s=20_000.0, person_id=ANNA), 50_000.0
    )
    times = [fix.time_s for fix in store.fixes(ANNA)]
    assert 20_000.25 in times
    assert not [time_s for time_s in times if 10_000.0 <= time_s < 20_000.0]
    assert len(list(store.fixes(BO))) == 150
    assert report.counts["fixes"] == 50
    assert store.get_register(f"latest.{ANNA}.soc") is None
    assert store.get_register(f"latest.{BO}.soc") is not None
    assert struct.pack(">d", 10_030.25) in everything(store)  # Bo's
    forget(store, chain, RangeScope(since_s=10_000.0, until_s=20_000.0), 50_001.0)
    left = everything(store)
    for gone in (10_030.25, 10_060.25, 10_120.25):
        assert struct.pack(">d", gone) not in left
    assert chain.verify().ok


def test_a_things_own_positions_go_with_the_visit(store: Store, chain: ReceiptChain) -> None:
    car = Store.open(store.path.parent / "car" / "node.db", node_id="car")
    car_chain = ReceiptChain(car, KEY)
    for time_s in range(0, 100, 10):
        lat, lon = CAFE if 30 <= time_s < 60 else HOME
        car.add_signals(
            "",
            [
                Signal(key="Vehicle.CurrentLocation.Latitude", value=lat, time_s=float(time_s)),
                Signal(key="Vehicle.CurrentLocation.Longitude", value=lon, time_s=float(time_s)),
                Signal(key="Vehicle.Speed", value=1.0, time_s=float(time_s)),
            ],
        )
    forget(car, car_chain, PlaceScope(lat=CAFE[0], lon=CAFE[1], radius_m=100.0), 1000.0)
    assert sorted({one.time_s for one in car.signals("")}) == [0, 10, 20, 60, 70, 80, 90]
    left = everything(car)
    assert not [gone for gone in coordinates(CAFE) if gone in left]
    car.close()


@pytest.mark.parametrize(
    "scope",
    [
        PersonScope(person_id="nobody"),
        PersonScope(person_id=NAME),
        PlaceScope(lat=91.0, lon=0.0, radius_m=10.0),
        PlaceScope(lat=60.0, lon=24.0, radius_m=0.0),
        PlaceScope(lat=60.0, lon=24.0, radius_m=float("nan")),
        RangeScope(since_s=5.0, until_s=5.0),
        RangeScope(since_s=float("nan"), until_s=5.0),
    ],
)
def test_a_bad_scope_forgets_nothing(store: Store, chain: ReceiptChain, scope: Scope) -> None:
    fill(store, chain)
    with pytest.raises(InputError):
        forget(store, chain, scope, 1.0)
    assert len(list(store.fixes(ANNA))) == 150
    assert store.database.rows("SELECT * FROM orders") == []


# --- other nodes ------------------------------------------------------------------------------


def test_an_order_carries_no_name_and_no_coordinate_and_is_kept_until_acknowledged(
    store: Store, chain: ReceiptChain
) -> None:
    fill(store, chain)
    scope = PlaceScope(lat=CAFE[0], lon=CAFE[1], radius_m=150.0)
    report = forget(store, chain, scope, 50_000.0, nodes=("home", "car", "phone"))
    (waiting,) = pending(store)
    assert waiting.nodes == ("car", "home")
    assert waiting.order.order_id == report.order_id
    assert not [gone for gone in coordinates(CAFE) if gone in pack(waiting.order)]
    assert waiting.order.suggestions == (f"{2:032x}", f"{5:032x}")
    acknowledge(store, report.order_id, "car")
    assert pending(store)[0].nodes == ("home",)
    acknowledge(store, report.order_id, "home")
    assert pending(store) == []
    assert store.database.rows("SELECT scope, body FROM orders") == [(None, None)]


def test_another_node_carries_an_order_out_once(store: Store, chain: ReceiptChain) -> None:
    fill(store, chain)
    home = Store.open(store.path.parent / "home" / "node.db", node_id="home")
    home_chain = ReceiptChain(home, KEY)
    fill(home, home_chain)
    forget(store, chain, PersonScope(person_id=ANNA), 50_000.0, nodes=["home"])
    order = pending(store)[0].order
    report = apply(home, home_chain, order, 50_010.0)
    assert report.clean
    assert report.counts["fixes"] == 150
    assert apply(home, home_chain, order, 50_020.0) == report
    assert home.generation() == 1
    left = everything(home)
    assert NAME.encode() not in left
    assert ANNA.encode() not in left
    assert home_chain.verify().ok
    home.close()


def test_a_place_order_finds_the_visit_on_another_node_by_time(
    store: Store, chain: ReceiptChain
) -> None:
    fill(store, chain)
    car = Store.open(store.path.parent / "car" / "node.db", node_id="car")
    car_chain = ReceiptChain(car, KEY)
    fill(car, car_chain)
    forget(store, chain, PlaceScope(lat=CAFE[0], lon=CAFE[1], radius_m=150.0), 5e4, nodes=["car"])
    apply(car, car_chain, pending(store)[0].order, 50_001.0)
    for person in (ANNA, BO):
        assert list(car.fixes(person)) == list(store.fixes(person))
        assert list(car.signals(person)) == list(store.signals(person))
        assert car.suggestions(person) == store.suggestions(person)
        assert car.answers(person) == store.answers(person)
    car.close()


def test_an_order_is_believed_only_from_its_giver(store: Store, chain: ReceiptChain) -> None:
    order = ForgetOrder(order_id="o1", node="phone", time_s=1.0, persons=(ANNA,))
    signed = forgetting.sign_order(order, chain)
    assert forgetting.verify_order(signed, "phone", chain.public_key) == order
    with pytest.raises(WireError, match="not signed"):
        forgetting.verify_order(signed, "phone", b"k" * 32)
    with pytest.raises(WireError, match="gave"):
        forgetting.verify_order(signed, "car", chain.public_key)


def test_a_forgotten_register_does_not_come_back_from_a_node_that_was_away(
    store: Store, chain: ReceiptChain
) -> None:
    fill(store, chain)
    key = f"latest.{ANNA}.soc"
    forget(store, chain, RangeScope(since_s=10_000.0, until_s=20_000.0), 50_000.0)
    assert not store.put_register(key, b"42", Hlc(1, 0, "car"), person_id=ANNA, time_s=10_100.0)
    assert store.get_register(key) is None
    assert store.put_register(key, b"43", Hlc(2, 0, "car"), person_id=ANNA, time_s=60_000.0)


# --- crashes ----------------------------------------------------------------------------------


def test_a_crash_after_the_order_is_finished_at_the_next_start(
    store: Store, chain: ReceiptChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, chain)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(forgetting, "_delete", crash)
    with pytest.raises(KeyboardInterrupt):
        forget(store, chain, PersonScope(person_id=ANNA), 50_000.0, nodes=["home"])
    monkeypatch.undo()
    assert len(list(store.fixes(ANNA))) == 150
    assert pending(store) == []  # not told to others before it is done here
    (report,) = resume(store, chain)
    assert report.counts["fixes"] == 150
    assert NAME.encode() not in everything(store)
    assert pending(store)[0].nodes == ("home",)
    assert resume(store, chain) == []


def test_a_wipe_that_failed_is_repeated_and_said(
    store: Store, chain: ReceiptChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, chain)

    def full(_: Database) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(Database, "scrub", full)
    report = forget(store, chain, PersonScope(person_id=ANNA), 50_000.0)
    assert not report.clean
    monkeypatch.undo()
    (again,) = resume(store, chain)
    assert again.clean
    assert again.counts == report.counts
    assert NAME.encode() not in everything(store)


def test_a_reader_elsewhere_delays_the_wipe_but_not_the_deletion(
    store: Store, chain: ReceiptChain
) -> None:
    fill(store, chain)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM fixes").fetchone()
    store.database.rows("PRAGMA busy_timeout = 50")
    report = forget(store, chain, PersonScope(person_id=ANNA), 50_000.0)
    assert not report.clean
    assert list(store.fixes(ANNA)) == []
    other.execute("COMMIT")
    other.close()
    assert resume(store, chain)[0].clean
    assert NAME.encode() not in everything(store)


# --- the law ----------------------------------------------------------------------------------

POINTS = st.sampled_from([HOME, WORK, CAFE, offset(*CAFE, 140.0, 0.0), offset(*CAFE, 160.0, 0.0)])
ROWS = st.lists(
    st.tuples(st.sampled_from([ANNA, BO]), st.integers(0, 40), POINTS),
    max_size=25,
    unique_by=lambda r: r[:2],
)
SCOPES: st.SearchStrategy[Scope] = st.one_of(
    st.sampled_from([ANNA, BO]).map(lambda who: PersonScope(person_id=who)),
    st.tuples(POINTS, st.sampled_from([ANNA, None])).map(
        lambda p: PlaceScope(lat=p[0][0], lon=p[0][1], radius_m=150.0, person_id=p[1])
    ),
    st.tuples(st.integers(0, 20), st.integers(1, 20), st.sampled_from([BO, None])).map(
        lambda p: RangeScope(since_s=p[0] * 1000.0, until_s=(p[0] + p[1]) * 1000.0, person_id=p[2])
    ),
)
Row = tuple[str, int, tuple[float, float]]


def covers(scope: Scope, row: Row) -> bool:
    person, number, (lat, lon) = row
    if isinstance(scope, PersonScope):
        return person == scope.person_id
    if scope.person_id not in (None, person):
        return False
    if isinstance(scope, RangeScope):
        return scope.since_s <= number * 1000.0 < scope.until_s
    return distance_m(lat, lon, scope.lat, scope.lon) <= scope.radius_m


def put(store: Store, fixes: list[Row], answers: list[Row]) -> None:
    for person in (ANNA, BO):
        store.add_person(f"name of {person}", person)
    for person, number, (lat, lon) in fixes:
        store.add_fixes(person, [Fix(time_s=number * 1000.0, lat=lat, lon=lon)], "a")
    for person, number, (lat, lon) in answers:
        store.add_answer(
            Answer(
                suggestion_id=f"s{number}",
                person=person,
                kind=AnswerKind.ACCEPT,
                time_s=number * 1000.0,
                lat=lat,
                lon=lon,
            )
        )


@settings(max_examples=15, deadline=None)
@given(ROWS, ROWS, st.lists(SCOPES, min_size=1, max_size=3))
def test_what_remains_equals_a_store_that_never_had_it(
    tmp_path_factory: pytest.TempPathFactory,
    fixes: list[Row],
    answers: list[Row],
    scopes: list[Scope],
) -> None:
    root = tmp_path_factory.mktemp("law")
    with Store.open(root / "a", node_id="n") as had, Store.open(root / "b", node_id="n") as never:
        chain = ReceiptChain(had, KEY)
        put(had, fixes, answers)
        gone: list[Scope] = []
        visits: list[Span] = []
        ends: set[Row] = set()  # outside the circle, and one stay with what was before the visit
        for scope in scopes:
            known = {one.person_id for one in had.persons()}
            if scope.person_id is not None and scope.person_id not in known:
                continue
            # an answer given while at a forgotten place goes as well: the spans that the fixes then there tell
            left = [
                row
                for row in sorted(fixes, key=lambda r: r[1])
                if row not in ends and not any(covers(one, row) for one in gone)
            ]
            for who in (ANNA, BO) if isinstance(scope, PlaceScope) else ():
                if isinstance(scope, PlaceScope) and scope.person_id in (None, who):
                    rows = [row for row in left if row[0] == who]
                    marked = list(
                        forgetting._marked(scope, [(row[1] * 1000.0, *row[2]) for row in rows])
                    )
                    visits += forgetting._visits(who, [(at, out) for at, _, out in marked])
                    ends |= {row for row, mark in zip(rows, marked, strict=True) if mark[2]}
            forget(had, chain, scope, 1e6)
            gone.append(scope)
        put(
            never,
            [r for r in fixes if r not in ends and not any(covers(scope, r) for scope in gone)],
            [
                row
                for row in answers
                if not any(covers(scope, row) for scope in gone)
                and not any(
                    span.person_id == row[0] and span.since_s <= row[1] * 1000.0 < span.until_s
                    for span in visits
                )
            ],
        )
        for person in (ANNA, BO):
            assert list(had.fixes(person)) == list(never.fixes(person))
            assert had.answers(person) == never.answers(person)
        assert chain.verify().ok
