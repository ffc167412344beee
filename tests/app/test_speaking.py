"""What a phone says while driving stands on the car's screen as well, but for what it says because of the calendar."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hearthway.app.config import Config, NodeTable, save_config
from hearthway.app.node import open_node
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.phone import PhoneNode
from hearthway.app.speaking import Speaking
from hearthway.records.household import Role
from hearthway.records.messages import Surface
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Suggestion


@pytest.mark.parametrize(
    ("mode", "phone_only", "shown"),
    [
        ("driving", msgspec.UNSET, True),
        ("driving", True, False),
        ("staying", msgspec.UNSET, False),
    ],
)
def test_what_goes_to_the_car(
    tmp_path: Path, mode: str, phone_only: Any, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = NodePaths(private_dir(tmp_path / "phone"))
    save_config(paths, Config(node=NodeTable(id="phone", role=Role.PHONE)))
    phone = open_node(paths)
    assert isinstance(phone, PhoneNode)
    speaking = phone.part(Speaking)
    elsewhere: list[Surface] = []

    async def show(surface: Surface) -> None:
        elsewhere.append(surface)

    async def no_receipt(suggestion: Suggestion, started: float | None) -> None:
        """Receipts need a mesh."""

    monkeypatch.setattr(speaking, "_show_elsewhere", show)
    monkeypatch.setattr(speaking, "_write_receipt", no_receipt)
    situation = Situation(
        time_s=1.0e9, utc_offset_s=0, person="anna", mode=mode, lat=60.0, lon=24.0
    )
    suggestion = Suggestion(
        suggestion_id="5f0c1d2e3a4b5c6d",
        need="forgotten",
        person="anna",
        time_s=1.0e9,
        utc_offset_s=0,
        headline="Bag is still at home (hub, just now)",
        lines=('Bag: along 6 of 6 times when "Swimming" came next',),
        options=(),
        reasons=(),
        p_useful=0.9,
        utility=5.0,
        threshold=1.0,
        propensity=1.0,
        situation=situation,
        phone_only=phone_only,
    )
    asyncio.run(speaking.speak(suggestion, None))
    assert phone.suggestion == suggestion  # on the phone itself in any case
    assert [surface.lines[0] for surface in elsewhere] == (
        ["01:46:40  Bag is still at home (hub, just now)"] if shown else []
    )
