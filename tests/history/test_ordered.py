"""Fixes come out person by person in time order, however they went in, in bounded memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hearthway.history.ordered import OrderedFixes
from hearthway.records.signals import Fix

_ROWS = st.lists(
    st.tuples(st.sampled_from(["b", "a", "c"]), st.integers(0, 20), st.integers(1, 80)),
    max_size=60,
)


def _fix(time_s: int, lat: int) -> Fix:
    return Fix(time_s=float(time_s), lat=float(lat), lon=1.0)


@given(_ROWS, st.integers(1, 70))
def test_runs_do_not_change_the_order(rows: list[tuple[str, int, int]], run_rows: int) -> None:
    history = [(uid, _fix(time_s, lat)) for uid, time_s, lat in rows]
    want: dict[str, list[Fix]] = {}
    for uid in sorted({uid for uid, _ in history}):
        mine: dict[float, Fix] = {}
        for who, fix in history:
            if who == uid:
                mine.setdefault(fix.time_s, fix)
        want[uid] = [mine[time_s] for time_s in sorted(mine)]
    ordered = OrderedFixes.collect(history, run_rows=run_rows)
    assert {uid: list(ordered.of(uid)) for uid in ordered.people()} == want
    assert {uid: list(ordered.of(uid)) for uid in ordered.people()} == want  # as often as asked
    assert ordered.duplicates == len(rows) - sum(map(len, want.values()))
    assert [ordered.count(uid) for uid in ordered.people()] == [len(f) for f in want.values()]


def test_speed_and_accuracy_survive() -> None:
    fix = Fix(time_s=1.0, lat=2.0, lon=3.0, accuracy_m=4.0, speed_mps=5.0)
    ordered = OrderedFixes.collect([("a", fix), ("a", _fix(2, 2))])
    assert list(ordered.of("a")) == [fix, _fix(2, 2)]


def test_progress_is_heard() -> None:
    heard: list[int] = []
    rows = [("a", _fix(i, 1)) for i in range(40_000)]
    OrderedFixes.collect(rows, progress=heard.append, run_rows=9_000)
    assert heard == [20_000, 40_000]
