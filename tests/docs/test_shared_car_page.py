"""What the how-to on a shared car says of who rides along is what a household that follows it is told."""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.app.conftest import household  # noqa: F401 - the fixture

from hearthway.app.consents import Consenting
from hearthway.cli.main import main
from hearthway.mesh.policy.rules import template

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "shared-car.md"
TEXT = PAGE.read_text("utf-8")
ANNA, BEN = "4f2a90c1d2e3b4a5", "9b1c77aa02de4f10"
ROLES = {"anna-phone": "phone", "ben-phone": "phone", "car": "car"}
PEOPLE = {"anna-phone": (ANNA, "adult"), "ben-phone": (BEN, "adult")}


def command(verb: str) -> list[str]:
    """The page's own line of that verb, in words."""
    found = re.search(rf"^hearthway ({verb}[^\n]*)$", TEXT, re.MULTILINE)
    assert found is not None, f"the page has no `hearthway {verb}`"
    return shlex.split(found[1])


def run(words: list[str], data: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command of the page prints in that household."""
    sys.argv = ["hearthway", *words, "--data", str(data)]
    with pytest.raises(SystemExit) as ended:
        main()
    found = capsys.readouterr()
    assert ended.value.code == 0, found.err
    return found.out


def test_the_pages_commands_let_it_cross_and_explain_says_so(
    household: Any,  # noqa: F811 - the fixture
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", sys.argv)
    for name in (*ROLES, "home"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rules.toml").write_text(template("open"))

    async def agree() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            words = command("consent give")
            await asyncio.to_thread(run, words, tmp_path / "ben-phone", capsys)
            anna = nodes["anna-phone"].part(Consenting)
            await nodes.until(lambda: [c.state for c in anna.found()] == ["waiting"])
            [given] = anna.found()
            said = [*command("consent accept")[:-1], given.consent_id]
            await asyncio.to_thread(run, said, tmp_path / "anna-phone", capsys)
            car = nodes["car"].part(Consenting)
            await nodes.until(lambda: [c.state for c in car.found()] == ["in force"])
            mesh = nodes["car"].mesh
            assert mesh.lets(("Person.WithCar",), "anna-phone", "anticipate", about=BEN)
            assert not mesh.lets(("Person.WithCar",), "anna-phone", "anticipate", about="x")

    asyncio.run(agree())
    printed = run(command("rules explain"), tmp_path / "car", capsys)
    assert f"```text\n{printed}```" in TEXT
