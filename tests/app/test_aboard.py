"""Who rides along is told to the driver's phone alone, where rules and both people let it; and what they like is kept for the ride."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hearthway.app.aboard import RidesAlong
from hearthway.app.company import ANSWER_S, PURPOSE, TRIES_MAX, Company
from hearthway.app.consents import Consenting
from hearthway.assist.memory import Answered, Meal, Memory
from hearthway.mesh.policy.rules import default_rules, template
from hearthway.records.company import ASK_TASTE, TASTE, TasteAsked, TasteTold
from hearthway.records.errors import HearthwayError, RuleDeniedError
from hearthway.records.geo import offset
from hearthway.records.life import Person
from hearthway.records.signals import Signal
from hearthway.records.situation import Situation
from hearthway.records.suggestion import AnswerKind
from hearthway.sense.catalogue import WITH_CAR

ROLES = {"anna-phone": "phone", "ben-phone": "phone", "car": "car"}
TWO = {"anna-phone": ("anna", "adult"), "ben-phone": ("ben", "adult")}
HERE = (60.17, 24.94)
KEYS = (WITH_CAR, "Taste.*")


def ruled(path: Path, text: str, *names: str) -> None:
    for name in names or (*ROLES, "home"):
        (path / name).mkdir(exist_ok=True)
        (path / name / "rules.toml").write_text(text)


class Ride:
    """A car that Anna drives and Ben rides along in, a step at a time."""

    def __init__(self, nodes: Any) -> None:
        self.nodes, self.time_s, self.north_m = nodes, time.time() - 3000.0, 0.0
        self.heard: dict[str, list[Signal]] = {}
        for name in nodes.nodes:
            if name.endswith("phone"):
                heard = self.heard[name] = []
                nodes[name].mesh.on_signals(lambda meta, batch, heard=heard: heard.extend(batch))

    async def on(self, metres: float, seconds: float = 20.0) -> None:
        """Drive on, tell it, and let whatever follows happen."""
        self.north_m += metres
        self.time_s += seconds
        lat, lon = offset(*HERE, self.north_m, 0.0)
        await self.nodes.ask(
            "car",
            "sense",
            signals=[
                msgspec.to_builtins(
                    Signal(
                        key=f"Vehicle.CurrentLocation.{axis}",
                        value=value,
                        time_s=self.time_s,
                        unit="degrees",
                        source="car",
                    )
                )
                for axis, value in (("Latitude", lat), ("Longitude", lon))
            ],
        )
        along = self.nodes["car"].part(RidesAlong)
        await self.nodes.until(lambda: not along._looking and not along._due)
        await asyncio.sleep(0.05)

    async def look(self, tastes: int = 1) -> None:
        """The driver's phone knows so many tastes, and looks: a look goes by what was known when it began."""
        phone = self.nodes["anna-phone"]
        await self.nodes.until(lambda: len(phone.part(Company)._tastes) == tastes)
        await phone.part(Company).with_aboard(now(self.time_s))
        assert len(phone.brain.company) == tastes

    def words(self, name: str = "anna-phone") -> list[tuple[str, Any]]:
        """What a phone was told of who rides along since the last time it was asked."""
        found = [(s.person, s.value) for s in self.heard[name] if s.key == WITH_CAR]
        self.heard[name].clear()
        return found

    def aboard(self, name: str = "anna-phone") -> list[str]:
        return list(self.nodes[name].part(Company).status().get("aboard", []))


async def agree(nodes: Any, keys: tuple[str, ...] = KEYS, giver: str = "ben-phone") -> str:
    """The giver lets Anna have it, and she accepts; every node knows."""
    given = await nodes.ask(giver, "consent-give", to="anna", keys=list(keys), purpose=PURPOSE)
    parts = [nodes[n].part(Consenting) for n in nodes.nodes]
    known = str(given["id"])

    def state() -> set[str]:
        return {c.state for part in parts for c in part.found() if c.consent_id == known}

    await nodes.until(lambda: known in {c.consent_id for c in parts[0].found()})
    await nodes.until(lambda: state() == {"waiting"})
    await nodes.until(lambda: all(known in {c.consent_id for c in part.found()} for part in parts))
    await nodes.ask("anna-phone", "consent-accept", id=known)
    await nodes.until(lambda: state() == {"in force"})
    return known


