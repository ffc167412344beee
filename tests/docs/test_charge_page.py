"""The examples of the how-to on charging print what stands there."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from tests.cli.test_charge_phone import EVENING_S, NOW, SET, made_phone
from tests.context.test_tomorrow import Driver, feed

from hearthway.cli.main import main
from hearthway.context.life import Life
from hearthway.sense.catalogue import CAPACITY, SOC

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "charge.md"
EXAMPLES = re.findall(
    r"^```sh\nhearthway (charge plan [^\n]*)\n```\n\n```text\n(.*?)^```$",
    PAGE.read_text("utf-8"),
    re.MULTILINE | re.DOTALL,
)


def test_there_are_three() -> None:
    assert len(EXAMPLES) == 3


def phone(root: Path) -> str:
    """That of the example: a commuter's, on a Sunday evening; words for the command line."""
    life, driver = Life("ada"), Driver(None)
    feed(life, driver.days(42))
    feed(life, driver.rest(EVENING_S - 3600.0))
    made = made_phone(root, SET, life.dump(), SOC, CAPACITY)
    shutil.copy(PAGE.with_name("charge-tariff.toml"), made / "tariff.toml")
    return f"{made} --now {NOW}"


@pytest.mark.parametrize(("words", "printed"), EXAMPLES)
def test_an_example_prints_what_stands_there(
    words: str,
    printed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    if "DIR" in words:
        words = words.replace("DIR", phone(tmp_path))
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["hearthway", *shlex.split(words)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert capsys.readouterr().out == printed
