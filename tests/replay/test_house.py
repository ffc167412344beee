"""A cold house, and a bag that stayed: what a house told for a month, and one day on which that is worth a word."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hearthway.app.equipment import gate_settings
from hearthway.assist import needs
from hearthway.atlas.store import Atlas
from hearthway.records.signals import Signal

DAYS = 32  # from a Monday on: the next is a Friday


def day(quiet: ModuleType, folder: Path, topic: str) -> Any:
    need = next(need for need in needs.found() if topic in need.topics)
    atlas = Atlas.bundled()
    try:
        return quiet.own_day(need, "parent", atlas, 1, folder / "a.db")
    finally:
        atlas.close()


@pytest.mark.parametrize("topic", ["home-ready", "forgotten"])
def test_its_own_day_has_one_word_calmly_in_time(
    quiet: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, topic: str
) -> None:
    monkeypatch.setattr(quiet, "LEARN_DAYS", DAYS)
    found = day(quiet, tmp_path, topic)
    assert found.fits(gate_settings(quiet.CONFIG)), found


def test_a_house_that_is_as_always_and_things_that_stay_when_they_may_are_no_news(
    quiet: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the same month, then a Friday and a weekend as any other."""
    monkeypatch.setattr(quiet, "LEARN_DAYS", DAYS)
    monkeypatch.setattr(quiet, "QUIET_DAYS", 3)
    atlas = Atlas.bundled()
    (life,) = quiet.described("other", ("parent",), atlas, 1)
    assert {"Home.Items.Bag.Present", "Home.Climate.Temperature"} <= {
        item.key for item in life.lived if isinstance(item, Signal)
    }
    heard = quiet.hear(tmp_path / "a.db", atlas, life.learned, life.lived)
    atlas.close()
    assert heard.said == []
    assert heard.looks > 500
