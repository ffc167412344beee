"""Silence is the default: each silent drive differs from a drive that speaks in one fact, under the same gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Rehearse = Callable[..., Any]


@pytest.mark.parametrize(
    ("fact", "codes"),
    [
        pytest.param({"drive_at": "08:00"}, {"not-mealtime"}, id="a commute at eight"),
        pytest.param({"ate_before": True}, {"ate-recently"}, id="a drive after dinner"),
        pytest.param({"destination": "new"}, {"unknown-destination"}, id="somewhere new"),
    ],
)
def test_one_fact_makes_it_silent(
    rehearse: Rehearse, fact: dict[str, Any], codes: set[str]
) -> None:
    assert rehearse().suggestions, "the control must speak"
    silent = rehearse(**fact)
    assert silent.suggestions == []
    assert codes & silent.codes, f"another reason: {sorted(silent.codes)}"
    assert all(silence.words for silence in silent.silences)
