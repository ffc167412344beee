"""Every knob has a range, and says so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.records.errors import InputError
from hearthway.synthetic.settings import Settings, clock_s, clock_text


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"weeks": 0}, "weeks"),
        ({"weeks": 1000}, "weeks"),
        ({"end_day": "14.11.2025"}, "date"),
        ({"end_day": "2025-02-30"}, "date"),
        ({"end_day": "1066-10-14"}, "year"),
        ({"dinner_mean": "25:00"}, "time of day"),
        ({"dinner_mean": "evening"}, "time of day"),
        ({"dinner_mean": "08:00"}, "Dinner"),
        ({"dinner_sd_min": -5.0}, "spread"),
        ({"dinner_sd_min": float("nan")}, "spread"),
        ({"dinner_sd_min": 1e9}, "spread"),
        ({"driver": "c"}, "driver"),
        ({"drive_at": "8 am"}, "time of day"),
        ({"drive_at": "03:00"}, "03:00"),
        ({"destination": "work"}, "destination"),
    ],
)
def test_a_bad_setting_is_an_input_error_with_a_next_step(wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word) as caught:
        Settings(**wrong)
    assert caught.value.next_step


@given(st.integers(0, 23), st.integers(0, 59))
def test_clock_round_trip(hour: int, minute: int) -> None:
    text = f"{hour:02d}:{minute:02d}"
    assert clock_text(clock_s(text, "x")) == text


@given(st.text(max_size=8))
def test_any_text_is_a_time_or_an_input_error(text: str) -> None:
    try:
        second = clock_s(text, "x")
    except InputError:
        return
    assert 0 <= second < 86_400
