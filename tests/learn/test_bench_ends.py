"""How a bench ends: NaN is no JSON, an error is two lines, Ctrl-C is one; and what --split gives where it fits nothing."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest
from bench import _ends, _given  # type: ignore[attr-defined,unused-ignore]

from hearthway.records.errors import InputError, MapError


def test_a_figure_that_is_no_number_is_null_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"case": "a life", "metric": "error", "ours": math.nan, "bins": [1.0, math.inf]}
    whole = {"case": "b", "metric": "n", "ours": 2, "span": (1.0, 2.0)}
    _ends.finish("some", [row, whole], missed=[math.nan])
    told = capsys.readouterr()
    last = json.loads(told.out, parse_constant=lambda name: pytest.fail(name))
    assert last["rows"][0] == {
        "case": "a life",
        "metric": "error",
        "ours": None,
        "bins": [1.0, None],
    }
    assert last["rows"][1]["ours"] == 2
    assert last["missed"] == [None]
    assert told.err == "No finite number: a life, error: ours, bins\n"


def test_an_error_is_what_is_wrong_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert _ends.refused(MapError("There is no map.", "Give one.")) == 2
    assert capsys.readouterr().err == "There is no map.\nGive one.\n"


def test_who_stops_it_sees_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def stopped() -> int:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        _ends.started(stopped)
    assert ended.value.code == 130
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SystemExit) as ended:
        _ends.started(lambda: 2)
    assert ended.value.code == 2


def test_a_split_that_no_map_has_is_refused_and_bundled_is_the_bundled_one_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "here.osm.pbf").write_bytes(b"no map")
    with pytest.raises(InputError, match=r"'ther' in its name; there: here\.osm\.pbf"):
        next(_given.maps_under(tmp_path, "ther", "bundled"))
    with pytest.raises(InputError, match="no directory"):
        next(_given.maps_under(tmp_path / "none", "bundled", "bundled"))
    assert [name for name, _ in _given.maps_under(tmp_path, "bundled", "our own")] == ["our own"]
    with pytest.raises(MapError):
        next(_given.maps_under(tmp_path, "", "bundled"))  # before anything is lived on the bundled


def test_of_a_history_that_was_cut_short_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"60.{n:06},24.9,{1_700_000_000 + n},ada" for n in range(30_000)]
    whole = gzip.compress("\n".join(["lat,lng,datetime,uid", *rows]).encode())
    path = tmp_path / "town_raw_cut.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    (tmp_path / "town_raw_cut.csv.gz.md5").write_text("0")
    assert _given.find_histories(tmp_path, "cut") == [path]
    fixes = _given.collected(path)
    assert 0 < fixes.total < 30_000
    assert "town_raw_cut.csv.gz: " in capsys.readouterr().err
