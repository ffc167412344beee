"""Grants between running nodes: given at home, handed over by themselves, taken back everywhere."""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.app import granting
from hearthway.app.granting import Granting
from hearthway.mesh.policy import grants
from hearthway.mesh.policy.tokens import KEPT_MAX, Tokens
from hearthway.records.errors import HearthwayError, InputError, WireError
from hearthway.records.signals import Signal

ROLES = {"anna-phone": "phone", "guest-phone": "phone"}
PEOPLE = {"anna-phone": ("anna", "adult"), "guest-phone": ("gus", "guest")}
KEY = "Home.Climate.Temperature"
LATER = (datetime.now() + timedelta(days=3)).strftime("%Y-%m-%d")
ASK: dict[str, Any] = {
    "keys": ["Home.Climate.*"],
    "operation": "read",
    "to": "guest-phone",
    "until": LATER,
    "zone": "Europe/Helsinki",
}


async def _states(nodes: Any, name: str) -> list[str]:
    return [one["state"] for one in (await nodes.ask(name, "grant-list"))["grants"]]


def test_given_handed_over_used_and_taken_back(household: Any) -> None:
    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            given = await nodes.ask("home", "grant-give", **ASK)
            assert given["state"] == "handed over"
            token = grants.from_text(given["token"])
            assert await _states(nodes, "guest-phone") == ["kept here"]
            assert await _states(nodes, "anna-phone") == []
            guest = nodes["guest-phone"].part(Granting)
            anna = nodes["anna-phone"].part(Granting)
            assert await guest.grant_for(KEY, "read") == token
            assert await guest.grant_for(KEY, "write") == b""
            assert await guest.grant_for("Home.Lock.Front", "read") == b""
            assert await anna.grant_for(KEY, "read") == b""
            grant_id = grants.said(token).grant_id
            with pytest.raises(HearthwayError, match="no grant"):
                await nodes.ask("home", "grant-revoke", id="g-0000000")
            await nodes.ask("home", "grant-revoke", id=grant_id)
            for name in ("guest-phone", "anna-phone"):
                mesh = nodes[name].mesh
                await nodes.until(lambda m=mesh: grant_id in m.identity.roster.revoked_grants)
            assert await guest.grant_for(KEY, "read") == b""
            assert await _states(nodes, "guest-phone") == ["revoked"]
            assert await _states(nodes, "home") == ["revoked"]
            await nodes.ask("guest-phone", "grant-drop", id=grant_id)
            assert await _states(nodes, "guest-phone") == []
            await nodes.ask("home", "grant-revoke", id="g-0000000", force=True)
            with pytest.raises(HearthwayError, match="cannot be"):
                await nodes.ask("home", "grant-revoke", id='g"', force=True)

    asyncio.run(main())


def test_a_guest_reads_by_a_grant_what_no_rule_gives(household: Any) -> None:
    """Through the real rules, mesh and tokens: inside its hours, one key, reading only, until it is taken back."""

    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            now_s = time.time()
            nodes["home"].part(Granting).sensed(
                [
                    Signal(key=key, value=21.5, time_s=now_s, unit="celsius", source="home")
                    for key in (KEY, "Home.Lock.Front")
                ]
            )

            async def read(name: str, key: str = KEY) -> dict[str, Any]:
                found: dict[str, Any] = await nodes.ask(
                    name, "grant-read", **{"key": key, "from": "home"}
                )
                return found

            with pytest.raises(HearthwayError, match="do not let"):
                await read("guest-phone")  # the rules alone give a guest nothing
            given = await nodes.ask("home", "grant-give", **(ASK | {"hours": ["08:00", "20:00"]}))
            token = grants.from_text(given["token"])
            grant_id = grants.said(token).grant_id
            clock = {"at": _tomorrow("12:00")}
            for node in (
                nodes.nodes.values()
            ):  # the hour of the household's clock, as each node's check sees it
                gate = node.mesh._gate
                gate._now = lambda: clock["at"]
                node.wall.now_s = lambda: clock["at"]
            found = await read("guest-phone")
            assert (found["value"], found["unit"]) == (21.5, "celsius")
            rule = f"grant:{grant_id}"
            for name, sender in (
                ("guest-phone", "guest-phone"),
                ("home", "guest-phone"),
                ("home", "home"),
            ):
                crossings = nodes[name].mesh.crossings()
                assert [c.rule for c in crossings if (c.key, c.sender) == (KEY, sender)][-1] == rule
            for refused_key in ("Home.Lock.Front",):
                with pytest.raises(HearthwayError, match="do not let"):
                    await read("guest-phone", refused_key)
            with pytest.raises(HearthwayError, match="do not let"):
                await read("anna-phone")  # an adult has no grant either
            anna = nodes["anna-phone"].mesh
            for late in ("07:59", "20:00", "23:00"):
                clock["at"] = _tomorrow(late)
                with pytest.raises(HearthwayError, match="do not let"):
                    await read("guest-phone")
            clock["at"] = _tomorrow("19:59")
            assert await read("guest-phone")
            guest, home = nodes["guest-phone"].mesh, nodes["home"].mesh
            wrote: list[str] = []
            home.serve("Home.Climate.Target", str, lambda _m, value: wrote.append(value))
            home.serve("Home.Climate.Bath", str, lambda _m, v: v, reply_key="Home.Climate.Bath")
            with pytest.raises(HearthwayError):
                await guest.request(
                    "home", "Home.Climate.Target", "30", "share", type(None), 5.0, grant=token
                )
            assert wrote == []  # to set is to write
            assert await guest.request(
                "home", "Home.Climate.Bath", "x", "share", str, 5.0, grant=token
            )  # the control
            with pytest.raises(HearthwayError, match="do not let"):  # stolen: another device's
                await anna.request("home", KEY, None, "share", Signal, 5.0, grant=token)
            await nodes.ask("home", "grant-revoke", id=grant_id)
            with pytest.raises(HearthwayError, match="do not let"):
                await read("guest-phone")
            with pytest.raises(HearthwayError):
                await guest.request("home", KEY, None, "share", Signal, 5.0, grant=token)

    asyncio.run(main())


