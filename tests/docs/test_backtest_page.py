"""What the how-to on backtests prints is what `hearthway drive` prints of the history that lies beside the tutorial."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from hearthway.cli.main import main

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "backtest.md"
HISTORY = "docs/tutorial/synthetic-weeks.csv"


def test_the_example_prints_what_stands_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All but what it cost, which is the machine's."""
    shown = re.search(
        rf"`hearthway drive {HISTORY}`.*?```text\n(.*?)^cost: ",
        PAGE.read_text("utf-8"),
        re.M | re.S,
    )
    assert shown is not None
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["hearthway", "drive", HISTORY])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.partition("cost: ")[0] == shown[1]
