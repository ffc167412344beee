"""The command line as a person meets it: words in, words and an exit code out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hearthway.cli.main import main


@dataclass
class Done:
    """What a verb said and how it ended."""

    code: int
    out: str
    err: str

    def refuses(self, *words: str, codes: tuple[int, ...] = (1, 2)) -> None:
        """A sentence and a next step, never a traceback, never "a fault in Hearthway"."""
        said = f"{self.out}\n{self.err}"
        assert self.code in codes, f"{self.code}: {said}"
        assert "Traceback" not in said
        assert "fault in Hearthway" not in said
        usage = self.err.startswith("Usage: ")
        assert usage or ("hearthway: " in self.err and "  -> " in self.err), said
        for word in words:
            assert word in said, said


Hearthway = Callable[..., Done]


@pytest.fixture
def hearthway(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Hearthway:
    """hearthway("status", ...): the console script's own `main`, with a home directory of its own."""
    monkeypatch.setenv("HOME", str(tmp_path / "somebody"))

    def run(*words: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["hearthway", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return Done(code if isinstance(code, int) else 0, out, err)

    return run
