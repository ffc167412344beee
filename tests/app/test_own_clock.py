"""The clock of somebody's phone was wrong by hours once: what it says afterwards moves the state at once."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from hearthway.adapters.owntracks.mapping import Reading, read


def position(lat: float, tst: float, now_s: float) -> Reading:
    body = json.dumps({"_type": "location", "lat": lat, "lon": 24.9, "tst": tst}).encode()
    return read(body, now_s=now_s, source="owntracks/Anna/phone", person="anna")


def test_what_follows_a_message_from_the_future_moves_the_state(household: Any) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone = nodes["phone"]
            phone.adopt("Anna")
            seen = []
            began_s = time.time() - 120.0
            # a right one, one from two hours ahead, right ones; then one that comes late, which moves nothing
            for lat, now_s, tst in (
                (60.20, began_s, began_s),
                (60.21, began_s + 30.0, began_s + 7_200.0),
                (60.22, began_s + 60.0, began_s + 60.0),
                (60.23, began_s + 90.0, began_s + 90.0),
                (60.10, began_s + 91.0, began_s + 20.0),
            ):
                told = position(lat, tst, now_s)
                await phone.take_own(told.fixes, told.signals)
                last = phone.brain.life.state.last
                seen.append((last.lat, round(last.time_s - began_s, 3)))
            assert seen == [(60.20, 0), (60.21, 30), (60.22, 60), (60.23, 90), (60.23, 90)]
            assert phone.situation.time_s == began_s + 90.0

    asyncio.run(main())