class Thinks:
    """What the phone's parts ask of a brain, and nothing else of it."""

    def __init__(self, person: str, memory: Memory) -> None:
        self.person, self.memory = Person(person_id=person, name=person.title()), memory
        self.company: tuple[Any, ...] = ()

    def use_company(self, company: tuple[Any, ...]) -> None:
        self.company = company

    def situation(self, now_s: float) -> Situation:
        return now(now_s, self.person.person_id)

    def model_digest(self) -> str:
        return ""

    def snapshot(self) -> None:
        """Nothing was learned."""

    def expects(self, now_s: float) -> bool:
        return False

    def rarer(self, now_s: float) -> int:
        return 1


def now(now_s: float, person: str = "anna", mode: str = "driving") -> Situation:
    return Situation(
        time_s=now_s, utc_offset_s=0, person=person, mode=mode, lat=HERE[0], lon=HERE[1]
    )


def of_ben(now_s: float) -> Memory:
    """Ten meals at one sushi bar, and one table that he never wants again."""
    meals = tuple(
        Meal(
            time_s=now_s - n * 86_400.0 - 3000.0,
            end_s=now_s - n * 86_400.0,
            quarter=72,
            day=20_000 - n,
            lat=60.2,
            lon=24.9,
            pois=(("node/77", 1.0),),
            tags=(("cuisine:sushi", 1.0), ("kind:restaurant", 1.0)),
        )
        for n in range(10, 0, -1)
    )
    never = Answered(
        time_s=now_s - 9e4,
        suggestion_id="s",
        kind=AnswerKind.NEVER_HERE,
        need="dinner",
        osm_id="node/5",
    )
    return Memory(person="ben", meals=meals).heard(never)


def think(nodes: Any, now_s: float) -> Thinks:
    """Both phones have somebody's life; Anna's brain."""
    mine = Thinks("anna", Memory(person="anna"))
    nodes["anna-phone"].brain = mine
    nodes["ben-phone"].brain = Thinks("ben", of_ben(now_s))
    return mine


@asynccontextmanager
async def riding(household: Any, people: Any = None, **roles: str) -> Any:
    people = people or TWO
    async with household(people=people, **(roles or ROLES)) as nodes:
        await nodes.ask("anna-phone", "wheel")
        ride = Ride(nodes)
        think(nodes, ride.time_s)
        yield nodes, ride


async def away(ride: Ride, *, steps: int = 4) -> None:
    for _ in range(steps):
        await ride.on(200.0)


# default deny -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "consents"),
    [("family", True), ("strict", True), ("open", False), ("half", True), ("other-key", True)],
)
def test_nothing_crosses_without_a_rule_and_without_both_agreeing(
    household: Any, tmp_path: Path, rules: str, consents: bool
) -> None:
    text = template(rules) if rules in ("family", "strict", "open") else template("open")
    if rules == "half":  # the car's file has no rule for it, the phones' have
        ruled(tmp_path, text, "anna-phone", "ben-phone", "home")
        ruled(tmp_path, default_rules(), "car")
    else:
        ruled(tmp_path, text)

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            asked: list[str] = []
            wire = nodes["car"].wire
            answers = wire.answers_near

            async def counted(device: str) -> bool:
                asked.append(device)
                return bool(await answers(device))

            wire.answers_near = counted
            if consents:
                await agree(nodes, ("Person.Location.*",) if rules == "other-key" else KEYS)
            await away(ride)
            assert ride.words() == ride.words("ben-phone") == []
            assert asked == [], "nobody's phone is even asked"
            mesh = nodes["ben-phone"].mesh
            assert not [c for c in mesh.crossings() if c.key in (TASTE, ASK_TASTE)]
            assert not [
                c for n in nodes.nodes for c in nodes[n].mesh.crossings() if c.key == WITH_CAR
            ]
            brain = nodes["anna-phone"].brain
            found = await nodes["anna-phone"].part(Company).with_aboard(now(ride.time_s))
            assert found.aboard is msgspec.UNSET
            assert brain.company == ()

    asyncio.run(main())


@pytest.mark.parametrize("missing", ["who-rides-along", "rides-along", "taste-asked", "taste-told"])
def test_each_table_of_the_rules_is_needed(household: Any, tmp_path: Path, missing: str) -> None:
    text = template("open")
    begin = text.index(f'id = "{missing}"')
    begin = text.rindex("[[", 0, begin)
    end = text.index("\n\n", begin)
    ruled(tmp_path, text[:begin] + text[end:])

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            await agree(nodes)
            await away(ride)
            brain = nodes["anna-phone"].brain
            assert ride.aboard() == (["ben"] if missing.startswith("taste") else [])
            assert brain.company == ()

    asyncio.run(main())


