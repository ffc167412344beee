"""Which meal a visit is."""

from __future__ import annotations

import pytest

from hearthway.context.routines import meal_of


@pytest.mark.parametrize(
    ("hour", "at_a_cafe", "elsewhere"),
    [
        (8.0, "breakfast", "breakfast"),
        (12.0, "lunch", "lunch"),
        (15.4, "lunch", "lunch"),
        (15.6, "coffee", "lunch"),
        (16.1, "coffee", "dinner"),
        (17.0, "coffee", "dinner"),
        (20.0, "coffee", "dinner"),
        (3.0, "", ""),
    ],
)
def test_only_a_visit_at_a_cafe_is_coffee(hour: float, at_a_cafe: str, elsewhere: str) -> None:
    assert meal_of(hour * 3600.0, coffee=True) == at_a_cafe
    assert meal_of(hour * 3600.0, coffee=False) == elsewhere
