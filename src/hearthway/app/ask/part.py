"""Questions in plain words, as a part of a node: light until the first is asked, then the desk does it."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import msgspec

from hearthway.app.control_server import ControlServer
from hearthway.app.member import Member
from hearthway.app.part import Part
from hearthway.app.ruling import Ruling

if TYPE_CHECKING:
    from hearthway.app.node import Request
    from hearthway.records.ask import CarQuestion, Meaning, Reply

    from .desk import Desk
    from .permits import Asker


class Asking(Part):
    """`ask` on the control socket; the page and Wyoming ask the same way."""

    _desk: Desk | None = None
    _kind = ("desk", "Desk")  # where it is done

    async def starting(self) -> None:
        self.node.part(Ruling).watch(lambda before, after: self._drop())

    def _drop(self) -> None:
        if self._desk is not None:
            self._desk.forget()

    def verbs(self, control: ControlServer) -> None:
        control.on("ask", self._verb)

    async def forgotten(self) -> None:
        self._drop()

    async def ask(self, text: object, person: str = "", language: str = "") -> Reply:
        """The reply to one thing said; see `Desk.ask`."""
        return await (await self._opened()).ask(text, person, language)

    async def reply(self, question: CarQuestion, asker: Asker) -> Reply:
        """The reply to what was asked in a car; see `Desk.reply`."""
        from hearthway.assist.ask.cascade import Understood, clean

        read = None
        if question.readings:
            read = Understood(readings=question.readings, language=question.language or "en")
        desk = await self._opened()
        return await desk.reply(clean(question.text), asker, question.language, read)

    async def read(self, text: object, person: str = "", language: str = "") -> Meaning | None:
        """What it means, and nothing more; see `Desk.read`."""
        return await (await self._opened()).read(text, person, language)

    async def _opened(self) -> Desk:
        if self._desk is None:
            made = await asyncio.to_thread(self._open)
            self._desk = self._desk or made  # whoever was first
        return self._desk

    def _open(self) -> Desk:
        """The desk's modules are loaded by who asks, and not by who lies idle."""
        module, name = self._kind
        kind: Any = getattr(import_module(f"{__package__}.{module}"), name)
        return cast("Desk", kind(cast(Member, self.node)))

    async def _verb(self, request: Request) -> Request:
        person, language = request.get("person"), request.get("language")
        reply = await self.ask(request.get("text"), str(person or ""), str(language or ""))
        return cast("dict[str, Any]", msgspec.to_builtins(reply))