def _tomorrow(clock: str) -> float:
    """Of today some hours lie before the household was made, and before its certificates are valid."""
    tomorrow = datetime.now(ZoneInfo("Europe/Helsinki")) + timedelta(days=1)
    day = tomorrow.strftime("%Y-%m-%d")
    at = datetime.strptime(f"{day} {clock}", "%Y-%m-%d %H:%M")
    return at.replace(tzinfo=ZoneInfo("Europe/Helsinki")).timestamp()


def test_a_device_that_is_away_gets_its_grant_when_it_is_back(household: Any) -> None:
    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            await nodes.down("guest-phone")
            await nodes.until(lambda: not nodes["home"].mesh.ready("guest-phone"))
            first = await nodes.ask("home", "grant-give", **ASK)
            second = await nodes.ask("home", "grant-give", **ASK)
            assert first["state"] == second["state"] == "waits for guest-phone"
            taken_back = grants.said(grants.from_text(second["token"])).grant_id
            await nodes.ask("home", "grant-revoke", id=taken_back)
            await nodes.up("guest-phone")
            guest = nodes["guest-phone"].part(Granting)
            for _ in range(500):
                if await _states(nodes, "guest-phone"):
                    break
                await asyncio.sleep(0.02)
            assert await _states(nodes, "guest-phone") == ["kept here"]  # not the revoked one
            assert await guest.grant_for(KEY, "read") == grants.from_text(first["token"])
            assert sorted(await _states(nodes, "home")) == ["handed over", "revoked"]

    asyncio.run(main())


def test_brought_by_hand_and_only_where_it_belongs(household: Any) -> None:
    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            given = await nodes.ask("home", "grant-give", **ASK)
            narrow = grants.attenuate(grants.from_text(given["token"]), keys=[KEY])
            text = grants.to_text(narrow)
            assert (await nodes.ask("guest-phone", "grant-keep", token=text))[
                "state"
            ] == "kept here"
            assert await nodes.ask("guest-phone", "grant-keep", token=text)  # twice is once
            assert len(await _states(nodes, "guest-phone")) == 2
            with pytest.raises(HearthwayError, match="is for guest-phone"):
                await nodes.ask("anna-phone", "grant-keep", token=text)
            foreign = grants.issue(
                bytes(32),
                grant_id="g-1",
                keys=[KEY],
                operation="read",
                holder="guest-phone",
                until_s=time.time() + 3600,
                zone="UTC",
            )
            with pytest.raises(HearthwayError, match="another household"):
                await nodes.ask("guest-phone", "grant-keep", token=grants.to_text(foreign))
            with pytest.raises(HearthwayError, match="no grant"):
                await nodes.ask("guest-phone", "grant-keep", token="!!")
            with pytest.raises(HearthwayError, match="does not know"):
                await nodes.ask("guest-phone", "grant-give", **ASK)  # only the home gives
            with pytest.raises(HearthwayError, match="does not know"):
                await nodes.ask("anna-phone", "grant-revoke", id="g-1")

    asyncio.run(main())


def test_what_cannot_be_given_is_said(household: Any) -> None:
    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            for wrong, words in (
                ({"to": "nobody"}, "No device"),
                ({"to": ""}, "No device"),
                ({"until": "2020-01-01"}, "in the past"),
                ({"until": "2099-01-01"}, "two years"),
                ({"until": "soon"}, "no day"),
                ({"zone": "Nowhere"}, "time zone"),
                ({"keys": ["*"]}, "key pattern"),
                ({"keys": []}, "names keys"),
                ({"keys": ["Home.Climate.*", "bogus"]}, 'no key "bogus"'),
                ({"keys": ["home.climate.*"]}, "no key"),
                ({"keys": ["Home.Climate"]}, "4 keys begin with it"),
                ({"operation": "own"}, "cannot be granted"),
                ({"hours": ["25:00", "26:00"]}, "time of day"),
            ):
                with pytest.raises(HearthwayError, match=words):
                    await nodes.ask("home", "grant-give", **(ASK | wrong))
            assert await _states(nodes, "home") == []
            given = await nodes.ask("home", "grant-give", **(ASK | {"app": True, "to": None}))
            assert grants.said(grants.from_text(given["token"])).holder == grants.APP
            assert given["state"] == "kept here"

    asyncio.run(main())


