"""Two people, the same drive: each is shown what suits that life, and says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hearthway.assist.explain import why
from hearthway.records.suggestion import Suggestion

Rehearse = Callable[..., Any]


def _ranking(moment: Suggestion) -> list[tuple[str, float]]:
    return [(o.poi.osm_id, o.utility) for o in moment.options]


def test_two_people_get_different_rankings_explained(rehearse: Rehearse) -> None:
    """The same signals of the same drive, two histories."""
    first, second = rehearse().moment, rehearse(history_of="b").moment
    assert [osm_id for osm_id, _ in _ranking(first)] != [osm_id for osm_id, _ in _ranking(second)]
    told = set(why(first)) ^ set(why(second))
    mine = [
        o for o in first.options if any(r.feature in ("familiar", "cuisine") for r in o.reasons)
    ]
    assert mine, "nothing personal weighed"
    for option in mine:
        personal = [r.words for r in option.reasons if r.feature in ("familiar", "cuisine")]
        assert any(words in line for words in personal for line in told)


def test_swapping_the_histories_swaps_the_rankings(rehearse: Rehearse) -> None:
    """Who drives does not matter, whose life the phone holds does: a's life in b's phone ranks as a's."""
    a_drives = {who: _ranking(rehearse(driver="a", history_of=who).moment) for who in "ab"}
    b_drives = {who: _ranking(rehearse(driver="b", history_of=who).moment) for who in "ab"}
    assert a_drives["a"] != a_drives["b"]
    assert a_drives == b_drives
