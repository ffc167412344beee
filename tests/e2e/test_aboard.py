"""Real nodes on one link, two of them phones in one car: the driver's word is another because of who rides along."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hearthway.app.config import (
    Config,
    MapTable,
    MeshTable,
    NodeTable,
    ReplayTable,
    VenueTable,
    save_config,
)
from hearthway.app.drive import MESH_PORT, PAIR_PORT, VENUE_PORT
from hearthway.app.launch import NodeProcess, stop_all
from hearthway.app.maps import open_atlas
from hearthway.app.namespaces import Lan
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.recording import fix_signals, write_recording
from hearthway.mesh.policy.rules import template
from hearthway.mesh.state.store import Store
from hearthway.records.household import Role
from hearthway.records.signals import Fix, Signal
from hearthway.synthetic.drives import DrivePool
from hearthway.synthetic.household import SyntheticHousehold, VenueWait, generate
from hearthway.synthetic.settings import Settings

NODES = {"home": Role.HOME, "car": Role.CAR, "first": Role.PHONE, "second": Role.PHONE}
VENUE = "venue"  # as in `driven`: of no household
SAM = "5a3b5a3b5a3b5a3b"
TOSCANINI, LIVES = (60.1661734, 24.942749), (60.1585, 24.9215)  # italian on the bundled map
LIMIT_S = 100.0
DAYS = 20


def dinners(end_s: float) -> Iterator[Fix]:
    """Sam's life: at home, and out to one Italian table of an evening. Nobody lived this."""
    for day in range(DAYS, 0, -1):
        noon_s = end_s - day * 86_400.0
        for since_s in range(0, 6 * 3600, 600):
            yield Fix(time_s=noon_s - 6 * 3600 + since_s, lat=LIVES[0], lon=LIVES[1])
        for since_s in range(0, 4200, 300):
            yield Fix(time_s=noon_s + 1800 + since_s, lat=TOSCANINI[0], lon=TOSCANINI[1])
        for since_s in range(0, 15 * 3600, 900):
            yield Fix(time_s=noon_s + 7200 + since_s, lat=LIVES[0], lon=LIVES[1])


def a_household() -> SyntheticHousehold:
    atlas = open_atlas(MapTable(atlas="bundled"))
    assert atlas is not None
    with contextlib.closing(atlas):
        return generate(Settings(), atlas, atlas, DrivePool.bundled(), atlas.place_name)


class Trip:
    """The same drive as `driven`'s, with Sam's phone in the car as well."""

    def __init__(self, lan: Lan, path: Path, venue: VenueWait) -> None:
        self.nodes: dict[str, NodeProcess] = {}
        self.events: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        for name, role in {**NODES, VENUE: Role.VENUE}.items():
            paths = NodePaths(private_dir(path / name))
            save_config(
                paths,
                Config(
                    node=NodeTable(id=name, role=role),
                    mesh=MeshTable(listen=f"{lan.address(name)}:{MESH_PORT}"),
                    map=MapTable(atlas="bundled" if role in (Role.PHONE, Role.CAR) else "none"),
                    venue=VenueTable(
                        osm_id=venue.osm_id,
                        name=venue.name,
                        listen=f"{lan.address(name)}:{VENUE_PORT}",
                    )
                    if role is Role.VENUE
                    else VenueTable(),
                    replay=ReplayTable(clock=True, synthetic=True),
                ),
            )
            paths.rules.write_text(template("open"))
            paths.rules.chmod(0o600)
            self.nodes[name] = NodeProcess(name, paths, lan.command)

    async def follow(self, wait_min: float, at_s: float) -> None:
        code = (await self.nodes[VENUE].ask("code"))["code"]
        await self.nodes["first"].ask("follow", code=code)
        await self.nodes[VENUE].ask("wait", minutes=wait_min, at_s=at_s)

    async def pair(self) -> None:
        for name in ("first", "car", "second"):
            offer = await self.nodes["home"].ask("pair-open", port=PAIR_PORT)
            await self.nodes[name].ask("pair", address=offer["address"], code=offer["code"])
        await self.reached()

    async def reached(self) -> None:
        for name in NODES:
            others = [other for other in NODES if other != name]
            await self.nodes[name].ask("await-peers", roles=others)

    async def live(self, name: str, person: str, called: str, signals: list[Signal]) -> None:
        file = self.nodes[name].paths.root / "history.jsonl"
        await asyncio.to_thread(write_recording, file, sorted(signals, key=lambda s: s.time_s))
        await self.nodes[name].ask(
            "import", file=str(file), name=called, person_id=person, timeout_s=60.0
        )
        file.unlink()

    async def people(self, driver: str) -> None:
        """Of two phones neither is the first: at home both are confirmed."""
        for person in (driver, SAM):
            await self.until("home", "people", lambda a, one=person: one in str(a["asked"]))
            await self.nodes["home"].ask("people-add", person=person, kind="adult")
        for name in NODES:
            await self.until(name, "people", lambda a: SAM in str(a["people"]))
        await self.reached()

    async def agree(self, driver: str) -> str:
        given = await self.nodes["second"].ask(
            "consent-give", to=driver, keys=["Person.WithCar", "Taste.*"], purpose="anticipate"
        )
        await self.until("first", "consents", lambda a: a["consents"])
        await self.nodes["first"].ask("consent-accept", id=given["id"])
        for name in NODES:
            await self.until(name, "consents", lambda a: "in force" in str(a["consents"]))
        return str(given["id"])

    async def until(self, name: str, do: str, true: Any) -> None:
        for _ in range(300):
            if true(await self.nodes[name].ask(do)):
                return
            await asyncio.sleep(0.05)
        pytest.fail(f"{name}: {do} did not come about: {await self.nodes[name].ask(do)}")

    async def drive(self, ticks: Any) -> list[dict[str, Any]]:
        """Every suggestion of the phone's, as it was said."""
        listeners = [asyncio.create_task(n.events(self.events)) for n in self.nodes.values()]
        file = self.nodes["car"].paths.root / "drive.jsonl.gz"
        await asyncio.to_thread(write_recording, file, [s for _, batch in ticks for s in batch])
        said = []
        await asyncio.sleep(0.2)  # they listen
        await self.nodes["car"].ask("replay", file=str(file), speed=0.0)
        while True:
            name, event = await self.events.get()
            if event["event"] == "suggestion" and name == "first":
                said.append(event["record"])
            if event["event"] == "replay-end":
                assert event["error"] == ""
                break
        for one in self.nodes.values():
            await one.ask("ping")
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
        return said


