"""The venue's book keeps what was entered, through a kill as well, and refuses what cannot be."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from hearthway.mesh.state.store import Store
from hearthway.mesh.venues.book import KEEP_S, MAX_SIZE, Book
from hearthway.records.errors import InputError
from hearthway.records.venue import Party


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with Store.open(tmp_path / "node.db", node_id="venue") as store:
        yield Book(store)


def test_a_party_comes_sits_and_leaves(book: Book) -> None:
    assert book.came(2, 100.0) == Party(number=1, size=2, came_s=100.0)
    assert book.came(4, 160.0, seated=True).seated_s == 160.0
    assert book.seat(1, 700.0).seated_s == 700.0
    assert book.leave(1, 4_000.0).left_s == 4_000.0
    assert [party.number for party in book.parties(4_000.0)] == [1, 2]


def test_a_clock_that_was_set_back_makes_no_negative_meal(book: Book) -> None:
    book.came(2, 1_000.0)
    assert book.seat(1, 900.0).seated_s == 1_000.0
    assert book.leave(1, 10.0).left_s == 1_000.0


@pytest.mark.parametrize("size", [0, -1, MAX_SIZE + 1])
def test_an_impossible_size_is_refused(book: Book, size: int) -> None:
    with pytest.raises(InputError, match="cannot be entered"):
        book.came(size, 100.0)
    assert book.parties(100.0) == []


def test_what_cannot_be_is_refused_and_changes_nothing(book: Book) -> None:
    for number in (1, 0, -1, 2**53 - 1):
        for enter in (book.seat, book.leave):
            with pytest.raises(InputError, match="no party"):
                enter(number, 100.0)
    book.came(2, 100.0, seated=True)
    with pytest.raises(InputError, match="sits already"):
        book.seat(1, 200.0)
    book.leave(1, 300.0)
    for enter in (book.seat, book.leave):
        with pytest.raises(InputError, match="has left"):
            enter(1, 400.0)
    assert book.party(1) == Party(number=1, size=2, came_s=100.0, seated_s=100.0, left_s=300.0)


def test_the_book_has_an_end(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    book.came(2, 100.0)
    book.came(3, 100.0 + KEEP_S + 1.0)
    assert [party.size for party in book.parties(100.0 + KEEP_S + 1.0)] == [3]
    with pytest.raises(InputError, match="no party 1"):
        book.party(1)
    monkeypatch.setattr("hearthway.mesh.venues.book.MAX_PARTIES", 5)
    for _ in range(9):
        last = book.came(2, 200.0 + KEEP_S)
    assert [p.number for p in book.parties(200.0 + KEEP_S)] == list(
        range(last.number - 4, last.number + 1)
    )


def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import os, signal, sys
        from hearthway.mesh.state.store import Store
        from hearthway.mesh.venues.book import Book
        book = Book(Store.open(sys.argv[1], node_id="venue"))
        book.came(2, 100.0); book.came(4, 110.0); book.came(3, 120.0)
        book.seat(1, 200.0); book.leave(1, 900.0); book.seat(2, 300.0)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    path = tmp_path / "node.db"
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=60)
    assert done.returncode == -9
    with Store.open(path, node_id="venue") as store:
        kept = Book(store).parties(1_000.0)
        assert kept == [
            Party(number=1, size=2, came_s=100.0, seated_s=200.0, left_s=900.0),
            Party(number=2, size=4, came_s=110.0, seated_s=300.0),
            Party(number=3, size=3, came_s=120.0),
        ]
        assert Book(store).came(2, 1_000.0).number == 4