# the ride ---------------------------------------------------------------------------------------------------------


def test_who_rides_along_is_told_to_the_driver_with_what_they_like(
    household: Any, tmp_path: Path
) -> None:
    ruled(tmp_path, template("open"))

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            consent = await agree(nodes)
            brain = nodes["anna-phone"].brain
            await ride.on(0.0)
            await ride.on(200.0)
            await ride.on(200.0)
            assert ride.words() == [], "400 m are no drive away from whoever stayed"
            await ride.on(200.0)
            assert ride.words() == [("ben", True)]
            assert ride.words("ben-phone") == [], "the driver's phone alone"
            part = nodes["anna-phone"].part(Company)
            await nodes.until(lambda: part._tastes)
            assert brain.company == (), "the look that it came in began without it"
            await ride.look()
            [ben] = brain.company
            assert (ben.person, ben.called) == ("ben", "Ben")
            assert dict(ben.taste.cuisines) == {"sushi": 1.0}
            assert ben.taste.never == ("node/5",)
            found = await part.with_aboard(now(ride.time_s + 5.0))
            [one] = found.aboard
            assert (one.person, one.kind, one.called, one.source) == ("ben", "adult", "Ben", "car")
            assert (one.rule, one.consent) == ("rides-along", consent)
            used = {(e.key, e.source, e.person) for e in found.evidence}
            assert used == {(WITH_CAR, "car", "ben"), (TASTE, "ben-phone", "ben")}
            # once a ride
            await away(ride, steps=6)
            asks = [c for c in nodes["ben-phone"].mesh.crossings() if c.key == ASK_TASTE]
            assert [(c.count, c.rule) for c in asks] == [(1, "taste-asked")]
            # a phone that was told keeps nothing of it
            store = nodes["anna-phone"].store
            assert not list(store.signals("anna"))
            # and the one that told has a receipt of it
            receipts = [r for _, r in nodes["ben-phone"].receipts.chain.receipts() if r is not None]
            [told] = [r for r in receipts if r.suggestion_id.startswith("taste")]
            assert told.disclosures[0].peer == "anna-phone"
            assert [(c.key, c.rule) for c in told.crossings] == [(TASTE, "taste-told")]

    asyncio.run(main())


def test_who_stays_in_the_garage_does_not_ride_along(household: Any, tmp_path: Path) -> None:
    """At home Ben's phone is with the car for hours; the car drives off without him, and then with him."""
    ruled(tmp_path, template("open"))

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            await agree(nodes)
            for _ in range(30):
                await ride.on(0.0)
            await ride.on(100.0)  # the Wi-Fi reaches this far
            nodes.hub.far.add(frozenset(("ben-phone", "car")))  # reached by another way
            await away(ride, steps=6)
            assert ride.words() == []
            nodes.hub.far.clear()  # picked up on the way
            await ride.on(300.0)
            await ride.on(300.0)
            assert ride.words() == []
            await ride.on(300.0)
            assert ride.words() == [("ben", True)]

    asyncio.run(main())


def test_a_phone_at_home_that_the_car_drives_past_does_not_ride_along(
    household: Any, tmp_path: Path
) -> None:
    ruled(tmp_path, template("open"))

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            await agree(nodes)
            pair = frozenset(("ben-phone", "car"))
            nodes.hub.far.add(pair)
            await away(ride, steps=5)
            for _ in range(3):
                nodes.hub.far.discard(pair)
                await ride.on(200.0)
                await ride.on(200.0)
                nodes.hub.far.add(pair)
                await ride.on(200.0)
            assert ride.words() == []

    asyncio.run(main())


def test_who_gets_out_is_taken_back(household: Any, tmp_path: Path) -> None:
    ruled(tmp_path, template("open"))

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            await agree(nodes)
            await away(ride)
            brain = nodes["anna-phone"].brain
            await ride.look()
            ride.words()
            nodes.hub.far.add(frozenset(("ben-phone", "car")))
            await ride.on(200.0)
            assert ride.words() == [("ben", False)]
            assert ride.aboard() == []
            assert brain.company == ()
            found = await nodes["anna-phone"].part(Company).with_aboard(now(ride.time_s))
            assert found == now(ride.time_s)

    asyncio.run(main())