def test_the_word_is_another_with_sam_in_the_car(
    isolated: None, driven: Any, tmp_path: Path
) -> None:
    household = a_household()
    driver, venue = household.person(household.driver_id), household.venues[0]
    history = [s for fix in driver.fixes for s in fix_signals(fix, driver.person_id, "first")]
    start_s = household.drive.ticks[0][0]
    sams = [s for fix in dinners(start_s - 2 * 3600.0) for s in fix_signals(fix, SAM, "second")]

    async def main() -> tuple[str, list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
        with Lan.create((*NODES, VENUE)) as lan:
            trip = Trip(lan, tmp_path, venue)
            try:
                for node in trip.nodes.values():
                    node.start()
                await asyncio.gather(*(node.ready() for node in trip.nodes.values()))
                await trip.pair()
                await trip.live(
                    "first", driver.person_id, driver.name, [*history, *driver.car_signals]
                )
                await trip.live("second", SAM, "Sam", sams)
                await trip.people(driver.person_id)
                await trip.follow(venue.wait_min, household.drive.start_s)
                consent = await trip.agree(driver.person_id)
                await trip.nodes["first"].ask("wheel")
                said = await trip.drive(household.drive.ticks)
                receipt = await trip.nodes["first"].ask("receipt", id=said[0]["suggestion_id"])
                status = await trip.nodes["first"].ask("status")
                return consent, said, receipt, status
            finally:
                await asyncio.to_thread(stop_all, list(trip.nodes.values()))

    async def bounded() -> tuple[str, list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
        async with asyncio.timeout(LIMIT_S):
            return await main()

    consent, [said], receipt, _ = asyncio.run(bounded())
    alone = driven.result["suggestions"][0]
    first, before = said["options"][0], alone["options"][0]
    assert "italian" in first["poi"]["cuisines"]
    assert "italian" not in before["poi"]["cuisines"]
    reasons = {r["feature"]: r for r in first["reasons"]}
    because = reasons[f"cuisine for {SAM}"]
    assert because["words"] == "Sam, who is with you, eats italian most"

    def without(option: dict[str, Any]) -> float:
        return math.fsum(r["weight"] for r in option["reasons"] if SAM not in r["feature"])

    shown = {o["poi"]["osm_id"]: o for o in said["options"]}
    usual = shown[before["poi"]["osm_id"]]
    assert usual["utility"] < first["utility"]
    assert without(usual) > without(first), "Sam alone put it first"
    # what is told of it, and by what
    [sam] = said["situation"]["aboard"]
    assert (sam["person"], sam["kind"], sam["called"], sam["source"]) == (
        SAM,
        "adult",
        "Sam",
        "car",
    )
    assert (sam["rule"], sam["consent"]) == ("rides-along", consent)
    used = {(f["key"], f["source"], f["person"]) for f in receipt["receipts"][0]["fields"]}
    assert {("Person.WithCar", "car", SAM), ("Taste.Told", "second", SAM)} <= used
    crossed = {(c["key"], c["rule"]) for c in receipt["receipts"][0]["crossings"]}
    assert {("Person.WithCar", "rides-along"), ("Taste.Told", "taste-told")} <= crossed
    assert f"Person.WithCar about {SAM}" in "\n".join(receipt["lines"])
    # nothing of Sam is in the driver's store but that word
    store = Store.open(NodePaths(tmp_path / "first").database, node_id="first")
    with contextlib.closing(store):
        assert not [s for s in store.signals(driver.person_id) if s.key == "Person.WithCar"]
        assert [p.person_id for p in store.persons()] == [driver.person_id]
