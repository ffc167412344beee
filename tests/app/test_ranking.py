"""The phone ranks by what serves the task `ranker`: none at first, one that a household gives, and no longer one that does not fit."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.assist.student_of_others import file

from hearthway.app.models import Models
from hearthway.app.paths import NodePaths
from hearthway.app.phone import PhoneNode
from hearthway.app.ranking import Ranking, ranker_of
from hearthway.assist.ranker import TASK
from hearthway.cli.status import lines_of
from hearthway.records.life import Person

from .modelling import model, opaque, own

__all__ = ["opaque"]
pytestmark = pytest.mark.usefixtures("opaque")
STUDENT = file()
IDENTITY = hashlib.sha256(STUDENT).hexdigest()


async def give(nodes: Any, folder: Path, data: bytes) -> None:
    given = own(folder, "ranker.student", data) | {"task": TASK}
    await nodes.ask("home", "model-add", **given)


def _by_files(paths: NodePaths) -> str:
    ranker = ranker_of(paths)
    return "" if ranker is None else ranker.identity


def test_what_a_household_gives_ranks_and_what_does_not_fit_is_said(
    household: Any, tmp_path: Path
) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone = nodes["phone"]
            assert isinstance(phone, PhoneNode)
            status = await nodes.ask("phone", "status")
            assert status["ranker"] == {"model": "", "problem": ""}
            brain = await asyncio.to_thread(
                lambda: phone.brain_of(Person(person_id="anna", name="Anna"))
            )
            assert brain.ranker is None, "own counts alone rank"
            phone.brain = brain
            await give(nodes, tmp_path / "files", STUDENT)
            await nodes.until(lambda: brain.ranker is not None)
            status = await nodes.ask("phone", "status")
            assert status["ranker"] == {"model": IDENTITY, "problem": ""}
            await give(nodes, tmp_path / "files", model("no student"))
            row: dict[str, Any] = {}
            while not row.get("problem"):
                await asyncio.sleep(0.05)
                row = (await nodes.ask("phone", "models"))["models"][0]
            assert "does not work here" in row["problem"]
            ranking = phone.part(Ranking)
            await nodes.until(lambda: ranking.ranker is not None)
            assert ranking.status()["ranker"] == {"model": IDENTITY, "problem": ""}
            await nodes.until(lambda: brain.ranker is ranking.ranker)
            assert _by_files(phone.paths) == IDENTITY, "who only reads beside it sees the same"
            await nodes.down("phone")
            kept = phone.paths.models / f"{IDENTITY}.student"
            kept.write_bytes(STUDENT[:-9])
            assert _by_files(phone.paths) == "", "a changed one does not rank"
            assert kept.exists(), "and whoever only reads mends nothing"
            kept.write_bytes(STUDENT)
            assert _by_files(phone.paths) == IDENTITY
            await nodes.up("phone")
            assert nodes["phone"].part(Ranking).status()["ranker"]["model"] == IDENTITY

    asyncio.run(asyncio.wait_for(main(), 60.0))


def test_a_shipped_one_that_was_changed_is_said_and_own_counts_rank(
    household: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "ranker.student").write_bytes(STUDENT[:-9])
    monkeypatch.setattr("hearthway.app.models.SHIPPED", tmp_path / "shipped")

    async def main() -> None:
        async with household(phone="phone") as nodes:
            status = await nodes.ask("phone", "status")
            assert status["ranker"]["model"] == ""
            assert "Your own counts alone rank" in status["ranker"]["problem"]
            assert any(
                "Your own counts alone rank" in line for line in lines_of(status | {"up": True})
            )

    asyncio.run(asyncio.wait_for(main(), 60.0))


def test_of_two_that_are_loaded_at_once_the_one_asked_for_last_ranks(
    household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is slow to read, as from a disk that is busy."""

    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone = nodes["phone"]
            ranking, reading, read = phone.part(Ranking), threading.Event(), threading.Event()
            later = file({"sort.takeaway": -1.0})
            assert later != STUDENT

            def load(_: str) -> tuple[str, bytes]:
                if reading.is_set():
                    return hashlib.sha256(later).hexdigest(), later
                reading.set()
                assert read.wait(20.0)
                return IDENTITY, STUDENT

            monkeypatch.setattr(phone.part(Models), "load", load)
            first = asyncio.ensure_future(ranking._another())
            await nodes.until(reading.is_set)
            last = asyncio.ensure_future(ranking._another())
            await asyncio.wait((last,), timeout=0.5)
            read.set()
            await asyncio.gather(first, last)
            assert ranking.ranker is not None
            assert ranking.ranker.identity == hashlib.sha256(later).hexdigest()

    asyncio.run(asyncio.wait_for(main(), 60.0))
