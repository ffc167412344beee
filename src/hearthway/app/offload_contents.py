"""Students and functions as tasks: which of them this node can run, and their files, for its own worker."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from hearthway.mesh.offload.function import PREFIX, runs_functions
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.offload import Job

from .models import Models
from .offload_jobs import FUNCTION, STUDENT

if TYPE_CHECKING:
    from .node import Node

TASKS = ("ask", "home")  # of students that understand text
LOOK_S = 30.0  # which serve is looked up so often at most: each is read and hashed for it
KEPT_MAX = 2


class Contents:
    """By identity, from what the household's models part holds."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._jobs: tuple[Job, ...] = ()
        self._looked_s = float("-inf")
        self._kept: dict[str, bytes] = {}

    async def jobs(self) -> tuple[Job, ...]:
        """Those that serve here and can be run here."""
        if time.monotonic() - self._looked_s > LOOK_S:
            self._jobs = await asyncio.to_thread(self._look)
            self._looked_s = time.monotonic()
        return self._jobs

    async def content(self, job: Job) -> bytes:
        """The file of that student or function, b"" for a job that needs none; InputError where it is not here."""
        if job.kind not in (STUDENT, FUNCTION):
            return b""
        kept = self._kept.get(job.identity)
        if kept is None:
            kept = await asyncio.to_thread(self._node.part(Models).by_identity, job.identity)
        if kept is None:
            raise InputError(f"It has not the same {job.kind}.", "`hearthway models` shows them.")
        self._kept[job.identity] = kept
        while len(self._kept) > KEPT_MAX:
            self._kept.pop(next(iter(self._kept)))
        return kept

    def _look(self) -> tuple[Job, ...]:
        models, found = self._node.part(Models), []
        functions = [one for one in models.shelf.tasks() if one.startswith(PREFIX)]
        for task in (*TASKS, *(functions if runs_functions() else ())):
            try:
                serving = models.load(task)
            except HearthwayError:  # said by the models part itself
                continue
            if serving is not None:
                found.append(Job(STUDENT if task in TASKS else FUNCTION, serving[0]))
        return tuple(dict.fromkeys(found))
