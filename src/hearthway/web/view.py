"""What the page needs of a node. `app` implements it; the tests stand in for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from hearthway.records.ask import Reply
from hearthway.records.page import PageEvent, PageState, Why
from hearthway.records.signals import Fix, Signal
from hearthway.records.suggestion import AnswerKind


class NodeView(Protocol):
    """A node, as its own page sees it. Every call comes from the event loop and must not block it."""

    def now_s(self) -> float:
        """The node's clock, Unix seconds: what a phone's timestamps are held against."""
        ...

    def snapshot(self) -> PageState:
        """The state now. Called at most a few times a second, however many events pass."""
        ...

    def subscribe(self) -> AsyncIterator[PageEvent]:
        """Yields when something the page shows has changed, until the node stops. Called once."""
        ...

    async def why(self, suggestion_id: str) -> Why:
        """A suggestion with the receipts of every node; InputError where it is not known."""
        ...

    async def answer(self, suggestion_id: str, kind: AnswerKind, osm_id: str) -> None:
        """Takes the person's answer; InputError where suggestion or POI are not known."""
        ...

    async def ask(self, text: str, language: str) -> Reply:
        """The reply to a question of whoever's node it is; InputError for what is none."""
        ...

    async def ingest(self, person: str, fixes: Sequence[Fix], signals: Sequence[Signal]) -> None:
        """Stores what a person's phone said, fixes already stored included; InputError for a stranger."""
        ...

    async def student(self, task: str) -> tuple[str, bytes] | None:
        """(identity, file) of the student that serves a task here; None where there is none."""
        ...
