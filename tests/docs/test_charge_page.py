"""The examples of the how-to on charging print what stands there."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from hearthway.cli.main import main

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "charge.md"
EXAMPLES = re.findall(
    r"^```sh\nhearthway (charge plan [^\n]*)\n```\n\n```text\n(.*?)^```$",
    PAGE.read_text("utf-8"),
    re.MULTILINE | re.DOTALL,
)


def test_there_are_two() -> None:
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize(("words", "printed"), EXAMPLES)
def test_an_example_prints_what_stands_there(
    words: str, printed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["hearthway", *shlex.split(words)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert capsys.readouterr().out == printed