def test_an_end_is_a_day_or_a_moment_of_the_households_clock() -> None:
    zone = ZoneInfo("Europe/Helsinki")

    def at(*when: int) -> float:
        return datetime(*when, tzinfo=zone).timestamp()  # type: ignore[arg-type,misc]  # year to minute

    assert grants.end_s("2026-12-01", zone.key) == at(2026, 12, 2)
    assert grants.end_s("2026-12-01 18:30", zone.key) == at(2026, 12, 1, 18, 30)
    assert grants.end_s("2026-10-25", zone.key) == at(2026, 10, 26)  # a day of 25 hours
    assert grants.end_s("2026-12-31 24:00", zone.key) == at(2027, 1, 1)
    for wrong in ("", "2026-13-01", "2026-12-01 25:00", "1.12.2026", "2026-12-01 18", "9999-12-31"):
        with pytest.raises(InputError):
            grants.end_s(wrong, zone.key)
    with pytest.raises(InputError, match="time zone"):
        grants.end_s("2026-12-01", "Mars/Base")


def test_the_machines_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Helsinki")
    assert granting.local_zone() == "Europe/Helsinki"
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    assert granting.local_zone() == "Asia/Tokyo"
    monkeypatch.setenv("TZ", "EET-2EEST")
    assert grants.zone_of(granting.local_zone())


# -- the file --------------------------------------------------------------------------------------------


@cache  # each token is signed with keys of its own, so that no two are the same
def _token(n: int, holder: str = "phone", hours: tuple[str, str] | None = None) -> bytes:
    return grants.issue(
        bytes(32),
        grant_id=f"g-{n}",
        keys=["Home.Climate.*"],
        operation="read",
        holder=holder,
        until_s=2e9 + 60 * n,
        zone="UTC",
        hours=hours,
    )


def test_the_file_keeps_grants_and_nobody_else_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "grants.bin"
    tokens = Tokens(path)
    assert tokens.all() == ()
    assert tokens.add(_token(1))
    assert not tokens.add(_token(1))
    assert tokens.add(_token(2, holder="car"))
    assert path.stat().st_mode & 0o777 == 0o600
    again = Tokens(path)
    assert [what.grant_id for _, what in again.all()] == ["g-1", "g-2"]
    assert again.waiting("car", 1e9) == (_token(2, holder="car"),)
    assert again.waiting("car", 3e9) == ()  # it has ended
    again.was_handed(_token(2, holder="car"))
    assert again.waiting("car", 1e9) == Tokens(path).waiting("car", 1e9) == ()
    assert again.one("g-1")[1].holder == "phone"
    again.drop("g-1")
    assert [what.grant_id for _, what in Tokens(path).all()] == ["g-2"]
    for gone in (lambda: again.drop("g-1"), lambda: again.one("g-1")):
        with pytest.raises(InputError, match="no grant g-1"):
            gone()
    with pytest.raises(WireError):
        again.add(b"junk")


def test_the_newest_grant_that_fits_is_used(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "grants.bin")
    book = grants.GrantBook(grants.public_key_of(bytes(32)))
    noon = 1_800_014_400.0
    assert tokens.for_key(book, KEY, "phone", noon) == b""
    always, evening = _token(1), _token(2, hours=("20:00", "22:00"))
    tokens.add(always)
    tokens.add(evening)
    assert tokens.for_key(book, KEY, "phone", noon) == always
    night = noon - noon % 86_400 + 21 * 3600
    assert tokens.for_key(book, KEY, "phone", night) == evening
    assert tokens.for_key(book, KEY, "phone", night, "write") == b""
    assert tokens.for_key(book, KEY, "car", night) == b""


def test_changes_from_several_threads_are_all_kept(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "grants.bin")
    wanted = [_token(n) for n in range(20)]
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(tokens.add, wanted))
        list(threads.map(tokens.was_handed, wanted))
    assert {k.token for k, _ in Tokens(tmp_path / "grants.bin").all() if k.handed} == set(wanted)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_a_damaged_file_is_said_and_left(tmp_path_factory: Any, junk: bytes) -> None:
    path = tmp_path_factory.mktemp("kept") / "grants.bin"
    path.write_bytes(junk)
    with contextlib.suppress(WireError):
        assert Tokens(path).all() == ()
    assert path.read_bytes() == junk


def test_too_many_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert KEPT_MAX >= 100
    monkeypatch.setattr("hearthway.mesh.policy.tokens.KEPT_MAX", 2)
    tokens = Tokens(tmp_path / "grants.bin")
    tokens.add(_token(1))
    tokens.add(_token(2))
    with pytest.raises(InputError, match="Too many"):
        tokens.add(_token(3))
    (tmp_path / "grants.bin").write_bytes(b"junk")
    with pytest.raises(WireError, match="damaged"):
        Tokens(tmp_path / "grants.bin")
    (tmp_path / "dir").mkdir()
    with pytest.raises(WireError, match="cannot be read"):
        Tokens(tmp_path / "dir")
