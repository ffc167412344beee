"""A phone with little left in its own battery looks more seldom; one that was not told so does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hearthway.app.brain import Brain
from hearthway.app.looking import CALENDAR_LOOK_S, Looking
from hearthway.app.own_battery import LOW_PCT, RARER
from hearthway.assist.settings import GateSettings
from hearthway.mesh.state.store import Store
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import PHONE_BATTERY

NOW_S = 1_758_294_720.0


def charge(pct: float, time_s: float = NOW_S) -> Signal:
    return Signal(key=PHONE_BATTERY, value=pct, time_s=time_s, unit="percent", source="owntracks")


@pytest.fixture
def brain(tmp_path: Path) -> Iterator[Brain]:
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        yield Brain(
            store,
            store.add_person("Anna"),
            pois=None,
            roads=None,
            name_of=None,
            settings=GateSettings(),
            synthetic=True,
        )


def looks(brain: Brain, seconds: int) -> int:
    """Of a minute and more of fixes, one a second."""
    count = 0
    for second in range(seconds):
        fix = Fix(time_s=NOW_S + second, lat=60.0 + second * 1e-4, lon=24.0)
        brain.observe([fix], [], "owntracks")
        count += brain.due(fix.time_s)
    return count


def test_below_the_bound_a_drive_is_looked_at_each_half_minute(brain: Brain) -> None:
    brain.observe([], [charge(LOW_PCT - 1.0)], "owntracks")
    assert looks(brain, 120) == 4


def test_at_the_bound_as_always(brain: Brain) -> None:
    brain.observe([], [charge(LOW_PCT)], "owntracks")
    assert looks(brain, 120) == 24


def test_what_was_told_long_ago_or_is_older_counts_no_more(brain: Brain) -> None:
    brain.observe([], [charge(5.0)], "owntracks")
    assert brain.rarer(NOW_S + 1800.0) == RARER
    assert brain.rarer(NOW_S + 1801.0) == 1
    brain.observe([], [charge(90.0, NOW_S - 60.0)], "owntracks")  # comes late
    assert brain.rarer(NOW_S) == RARER
    brain.observe([], [charge(90.0, NOW_S + 60.0)], "owntracks")
    assert brain.rarer(NOW_S + 60.0) == 1


def test_it_is_kept_nowhere(brain: Brain) -> None:
    brain.observe([], [charge(5.0)], "owntracks")
    assert list(brain._store.signals(brain.person.person_id)) == []


def test_a_phone_at_rest_waits_longer_as_well(household: Any) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone = nodes["phone"]
            looking = phone.part(Looking)
            assert looking._calendar_pause_s() == CALENDAR_LOOK_S  # nobody lives here yet
            phone.adopt("Anna")
            await phone.take_own([], [charge(80.0, time.time())])
            assert looking._calendar_pause_s() == CALENDAR_LOOK_S
            await phone.take_own([], [charge(8.0, time.time())])
            assert looking._calendar_pause_s() == CALENDAR_LOOK_S * RARER

    asyncio.run(main())
