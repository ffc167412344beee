"""Where a node keeps its things: one directory, 0700, and nothing outside it but a socket."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shlex
import tempfile
from pathlib import Path

from msgspec import Struct

from hearthway.mesh.trust.keyfiles import put_private
from hearthway.records.errors import ConfigError

SOCKET = "control.sock"
OUTPUTS = {"/dev/stdout": "1", "/dev/stderr": "2"}  # those below are others by number
OUTPUT = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")  # any of them may lead to a file
SOCKET_PATH_LIMIT = 100  # sun_path holds 108 bytes on Linux and 104 on macOS


class NodePaths(Struct, frozen=True):
    """The files of one node."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "node.toml"

    @property
    def rules(self) -> Path:
        return self.root / "rules.toml"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    def ever_paired(self) -> bool:
        """Does this device hold keys of a household, whether they still count or not?"""
        return any((self.keys / name).exists() for name in ("device.pem", "ca.pem"))

    @property
    def database(self) -> Path:
        return self.root / "node.db"

    @property
    def commands(self) -> Path:
        """Which commands were begun; made with the first that must not be carried out twice."""
        return self.root / "commands.notes"

    @property
    def models(self) -> Path:
        """Students that the household spread; made with the first."""
        return self.root / "models"

    @property
    def log(self) -> Path:
        return self.root / "node.log"

    @property
    def socket(self) -> Path:
        """The control socket: beside the data, or in a private temporary directory where that path is too long."""
        beside = self.root / SOCKET
        if len(os.fsencode(beside)) <= SOCKET_PATH_LIMIT:
            return beside
        name = hashlib.blake2b(os.fsencode(self.root.resolve()), digest_size=8).hexdigest()
        return Path(tempfile.gettempdir()) / f"hearthway-{os.getuid()}" / f"{name}.sock"


def start_with(root: Path | None) -> str:
    """How the node of that directory is started, as a next step; a shell takes it as it stands."""
    return (
        f"Start it with `hearthway up --data {'DIR' if root is None else shlex.quote(str(root))}`."
    )


def data_root() -> Path:
    """Where nodes live unless `--data` says otherwise; not by XDG_DATA_HOME, which a service may not have."""
    return Path.home() / ".local" / "share" / "hearthway"


def private_dir(path: Path) -> Path:
    """Make `path` a directory only its owner can enter; ConfigError where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.chmod(0o700)
    except FileExistsError:
        raise ConfigError(f"{path} is a file.", "Give a directory with --data.") from None
    except OSError as why:
        raise ConfigError(
            f"{path} cannot be written: {why.strerror}.", "Give another directory with --data."
        ) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigError(f"{path} cannot be written.", "Give another directory with --data.")
    return path


def write_private(path: Path, data: bytes) -> None:
    """Write `data` with mode 0600 so that a crash leaves the old file or the new one, never half of one.

    A link of one's own stays one, and what it leads to is written; a device, a pipe or one's own output takes `data` and stays what it is.
    """
    try:
        if _given_on(path, data):
            return
        path = _led_to(path)
        put_private(path, data)
    except OSError as why:
        raise ConfigError(f"{path} cannot be written: {why.strerror}.", _mend(why, path)) from None


def _given_on(path: Path, data: bytes) -> bool:
    """Was it nothing that a file may be put in the place of (/dev/stdout, `>(jq)`, a device), and was `data` written into it?"""
    own = _own_output(path)
    if own is None and (not path.exists() or path.is_file() or not _trusted(path)):
        return False
    # One's own output is taken as it stands: opened anew it would begin elsewhere, and what is told next would cover it.
    taken = os.open(path, os.O_WRONLY | os.O_APPEND) if own is None else os.dup(own)
    with os.fdopen(taken, "wb") as out:
        out.write(data)
    return True


def _trusted(path: Path) -> bool:
    """Is a pipe or a device, and the link that may lead to it, of this user or the system? Somebody else's would take what is private."""
    return {path.stat().st_uid, path.lstat().st_uid} <= {0, os.geteuid()}


def _own_output(path: Path) -> int | None:
    """The number of this process's own output that a path names; None where it names none."""
    found = OUTPUT.fullmatch(str(path))
    number = OUTPUTS.get(str(path)) or (found and found[1])
    return int(number) if number else None


def _led_to(path: Path) -> Path:
    """Where a link leads that this user made: one that somebody else laid there is not followed, but replaced, as is one that leads round."""
    ours = path.is_symlink() and path.lstat().st_uid == os.geteuid()
    return Path(os.path.realpath(path)) if ours else path


def _mend(why: OSError, path: Path) -> str:
    if why.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "Free some space, then try again."
    if why.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"The directory {path.parent} must be there before."
    return f"`ls -ld {path.parent}` shows who may write there; name another file."


def find_nodes(root: Path) -> list[NodePaths]:
    """The nodes at or below `root` (itself, its children, or those of the last drive), by path."""
    if (root / "node.toml").is_file():
        return [NodePaths(root)]
    if not root.is_dir():
        return []
    found = sorted(root.glob("*/node.toml")) or sorted(root.glob("drive/*/node.toml"))
    return [NodePaths(config.parent) for config in found]
