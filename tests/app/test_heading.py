"""One name of where a drive leads: in a suggestion, in an answer and on the page."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from hearthway.app.ask.gathering import Gatherer
from hearthway.app.config import Config, NodeTable, save_config
from hearthway.app.node import open_node
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.phone import PhoneNode
from hearthway.assist.ask.answers import answer
from hearthway.assist.ask.facts import Facts
from hearthway.assist.moment import heading_to, headline
from hearthway.records.ask import Meaning
from hearthway.records.household import Role
from hearthway.records.life import Place
from hearthway.records.situation import Destination, Situation
from hearthway.web.present import state_view
from hearthway.web.service import NodePage

NOW_S = 1_749_627_000.0
MALL = Place(place_id="p3", lat=60.17, lon=24.94, visits=9)
CAR_PARK = Place(place_id="p4", lat=60.1702, lon=24.942, visits=4)  # 110 m off, without a name
FAR = Place(place_id="p5", lat=60.3, lon=25.1, visits=4)
HOME = Place(place_id="p0", lat=60.2, lon=24.9, visits=90, label="home")
OWN = Place(place_id="p6", lat=60.17, lon=24.94, visits=9, name="Grandma's")


class Names:
    """A map that has one name, at the mall."""

    def place_name(self, lat: float, lon: float) -> str | None:
        return "Citycenter" if (lat, lon) == (MALL.lat, MALL.lon) else None


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PhoneNode:
    paths = NodePaths(private_dir(tmp_path / "phone"))
    save_config(paths, Config(node=NodeTable(id="phone", role=Role.PHONE)))
    node = open_node(paths)
    assert isinstance(node, PhoneNode)
    monkeypatch.setattr(PhoneNode, "owner", None)  # whose it is stands in a store that is not open
    monkeypatch.setattr(PhoneNode, "ahead", lambda self: ())
    node.clock = cast(Any, SimpleNamespace(now_s=lambda: NOW_S))
    node.atlas = cast(Any, Names())
    return node


def driving(*places: Place) -> Situation:
    return Situation(
        time_s=NOW_S,
        utc_offset_s=3 * 3600,
        person="anna",
        mode="driving",
        lat=60.18,
        lon=24.94,
        speed_mps=10.0,
        destinations=tuple(Destination(place=one, p=0.5) for one in places),
    )


@pytest.mark.parametrize(
    ("places", "called"),
    [
        ((MALL,), "Citycenter"),
        ((CAR_PARK, MALL), "near Citycenter"),
        ((FAR, MALL), "a place of yours"),
        ((HOME, MALL), "home"),
        ((OWN,), "Grandma's"),
    ],
)
def test_it_is_called_the_same_wherever_it_is_named(
    phone: PhoneNode, places: tuple[Place, ...], called: str
) -> None:
    now = phone.situation = driving(*places)
    asked = Gatherer(phone, None, "en", {}, own=True)
    meaning = Meaning(intent="heading")
    facts = asked._heading(Facts(now_s=NOW_S, situation=now), meaning)
    assert answer(facts, meaning).line == f"Probably {called} (p 0.50)."
    german = {"home": "nach Hause", "near Citycenter": "in die Nähe von Citycenter"}
    words = german.get(called, f"zu {called}").replace(
        "zu a place of yours", "zu einem deiner Orte"
    )
    in_german = answer(replace(facts, language="de"), meaning).line
    assert in_german == f"Wahrscheinlich {words} (p 0.50)."
    page = NodePage(phone)
    asyncio.run(page._route())
    view = state_view(page.snapshot())
    assert f"likely to {called} (50%)" in view["doing"]
    assert view["map"]["destination"]["label"] == called.replace("a place of yours", "")
    area = [one for one in places if one is not FAR]
    words = headline(now, places[0], heading_to(Names().place_name, area, places[0]), 0.5, 900.0)
    if places[0] is not FAR:
        assert f" {called} (p 0.50" in words


def test_the_name_of_where_one_went_before_is_none_of_where_one_goes_now(phone: PhoneNode) -> None:
    page = NodePage(phone)
    phone.situation = driving(MALL)
    asyncio.run(page._route())
    phone.situation = driving(FAR)
    assert "Citycenter" not in state_view(page.snapshot())["doing"]


def test_without_a_map_it_has_its_owners_names_alone(phone: PhoneNode) -> None:
    phone.atlas = None
    for place, called in ((MALL, ""), (HOME, "home"), (OWN, "Grandma's")):
        phone.situation = driving(place)
        assert phone.heading() == called
    phone.situation = None
    assert phone.heading() == ""