def test_what_is_held_ends_with_the_drive(household: Any, tmp_path: Path) -> None:
    """Five minutes at rest end it: doors open. Whoever rides on is seen anew."""
    ruled(tmp_path, template("open"))

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            await agree(nodes)
            await away(ride)
            brain, part = nodes["anna-phone"].brain, nodes["anna-phone"].part(Company)
            await ride.look()
            ride.words()
            for _ in range(16):
                await ride.on(0.0)
            words = ride.words()
            assert words[-1] == ("ben", False)
            assert (part._with, part._tastes, brain.company) == ({}, {}, ())
            await ride.on(200.0)
            await ride.on(200.0)
            await ride.on(200.0)
            assert ride.words() == []
            await ride.on(200.0)
            assert ride.words() == [("ben", True)]
            await ride.look()
            on_foot = now(ride.time_s + 9.0, mode="walking")
            assert await part.with_aboard(on_foot) == on_foot, "only a drive has passengers"

    asyncio.run(main())


def test_a_car_that_falls_silent_is_believed_for_two_minutes(
    household: Any, tmp_path: Path
) -> None:
    ruled(tmp_path, template("open"))

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            await agree(nodes)
            await away(ride)
            brain, part = nodes["anna-phone"].brain, nodes["anna-phone"].part(Company)
            await ride.look()
            assert (await part.with_aboard(now(ride.time_s + 120.0))).aboard is not msgspec.UNSET
            assert brain.company != ()
            assert (await part.with_aboard(now(ride.time_s + 121.0))).aboard is msgspec.UNSET
            assert (part._with, part._tastes, brain.company) == ({}, {}, ())

    asyncio.run(main())


