"""One recorded day, replayed: the moment, its repeatability, and what it depends on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hearthway.assist.moment import render
from hearthway.records.localtime import local_second
from hearthway.records.poi import OpenState
from hearthway.records.suggestion import Suggestion

Rehearse = Callable[..., Any]


def _shown(moment: Suggestion) -> list[str]:
    return [option.poi.osm_id for option in moment.options]


def test_the_moment_is_printed(rehearse: Rehearse) -> None:
    """One moment an evening; every POI with its OSM id; what is synthetic says so."""
    evening = rehearse()
    assert len(evening.suggestions) == 1
    lines = render(evening.moment)
    print("\n".join(lines))
    assert "before arrival" in lines[0]
    assert "heading to" in lines[0]
    text = "\n".join(lines)
    assert "dinnertime for you is" in text
    assert "synthetic" in text
    assert lines[-1].strip() == "why · not now · never here"
    for option in evening.moment.options:
        assert f"({option.poi.osm_id})" in text
        assert option.opening.state is not OpenState.CLOSED


def test_the_same_day_gives_the_same_bytes(rehearse: Rehearse) -> None:
    """Two runs in one process, with other work between them."""
    assert rehearse(again=1).digest == rehearse().digest
    assert rehearse(again=1).moment.suggestion_id == rehearse().moment.suggestion_id


def test_the_hash_seed_does_not_matter(tmp_path: Path, rehearse: Rehearse) -> None:
    """A process of its own under two PYTHONHASHSEEDs says what this one says, byte for byte."""
    code = (
        "import sys, runpy; from pathlib import Path;"
        "sys.path.insert(0, sys.argv[1]); import conftest as c;"
        "from hearthway.atlas.store import Atlas; from hearthway.assist.settings import GateSettings;"
        "h = c.household_of(c.Settings());"
        "print(c.live_through(Path(sys.argv[2]), h, h.driver_id, Atlas.bundled(), GateSettings()).digest)"
    )
    said = []
    for seed in ("0", "4242"):
        folder = tmp_path / seed
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent), str(folder)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=100,
            check=True,
        )
        said.append(done.stdout.strip())
    assert said == [rehearse().digest] * 2


def test_another_seed_is_another_household(rehearse: Rehearse) -> None:
    first, second = rehearse().moment, rehearse(seed=2).moment
    assert first.person != second.person
    assert first.headline != second.headline
    assert first.suggestion_id != second.suggestion_id


def test_another_dinner_habit_moves_the_moment(rehearse: Rehearse) -> None:
    """A household that dines an hour and a quarter later is told about as much later."""
    usual, later = rehearse().moment, rehearse(dinner_mean="20:00").moment

    def second(moment: Suggestion) -> float:
        return local_second(moment.time_s, moment.utc_offset_s)

    def habit(moment: Suggestion) -> float:
        return next(r.mean_s for r in moment.situation.routines if r.name == "dinner")

    assert 45 * 60 < second(later) - second(usual) < 105 * 60
    assert 45 * 60 < habit(later) - habit(usual) < 105 * 60


def test_a_closed_poi_is_not_shown(rehearse: Rehearse) -> None:
    """Each POI shown, closed by its hours in the map: it alone goes, and another takes its place."""
    before = _shown(rehearse().moment)
    known = [o.poi.osm_id for o in rehearse().moment.options if o.opening.state is OpenState.OPEN]
    gone = known[0]
    after = rehearse(hours={gone: "off"}).moment
    assert gone not in _shown(after)
    assert set(before) - {gone} <= set(_shown(after))
    assert after.suggestion_id != rehearse().moment.suggestion_id


def test_hours_that_change_nothing_now_change_nothing(rehearse: Rehearse) -> None:
    """The control: a POI that is not shown, closed in the morning, leaves the POIs shown as they are."""
    shown = rehearse().moment
    kept = rehearse(hours={shown.options[0].poi.osm_id: "24/7"}).moment
    assert _shown(kept) == _shown(shown)
