"""The phone's student of others' answers: what serves the task `ranker` here ranks; without one, a person's own counts alone do."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hearthway.assist.ranker import TASK, Ranker
from hearthway.mesh.state.shelf import kept
from hearthway.records.errors import HearthwayError

from .model_orders import order_in
from .models import Models, shipped
from .part import PhonePart
from .paths import NodePaths

if TYPE_CHECKING:
    from .node import Node

OWN_COUNTS = "Your own counts alone rank until another one is there: `hearthway models`."


class Ranking(PhonePart):
    """`ranker` is what the brain is given; None where none serves, or the one that should does not fit."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.ranker: Ranker | None = None
        self._one = asyncio.Lock()  # who asked last reads last what serves
        self._problem = ""

    async def starting(self) -> None:
        self.node.part(Models).watch(
            TASK, lambda: self.node.spawn(self._another(), "another ranker")
        )
        async with self._one:
            await self._load()

    def status(self) -> dict[str, Any]:
        """Which student ranks; `problem` where one should and does not."""
        model = "" if self.ranker is None else self.ranker.identity
        return {"ranker": {"model": model, "problem": self._problem}}

    async def _load(self) -> None:
        """Take what serves; one that does not fit is given up and said, and the one before it serves again."""
        models, problem, ranker = self.node.part(Models), "", None
        try:
            found = await asyncio.to_thread(models.load, TASK)
            if found is not None:
                identity, data = found
                try:
                    ranker = await asyncio.to_thread(Ranker, data, called(identity))
                except HearthwayError as why:
                    await models.failed(TASK, identity, why.message)
                    raise
        except (HearthwayError, OSError) as why:
            problem = f"{why} {OWN_COUNTS}"
        if problem and problem != self._problem:
            self.node.note(problem)
        self.ranker, self._problem = ranker, problem

    async def _another(self) -> None:
        async with self._one:
            await self._load()
        await self.phone.in_turn(lambda: self.phone.use_ranker(self.ranker))


def ranker_of(paths: NodePaths) -> Ranker | None:
    """What ranks on this phone by its files, whether it runs or not; None where none serves that fits. Reads only."""
    for identity, data in kept(
        paths.models, TASK, shipped, lambda signed: order_in(paths.keys, signed)
    ):
        with suppress(HearthwayError):  # the phone itself says what is wrong with it
            return Ranker(data, called(identity))
    return None


def called(identity: str) -> str:
    """What an error names it."""
    return f"the ranker {identity[:12]}"
