"""From the venue's tablet to the phone: entered, kept, counted, asked for without a time, taken for one's own arrival."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import UNSET

from hearthway.app.clock import EventClock
from hearthway.app.config import (
    Config,
    NodeTable,
    ReplayTable,
    VenueTable,
    parse_config,
    save_config,
)
from hearthway.app.launch import NodeProcess
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.venue_word import VenueWord
from hearthway.app.waits import WaitDesk
from hearthway.assist.moment import wait_words
from hearthway.cli.main import main
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.state.store import Store
from hearthway.mesh.venues.book import Book
from hearthway.mesh.venues.desk import VenueDesk
from hearthway.mesh.venues.venue_link import Said, VenueServer
from hearthway.records.codec import unpack
from hearthway.records.errors import ConfigError, HearthwayError
from hearthway.records.household import Role
from hearthway.records.venue import ForecastStatement, WaitStatement

KEY = Ed25519PrivateKey.from_private_bytes(b"v" * 32)
NOW_S = 1_780_000_000.0
DAY_S = 86_400.0


class House:
    """A venue with ten evenings behind it and a full house now."""

    def __init__(self, store: Store) -> None:
        self.clock = EventClock(NOW_S)
        self.book = Book(store)
        self.desk = VenueDesk(store, KEY, osm_id="node/42", name="R")
        self.word = VenueWord(self.desk, self.book, (2, 2, 4), self.clock)
        for day in range(10, 0, -1):
            for slot in range(8):
                at = NOW_S - day * DAY_S + (slot - 4) * 1_800.0
                number = self.book.came(2, at, seated=True).number
                self.book.leave(number, at + 2_400.0 + 120.0 * slot)
        for _ in range(3):
            self.book.came(2, NOW_S - 300.0, seated=True)

    def said(self) -> tuple[float, ForecastStatement | None]:
        """The wait of now and the forecast, as they would be sent."""
        said = self.word()
        assert said is not None
        wait, ahead = said
        return (
            unpack(wait.statement, WaitStatement).wait_min,
            None if ahead is None else unpack(ahead.statement, ForecastStatement),
        )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with Store.open(tmp_path / "venue.db", node_id="venue") as store:
        yield House(store)


def test_a_typed_wait_wins_while_it_is_fresh(house: House) -> None:
    counted, forecast = house.said()
    assert forecast is not None
    assert counted == forecast.curve[0].wait_min > 15
    house.desk.tell(3.0, NOW_S, valid_s=1_200.0)
    house.clock.set(NOW_S + 1_199.0)
    assert house.said() == (3.0, None)
    house.clock.set(NOW_S + 1_200.0)
    assert house.said()[1] is not None


def test_an_entry_counts_at_once_and_a_crowd_of_questions_is_told_the_same(house: House) -> None:
    first = house.word()
    house.clock.set(NOW_S + 59.0)
    assert house.word() is first
    house.book.leave(81, NOW_S + 59.0)
    house.word.entered()
    assert house.said()[0] == 4.0  # until the table is cleared
    told = house.word()
    house.clock.set(NOW_S + 59.0 + 60.0)
    assert house.word() is not told


def test_a_house_where_nothing_is_entered_any_more_says_nothing(house: House) -> None:
    assert house.said()[1] is not None
    house.clock.set(NOW_S + 3_700.0)
    assert house.word() is None
    assert "nothing was entered" in str(house.word.expected())
    house.desk.tell(5.0, NOW_S, valid_s=60.0)
    assert house.said() == (5.0, None)  # expired: the phone reads since when
    house.book.came(2, NOW_S + 3_700.0)
    house.word.entered()
    assert house.said()[1] is not None


class Asked:
    """A venue's server that counts its questions."""

    def __init__(self, house: House) -> None:
        self.times = 0
        self._house = house

    def __call__(self) -> Said | None:
        self.times += 1
        return self._house.word()


def test_the_phone_takes_the_point_of_its_own_arrival_without_telling_it(
    house: House, tmp_path: Path
) -> None:
    asked = Asked(house)
    server: VenueServer = house.desk.serve("127.0.0.1", 0, asked)
    server.start()
    try:
        with Store.open(tmp_path / "phone.db", node_id="phone") as store:
            desk = WaitDesk(store, Rules.parse(default_rules(), "default"), "phone")
            desk.follow(house.desk.code(f"127.0.0.1:{server.port}"), None)
            soon = desk.ask({"node/42": NOW_S + 60.0, "node/7": NOW_S}, NOW_S)
            assert list(soon) == ["node/42"]
            later = desk.ask({"node/42": NOW_S + 3_600.0}, NOW_S + 30.0)["node/42"]
            assert asked.times == 1  # one curve for every arrival
            now = soon["node/42"]
            assert now.minutes is not None
            assert later.minutes is not None
            assert later.minutes < now.minutes
            assert (now.age_s, later.age_s) == (0.0, 30.0)
            words = wait_words(later)
            assert words.startswith("wait about ")
            assert words.endswith("when you arrive (the place's own count, just now)")
            beyond = desk.ask({"node/42": NOW_S + 7_200.0}, NOW_S + 40.0)["node/42"]
            assert beyond.minutes is None
            assert "looks 60 min ahead" in beyond.why
            house.desk.tell(3.0, NOW_S + 90.0)
            house.clock.set(NOW_S + 100.0)
            typed = desk.ask({"node/42": NOW_S + 3_600.0}, NOW_S + 100.0)["node/42"]
            assert (typed.minutes, typed.likely) == (3.0, UNSET)
            assert wait_words(typed) == "wait 3 min (told by the place, just now)"
            [disclosed] = desk.account().disclosures
            assert len(disclosed.learned) == 2
    finally:
        server.stop()


