"""`hearthway distill` as a person runs it: interrupted and killed, with wrong files, without permission."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hearthway.mesh.trust.artefacts import Trusted, check_artefact
from hearthway.mesh.trust.certificates import certificate_key, load_certificate
from hearthway.mesh.trust.root import create_household
from hearthway.student.format import read

NOW_S = time.time()
RECIPE = """
task = "modes"
name = "Trip mode, tiny"
[[source]]
name = "hearthway.synthetic.travellers"
licence = "Apache-2.0"
origin = "synthetic"
[corpus]
people = 10
days = 2
[teacher]
trees = 10
nets = 1
width = 8
epochs = 2
[student]
hidden = [6]
epochs = 4
int_epochs = 2
"""
PERSONAL = RECIPE.replace('origin = "synthetic"', 'origin = "personal"\nkey = "Person.Asked"')
LINE_S = 60.0


def _argv(tmp_path: Path, *words: str) -> list[str]:
    recipe = tmp_path / "tiny.toml"
    if not recipe.exists():
        recipe.write_text(RECIPE)
    key = ["--key", str(tmp_path / "publisher.key")]
    return [
        sys.executable,
        "-m",
        "hearthway",
        "distill",
        "modes",
        "--recipe",
        str(recipe),
        *key,
        *words,
    ]


def _env(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(tmp_path)}


def _run(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _argv(tmp_path, *words),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=_env(tmp_path),
    )


def _cut(tmp_path: Path, out: Path, at: str, how: signal.Signals) -> int:
    """Start it, wait for the stage to begin, end it; its exit status."""
    program = subprocess.Popen(
        _argv(tmp_path, "--out", str(out)), stderr=subprocess.PIPE, text=True, env=_env(tmp_path)
    )
    assert program.stderr is not None
    try:
        seen = []
        for line in program.stderr:
            seen.append(line)
            if at in line:
                program.send_signal(how)
                break
        assert at in seen[-1], seen
        program.stderr.read()
        return program.wait(LINE_S)
    finally:
        program.kill()
        program.wait(LINE_S)
        program.stderr.close()


def test_interrupted_and_killed_it_ends_at_the_same_file(tmp_path: Path) -> None:
    whole = _run(tmp_path, "--out", str(tmp_path / "whole"), "--json")
    assert whole.returncode == 0, whole.stderr
    wanted = json.loads(whole.stdout)
    cut = tmp_path / "cut"
    assert _cut(tmp_path, cut, "] corpus:", signal.SIGINT) == 130
    assert _cut(tmp_path, cut, "] student:", signal.SIGKILL) == -signal.SIGKILL
    assert not (cut / "modes.student").exists()
    again = _run(tmp_path, "--out", str(cut), "--json", str(tmp_path / "told.json"))
    assert again.returncode == 0, again.stderr
    assert "corpus stands from before" in again.stderr
    told = json.loads((tmp_path / "told.json").read_bytes())
    assert told["identity"] == wanted["identity"] == read(cut / "modes.student").identity
    assert {**told, "measured": 0} == {**wanted, "measured": 0}
    assert "agrees" in again.stdout


def test_a_home_signs_for_its_household(tmp_path: Path) -> None:
    from hearthway.app.config import Config, NodeTable, save_config
    from hearthway.app.paths import NodePaths, private_dir
    from hearthway.records.household import Role

    home = NodePaths(private_dir(tmp_path / "home"))
    save_config(home, Config(node=NodeTable(id="home", role=Role.HOME)))
    root = create_household(home.keys, "Home", NOW_S)
    argv = [
        word for word in _argv(tmp_path, "--out", str(tmp_path / "out")) if "publisher" not in word
    ]
    argv.remove("--key")
    done = subprocess.run(
        [*argv, "--data", str(home.root)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=_env(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert "signed by this household" in done.stdout
    key = certificate_key(load_certificate(root.certificate_pem, "The root"), "The root")
    file = tmp_path / "out" / "modes.student"
    signed = file.with_name("modes.student.sig").read_bytes()
    statement = check_artefact(file.read_bytes(), signed, Trusted(root.household_id, key))
    assert statement.task == "modes"


@pytest.mark.parametrize(
    ("words", "says", "next_step"),
    [
        (["--recipe", "none.toml"], "There is no recipe", "TOML file"),
        (["--seed", "-1"], "The seed is -1", "whole number"),
        (["--data", "nowhere"], "There is no node", "hearthway"),
        (["--out", "tiny.toml/x"], "cannot be used", "--out DIR"),
        (["--json", "nowhere/x.json"], "no directory nowhere", "Make it first"),
        (["--key", "nowhere/key"], "no directory nowhere", "Make it first"),
    ],
)
def test_what_cannot_be_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: list[str], says: str, next_step: str,
) -> None:  # fmt: skip
    _refused(tmp_path, monkeypatch, capsys, words, says, next_step)


def _refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: list[str], says: str, next_step: str, task: str = "modes",
) -> None:  # fmt: skip
    from hearthway.cli import main as cli

    (tmp_path / "tiny.toml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    argv = ["hearthway", "distill", task, "--recipe", "tiny.toml", "--out", "out", *words]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr().err
    assert ended.value.code in (1, 2)
    assert says in told
    assert next_step in told
    assert "Traceback" not in told
    assert not (tmp_path / "out" / "modes.student").exists()


def test_no_such_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _refused(tmp_path, monkeypatch, capsys, [], "There is no task 'moods'", "modes", "moods")


def test_the_recipe_of_another_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.toml").write_text(RECIPE.replace('task = "modes"', 'task = "other"'))
    words = ["--recipe", "other.toml"]
    _refused(tmp_path, monkeypatch, capsys, words, "is for the task 'other'", "distill other")


def test_personal_data_without_a_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.toml").write_text(PERSONAL)
    words = ["--recipe", "mine.toml"]
    _refused(tmp_path, monkeypatch, capsys, words, "is personal", "--data DIR")


def test_the_shipped_recipe_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hearthway.cli import main as cli

    monkeypatch.setattr(sys, "argv", ["hearthway", "distill", "modes", "--show-recipe"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert 'task = "modes"' in capsys.readouterr().out


@pytest.mark.parametrize("task", ["tiny", "ask", "home"])
def test_a_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], task: str
) -> None:
    (tmp_path / "words.toml").write_text(f'task = "{task}"\nname = "x"\n')
    monkeypatch.setitem(sys.modules, "torch", None)
    words = ["--recipe", "words.toml"]
    _refused(tmp_path, monkeypatch, capsys, words, "is not installed", "hearthway[distill]", task)


def test_sets_for_a_task_without_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--sets", str(tmp_path)]
    _refused(tmp_path, monkeypatch, capsys, words, "reads none of the public sets", "Leave --sets")
