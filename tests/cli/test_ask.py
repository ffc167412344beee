"""`hearthway ask` without a node, and with what is no question."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from hearthway.app.ask.lines import reply_lines
from hearthway.app.config import Config, NodeTable, save_config
from hearthway.app.paths import NodePaths, private_dir
from hearthway.cli.ask import command
from hearthway.records.errors import ConfigError, InputError
from hearthway.records.household import Role


def run(*words: str) -> object:
    return CliRunner().invoke(command, words).exception


def test_no_node_is_running(tmp_path: Path) -> None:
    why = run("will I get home?", "--data", str(tmp_path))
    assert isinstance(why, ConfigError)
    paths = NodePaths(private_dir(tmp_path / "phone"))
    save_config(paths, Config(node=NodeTable(id="phone", role=Role.PHONE)))
    why = run("will I get home?", "--data", str(paths.root))
    assert isinstance(why, ConfigError)
    assert "No node runs" in why.message
    assert "hearthway up" in why.next_step


@pytest.mark.parametrize("words", [("x" * 100_000,), tuple("word" for _ in range(400))])
def test_a_book_is_no_question(tmp_path: Path, words: tuple[str, ...]) -> None:
    why = run(*words, "--data", str(tmp_path))
    assert isinstance(why, InputError)
    assert "at most 500" in why.message


def test_an_answer_is_its_line_and_with_sources_where_each_figure_is_from() -> None:
    reply = {
        "line": "The battery has 41 %.",
        "more": ["so it is"],
        "synthetic": True,
        "intent": "battery",
        "by": "sentences",
        "of": "how full is ...",
        "reply_id": "ask-1",
        "sources": [
            {"shown": "41 %", "ago": "3 min ago", "key": "Vehicle.X", "source": "car", "rule": "r"},
            {"shown": "", "ago": "", "key": "Home.Y", "source": "", "rule": ""},
        ],
    }
    plain = reply_lines(reply, sources=False)
    assert plain == ["The battery has 41 %.", "  so it is", "  from a synthetic household"]
    assert reply_lines(reply, sources=True)[3:] == [
        "  understood as battery by sentences: how full is ...",
        "  41 % 3 min ago: Vehicle.X from car, rule r",
        "  used: Home.Y from here",
        "  receipt ask-1",
    ]
