"""`hearthway rules`: templates, sentences, what a change opens, and making it so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hearthway.app.config import Config, NodeTable, save_config
from hearthway.app.keys import keys_of
from hearthway.app.paths import NodePaths
from hearthway.cli.main import cli
from hearthway.mesh.policy.rules import TEMPLATES, Rules, template
from hearthway.records.errors import HearthwayError, InputError, RuleError
from hearthway.records.household import Role
from hearthway.sense.catalogue import CATALOGUE


@pytest.fixture(name="data")
def _data(tmp_path: Path) -> Path:
    """A phone and a car that were never started."""
    for name in ("phone", "car"):
        (tmp_path / "data" / name).mkdir(parents=True)
        node = NodeTable(id=name, role=Role(name))
        save_config(NodePaths(tmp_path / "data" / name), Config(node=node))
    return tmp_path / "data"


def run(*words: object, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["rules", *map(str, words)], input=text)


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_template_is_printed_as_it_is(name: str) -> None:
    assert run("--template", name).stdout == template(name)


def test_the_default_is_family() -> None:
    assert run("--default").stdout == template("family")


def test_a_file_is_shown_without_a_verb(tmp_path: Path, data: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(template("strict"))
    for words in ((file,), ("show", file)):
        shown = run(*words).stdout
        assert "car-signals" in shown
        assert "taken in at car" in shown
        assert "deleted after 90 days" in shown
    found = json.loads(run(file, "--json").stdout)[str(file)]
    assert {rule["id"] for rule in found["keep"]} >= {"weeks-of-life"}
    assert run("--data", data).stdout == ""  # not started: no rules written down yet


def test_explain_speaks_and_gives_json(data: Path) -> None:
    said = run("explain", "Vehicle.Speed", "--data", data).stdout
    assert said.startswith("car:\n")
    assert said.endswith("phone:\n  the same\n")
    assert "car-signals" in said
    found = json.loads(run("explain", "Vehicle.Speed", "--data", data, "--json").stdout)
    assert found["car"]["collected"] == {"car": "collect-in-car", "phone": "collect-on-phone"}
    assert found["phone"]["learned_from"]
    moves = json.loads(run("explain", "Vehicle.IsMoving", "--data", data, "--json").stdout)
    assert moves["phone"]["learned_from"] is False


@pytest.mark.parametrize(
    ("key", "message", "step"),
    [
        ("vehicle.speed", 'no key "vehicle.speed"', "Did you mean Vehicle.Speed?"),
        ("Vehicle.Sped", "no key", "Vehicle.Speed"),
        ("Receipt.Haed", "no key", "Receipt.Head"),
        ("Vehicle.CurrentLocation", "5 keys begin with it", "'Vehicle.CurrentLocation.*'"),
        ("Vehicle.Nothing.*", "no key", "docs/reference/signals"),
        ("Home.Items.bag.Away", "no key", "docs/reference/signals"),
        ("bogus", "no key", "docs/reference/signals"),
        ("", "not a key pattern", "dotted names"),
        ("Vehicle..Speed", "not a key pattern", "dotted names"),
    ],
)
def test_what_is_no_key_is_never_told_to_stay_where_it_is(
    data: Path, key: str, message: str, step: str
) -> None:
    done = run("explain", key, "--data", data)
    assert isinstance(done.exception, HearthwayError)
    assert message in done.exception.message
    assert step in done.exception.next_step
    assert "leaves no node" not in done.output


def test_of_a_pattern_every_key_is_told(data: Path) -> None:
    said = run("explain", "Vehicle.*", "--data", data).stdout
    speed = said.index("Vehicle.Speed: the car's speed.")
    assert "leaves no node" in said[:speed]  # Vehicle.IsMoving
    assert "phone gets it as it is" in said[speed : said.index("Vehicle.TraveledDistance") + 400]
    found = json.loads(run("explain", "Vehicle.*", "--data", data, "--json").stdout)["phone"]
    told = {one["key"]: bool(one["crossings"]) for one in found}
    assert set(told) == {key for key in CATALOGUE if key.startswith("Vehicle.")}
    assert (told["Vehicle.Speed"], told["Vehicle.IsMoving"]) == (True, False)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Vehicle.Speed", ["Vehicle.Speed"]),
        ("Home.Items.my-bag.Present", ["Home.Items.my-bag.Present"]),
        ("Home.Items.bag.*", ["Home.Items.bag.Present"]),
        ("Home.Lights.*", ["Home.Lights.*.OnOff"]),
        ("Person.Location.*", [f"Person.Location.{x}" for x in ("Accuracy", "Latitude", "Longitude", "Speed")]),
        ("Person.Calendar", ["Person.Calendar"]),
        ("Suggestion.Show", ["Suggestion.Show"]),
        ("Suggestion.*", ["Suggestion.*"]),
        ("Command.Home.Light.kitchen", ["Command.Home.Light.kitchen"]),
        ("Mine.Own", ["Mine.Own"]),
    ],
)  # fmt: skip
def test_what_is_a_key(text: str, keys: list[str]) -> None:
    own = 'version = 1\n[[rule]]\nid = "x"\nkeys = ["Mine.*", "Vehicle.*"]\nfrom = "car"\nto = ["phone"]\npurpose = "share"\n'
    assert keys_of(text, Rules.parse(own, "test")) == keys


def test_a_change_is_shown_asked_for_and_made(tmp_path: Path, data: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(template("open"))
    shown = run("diff", file, "--data", data).stdout
    assert "opens   Person.Location.*" in shown
    assert "closes" not in shown
    now = Rules.load(data / "phone" / "rules.toml").book
    refused = run("apply", file, "--data", data, text="n\n")
    assert refused.exit_code != 0
    assert Rules.load(data / "phone" / "rules.toml").book == now
    done = run("apply", file, "--data", data, "--yes")
    assert done.exit_code == 0, done.output
    assert "opens   Person.Location.*" in done.stdout  # also when nobody is asked
    for name in ("phone", "car"):
        assert (data / name / "rules.toml").read_text() == template("open")
        assert (data / name / "rules.toml").stat().st_mode & 0o777 == 0o600
    assert "nothing changes for anybody" in run("diff", file, "--data", data).stdout
    file.write_text(template("strict"))
    changes = json.loads(run("diff", file, "--data", data, "--json").stdout)["phone"]
    assert changes
    assert not any(change["opened"] for change in changes)


def test_a_wrong_file_changes_nothing(tmp_path: Path, data: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("version = 2\n[[rule]]\n")
    for verb in ("diff", "apply"):
        found = run(verb, file, "--data", data)
        assert isinstance(found.exception, RuleError)
        assert "line 2" in found.exception.message
    assert not (data / "phone" / "rules.toml").exists()
    assert isinstance(run("diff", tmp_path / "none.toml").exception, RuleError)


def test_no_template_of_that_name_reaches_no_file() -> None:
    assert run("--template", "../family").exit_code == 2
    with pytest.raises(InputError):
        template("../family")


def test_check_says_what_an_older_file_means_now_and_what_to_write(data: Path) -> None:
    """Rules that let something be ordered and leave open by whom: adults alone since; no mistake, so no failure."""

    def check(text: str) -> Result:
        (data / "phone" / "rules.toml").write_text(text)
        return CliRunner().invoke(cli, ["check", str(data / "phone" / "node.toml")])

    said = check(template("family").replace('by = "adults"\n', ""))
    assert said.exit_code == 0, said.output
    for rule in ("command-car", "command-home"):
        assert f"by the rule {rule} adults' devices alone order" in said.stdout
        assert f'Add by = "adults" to [[rule]] {rule}' in said.stdout
    for name in TEMPLATES:
        assert "alone order" not in check(template(name)).stdout
    assert "said by adults" in run(data / "phone" / "rules.toml").stdout
    broken = check("version = 2\n[[rule]]\n")
    assert broken.exit_code != 0
    assert "alone order" not in broken.stdout
