"""Consent between running nodes: given on one phone, accepted on another, weighed in the car; taken back at once."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from hearthway.app.consents import WRONG_MAX, Consenting, stored_words
from hearthway.mesh.policy.consent import (
    GIVE,
    MESSAGE,
    REVOKE,
    ConsentWords,
    new_id,
    say,
    verify_word,
)
from hearthway.mesh.policy.consent_table import OF_DEVICE_MAX, ConsentTable
from hearthway.mesh.policy.rules import template
from hearthway.mesh.state.store import Store
from hearthway.records.errors import HearthwayError
from hearthway.records.household import Consent, ConsentWord
from hearthway.records.signals import Signal

TWO = {"anna-phone": ("anna", "adult"), "ben-phone": ("ben", "adult")}
LAT, LON = "Vehicle.CurrentLocation.Latitude", "Vehicle.CurrentLocation.Longitude"
OF_ANNA = [
    Signal(key=LAT, value=60.16952, time_s=1.0, unit="degrees", source="car", person="anna"),
    Signal(key=LON, value=24.93545, time_s=1.0, unit="degrees", source="car", person="anna"),
]


def opened(path: Path, *names: str) -> None:
    """These nodes share among adults, under consent."""
    for name in names:
        (path / name).mkdir(exist_ok=True)
        (path / name / "rules.toml").write_text(template("open"))


async def heard(nodes: Any, told: list[Signal]) -> list[Signal]:
    """What reached a phone of a position of Anna's that the car tells."""
    told.clear()
    await nodes["car"].mesh.publish_signals(OF_ANNA, "share", reliable=True)
    await asyncio.sleep(0.2)
    return list(told)


def test_given_accepted_and_taken_back(household: Any, tmp_path: Path) -> None:
    opened(tmp_path, "anna-phone", "ben-phone", "car", "home")

    async def main() -> None:
        async with household(
            people=TWO, **{"anna-phone": "phone", "ben-phone": "phone", "car": "car"}
        ) as nodes:
            told: list[Signal] = []
            nodes["ben-phone"].mesh.on_signals(lambda meta, batch: told.extend(batch))
            assert await heard(nodes, told) == []
            given = await nodes.ask(
                "anna-phone",
                "consent-give",
                to="ben",
                keys=["Vehicle.CurrentLocation.*"],
                purpose="share",
            )
            ben = nodes["ben-phone"].part(Consenting)
            await nodes.until(lambda: [c.state for c in ben.found()] == ["waiting"])
            assert await heard(nodes, told) == []
            for name in ("anna-phone", "car"):
                with pytest.raises(HearthwayError, match=r"given to ben|know"):
                    await nodes.ask(name, "consent-accept", id=given["id"])
            await nodes.ask("ben-phone", "consent-accept", id=given["id"][:6])
            car = nodes["car"].part(Consenting)
            await nodes.until(lambda: [c.state for c in car.found()] == ["in force"])
            found = await heard(nodes, told)
            assert {s.key for s in found} == {LAT, LON}
            assert all(
                s.value not in (60.16952, 24.93545) for s in found
            )  # a cell, as the rule says
            assert nodes["anna-phone"].part(Consenting).status() == {"consents_in_force": 1}
            await nodes.ask("anna-phone", "consent-revoke", id=given["id"])
            await nodes.until(lambda: [c.state for c in car.found()] == ["revoked"])
            assert await heard(nodes, told) == []
            listed = await nodes.ask("ben-phone", "consents")
            assert [one["state"] for one in listed["consents"]] == ["revoked"]

    asyncio.run(main())


