"""What the book shows of the floor: who sits where, how long a table is cleared, and whether two get a large one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.learn.floor import CLEAR_S, Floor, floor
from hearthway.learn.seatings import LONGEST_MEAL_S
from hearthway.records.venue import Party

NOW_S = 1_780_000_000.0
HOUR_S = 3_600.0


def party(
    number: int,
    came_s: float,
    size: int = 2,
    *,
    seated_s: float | None = None,
    left_s: float | None = None,
) -> Party:
    """Times in seconds before now, so that 0 is now."""

    def at(ago_s: float | None) -> float | None:
        return None if ago_s is None else NOW_S - ago_s

    return Party(
        number=number, size=size, came_s=NOW_S - came_s, seated_s=at(seated_s), left_s=at(left_s)
    )


def seen(parties: list[Party], tables: tuple[int, ...]) -> Floor:
    return floor(parties, tables, NOW_S)


def evenings(count: int, *, wait_s: float, clear_s: float = 300.0) -> list[Party]:
    """A table of two and one of six; one party sits at the small one, and two more guests come while the large one is
    free: they wait so long for the small one (0: they are given the large one)."""
    found = []
    for number in range(0, 3 * count, 3):
        ago_s = 86_400.0 * (1 + number // 3)
        found.append(party(number, ago_s, seated_s=ago_s, left_s=ago_s - HOUR_S))
        came_s = ago_s - HOUR_S - clear_s + wait_s if wait_s else ago_s - 600.0
        seated_s = came_s - wait_s
        found.append(party(number + 1, came_s, seated_s=seated_s, left_s=seated_s - HOUR_S))
    return found


def chance(parties: list[Party], tables: tuple[int, ...] = (2, 6)) -> dict[int, float]:
    return dict(seen(parties, tables).given)


def test_each_sits_at_the_smallest_table_that_was_free() -> None:
    here = [
        party(1, 3_000.0, seated_s=3_000.0),
        party(2, 2_000.0, seated_s=2_000.0),
        party(3, 1_000.0, 4, seated_s=1_000.0),
    ]
    found = seen(here, (2, 4, 6, 8))
    assert found.sits == {1: 2, 2: 4, 3: 6}
    assert [seats for seats, _ in found.free] == [8]


def test_who_came_when_the_small_ones_were_taken_keeps_the_large_table() -> None:
    """The same two guests sit elsewhere when the first party has left since."""
    here = [
        party(1, 3_000.0, seated_s=3_000.0, left_s=500.0),
        party(2, 2_000.0, seated_s=2_000.0),
    ]
    found = seen(here, (2, 6))
    assert found.sits == {2: 6}
    assert found.free == ((2, NOW_S - 500.0),)


def test_a_party_that_fits_nowhere_has_what_is_left_and_then_chairs() -> None:
    here = [party(n, 900.0 - n, 5, seated_s=900.0 - n) for n in range(3)]
    assert seen(here, (2, 4)).sits == {0: 4, 1: 2, 2: 0}


def test_how_long_a_table_is_cleared_comes_from_those_that_waited_for_it() -> None:
    assert seen([], (2, 6)).clear_s == CLEAR_S
    slow = seen(evenings(30, wait_s=1_200.0, clear_s=600.0), (2, 6)).clear_s
    assert slow == pytest.approx(600.0, abs=45.0)
    quick = seen(evenings(30, wait_s=1_200.0, clear_s=60.0), (2, 6)).clear_s
    assert quick == pytest.approx(60.0, abs=25.0)
    assert seen(evenings(30, wait_s=0.0), (2, 6)).clear_s == CLEAR_S  # nobody waited


def test_a_house_that_keeps_its_large_table_is_known_by_those_it_lets_wait() -> None:
    unseen = chance([])
    assert 1.0 == unseen[2] > unseen[6] > 0.85
    kept, given_ = chance(evenings(20, wait_s=1_800.0)), chance(evenings(20, wait_s=0.0))
    assert kept[6] < 0.25
    assert kept[2] == 1.0
    assert given_[6] > 0.95


def test_what_is_kept_at_six_seats_is_kept_at_eight() -> None:
    kept = chance(evenings(20, wait_s=1_800.0), (2, 6, 8))
    assert kept[8] <= kept[6] < 0.25
    given_ = chance(evenings(20, wait_s=0.0), (2, 6, 8))
    assert given_[6] >= given_[8] > 0.5


def test_the_smallest_table_for_two_is_always_given() -> None:
    assert chance(evenings(20, wait_s=1_800.0), (6, 6, 8))[6] == 1.0
    assert chance([], (4, 6))[4] == 1.0


def test_a_larger_party_that_waits_for_the_large_table_says_nothing_of_small_ones() -> None:
    before = [
        party(900 + n, NOW_S - p.came_s + 60.0, 5, left_s=NOW_S - p.came_s - 7_000.0)
        for n, p in enumerate(evenings(20, wait_s=1_800.0)[1::2])
    ]
    unseen = chance([])
    assert chance([*evenings(20, wait_s=1_800.0), *before])[6] == pytest.approx(unseen[6])


def test_an_old_habit_fades() -> None:
    lately = evenings(8, wait_s=0.0)
    long_ago = [
        Party(
            number=500 + p.number,
            size=2,
            came_s=p.came_s - 45 * 86_400.0,
            seated_s=None if p.seated_s is None else p.seated_s - 45 * 86_400.0,
            left_s=None if p.left_s is None else p.left_s - 45 * 86_400.0,
        )
        for p in evenings(8, wait_s=1_800.0)
    ]
    same_time = evenings(8, wait_s=1_800.0)
    assert chance([*long_ago, *lately])[6] > 0.75 > chance(same_time)[6]


def test_what_was_forgotten_to_be_entered_frees_its_table() -> None:
    long_s = LONGEST_MEAL_S + 10.0
    assert seen([party(1, long_s, seated_s=long_s)], (2,)).sits == {}
    assert seen([party(1, 600.0, seated_s=600.0)], (2,)).sits == {1: 2}  # the control


def test_whoever_leaves_in_the_moment_of_sitting_down_frees_the_table() -> None:
    """So the book has it where the clock was put back meanwhile, or a wrong number was typed and taken back."""
    for left_s in (600.0, 500.0):  # and the control
        found = seen([party(1, 900.0, seated_s=600.0, left_s=left_s)], (2,))
        assert found.sits == {}
        assert found.free == ((2, NOW_S - left_s),)


def test_whose_leaving_was_entered_long_afterwards_kept_no_table_till_then() -> None:
    here = party(2, 4 * HOUR_S, seated_s=4 * HOUR_S)
    forgotten = party(1, 10 * HOUR_S, seated_s=10 * HOUR_S, left_s=HOUR_S)
    assert seen([forgotten, here], (2, 4)).sits == {2: 2}
    stayed = party(1, 8 * HOUR_S, seated_s=8 * HOUR_S, left_s=3.5 * HOUR_S)  # the control
    assert seen([stayed, here], (2, 4)).sits == {2: 4}


def test_a_larger_party_that_gave_up_is_waited_for_no_more() -> None:
    """Nor one that was forgotten in the queue, or came and went in one moment."""
    house = evenings(20, wait_s=1_800.0)
    kept, small = chance(house)[6], house[1::2]
    for stood_s, entered in ((600.0, True), (0.0, True), (4.5 * HOUR_S, False)):
        gone = [
            party(900 + n, came_s, 5, left_s=came_s - stood_s if entered else None)
            for n, one in enumerate(small)
            if (came_s := NOW_S - one.came_s + stood_s + 60.0)
        ]
        assert chance([*house, *gone])[6] == kept


def test_the_order_of_entries_and_what_comes_later_change_nothing() -> None:
    house = evenings(5, wait_s=1_800.0)
    later = [party(700, -60.0), party(701, 60.0, seated_s=-60.0)]
    found = seen(house, (2, 6))
    assert seen(house[::-1], (2, 6)) == found
    assert seen([*house, later[0]], (2, 6)) == found
    assert seen([*house, later[1]], (2, 6)).sits == found.sits


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 20),
            st.floats(-1e5, 4e5),
            st.none() | st.floats(-1e5, 4e5),
            st.none() | st.floats(-1e5, 4e5),
        ),
        max_size=40,
    ),
    st.lists(st.integers(1, 12), max_size=8),
)
def test_every_table_is_free_or_taken_once(
    entries: list[tuple[int, float, float | None, float | None]], tables: list[int]
) -> None:
    odd = [
        party(n, came, size, seated_s=seated, left_s=left)
        for n, (size, came, seated, left) in enumerate(entries)
    ]
    found = seen(odd, tuple(tables))
    taken = [seats for seats in found.sits.values() if seats]
    assert sorted([*taken, *(seats for seats, _ in found.free)]) == sorted(tables)
    assert found.clear_s >= 0.0
    assert all(0.0 < share <= 1.0 for _, share in found.given)
