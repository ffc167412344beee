"""`hearthway status` of a phone: where its person goes next, while that is fresh, and without the numbers library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from hearthway.app.config import Config, NodeTable, save_config
from hearthway.app.hindsight import Hindsight, hindsight_lines
from hearthway.app.node import open_node
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.phone import PhoneNode
from hearthway.app.whereto import ONWARD_STALE_S
from hearthway.cli.status import lines_of
from hearthway.records.household import Role
from hearthway.records.life import Place
from hearthway.records.situation import Destination, Evidence, NextPlaces, Situation
from hearthway.web.service import NodePage

NOW_S = 1_749_627_000.0  # 10:30 in Helsinki
WORDS = "Next, around 11:00: probably home (p 0.90)"


class Clock:
    now = NOW_S

    def now_s(self) -> float:
        return self.now


@pytest.fixture
def phone(tmp_path: Path) -> PhoneNode:
    paths = NodePaths(private_dir(tmp_path / "phone"))
    save_config(paths, Config(node=NodeTable(id="phone", role=Role.PHONE)))
    node = open_node(paths)
    assert isinstance(node, PhoneNode)
    node.clock = Clock()
    return node


def staying() -> Situation:
    home = Place(place_id="p0", lat=60.18, lon=24.94, visits=60, label="home")
    ahead = (Destination(place=home, p=0.9),)
    return Situation(
        time_s=NOW_S,
        utc_offset_s=3 * 3600,
        person="anna",
        mode="staying",
        lat=60.17,
        lon=24.94,
        stays_known=60,
        next_places=NextPlaces(places=ahead, p_new=0.1, leave_s=NOW_S + 1800.0),
    )


def test_status_says_where_one_goes_next_while_that_is_fresh(phone: PhoneNode) -> None:
    assert "onward" not in phone.status()
    phone.situation = staying()
    state = phone.status()
    assert state["onward"] == {"kind": "claim", "words": WORDS, "p": 0.9}
    assert f"  {WORDS}" in lines_of({"up": True, **state})
    phone.clock.now = NOW_S + ONWARD_STALE_S + 1.0  # type: ignore[attr-defined]  # the clock above
    assert "onward" not in phone.status()


def test_of_a_position_that_is_days_old_nothing_next_is_said(phone: PhoneNode) -> None:
    """As after a start, or an import: the look is of now, the position is not."""
    for age_s, said in ((ONWARD_STALE_S - 1.0, True), (ONWARD_STALE_S + 1.0, False)):
        seen = Evidence(key="Person.Location.Latitude", source="own", age_s=age_s, person="anna")
        phone.situation = replace(staying(), evidence=(seen,))
        assert ("onward" in phone.status()) is said


def test_a_departure_whose_time_has_gone_by_is_not_said_any_more(
    phone: PhoneNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked 40 minutes ago, "around 11:00" is still said at 11:10, and not at 11:20."""
    monkeypatch.setattr(PhoneNode, "owner", None)  # whose it is stands in a store that is not open
    phone.situation = staying()
    page = NodePage(phone)
    phone.clock.now = NOW_S + 2400.0  # type: ignore[attr-defined]  # the clock above
    assert page.snapshot().onward == WORDS
    phone.clock.now = NOW_S + 3000.0  # type: ignore[attr-defined]  # the clock above
    assert page.snapshot().onward == ""
    assert "onward" not in phone.status()


def test_why_silent_says_what_stood_on_the_page() -> None:
    seen = Hindsight(
        situation=staying(), position_age_s=0.0, said=None, would=None, silence=None, needs={}
    )
    lines = hindsight_lines(seen)
    assert "  staying; next, around 11:00: home 0.90 (1.1 km away); somewhere new 0.10" in lines
    assert f"  On the page: {WORDS}" in lines


def test_asking_loads_no_numbers_library() -> None:
    program = (
        "import sys\n"
        "from hearthway.context.life import Life\n"
        "from hearthway.records.signals import Fix\n"
        "life = Life('a')\n"
        "for minute in range(3 * 1440):\n"
        "    lat = 60.17 if 480 <= minute % 1440 < 960 else 60.20\n"
        "    life.observe(Fix(time_s=1.79e9 + 60.0 * minute, lat=lat, lon=24.9))\n"
        "asked = life.situation(1.79e9 + 3 * 86400.0).next_places\n"
        "print(len(asked.places), 'numpy' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["1", "False"]
