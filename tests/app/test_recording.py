"""A recording: read and written in order; every way it can be broken is named with file and line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.app.personal import import_file
from hearthway.app.recording import fix_signals, read_recording, ticks, write_recording
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.state.store import BATCH, Store
from hearthway.records.errors import InputError
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import normalise
from hearthway.sense.fixes import FixAssembler

SPEED = "Vehicle.Speed"


def signals(*times: float) -> list[Signal]:
    return [Signal(key=SPEED, value=t % 30, time_s=t, unit="km/h", source="car") for t in times]


@pytest.mark.parametrize("name", ["drive.jsonl", "drive.jsonl.gz"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    said = signals(1.0, 1.0, 2.5)
    assert write_recording(tmp_path / name, said) == 3
    assert list(read_recording(tmp_path / name)) == said
    assert [(t, len(batch)) for t, batch in ticks(said)] == [(1.0, 2), (2.5, 1)]


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


LINE = b'{"key":"Vehicle.Speed","value":3.5,"time_s":1.0}\n'


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", b"", "is empty"),
        ("a.jsonl", LINE + b"not json\n", "line 2"),
        ("a.jsonl", LINE + b'{"key":"Vehicle.Speed"}\n', "line 2"),
        ("a.jsonl", LINE + b'{"key":"Vehicle.Speed","value":[1],"time_s":1.0}\n', "line 2"),
        ("a.jsonl", LINE + LINE[:-3], "line 2"),
        ("a.jsonl", b"\xff" * 40, "line 1"),
        ("a.jsonl", b'{"key":"' + b"x" * 70_000 + b'"}\n', "line 1"),
        ("a.jsonl.gz", LINE, "cut off|not a gzip"),
        ("a.jsonl.gz", gzip.compress(LINE * 500, mtime=0)[:40], "cut off"),
        ("a.jsonl.gz", b"", "is empty"),
        ("a.jsonl.gz", gzip.compress(LINE * 500, mtime=0)[:-5] + b"crc??", "damaged"),
        ("a.jsonl.gz", gzip.compress(LINE * 500, mtime=0)[:10] + b"\xff" * 40, "damaged"),
    ],
)
def test_what_is_broken_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = _write(tmp_path / name, content)
    with pytest.raises(InputError, match=words) as caught:
        list(read_recording(path))
    assert str(path) in str(caught.value)
    assert caught.value.next_step


def test_a_directory_and_nothing(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.jsonl"):
        with pytest.raises(InputError, match="cannot be read"):
            list(read_recording(path))


def test_time_does_not_go_backwards() -> None:
    with pytest.raises(InputError, match="back in time"):
        list(ticks(signals(5.0, 4.0)))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 4_000_000_000),
            st.floats(-90, 90),
            st.floats(-180, 180),
            st.none() | st.floats(0, 1000),
        ).filter(lambda one: one[1:3] != (0.0, 0.0)),  # a dead receiver's, which no life takes in
        max_size=20,
        unique_by=lambda one: one[0],
    )
)
def test_fixes_survive_a_recording(values: list[tuple[int, float, float, float | None]]) -> None:
    """A history taken through a recording is the same history."""
    fixes = [
        Fix(time_s=float(t), lat=lat, lon=lon, accuracy_m=accuracy)
        for t, lat, lon, accuracy in sorted(values)
    ]
    assembler, found = FixAssembler(), []
    for fix in fixes:
        for signal in fix_signals(fix, "p", "phone"):
            located = assembler.feed(normalise(signal))
            if located is not None:
                found.append(located.fix)
    assert [(f.time_s, f.lat, f.lon) for f in found] == [(f.time_s, f.lat, f.lon) for f in fixes]


def test_of_a_recording_that_ends_badly_nothing_is_kept(tmp_path: Path) -> None:
    """It is longer than what is written at once: every line is read before the first is kept."""
    file, rules = tmp_path / "life.jsonl", Rules.parse(default_rules(), "default")
    fixes = [Fix(time_s=1.0 + n, lat=60.17, lon=24.94) for n in range(BATCH + 1)]
    write_recording(file, [s for one in fixes for s in fix_signals(one, "", "phone")])
    good = file.read_bytes()
    store = Store.open(tmp_path / "phone.db", node_id="phone")
    try:
        file.write_bytes(good + LINE[:20])
        with pytest.raises(InputError, match=f"line {2 * len(fixes) + 1}"):
            import_file(store, file, "Aino", "aino", rules)
        assert store.persons() == []
        file.write_bytes(good)  # the control
        assert import_file(store, file, "Aino", "aino", rules)["fixes"] == len(fixes)
        assert sum(1 for _ in store.fixes("aino")) == len(fixes)
    finally:
        store.close()