def test_a_phone_that_looks_no_more_lets_go_by_its_own_clock(
    household: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ruled(tmp_path, template("open"))
    monkeypatch.setattr("hearthway.app.company.FRESH_S", 0.5)

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            await agree(nodes)
            await away(ride)
            part = nodes["anna-phone"].part(Company)
            await nodes.until(lambda: (part._with, part._tastes) == ({}, {}))

    asyncio.run(main())


@pytest.mark.parametrize("who", ["ben-phone", "anna-phone"])
def test_revoked_on_the_way_it_is_gone_at_once(household: Any, tmp_path: Path, who: str) -> None:
    ruled(tmp_path, template("open"))

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            consent = await agree(nodes)
            await away(ride)
            brain, part = nodes["anna-phone"].brain, nodes["anna-phone"].part(Company)
            await ride.look()
            ride.words()
            await nodes.ask(who, "consent-revoke", id=consent)
            await nodes.until(lambda: brain.company == ())  # and no signal came in between
            assert (part._with, part._tastes) == ({}, {})
            car = nodes["car"].part(Consenting)
            await nodes.until(lambda: [c.state for c in car.found()] == ["revoked"])
            await away(ride)
            assert ride.words() == []

    asyncio.run(main())


def test_a_taste_alone_may_be_taken_back(household: Any, tmp_path: Path) -> None:
    ruled(tmp_path, template("open"))

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            await agree(nodes, (WITH_CAR,))
            taste = await agree(nodes, ("Taste.*",))
            await away(ride)
            brain, part = nodes["anna-phone"].brain, nodes["anna-phone"].part(Company)
            await ride.look()
            await nodes.ask("ben-phone", "consent-revoke", id=taste)
            await nodes.until(lambda: brain.company == ())
            assert ride.aboard() == ["ben"]
            found = await part.with_aboard(now(ride.time_s))
            [one] = found.aboard
            assert one.called == "", "his name came with his taste"

    asyncio.run(main())


def test_other_rules_of_the_driver_let_go_at_once(household: Any, tmp_path: Path) -> None:
    ruled(tmp_path, template("open"))

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            await agree(nodes)
            await away(ride)
            brain, part = nodes["anna-phone"].brain, nodes["anna-phone"].part(Company)
            await ride.look()
            ride.words()
            (tmp_path / "anna-phone" / "rules.toml").write_text(default_rules())
            await nodes.ask("anna-phone", "use-rules")
            assert (part._with, part._tastes, brain.company) == ({}, {}, ())
            await away(ride)
            assert ride.words() == [], "what comes all the same is refused"

    asyncio.run(main())


def test_who_is_not_known_to_drive_is_told_nothing(household: Any, tmp_path: Path) -> None:
    ruled(tmp_path, template("open"))

    async def main() -> None:
        async with household(people=TWO, **ROLES) as nodes:
            ride = Ride(nodes)
            think(nodes, ride.time_s)
            await agree(nodes)
            await away(ride)  # of two phones with the car neither was said to drive
            assert ride.words() == ride.words("ben-phone") == []
            await nodes.ask("ben-phone", "wheel")
            await away(ride)
            assert ride.words() == ride.words("ben-phone") == [], "Anna gave no consent to Ben"
            await nodes.ask("anna-phone", "wheel")
            await away(ride)
            assert ("ben", True) in ride.words()

    asyncio.run(main())


def test_whose_phone_is_not_in_the_car_has_nobody_with_them(household: Any, tmp_path: Path) -> None:
    """Where one person could drive nobody is told apart: a guest has borrowed the car, and Anna's phone is at home."""
    people = {"anna-phone": ("anna", "adult"), "gus-phone": ("gus", "guest")}
    roles = {"anna-phone": "phone", "gus-phone": "phone", "car": "car"}
    ruled(tmp_path, template("open"), *roles, "home")

    async def main() -> None:
        async with household(people=people, **roles) as nodes:
            ride = Ride(nodes)
            nodes["anna-phone"].brain = Thinks("anna", Memory(person="anna"))
            nodes["gus-phone"].brain = Thinks("gus", Memory(person="gus"))
            await agree(nodes, giver="gus-phone")
            pair = frozenset(("anna-phone", "car"))
            nodes.hub.far.add(pair)
            assert nodes["car"].driver() == "anna"
            await away(ride)
            assert ride.words() == ride.words("gus-phone") == []
            nodes.hub.far.discard(pair)  # the control
            await away(ride)
            assert ("gus", True) in ride.words()

    asyncio.run(main())


def test_another_driver_has_it_no_more(household: Any, tmp_path: Path) -> None:
    """Anna and Ben change seats at a light: the phone that drove is told that it holds nothing any more."""
    ruled(tmp_path, template("open"))

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            await agree(nodes)
            await away(ride)
            ride.words()
            await nodes.ask("ben-phone", "wheel")
            await ride.on(200.0)
            assert ride.words() == [("ben", False)]
            assert ride.aboard() == []

    asyncio.run(main())


def test_a_childs_phone_by_the_word_of_an_adult_and_a_guests_by_their_own(
    household: Any, tmp_path: Path
) -> None:
    people = {
        "anna-phone": ("anna", "adult"),
        "ben-phone": ("ben", "child"),
        "gus-phone": ("gus", "guest"),
    }
    roles = {**ROLES, "gus-phone": "phone"}
    ruled(tmp_path, template("open"), *roles, "home")

    async def main() -> None:
        async with riding(household, people, **roles) as (nodes, ride):
            nodes["gus-phone"].brain = Thinks("gus", Memory(person="gus"))
            for giver in ("ben-phone", "gus-phone"):
                if giver == "ben-phone":
                    with pytest.raises(HearthwayError, match="cannot give consent"):
                        await agree(nodes, giver=giver)
            given = await nodes.ask(
                "anna-phone",
                "consent-give",
                to="anna",
                keys=list(KEYS),
                purpose=PURPOSE,
                **{"for": "ben"},
            )
            await nodes.ask("anna-phone", "consent-accept", id=given["id"])
            await agree(nodes, giver="gus-phone")
            car = nodes["car"].part(Consenting)
            await nodes.until(lambda: [c.state for c in car.found()] == ["in force"] * 2)
            await away(ride)
            part = nodes["anna-phone"].part(Company)
            await ride.look(2)
            found = await part.with_aboard(now(ride.time_s))
            assert {a.person: a.kind for a in found.aboard} == {"ben": "child", "gus": "guest"}

    asyncio.run(main())


# who lies, and who knows nothing of it ----------------------------------------------------------------------------


async def told_by(nodes: Any, record: object) -> None:
    """Ben's phone tells this as its taste, whatever it was asked."""
    await nodes["ben-phone"].mesh.publish(
        TASTE, record, PURPOSE, reliable=True, to="anna-phone", about="ben"
    )
    await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    "lie",
    [
        TasteTold(meals=1e9),
        TasteTold(never=tuple(f"node/{n}" for n in range(5000))),
        TasteTold(cuisines=(("sushi", 99.0),)),
        {"meals": "many"},
        [1, 2, 3],
    ],
    ids=["meals", "never", "shares", "types", "shape"],
)
def test_what_is_no_taste_is_refused_and_the_word_is_as_before(
    household: Any, tmp_path: Path, lie: object
) -> None:
    ruled(tmp_path, template("open"))

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            await agree(nodes)
            ben = nodes["ben-phone"]

            async def lies(meta: Any, _: TasteAsked) -> None:
                await told_by(nodes, lie)

            ben.mesh.serve(ASK_TASTE, TasteAsked, lies)
            await away(ride)
            anna, brain = nodes["anna-phone"].part(Company), nodes["anna-phone"].brain
            assert ride.aboard() == ["ben"]
            assert (anna._tastes, brain.company) == ({}, ())

    asyncio.run(main())


