"""The recovery phrase at the command line: asked for unseen, or in a file that only its owner reads."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from hearthway.app.paths import write_private
from hearthway.records.errors import InputError

PHRASE_MAX_BYTES = 4096


def read_phrase_file(path: Path) -> bytes:
    """The entropy of the phrase in `path`; InputError when others may read it, or it holds none."""
    from hearthway.mesh.state.phrase import entropy_of

    if path.stat().st_mode & 0o077:
        raise InputError(
            f"{path} can be read by other users of this machine.",
            f"`chmod 600 {path}` closes it; if others had access, make a new backup.",
        )
    data = path.read_bytes()[: PHRASE_MAX_BYTES + 1]
    if len(data) > PHRASE_MAX_BYTES or not data.isascii():
        raise InputError(f"{path} holds no recovery phrase.", "It is twelve words, nothing else.")
    return entropy_of(data.decode("ascii"))


def new_phrase_file(path: Path, entropy: bytes) -> None:
    """Keep the phrase in a new file, 0600."""
    from hearthway.mesh.state.phrase import phrase_of

    write_private(path, (phrase_of(entropy) + "\n").encode())


def ask_phrase() -> bytes:
    """The entropy of a phrase typed at the terminal, not shown; InputError where there is none."""
    from hearthway.mesh.state.phrase import entropy_of

    if not sys.stdin.isatty():
        raise InputError(
            "There is no terminal to type the recovery phrase at.", "Give --phrase-file FILE."
        )
    return entropy_of(click.prompt("Recovery phrase (it is not shown)", hide_input=True, type=str))


def progress_line(what: str) -> Callable[[int, int], None] | None:
    """Per cents on one line of the terminal; None where nobody watches."""
    if not sys.stderr.isatty():
        return None
    told = -1

    def tell(done: int, total: int) -> None:
        nonlocal told
        share = 100 if total <= 0 else min(100, done * 100 // total)
        if share != told:
            told = share
            end = "\n" if share == 100 else ""
            click.echo(f"\r{what}: {share} %{end}", nl=False, err=True)

    return tell


@contextmanager
def ends_cleanly() -> Iterator[None]:
    """A request to end is a Ctrl-C: what was begun is taken back."""

    def stop(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def megabytes(count: int) -> str:
    """ "12.3 MB"."""
    return f"{count / 1e6:.1f} MB"


def show_once(phrase: str) -> None:
    """The phrase on the terminal itself, so that it lands in no file or pipe."""
    words = phrase.split()
    lines = ["  ".join(f"{n + 1:2}. {words[n]:<9}" for n in range(r, r + 4)) for r in (0, 4, 8)]
    with Path("/dev/tty").open("w") as terminal:
        terminal.write("\n" + "\n".join(lines) + "\n\n")


def has_terminal() -> bool:
    """Is there a terminal that belongs to this process?"""
    try:
        os.close(os.open("/dev/tty", os.O_WRONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