def test_a_node_that_was_away_hears_of_it_and_a_restart_forgets_nothing(
    household: Any, tmp_path: Path
) -> None:
    opened(tmp_path, "anna-phone", "ben-phone", "car", "home")

    async def main() -> None:
        async with household(
            people=TWO, **{"anna-phone": "phone", "ben-phone": "phone", "car": "car"}
        ) as nodes:
            await nodes.down("ben-phone")
            given = await nodes.ask(
                "anna-phone",
                "consent-give",
                to="ben",
                keys=["Vehicle.CurrentLocation.*"],
                purpose="share",
                days=1,
            )
            await nodes.up("ben-phone")
            ben = nodes["ben-phone"].part(Consenting)
            await nodes.until(lambda: [c.state for c in ben.found()] == ["waiting"])
            await nodes.ask("ben-phone", "consent-accept", id=given["id"])
            car = nodes["car"].part(Consenting)
            await nodes.until(lambda: [c.state for c in car.found()] == ["in force"])
            await nodes.down("car")
            await nodes.ask("ben-phone", "consent-revoke", id=given["id"])
            await nodes.up("car")
            again = nodes["car"].part(Consenting)
            await nodes.until(lambda: [c.state for c in again.found()] == ["revoked"])
            nodes["car"].part(Consenting)._weigh()

    asyncio.run(main())
    with Store.open(tmp_path / "car" / "node.db", node_id="car") as store:
        assert {word.word for word in stored_words(store)} == {"give", "accept", "revoke"}


def test_what_cannot_be_given_is_a_sentence(household: Any) -> None:
    async def main() -> None:
        async with household(people=TWO, **{"anna-phone": "phone", "car": "car"}) as nodes:
            good = {"to": "anna", "keys": ["Person.Location.*"], "purpose": "share"}
            bad: list[dict[str, Any]] = [
                {"to": "nobody"},
                {"purpose": "gossip"},
                {"keys": ["*"]},
                {"keys": []},
            ]
            for wrong in bad:
                with pytest.raises(HearthwayError):
                    await nodes.ask("anna-phone", "consent-give", **{**good, **wrong})
            with pytest.raises(HearthwayError, match="needs no consent"):
                await nodes.ask("anna-phone", "consent-give", **good)
            with pytest.raises(HearthwayError, match="whose device"):
                await nodes.ask("car", "consent-give", **good)
            with pytest.raises(HearthwayError, match="No consents"):
                await nodes.ask("anna-phone", "consent-revoke", id="00")
            assert (await nodes.ask("anna-phone", "consents"))["consents"] == []

    asyncio.run(main())


def test_rules_are_used_at_once_and_never_taken_from_the_wire(
    household: Any, tmp_path: Path
) -> None:
    """The control: the file beside the node opens the way. A message with looser rules opens nothing."""

    async def main() -> None:
        async with household(people=TWO, **{"anna-phone": "phone", "car": "car"}) as nodes:
            told: list[Signal] = []
            nodes["anna-phone"].mesh.on_signals(lambda meta, batch: told.extend(batch))
            assert await heard(nodes, told) == []  # "family" knows no such sharing
            loose = template("open")
            for key in ("Household.Rules", "Setting.Rules", "Household.Consent"):
                with pytest.raises(HearthwayError):
                    await nodes["car"].mesh.request(
                        "anna-phone", key, loose, "household", type(None), 2.0
                    )
            before = {name: (tmp_path / name / "rules.toml").read_text() for name in ("car",)}
            assert await heard(nodes, told) == []
            assert before == {"car": template("family")}
            for name in ("car", "anna-phone"):
                (tmp_path / name / "rules.toml").write_text(loose)
                assert (await nodes.ask(name, "use-rules"))["changed"]
            assert {s.key for s in await heard(nodes, told)} == {LAT, LON}
            (tmp_path / "car" / "rules.toml").write_text("version = 2\n[[rule]]\n")
            with pytest.raises(HearthwayError, match="line 2"):
                await nodes.ask("car", "use-rules")
            assert {s.key for s in await heard(nodes, told)} == {LAT, LON}  # as before
            (tmp_path / "car" / "rules.toml").write_text(template("strict"))
            await nodes.ask("car", "use-rules")
            assert await heard(nodes, told) == []

    asyncio.run(main())


def forged(number: int, device: str = "anna-phone") -> ConsentWord:
    return ConsentWord(
        consent_id=f"{number:016x}",
        word="give",
        consent=b"\xc1",
        device_id=device,
        time_s=time.time(),
        signature=b"x",
    )


async def tell(nodes: Any, sender: str, to: str, words: tuple[ConsentWord, ...]) -> None:
    await nodes[sender].mesh.request(
        to, MESSAGE, ConsentWords(words=words), "household", type(None), 20.0
    )


