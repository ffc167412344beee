"""Twelve questions to the drive's household when the drive is over, and what a child and a guest are told instead.

The house is played: its readings, and a program that switches its lights, come in over the home's control socket as
those of a real one would. Everything that answers is the nodes' own.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hearthway.app.control import open_control
from hearthway.app.launch import NodeProcess
from hearthway.records.errors import HearthwayError

from .lines import reply_lines

QUESTIONS = (
    "will I get home?",
    "where did I park",
    "is the house warm",
    "who used my location this week",
    "find dinner near the mall, not pizza",
    "turn off the kitchen light",
    "wie weit reicht der Akku",
    "when do I have to leave",
    "what is next in my calendar",
    "how full is the battery",
    "when will it be full",
    "why did you say that",
)
OTHERS = (
    "is the house warm",
    "where did I park",
    "find dinner near the mall",
    "turn off the hall light",
)
CHILD, GUEST = "mia", "sam"
HEARD_S = 10.0
Say = Callable[[str], None]


class Show:
    """One round of questions."""

    def __init__(
        self, *, home: NodeProcess, phone: NodeProcess, driver: str, end_s: float, say: Say
    ) -> None:
        """`end_s`: event time of the drive's end."""
        self._home, self._phone, self._driver = home, phone, driver
        self._end_s, self._say = end_s, say

    async def run(self) -> list[dict[str, Any]]:
        """Every reply, with who asked what."""
        house = asyncio.create_task(self._switch())
        try:
            await self._set_up()
            replies = [await self._ask(text, "") for text in QUESTIONS]
            for person in (CHILD, GUEST):
                replies += [await self._ask(text, person) for text in OTHERS]
        finally:
            house.cancel()
            await asyncio.gather(house, return_exceptions=True)
        return replies

    async def _set_up(self) -> None:
        """A house that tells, a calendar, and two more people."""
        self._say("")
        self._say("questions: the house's readings and its light switch are played")
        listed = {one["person"]: one for one in (await self._home.ask("people"))["people"]}
        for person, kind in ((self._driver, "adult"), (CHILD, "child"), (GUEST, "guest")):
            known = listed.get(person)  # the driver's phone said whose it is
            if known is None:
                known = await self._home.ask("people-add", person=person, kind=kind)
            if person == self._driver and self._phone.name not in known["devices"]:
                await self._home.ask("people-assign", device=self._phone.name, person=person)
        told = {
            "Home.Climate.Temperature": 19.2,
            "Home.Climate.Setpoint": 21.0,
            "Home.Climate.IsHeating": True,
            "Home.Presence.Occupied": False,
            "Home.Lights.kitchen.OnOff": True,
            "Home.Lights.hall.OnOff": True,
        }
        await self._home.ask("sense", signals=[self._signal(k, v) for k, v in told.items()])
        with tempfile.TemporaryDirectory(prefix="hearthway-") as scratch:
            file = Path(scratch) / "calendar.ics"
            file.write_text(calendar_text(self._end_s), encoding="utf-8")
            await self._phone.ask("import", file=str(file), name=self._driver)
        await self._heard()

    async def _heard(self) -> None:
        """Until the phone has what the home told it; HearthwayError where that never comes."""
        for _ in range(int(HEARD_S / 0.1)):
            reply = await self._phone.ask("ask", text="is the hall light on")
            if reply["outcome"] == "answered":
                return
            await asyncio.sleep(0.1)
        raise HearthwayError("The phone did not hear the house.", "Its node.log says why.")

    def _signal(self, key: str, value: object) -> dict[str, Any]:
        return {"key": key, "value": value, "time_s": self._end_s, "source": "synthetic-house"}

    async def _ask(self, text: str, person: str) -> dict[str, Any]:
        reply = await self._phone.ask("ask", text=text, person=person)
        who = f"{person}: " if person else ""
        self._say(f"  > {who}{text}")
        for line in reply_lines(reply, sources=True):
            self._say(f"    {line}")
        return {"asked": text, "person": person, **reply}

    async def _switch(self) -> None:
        """The program at home that switches lights: here it says so, and tells the new state."""
        reader, writer = await open_control(self._home.paths.socket)
        try:
            writer.write(b'{"do": "events"}\n')
            await writer.drain()
            while line := await reader.readline():
                event = json.loads(line)
                if event.get("event") == "order" and "light" in event:
                    key = f"Home.Lights.{event['light']}.OnOff"
                    await self._home.ask("sense", signals=[self._signal(key, event["on"])])
                    await self._home.ask("ordered", id=event["id"], done=True)
        finally:
            writer.close()


def calendar_text(end_s: float) -> str:
    """A calendar with one entry, an hour and a half after the drive."""
    begin, end = (datetime.fromtimestamp(end_s + s, UTC) for s in (5400.0, 9000.0))
    return "\r\n".join(
        (
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//hearthway//drive//EN",
            "X-WR-CALNAME:synthetic",
            "BEGIN:VEVENT",
            "UID:choir",
            f"DTSTART:{begin:%Y%m%dT%H%M%SZ}",
            f"DTEND:{end:%Y%m%dT%H%M%SZ}",
            "SUMMARY:Choir",
            "LOCATION:Kamppi",
            "GEO:60.1688;24.9316",
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        )
    )
