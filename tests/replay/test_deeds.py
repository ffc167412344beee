"""What a person then did becomes evidence on the phone's real path: noted as it happens, the same when learned again, gone when forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from json import loads
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from hearthway.app.brain import Brain
from hearthway.app.config import save_config
from hearthway.app.equipment import equipment
from hearthway.app.hindsight import came_of
from hearthway.app.paths import NodePaths
from hearthway.assist.deeds import Became, became
from hearthway.assist.explain import became_lines
from hearthway.cli.why import command
from hearthway.context.deeds import deeds_of
from hearthway.mesh.state.forget import forget
from hearthway.mesh.state.receipts import ReceiptChain
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.signing import signing_key
from hearthway.records.deeds import CHARGED, LEFT, PARKED, UNCHARGED
from hearthway.records.forgetting import RangeScope
from hearthway.records.life import Place
from hearthway.records.poi import Opening, OpenState, Poi
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Agenda, Planned, Situation
from hearthway.records.suggestion import Option, Suggestion
from hearthway.records.venue import Wait
from hearthway.sense.catalogue import HEATING, ODOMETER, PRESENCE, SOC, SPEED

from .days import CONFIG, HOUR_S, Diary, Point

HOME, WORK, MALL = (60.17, 24.94), (60.20, 24.96), (60.21, 24.90)
FAR = (60.22, 24.90)


class Says:
    """An assistant that says what it is given."""

    def decide(self, proposal: Any, waits: Any, memory: Any) -> Any:
        return proposal


class Car(Diary):
    """A diary with a car that tells its speed, its odometer and its charge."""

    soc, odometer = 80.0, 1000.0

    def drive(self, to: Point) -> None:
        begin = len(self.items)
        self.go(to)
        moved = [item for item in self.items[begin:] if isinstance(item, Fix)]
        told: list[Fix | Signal] = []
        for fix in moved:
            self.soc -= 0.05
            self.odometer += 0.12
            for key, value, unit in (
                (SPEED, 43.0, "km/h"),
                (ODOMETER, self.odometer, "km"),
                (SOC, self.soc, "percent"),
            ):
                told.append(
                    Signal(key=key, value=value, time_s=fix.time_s, unit=unit, source="car")
                )
            told.append(fix)
        self.items[begin:] = told

    def charge(self, by: float) -> None:
        self.soc += by
        self.tell(SOC, self.soc)


def commute(days: int) -> Car:
    car = Car(HOME)
    for day in range(days):
        car.rest(car.local(day, 8.0))
        car.drive(WORK)
        car.rest(car.local(day, 16.0))
        car.drive(HOME)
    return car


def word(
    need: str, time_s: float, at: Point | None, kind: str = "", until_s: float | None = None
) -> Suggestion:
    options: tuple[Option, ...] = ()
    if at is not None:
        poi = Poi(osm_id="node/1", kind=kind, name="P", lat=at[0], lon=at[1])
        options = (
            Option(
                poi=poi,
                utility=1.0,
                opening=Opening(state=OpenState.UNKNOWN),
                arrive_s=time_s,
                detour_s=0.0,
                walk_m=0.0,
                wait=Wait(osm_id="node/1"),
            ),
        )
    return Suggestion(
        suggestion_id=f"{need}{time_s:.0f}",
        need=need,
        person="ada",
        time_s=time_s,
        utc_offset_s=7200,
        headline="",
        lines=(),
        options=options,
        reasons=(),
        p_useful=0.7,
        utility=5.0,
        threshold=1.0,
        propensity=1.0,
        p_before=0.7,
        situation=Situation(
            time_s=time_s, utc_offset_s=7200, person="ada", mode="driving", lat=60.0, lon=24.0
        ),
        **({} if until_s is None else {"until_s": until_s}),  # type: ignore[arg-type]  # one field
    )


class Phone:
    """The phone of Ada, as its items come."""

    def __init__(self, path: Path) -> None:
        self.store = Store.open(path, node_id="phone")
        self.person = self.store.add_person("Ada", "ada")
        self.brain = self.fresh()
        vars(self.brain)["_assistant"] = Says()

    def fresh(self) -> Brain:
        return Brain(self.store, self.person, **equipment(CONFIG, None))

    def take(self, items: Sequence[Fix | Signal]) -> None:
        for item in items:
            if isinstance(item, Fix):
                self.brain.observe([item], [], "phone")
            else:
                self.brain.observe([], [item], item.source)

    def say(self, said: Suggestion) -> None:
        told: Any = said
        self.brain.decide(told, {})

    def came_of(self) -> list[Became]:
        memory = self.brain.memory
        return [piece for one in memory.said for piece in became(one, memory.happened)]

    def learned_again(self) -> None:
        """What came as it happened is what the store teaches, bit for bit, snapshot or not."""
        before = self.brain.life.dump(), self.brain.memory.dump()
        for make in (self.fresh, self._rebuilt):
            again = make()
            assert (again.life.dump(), again.memory.dump()) == before

    def _rebuilt(self) -> Brain:
        brain = self.fresh()
        brain.rebuild()
        return brain


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Phone]:
    made = Phone(tmp_path / "node.db")
    yield made
    made.store.close()


def drive_out(
    phone: Phone, car: Car, to: Point, said: Callable[[float], Suggestion], charge: float = 0.0
) -> None:
    """After a week: a word on the way to somewhere, three hours there, home, and a night."""
    mark = len(car.items)
    car.rest(car.local(7, 10.0))
    phone.take(car.items[mark:])
    phone.say(said(car.now_s + 60.0))
    mark = len(car.items)
    car.drive(to)
    car.rest(car.now_s + HOUR_S)
    if charge:
        car.charge(charge)
    car.rest(car.now_s + 2 * HOUR_S)
    car.drive(HOME)
    car.rest(car.now_s + 10 * HOUR_S)
    phone.take(car.items[mark:])


@pytest.mark.parametrize(("at", "yes"), [(MALL, True), (FAR, False)])
def test_a_word_about_parking_is_judged_by_where_the_car_then_stood(
    phone: Phone, at: Point, yes: bool
) -> None:
    car = commute(7)
    phone.take(car.items)
    drive_out(phone, car, MALL, lambda now_s: word("parking", now_s, at, "parking"))
    (piece,) = phone.came_of()
    assert (piece.yes, piece.weight) == (yes, 0.5 if yes else 0.125)
    offset = phone.brain.memory.offset(car.now_s, "parking", "parking")
    assert (offset > 0.0) is yes
    assert offset != 0.0
    before_s = piece.time_s - 1.0
    assert phone.brain.memory.offset(before_s, "parking", "parking") == 0.0, "not known yet"
    phone.learned_again()
    (said,) = phone.store.suggestions("ada")
    assert list(came_of(phone.store, said, None)) == [piece]
    (line,) = became_lines([piece], said)
    assert ("you parked at one of them" in line) is yes


@pytest.mark.parametrize(
    ("at", "charge", "yes"), [(MALL, 20.0, True), (FAR, 20.0, False), (MALL, 0.5, False)]
)
def test_a_word_about_chargers_is_judged_by_the_charge(
    phone: Phone, at: Point, charge: float, yes: bool
) -> None:
    car = commute(7)
    phone.take(car.items)
    drive_out(phone, car, MALL, lambda now_s: word("charge", now_s, at, "charger"), charge)
    (piece,) = phone.came_of()
    assert piece.yes is yes
    assert ("did not charge" in piece.words) is (charge < 2.0)
    assert (phone.brain.memory.offset(car.now_s, "charge", "charger") > 0.0) is yes
    phone.learned_again()


def test_a_car_that_tells_no_charge_there_tells_nothing_of_the_word(phone: Phone) -> None:
    car = commute(7)
    phone.take(car.items)
    drive_out(phone, car, MALL, lambda now_s: word("charge", now_s, MALL, "charger"))
    kinds = {deed.what for deed in deeds_of(phone.brain.life.state.deeds)}
    assert {LEFT, PARKED} <= kinds <= {LEFT, PARKED, CHARGED, UNCHARGED}


@pytest.mark.parametrize(("window_s", "yes"), [(1200.0, True), (-1.0, False)])
def test_a_word_to_leave_is_judged_by_when_one_left(
    phone: Phone, window_s: float, yes: bool
) -> None:
    car = commute(7)
    phone.take(car.items)
    drive_out(
        phone,
        car,
        MALL,
        lambda now_s: word("leave", now_s - 600.0, None, until_s=now_s + window_s - 60.0),
    )
    (piece,) = phone.came_of()
    assert piece.yes is yes
    assert (phone.brain.memory.offset(car.now_s, "leave") > 0.0) is yes
    phone.learned_again()


@pytest.mark.parametrize(("at", "known"), [(MALL, True), (FAR, False)])
def test_a_word_to_leave_counts_as_followed_where_it_led_to_the_entry(
    phone: Phone, at: Point, known: bool
) -> None:
    """Whoever left in time for something else tells nothing."""
    car = commute(7)
    phone.take(car.items)

    def said(now_s: float) -> Suggestion:
        entry = Planned(
            title="E",
            start_s=now_s + HOUR_S,
            end_s=now_s + 2 * HOUR_S,
            place=Place(place_id="", lat=at[0], lon=at[1], visits=0),
        )
        one = word("leave", now_s - 600.0, None, until_s=now_s + 1200.0)
        agenda = Agenda(planned=(entry,), farthest_m=0.0)
        return replace(one, about=entry.about, situation=replace(one.situation, agenda=agenda))

    drive_out(phone, car, MALL, said)
    assert [piece.yes for piece in phone.came_of()] == ([True] if known else [])
    assert (phone.brain.memory.offset(car.now_s, "leave") > 0.0) is known
    phone.learned_again()


@pytest.mark.parametrize(
    ("heats", "came", "yes"),
    [
        (600.0, 1500.0, True),
        (None, 1500.0, False),
        (1600.0, 1500.0, None),
        (2400.0, 1500.0, False),
        (None, None, None),
    ],
)
def test_a_word_about_a_cold_house_is_judged_by_what_the_house_tells(
    phone: Phone, heats: float | None, came: float | None, yes: bool | None
) -> None:
    car = commute(7)
    phone.take(car.items)
    now_s = car.now_s

    def told(key: str, value: bool, time_s: float) -> Signal:
        return Signal(key=key, value=value, time_s=time_s, source="home")

    phone.take([told(HEATING, False, now_s - 60.0), told(PRESENCE, False, now_s - 60.0)])
    phone.say(word("home-ready", now_s, None))
    rows = [(HEATING, heats), (PRESENCE, came)]
    for key, after_s in sorted((r for r in rows if r[1] is not None), key=lambda r: r[1] or 0.0):
        phone.take([told(key, True, now_s + (after_s or 0.0))])
    pieces = phone.came_of()
    assert [piece.yes for piece in pieces] == ([] if yes is None else [yes])
    offset = phone.brain.memory.offset(now_s + 3 * HOUR_S, "home-ready")
    assert (offset > 0.0, offset < 0.0) == (yes is True, yes is False)
    phone.learned_again()


def test_what_is_forgotten_is_no_evidence_any_more(phone: Phone, tmp_path: Path) -> None:
    car = commute(7)
    phone.take(car.items)
    drive_out(phone, car, MALL, lambda now_s: word("parking", now_s, MALL, "parking"))
    assert phone.came_of()
    (said,) = phone.store.suggestions("ada")
    chain = ReceiptChain(phone.store, signing_key(tmp_path / "receipt.pem"))
    span = RangeScope(since_s=said.time_s + 1.0, until_s=car.now_s + 1.0, person_id="ada")
    forget(phone.store, chain, span, car.now_s + 2.0)
    phone.brain.rebuild()
    assert not phone.came_of()
    assert phone.brain.memory.offset(car.now_s, "parking", "parking") == 0.0
    assert came_of(phone.store, said, None) == ()


@pytest.mark.parametrize("json", [False, True])
def test_why_tells_what_came_of_it(phone: Phone, tmp_path: Path, json: bool) -> None:
    car = commute(7)
    phone.take(car.items)
    drive_out(phone, car, MALL, lambda now_s: word("parking", now_s, FAR, "parking"))
    save_config(NodePaths(tmp_path), CONFIG)
    (said,) = phone.store.suggestions("ada")
    words = [said.suggestion_id, "--data", str(tmp_path), *(["--json"] if json else [])]
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0, done.output
    if json:
        (piece,) = loads(done.stdout)["came_of_it"]
        assert (piece["yes"], piece["words"]) == (False, "you parked elsewhere")
    else:
        told = "What then came of it: you parked elsewhere (known "
        assert told in done.stdout
        assert "counts against such words, 0.125 of an answer." in done.stdout


def test_what_comes_late_is_judged_as_if_it_had_come_in_time(phone: Phone) -> None:
    """A phone that was off the net hands its positions in at once, the word's own among what was known."""
    car = commute(7)
    whole = car.items[:]
    drive_out(phone, car, MALL, lambda now_s: word("parking", now_s, MALL, "parking"))
    assert len(phone.came_of()) <= 1
    phone.take(whole)  # all of it older than what is known
    phone.brain.snapshot()
    assert len(phone.came_of()) == 1
    phone.learned_again()