def test_consents_survive_noise_from_a_member(household: Any, monkeypatch: Any) -> None:
    """Nothing of it is kept, and it costs so many signatures a minute at most; others' words still count."""
    checked: list[str] = []

    def counted(word: ConsentWord, roster: Any) -> None:
        checked.append(word.device_id)
        verify_word(word, roster)

    async def main() -> None:
        roles = {"anna-phone": "phone", "ben-phone": "phone", "car": "car"}
        async with household(people=TWO, **roles) as nodes:
            monkeypatch.setattr("hearthway.app.consents.verify_word", counted)
            anna = nodes["anna-phone"].part(Consenting)
            for burst in range(3):
                words = tuple(forged(burst * 3000 + n) for n in range(3000))
                await tell(nodes, "car", "anna-phone", words)
            assert len(anna._words) == 0
            assert len(checked) == WRONG_MAX
            real = signed(nodes, "ben-phone", new_id())
            await tell(nodes, "home", "anna-phone", (real,))  # the control
            assert real in anna._words
            later = signed(nodes, "ben-phone", new_id())
            await tell(nodes, "car", "anna-phone", (later,))
            assert later not in anna._words  # until the minute is over
            since_s, wrong = anna._wrong["car"]
            anna._wrong["car"] = (since_s - 61.0, wrong)
            await tell(nodes, "car", "anna-phone", (later,))
            assert later in anna._words

    asyncio.run(main())


def signed(
    nodes: Any, name: str, consent_id: str, word: str = GIVE, until_s: float = 0.0
) -> ConsentWord:
    """What Ben gives Anna, by his own key."""
    identity = nodes[name].mesh.identity
    consent = Consent(
        giver="ben", receiver="anna", keys=("Vehicle.*",), purpose="share", until_s=until_s
    )
    return say(word, consent_id, consent, name, identity.sign, time.time())


def test_a_member_that_fills_the_table_takes_nobodys_room(household: Any, tmp_path: Path) -> None:
    """Ben's phone says thousands of words that verify. What Anna and Cleo agree, and take back, counts everywhere."""
    people = {**TWO, "cleo-phone": ("cleo", "adult")}
    roles = {**dict.fromkeys(people, "phone"), "car": "car"}

    async def main() -> None:
        async with household(people=people, **roles) as nodes:
            tables = {name: nodes[name].part(Consenting) for name in (*roles, "home")}
            for word in (GIVE, REVOKE):
                for _ in range(3):
                    words = tuple(signed(nodes, "ben-phone", new_id(), word) for _ in range(500))
                    for name in ("car", "home"):  # which hand on what they keep
                        await tell(nodes, "ben-phone", name, words)

            def his(name: str) -> tuple[int, int]:
                kept = [w.word for w in tables[name]._words if w.device_id == "ben-phone"]
                return kept.count(GIVE), kept.count(REVOKE)

            # The control: his share of each is kept, and no more.
            for name in ("car", "home", "anna-phone", "cleo-phone"):
                await nodes.until(lambda n=name: his(n) == (OF_DEVICE_MAX, OF_DEVICE_MAX))

            given = await nodes.ask(
                "anna-phone", "consent-give", to="cleo", keys=["Vehicle.*"], purpose="share"
            )

            def states_at(name: str) -> list[str]:
                found = tables[name].found()
                return [c.state for c in found if c.consent_id == given["id"]]

            await nodes.until(lambda: states_at("cleo-phone") == ["waiting"])
            await nodes.ask("cleo-phone", "consent-accept", id=given["id"])
            for name in tables:
                await nodes.until(lambda n=name: states_at(n) == ["in force"])
            await nodes.down("car")  # and one that was away hears all of it
            await nodes.ask("anna-phone", "consent-revoke", id=given["id"])
            await nodes.up("car")
            tables["car"] = nodes["car"].part(Consenting)
            for name in tables:
                await nodes.until(lambda n=name: states_at(n) == ["revoked"])
            theirs = next(
                iter(w for w in tables["anna-phone"]._words if w.device_id == "ben-phone")
            )
            await nodes.ask(
                "anna-phone", "consent-revoke", id=theirs.consent_id
            )  # of his words too

    asyncio.run(main())


