"""`why --silent`: what is recomputed of a past moment is what the phone concluded when it was there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from tests.assist.student_of_others import file

from hearthway.app.config import AssistTable, Config, MapTable, NodeTable, save_config
from hearthway.app.hindsight import hindsight_lines, look_back, moment_of
from hearthway.app.paths import NodePaths, private_dir
from hearthway.assist.explain import heading_lines, why
from hearthway.assist.settings import GateSettings
from hearthway.atlas.store import Atlas
from hearthway.cli.why import command
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.store import Store
from hearthway.records.errors import InputError
from hearthway.records.household import Role
from hearthway.synthetic.settings import Settings

from .conftest import Evening, household_of, live_through

ASKED = 5
CONFIG = Config(node=NodeTable(id="phone", role=Role.PHONE), map=MapTable(atlas="bundled"))


@pytest.fixture(scope="module")
def lived_through(tmp_path_factory: pytest.TempPathFactory) -> tuple[NodePaths, Evening]:
    """An evening as a phone took it, and the phone's directory."""
    paths = NodePaths(private_dir(tmp_path_factory.mktemp("hindsight") / "phone"))
    save_config(paths, CONFIG)
    household = household_of(Settings(weeks=6, driver="a"))
    atlas = Atlas.bundled()
    try:
        evening = live_through(paths.root, household, household.driver_id, atlas, GateSettings())
    finally:
        atlas.close()
    assert evening.suggestions, "the control must speak"
    return paths, evening


def test_each_silence_is_the_one_that_was_live(
    lived_through: tuple[NodePaths, Evening], atlas: Atlas
) -> None:
    paths, evening = lived_through
    changes = [
        silence
        for before, silence in zip([None, *evening.silences], evening.silences, strict=False)
        if before is None or before.code != silence.code
    ]
    assert len({silence.code for silence in changes}) > 2
    with Store.open(paths.database, node_id="phone") as store:
        person = store.persons()[0]
        for live in changes[:ASKED]:
            seen = look_back(store, person, CONFIG, atlas, Rules(()), live.time_s)
            assert seen.silence == live
            assert live in seen.needs.values()
            assert seen.said is None
        moment = evening.suggestions[0]
        spoke = look_back(store, person, CONFIG, atlas, Rules(()), moment.time_s)
        assert spoke.said is not None
        assert spoke.said.suggestion_id == moment.suggestion_id
        assert spoke.would is not None
        assert spoke.would.headline == moment.headline
        said = moment.heading
        assert isinstance(said, tuple)
        assert said == tuple(sorted(said, key=lambda one: (-abs(one.weight), one.feature)))
        assert {"hour", "nearing"} & {one.feature for one in said}
        alone = {
            one.feature for one in spoke.heading
        }  # of the likeliest place, not of all that are near it
        assert alone & {one.feature for one in said}
        first = said[0]
        lines = why(moment)
        told = lines.index("  Heading there by, each taken alone, in log-odds:")
        assert lines[told + 1] == f"    {first.weight:+6.1f}  {first.words}"
        assert heading_lines(spoke.heading)[1] in hindsight_lines(spoke)
        assert moment.need not in spoke.needs


def _asked(paths: NodePaths, *words: str) -> Any:
    return CliRunner().invoke(command, [*words, "--data", str(paths.root)], catch_exceptions=True)


def test_the_verb_tells_it_in_local_time_and_as_json(
    lived_through: tuple[NodePaths, Evening],
) -> None:
    paths, evening = lived_through
    before = [s for s in evening.silences if s.time_s < evening.suggestions[0].time_s][-1]
    with Store.open(paths.database, node_id="phone") as store:
        held = list(store.fixes(store.persons()[0].person_id))
        generation = store.generation()

    offset_s = evening.suggestions[0].utc_offset_s
    local = datetime.fromtimestamp(before.time_s + offset_s, UTC).replace(tzinfo=None)
    done = _asked(paths, "--silent", local.isoformat(" "))
    assert done.exit_code == 0, done.output
    assert f"Why: {before.words}" in done.output
    assert "nothing was said" in done.output
    zoned = datetime.fromtimestamp(before.time_s, UTC).isoformat()
    told = json.loads(_asked(paths, "--silent", zoned, "--json").output)
    assert told["silence"]["code"] == before.code
    strongest = told["heading"][0]
    assert f"{strongest['weight']:+6.1f}  {strongest['words']}" in done.output
    with Store.open(paths.database, node_id="phone") as store:  # it only read
        assert list(store.fixes(store.persons()[0].person_id)) == held
        assert store.generation() == generation


def test_what_ranks_on_the_phone_ranks_its_past_as_well(
    lived_through: tuple[NodePaths, Evening], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if Hearthway brought one along; the control: none is there, and own counts alone rank.

    The dial is at eager, for the word was said once it was just worth it, and which table is best weighs in that.
    """
    lived, evening = lived_through
    said_s = evening.suggestions[0].time_s
    paths = NodePaths(tmp_path / "phone")
    copytree(lived.root, paths.root)
    save_config(paths, replace(CONFIG, assist=AssistTable(dial="eager")))

    def others() -> object:
        asked = _asked(
            paths, "--silent", datetime.fromtimestamp(said_s, UTC).isoformat(), "--json", "-"
        )
        return json.loads(asked.output)["would"].get("others")

    assert others() is None
    shipped = private_dir(tmp_path / "shipped")
    (shipped / "ranker.student").write_bytes(file())
    monkeypatch.setattr("hearthway.app.models.SHIPPED", shipped)
    assert others() == sha256(file()).hexdigest()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--silent", "yesterday"), "no moment"),
        (("--silent", "2025-11-14"), "no moment"),
        (("--silent", "2031-01-01 10:00"), "positions are held from"),
        (("--silent", "2031-01-01T10:00Z"), "positions are held from"),
        (("--silent", "2001-01-01T10:00Z"), "positions are held from"),
        (("--silent", "0001-01-01T00:00+14:00"), "positions are held from"),
        (("--silent", "9999-12-31T23:59-12:00"), "positions are held from"),
        (("abc", "--silent", "2025-11-14 18:00"), "both given"),
    ],
)
def test_what_cannot_be_asked_is_said(
    lived_through: tuple[NodePaths, Evening], words: tuple[str, ...], says: str
) -> None:
    done = _asked(lived_through[0], *words)
    assert isinstance(done.exception, InputError)
    assert says in done.exception.message


def test_an_empty_phone_says_so(tmp_path: Path) -> None:
    paths = NodePaths(private_dir(tmp_path / "phone"))
    save_config(paths, CONFIG)
    done = _asked(paths, "--silent", "2025-11-14 18:00")
    assert isinstance(done.exception, InputError | FileNotFoundError)
    with Store.open(paths.database, node_id="phone") as store:
        person = store.add_person("Alva")
        with pytest.raises(InputError, match="no position of Alva"):
            moment_of("2025-11-14 18:00", store, person)