def test_a_taste_that_nobody_asked_for_and_one_of_somebody_else_are_refused(
    household: Any, tmp_path: Path
) -> None:
    ruled(tmp_path, template("open"))

    async def main() -> None:
        async with riding(household) as (nodes, _):
            await agree(nodes)
            mesh, anna = nodes["anna-phone"].mesh, nodes["anna-phone"].part(Company)
            before = mesh.refused_frames
            await told_by(nodes, TasteTold(meals=5.0))
            assert mesh.refused_frames == before + 1
            assert anna._tastes == {}
            sent = await nodes["ben-phone"].mesh.publish(
                TASTE, TasteTold(), PURPOSE, reliable=True, to="anna-phone", about="anna"
            )
            assert sent == [], "a phone speaks of its own person alone"

    asyncio.run(main())


def test_a_phone_that_does_not_answer_is_asked_three_times_at_most(
    household: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ruled(tmp_path, template("open"))
    monkeypatch.setattr("hearthway.app.company.ANSWER_S", 0.05)

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            await agree(nodes)
            asked: list[float] = []

            async def mute(meta: Any, _: TasteAsked) -> None:
                asked.append(time.monotonic())
                await asyncio.sleep(0.2)

            nodes["ben-phone"].mesh.serve(ASK_TASTE, TasteAsked, mute)
            await away(ride)
            for _ in range(8):
                await ride.on(200.0)
                await asyncio.sleep(0.1)
            assert len(asked) == TRIES_MAX
            assert ride.aboard() == ["ben"]

    asyncio.run(main())


def test_who_is_taken_back_before_they_were_asked_is_not_asked(
    household: Any, tmp_path: Path
) -> None:
    """A phone that was stalled hears that Ben rides along, and that he does no more, in one turn."""
    ruled(tmp_path, template("open"))

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            await agree(nodes)
            part = nodes["anna-phone"].part(Company)
            notes: list[str] = []
            part.node.note = notes.append
            part._with["ben"] = Signal(key=WITH_CAR, value=True, time_s=ride.time_s, source="car")
            part._ask_soon("ben")
            part._drop(["ben"])
            await asyncio.sleep(0.2)
            assert (part._asked, part._tastes, notes) == ({}, {}, [])
            assert not [c for c in nodes["ben-phone"].mesh.crossings() if c.key == ASK_TASTE]

    asyncio.run(main())


def test_a_car_and_a_phone_of_an_older_version_tell_nothing(household: Any, tmp_path: Path) -> None:
    """Whoever has no such part: nothing is told, nothing is known, and nobody is alone."""
    ruled(tmp_path, template("open"))

    async def main() -> None:
        async with riding(household) as (nodes, ride):
            await agree(nodes)
            old = nodes["car"].part(RidesAlong)
            old.sensed = lambda signals: None
            await away(ride)
            assert ride.words() == []
            found = await nodes["anna-phone"].part(Company).with_aboard(now(ride.time_s))
            assert found == now(ride.time_s)

    asyncio.run(main())


def test_whoever_may_not_have_a_taste_is_refused_when_asking(
    household: Any, tmp_path: Path
) -> None:
    ruled(tmp_path, template("open"))

    async def main() -> None:
        async with riding(household) as (nodes, _):
            await agree(nodes)
            with pytest.raises(RuleDeniedError, match=r"Taste\.Told"):
                await nodes["ben-phone"].mesh.request(
                    "anna-phone", ASK_TASTE, TasteAsked(), PURPOSE, type(None), ANSWER_S
                )
            await nodes["anna-phone"].mesh.request(
                "ben-phone", ASK_TASTE, TasteAsked(), PURPOSE, type(None), ANSWER_S
            )

    asyncio.run(main())
