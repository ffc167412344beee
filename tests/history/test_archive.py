"""A zip that holds a history: the right member, never unpacked to disk, bombs bounded."""

from __future__ import annotations

import gzip
import json
import struct
import zipfile
from pathlib import Path

import pytest

from hearthway.history import archive, source
from hearthway.history.reader import open_history
from hearthway.records.errors import InputError

POINT = {"latitudeE7": 601700000, "longitudeE7": 249400000, "timestamp": "2024-03-01T09:00:00Z"}
RECORDS = json.dumps({"locations": [POINT]})
FOLDER = "Takeout/Location History (Timeline)/"
CSV = "lat,lng,datetime\n60.1,24.9,2024-03-01 09:00:00\n"


def _zip(tmp_path: Path, members: dict[str, str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = tmp_path / "takeout.zip"
    with zipfile.ZipFile(path, "w", method) as out:
        for name, text in members.items():
            out.writestr(name, text)
    return path


def _refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        list(open_history(path))
    assert caught.value.next_step
    return caught.value


@pytest.mark.parametrize(
    "members",
    [
        {
            "Takeout/archive_browser.html": "<html></html>",
            FOLDER + "Settings.json": "{}",
            FOLDER + "Tombstones.csv": "a,b\n",
            FOLDER + "Semantic Location History/2021/2021_MAY.json": '{"timelineObjects": []}',
            "__MACOSX/Takeout/._Records.json": "x",
            FOLDER + "Records.json": RECORDS,
        },
        {
            "Timeline.json": json.dumps(
                [
                    {"startTime": POINT["timestamp"], "visit": {}},
                    {"startTime": POINT["timestamp"], "activity": {"start": "geo:60.17,24.94"}},
                ]
            )
        },
        {"read me.txt": "hello", "my/track.csv": CSV},
    ],
)
def test_the_right_member(tmp_path: Path, members: dict[str, str]) -> None:
    history = open_history(_zip(tmp_path, members))
    assert len(list(history)) == 1
    assert history.report.compressed
    assert [one.name for one in tmp_path.iterdir()] == ["takeout.zip"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods(tmp_path: Path, method: int) -> None:
    assert len(list(open_history(_zip(tmp_path, {"Records.json": RECORDS}, method)))) == 1


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, "it is empty"),
        ({"a/b.jpg": "x"}, "holds no location history (a/b.jpg)"),
        ({"a.csv": CSV, "b.csv": CSV}, "2 files that could be"),
        ({"1/Records.json": RECORDS, "2/Records.json": RECORDS}, "2 files that could be"),
        ({"Records.json": ""}, "empty"),
        ({"Records.json": "PK\x03\x04" * 9}, "no history file"),
    ],
)
def test_no_member_or_several(tmp_path: Path, members: dict[str, str], said: str) -> None:
    assert said in _refused(_zip(tmp_path, members)).message


def test_a_password_and_a_method_of_another_age(tmp_path: Path) -> None:
    path = _zip(tmp_path, {"Records.json": RECORDS})
    data = path.read_bytes()
    listed = data.rindex(b"PK\x01\x02")
    for local, central, value, said in (
        (6, 8, 0x01, "protected by"),
        (8, 10, 0x63, "packed in a way"),
    ):
        changed = bytearray(data)
        changed[local] = changed[listed + central] = value  # the flags, then the method
        path.write_bytes(changed)
        assert said in _refused(path).message


def test_a_cut_or_damaged_zip(tmp_path: Path) -> None:
    points = [{**POINT, "accuracy": at * 7919 % 65_521} for at in range(20_000)]
    path = _zip(tmp_path, {"Records.json": json.dumps({"locations": points})})
    whole = path.read_bytes()
    for cut in (5, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert "damaged or cut-off" in _refused(path).message
    path.write_bytes(whole[:50_000] + bytes(100) + whole[50_100:])
    history = open_history(path)
    assert 0 < sum(1 for _ in history) < 20_000
    assert "what came before is used" in history.report.words()


@pytest.mark.parametrize("packing", ["zip", "gzip"])
def test_a_bomb_is_refused(tmp_path: Path, packing: str) -> None:
    """80 MB of spaces before an end that would be fine: packed a thousand times."""
    text = " " * 80_000_000 + RECORDS
    if packing == "zip":
        path = _zip(tmp_path, {"Records.json": "[" + text})
    else:
        path = tmp_path / "h.json.gz"
        path.write_bytes(gzip.compress(b"[" + text.encode()))
    assert path.stat().st_size < 1_000_000
    assert "250 times" in _refused(path).message


def test_many_like_points_are_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The densest true history: one who never moves. Its ratio stays under half the bound."""
    monkeypatch.setattr(source, "RATIO_FROM", 1)
    rows = "".join(f"60.1,24.9,{1_600_000_000 + 5 * at}\n" for at in range(100_000))
    path = _zip(tmp_path, {"h.csv": "lat,lng,datetime\n" + rows})
    assert len(rows) / path.stat().st_size < source.MAX_RATIO / 2
    assert len(list(open_history(path))) == 100_000


def test_a_list_of_members_that_is_no_list(tmp_path: Path) -> None:
    """The end record claims more than any Takeout has: refused before `zipfile` loads it, as is zip64's."""
    path = _zip(tmp_path, {"Records.json": RECORDS})
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    data[end + 12 : end + 16] = struct.pack("<L", archive.MAX_LIST + 1)
    path.write_bytes(data)
    assert "lists too many files" in _refused(path).message
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 1 << 40, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    path.write_bytes(bytes(data[:end]) + record + locator + bytes(data[end:]))
    assert "lists too many files" in _refused(path).message
    path.write_bytes(bytes(data[:end]) + locator + bytes(data[end:]))
    assert "damaged" in _refused(path).message
