"""The OwnTracks Recorder's files: its locations, whose they are, and what else stands there."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.history.reader import open_history
from hearthway.records.errors import InputError
from hearthway.records.signals import Fix

AT = "2015-08-24T07:38:46Z"
AT_S = 1440401926


def _line(at: str = AT, kind: str = "*", **fields: Any) -> str:
    message = {"_type": "location", "lat": 60.17, "lon": 24.94, "tst": AT_S, **fields}
    text = json.dumps({key: value for key, value in message.items() if value is not None})
    return f"{at}\t{kind:<18}\t{text}\n"


def _write(tmp_path: Path, *lines: str, name: str = "2015-08.rec") -> Path:
    path = tmp_path / name
    path.write_text("".join(lines))
    return path


def test_a_location(tmp_path: Path) -> None:
    path = _write(tmp_path, _line(acc=12, vel=36, tid="jp", t="u", batt=80))
    assert list(open_history(path)) == [
        ("", Fix(time_s=AT_S, lat=60.17, lon=24.94, accuracy_m=12.0, speed_mps=10.0))
    ]
    packed = tmp_path / "h.rec.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(open_history(packed)) == list(open_history(path))


@settings(deadline=None)  # files, on a loaded disk
@given(
    st.floats(0.001, 90),
    st.floats(-180, 180),
    st.integers(315_532_801, 4_102_444_799),
    st.none() | st.integers(0, 5_000),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, lat: float, lon: float, tst: int, acc: int | None
) -> None:
    path = _write(tmp_path_factory.mktemp("o"), _line(lat=lat, lon=lon, tst=tst, acc=acc))
    ((_, fix),) = list(open_history(path))
    assert fix == Fix(time_s=tst, lat=lat, lon=lon, accuracy_m=acc)


def test_the_person_is_the_recorders_user(tmp_path: Path) -> None:
    folder = tmp_path / "rec" / "jane" / "phone"
    folder.mkdir(parents=True)
    ((uid, _),) = list(open_history(_write(folder, _line())))
    assert uid == "jane"


def test_what_else_stands_there(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        _line(vel=-1, acc=-1),
        _line(kind="event", _type="transition"),
        _line(kind="*", _type="steps"),
        _line(kind="lwt", _type="lwt", lat=None),
        "\n",
        _line(lat=None),
        _line(lat="north"),
        _line(lat=95),
        _line(tst="soon"),
        _line(tst=None),
        _line(_type="encrypted", data="x", lat=None),
        f"{AT}\t*\t{{broken\n",
        f"{AT}\t*\t" + '{"x":' + "[" * 30_000 + "\n",
        "no tabs at all\n",
    )
    history = open_history(path)
    fixes = [fix for _, fix in history]
    assert fixes == [Fix(time_s=AT_S, lat=60.17, lon=24.94)] * 2  # without tst the line's own time
    assert history.report.rows == 10
    assert history.report.skipped == {
        "missing": 1,
        "not a number": 1,
        "out of range": 1,
        "unparsable time": 1,
        "encrypted": 1,
        "not JSON": 3,
    }
    assert "first in line 6" in history.report.words()


def test_only_encrypted_messages(tmp_path: Path) -> None:
    path = _write(tmp_path, _line(_type="encrypted", data="x", lat=None))
    with pytest.raises(InputError, match="1 encrypted"):
        list(open_history(path))
