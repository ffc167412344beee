"""Where a node keeps its things: private, found again, and never half written."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hearthway.app.paths import NodePaths, find_nodes, private_dir, write_private
from hearthway.records.errors import ConfigError, HearthwayError


def test_directories_and_files_are_private(tmp_path: Path) -> None:
    loose = tmp_path / "loose"
    loose.mkdir(mode=0o755)
    assert stat.S_IMODE(private_dir(loose).stat().st_mode) == 0o700
    deep = private_dir(tmp_path / "a" / "b")
    assert stat.S_IMODE(deep.stat().st_mode) == 0o700
    file = deep / "secret"
    file.touch(mode=0o644)
    write_private(file, b"one")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    write_private(file, b"two")
    assert file.read_bytes() == b"two"
    assert [path.name for path in deep.iterdir()] == ["secret"]


def test_a_file_where_a_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(HearthwayError) as caught:
        private_dir(tmp_path / "file")
    assert caught.value.next_step
    with pytest.raises(HearthwayError):
        private_dir(tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(
    os.geteuid() == 0, reason="root may write everywhere; see tests/cli for another user"
)
def test_no_write_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(HearthwayError, match="cannot be written"):
        private_dir(tmp_path / "node")
    tmp_path.chmod(0o700)


def test_a_long_path_has_a_short_socket(tmp_path: Path) -> None:
    """A Unix socket's name holds about 100 bytes; where the path is longer it stands in a private place."""
    near = NodePaths(tmp_path / "n")
    assert near.socket.parent == near.root or len(os.fsencode(near.root)) > 80
    far = NodePaths(tmp_path / ("ä" * 60) / "node")
    other = NodePaths(tmp_path / ("ä" * 60) / "other")
    assert len(os.fsencode(far.socket)) <= 100
    assert far.socket != other.socket
    assert far.socket == NodePaths(far.root).socket


def test_nodes_are_found(tmp_path: Path) -> None:
    """Itself, its children in order, or those of the last drive; nothing where nothing is."""
    assert find_nodes(tmp_path / "nowhere") == []
    assert find_nodes(tmp_path) == []
    for name in ("drive/b", "drive/a"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "node.toml").touch()
    assert [paths.root.name for paths in find_nodes(tmp_path)] == ["a", "b"]
    assert [paths.root.name for paths in find_nodes(tmp_path / "drive" / "a")] == ["a"]


def test_a_link_is_written_through_and_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles.toml", tmp_path / "node.toml"
    real.write_bytes(b"old")
    link.symlink_to(real)
    write_private(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["dotfiles.toml", "node.toml"]


def test_a_pipe_takes_what_is_written_and_stays_a_pipe(tmp_path: Path) -> None:
    """As `--json >(jq .)` gives one; a superuser's `--json /dev/null` must not make a file of that either."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_private(pipe, b"told")
        assert os.read(reader, 99) == b"told"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [one.name for one in tmp_path.iterdir()] == ["pipe"]


def test_a_directory_is_no_file_to_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written: Is a directory"):
        write_private(tmp_path, b"told")
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_somebody_else_laid_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a directory that all may write, it would lead what is written over a file of this user."""
    mine, link = tmp_path / "mine", tmp_path / "told.json"
    mine.write_bytes(b"kept")
    link.symlink_to(mine)
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    write_private(link, b"told")
    assert mine.read_bytes() == b"kept"
    assert link.read_bytes() == b"told"


def test_what_is_written_into_shared_memory_is_put_in_the_place_of_the_old() -> None:
    """It lies under /dev, and is a file like any other."""
    memory = Path("/dev/shm")  # the directory is made by mkdtemp
    if not os.access(memory, os.W_OK):
        pytest.skip("No shared memory that may be written.")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        told = Path(folder) / "node.toml"
        for data in (b"old", b"new"):
            write_private(told, data)
        assert told.read_bytes() == b"new"


def test_what_somebody_laid_beside_it_is_neither_written_nor_taken(tmp_path: Path) -> None:
    """Whoever may write there knows the name: a file that all may read, or a link to one of this user's."""
    mine = tmp_path / "mine"
    mine.write_bytes(b"kept")
    (tmp_path / "a.new").touch()
    (tmp_path / "a.new").chmod(0o666)
    (tmp_path / "b.new").symlink_to(mine)
    for name in "ab":
        write_private(tmp_path / name, b"told")
        assert not (tmp_path / name).is_symlink()
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert mine.read_bytes() == b"kept"
    assert len(list(tmp_path.iterdir())) == 5


def test_a_link_that_leads_round_is_replaced(tmp_path: Path) -> None:
    link = tmp_path / "told.json"
    link.symlink_to(tmp_path / "told.json")
    write_private(link, b"told")
    assert link.read_bytes() == b"told"


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_ones_own_output_that_is_a_file_is_written_on_where_it_stands(
    tmp_path: Path, name: str
) -> None:
    """Opened anew, what is told after would cover what was written."""
    told = tmp_path / "told"
    code = (
        "from pathlib import Path; import os; from hearthway.app.paths import write_private\n"
        f"os.write(1, b'first '); write_private(Path({name!r}), b'second '); os.write(1, b'third')"
    )
    with told.open("wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True, timeout=60)
    assert told.read_bytes() == b"first second third"


def test_a_pipe_that_somebody_else_laid_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "told.json"
    os.mkfifo(pipe)
    if os.geteuid() == 0:
        os.chown(pipe, 65_534, -1)
    else:
        other = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: other)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_private(pipe, b"told")
        assert os.read(reader, 99) == b""
    finally:
        os.close(reader)
    assert pipe.read_bytes() == b"told"