def test_words_that_find_no_room_are_no_work(household: Any, monkeypatch: Any) -> None:
    async def main() -> None:
        async with household(people=TWO, **dict.fromkeys(TWO, "phone")) as nodes:
            anna, wall = nodes["anna-phone"].part(Consenting), nodes["anna-phone"].wall
            sweeps: list[float] = []
            sweep = ConsentTable.sweep

            def counted(table: ConsentTable, roster: Any, now_s: float) -> list[ConsentWord]:
                sweeps.append(now_s)
                return sweep(table, roster, now_s)

            monkeypatch.setattr(ConsentTable, "sweep", counted)
            now_s = wall.now_s()
            monkeypatch.setattr(wall, "now_s", lambda: now_s)
            for n in range(OF_DEVICE_MAX):
                ends = now_s + 5.0 if n == 0 else 0.0
                anna._words.keep(signed(nodes, "ben-phone", new_id(), until_s=ends))
            more = tuple(signed(nodes, "ben-phone", new_id()) for _ in range(100))
            await tell(nodes, "home", "anna-phone", more)
            assert len(sweeps) == 1
            assert not any(word in anna._words for word in more)
            now_s += 6.0  # the control: what is over by then still makes room
            await tell(nodes, "home", "anna-phone", more)
            assert sum(word in anna._words for word in more) == 1

    asyncio.run(main())


def test_whoever_has_said_enough_is_told_and_what_is_over_makes_room(household: Any) -> None:
    async def main() -> None:
        async with household(people=TWO, **dict.fromkeys(TWO, "phone")) as nodes:
            ben = nodes["ben-phone"].part(Consenting)
            now_s = nodes["ben-phone"].wall.now_s()
            for n in range(OF_DEVICE_MAX):
                ends = now_s + 60.0 if n < 3 else 0.0
                ben._words.keep(signed(nodes, "ben-phone", new_id(), until_s=ends))
            ask = {"to": "anna", "keys": ["Vehicle.*"], "purpose": "share"}
            with pytest.raises(HearthwayError, match="no more are kept"):
                await nodes.ask("ben-phone", "consent-give", **ask)
            nodes["ben-phone"].wall.now_s = lambda: now_s + 61.0
            for _ in range(3):
                given = await nodes.ask("ben-phone", "consent-give", **ask)
                assert [c for c in ben.found() if c.consent_id == given["id"]]
            with pytest.raises(HearthwayError, match="no more are kept"):
                await nodes.ask("ben-phone", "consent-give", **ask)
            await nodes.ask("ben-phone", "consent-revoke", id=given["id"])  # always finds room
            past = signed(nodes, "ben-phone", new_id(), until_s=now_s)
            await tell(nodes, "home", "ben-phone", (past,))
            assert past not in ben._words

    asyncio.run(main())


def test_a_handed_down_phone_takes_no_revocation_back(household: Any, tmp_path: Path) -> None:
    """Anna revokes on her old phone, which then becomes Ben's child's: what she revoked stays so, over restarts too."""
    opened(tmp_path, "anna-phone", "anna-old", "ben-phone", "home")
    people = {**TWO, "anna-old": ("anna", "adult")}

    async def main() -> None:
        roles = dict.fromkeys(("anna-phone", "anna-old", "ben-phone"), "phone")
        async with household(people=people, **roles) as nodes:
            home = nodes["home"].part(Consenting)
            given = await nodes.ask(
                "anna-phone", "consent-give", to="ben", keys=["Person.Location.*"], purpose="share"
            )
            ben = nodes["ben-phone"].part(Consenting)
            await nodes.until(lambda: [c.state for c in ben.found()] == ["waiting"])
            await nodes.ask("ben-phone", "consent-accept", id=given["id"])
            old = nodes["anna-old"].part(Consenting)
            await nodes.until(lambda: [c.state for c in old.found()] == ["in force"])
            await nodes.ask("anna-old", "consent-revoke", id=given["id"])
            await nodes.until(lambda: [c.state for c in home.found()] == ["revoked"])
            await nodes.hand_down("anna-old")
            await nodes.admit("anna-old", "phone", "kim", "child")
            await nodes.reach("anna-old", "home")
            assert [c.state for c in home.found()] == ["revoked"]
            await nodes.down("home")
            await nodes.up("home")
            again = nodes["home"].part(Consenting)
            await nodes.until(lambda: [c.state for c in again.found()] == ["revoked"])

    asyncio.run(main())