def test_tables_that_cannot_be_are_named() -> None:
    head = '[node]\nid = "v"\nrole = "venue"\n[venue]\n'
    assert parse_config(head + "tables = [2, 4]", "x").venue.tables == [2, 4]
    for wrong in ("[0]", "[101]", f"[{'2, ' * 501}]", '["two"]', "2"):
        with pytest.raises(ConfigError):
            parse_config(head + f"tables = {wrong}", "x")


def _venue(tmp_path: Path, *, replayed: bool = False) -> NodeProcess:
    paths = NodePaths(private_dir(tmp_path / "kitchen"))
    table = VenueTable(osm_id="node/42", name="R", listen="127.0.0.1:0", tables=[2, 4])
    save_config(
        paths,
        Config(
            node=NodeTable(id="kitchen", role=Role.VENUE),
            venue=table,
            replay=ReplayTable(clock=replayed),
        ),
    )
    return NodeProcess("kitchen", paths, lambda _, command: list(command))


def _typed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str
) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["hearthway", "venue", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    code = ended.value.code
    return code if isinstance(code, int) else 0, out + err


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_what_was_entered_at_the_tablet_survives_its_kill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = _venue(tmp_path)
    at = ("--data", str(tmp_path / "kitchen"))

    async def typed(*words: str) -> tuple[int, str]:
        return await asyncio.to_thread(_typed, capsys, monkeypatch, *words, *at)

    venue.start()
    try:
        await venue.ready()
        assert await typed("arrive", "2", "--seated") == (0, "party 1 of 2 sits\n")
        assert await typed("arrive", "4") == (0, "party 2 of 4 waits\n")
        assert await typed("arrive", "3") == (0, "party 3 of 3 waits\n")
        assert await typed("seat", "2") == (0, "party 2 sits\n")
        assert await typed("leave", "1") == (0, "party 1 left its table\n")
        venue.kill()
        venue.stop()  # closes what the killed one left open
        venue.start()
        await venue.ready()
        code, out = await typed("queue", "--json")
        seen = json.loads(out)
        assert code == 0
        assert [one["party"] for one in seen["waiting"]] == [3]
        assert [one["party"] for one in seen["seated"]] == [2]
        assert seen["unknown"] == "the place has counted 0 of the 30 meals it needs"
        assert await typed("leave", "3") == (0, "party 3 left the queue\n")
        code, out = await typed("queue")
        assert out.startswith(
            "waiting: 0\nseated: 1\n  party 2 of 4, 0 min\nexpected wait: unknown"
        )
        for words, why in (
            (("seat", "9"), "There is no party 9"),
            (("seat", "2"), "sits already"),
            (("leave", "1"), "has left already"),
        ):
            code, out = await typed(*words)
            assert code != 0
            assert why in out
            assert "  -> " in out
        for wrong in (
            {"size": 2.5},
            {"size": "2"},
            {"size": True},
            {"size": None},
            {"size": 10**30},
        ):
            with pytest.raises(HearthwayError, match="whole number"):
                await venue.ask("arrive", **wrong)
        with pytest.raises(HearthwayError, match="real clock"):
            await venue.ask("arrive", size=2, at_s=5.0)
    finally:
        await asyncio.to_thread(venue.stop)


@pytest.mark.anyio
async def test_a_replayed_venue_counts_in_the_time_it_is_told(tmp_path: Path) -> None:
    venue = _venue(tmp_path, replayed=True)
    venue.start()
    try:
        await venue.ready()
        number = 0
        for day in range(4, 0, -1):
            for slot in range(8):
                at_s, number = NOW_S - day * DAY_S + slot * 1_800.0, number + 1
                await venue.ask("arrive", size=2, seated=True, at_s=at_s)
                await venue.ask("leave", party=number, at_s=at_s + 1_700.0)
        for _ in range(2):
            await venue.ask("arrive", size=2, seated=True, at_s=NOW_S)
        seen = await venue.ask("queue")
        assert seen["unknown"] == ""
        assert [at["in_min"] for at in seen["ahead"]] == [0, 10, 20, 30, 45, 60]
        assert seen["ahead"][0]["wait_min"] > 5
        assert seen["typed"] is False
        for wrong in ("soon", "nan", "inf", [1], 10**400):
            with pytest.raises(HearthwayError, match="number of seconds"):
                await venue.ask("arrive", size=2, at_s=wrong)
    finally:
        await asyncio.to_thread(venue.stop)
