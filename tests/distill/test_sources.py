"""A card tells what was read: a source that the task does not read is refused, and a file is read under its SHA-256."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

import hearthway
from hearthway.distill import sentences, sets
from hearthway.distill.language.datasets import LICENCES
from hearthway.distill.language.texts import overlap
from hearthway.distill.own import Origin
from hearthway.distill.recipe import Recipe, Source, read_recipe, shipped_recipe
from hearthway.distill.sources import Given, Reads, content, sources
from hearthway.distill.tabular import making, modes
from hearthway.distill.tasks import TASKS, built
from hearthway.distill.words import ENCODER
from hearthway.mesh.policy.rules import Rules
from hearthway.records.errors import HearthwayError, InputError, RuleDeniedError
from hearthway.student.format import read

MADE = Reads(name="made", licence="Apache-2.0", origin=Origin.SYNTHETIC, attribution="by nobody")
SET = Reads(name="set", licence="CC0 1.0", origin=Origin.PUBLIC, files=("*.jsonl", "more/a.json"))
DATA = Path(hearthway.__file__).parent / "student" / "data"
RULE = 'version = 2\n[[train]]\nid = "asked"\nkeys = ["Person.Asked"]\n'


def _recipe(*given: Source, **more: Any) -> Recipe:
    return Recipe(task="modes", name="x", source=given, **more)


def _said(name: str = "made", **more: Any) -> Source:
    told = {"licence": "Apache-2.0", "origin": Origin.SYNTHETIC, **more}
    return Source(name=name, **told)


def _rules(tmp_path: Path) -> Rules:
    (tmp_path / "rules.toml").write_text(RULE)
    return Rules.load(tmp_path / "rules.toml")


def test_the_card_has_what_the_task_reads_whatever_the_recipe_leaves_out() -> None:
    for recipe in (_recipe(), _recipe(_said())):
        (one,) = sources(recipe, [MADE], Given()).told
        assert (one.name, one.licence, one.origin, one.attribution, one.sha256) == (
            "made",
            "Apache-2.0",
            "synthetic",
            "by nobody",
            "",
        )


NOT_SO: tuple[tuple[Source, str], ...] = (
    (_said("my own questions"), "does not read 'my own questions'"),
    (_said(licence="CC0"), "licence of 'made' is 'CC0', and it is 'Apache-2.0'"),
    (_said(origin=Origin.PUBLIC), "origin of 'made' is 'public', and it is 'synthetic'"),
    (_said(attribution="by me"), "attribution of 'made' is 'by me', and it is 'by nobody'"),
    (_said(path="mine.csv"), "no path is read for it"),
)


@pytest.mark.parametrize(("source", "words"), NOT_SO, ids=lambda one: str(one)[:40])
def test_a_recipe_that_says_what_is_not_so_is_refused(source: Source, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        sources(_recipe(source), [MADE], Given())
    assert error.value.next_step


def test_more_sources_or_words_than_a_file_has_room_for_are_refused_before_the_work() -> None:
    many = [_said(f"s{number}", path="x.csv") for number in range(21)]
    with pytest.raises(InputError, match="names 21 sources"):
        sources(_recipe(*many), [], Given(), lambda _: True)
    long = _said("x" * 200, licence="y" * 181, path="x.csv")
    with pytest.raises(InputError, match="more than 380 characters"):
        sources(_recipe(long), [], Given(), lambda _: True)


def test_a_source_named_twice_is_refused() -> None:
    with pytest.raises(InputError, match="names the source 'made' twice"):
        sources(_recipe(_said(), _said()), [MADE], Given())


def test_personal_data_that_modes_does_not_read_are_refused_with_a_rule_and_a_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.csv").write_text("text,label\n")
    for path in ("does-not-exist.csv", "mine.csv", ""):
        mine = _said("my own questions", origin=Origin.PERSONAL, key="Person.Asked", path=path)
        given = Given(folder=tmp_path, rules=_rules(tmp_path))
        with pytest.raises(InputError, match="does not read 'my own questions'") as error:
            TASKS["modes"].build(_recipe(mine), given)
        assert "distill texts" in error.value.next_step
        with pytest.raises(RuleDeniedError, match="no rules were named"):
            TASKS["modes"].build(_recipe(mine), Given(folder=tmp_path))


def test_an_onnx_teacher_is_a_source(tmp_path: Path) -> None:
    (tmp_path / "t.onnx").write_bytes(b"a model")
    given, teacher = Given(folder=tmp_path), {"onnx": "t.onnx"}
    with pytest.raises(InputError, match="No source says what the teacher") as error:
        making.build(modes.TASK, _recipe(teacher=teacher), given)
    assert 'path = "t.onnx"' in error.value.next_step
    source = _said("my trees", licence="CC BY 4.0", path="t.onnx")
    stages, read = making.build(modes.TASK, _recipe(source, teacher=teacher), given)
    assert read.told[-1].sha256 == hashlib.sha256(b"a model").hexdigest()
    about = next(one for one in stages if one.name == "export").settings[1]
    assert "my trees (CC BY 4.0)" in about.attribution
    mine = msgspec.structs.replace(source, origin=Origin.PERSONAL, key="Person.Asked")
    with pytest.raises(RuleDeniedError):
        making.build(modes.TASK, _recipe(mine, teacher=teacher), given)
    ruled = Given(folder=tmp_path, rules=_rules(tmp_path))
    assert making.build(modes.TASK, _recipe(mine, teacher=teacher), ruled)[1].rules == ("asked",)


# files and folders -----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "sets" / "set"
    (place / "more").mkdir(parents=True)
    (place / "b.jsonl").write_text("two")
    (place / "a.jsonl").write_text("one")
    (place / "more" / "a.json").write_text("three")
    (place / "readme").write_text("read by nobody")
    return place


def test_a_folder_is_known_by_the_files_that_are_read(folder: Path) -> None:
    lines = "".join(
        f"{hashlib.sha256(words.encode()).hexdigest()}  {name}\n"
        for name, words in (("a.jsonl", "one"), ("b.jsonl", "two"), ("more/a.json", "three"))
    )
    wanted = hashlib.sha256(lines.encode()).hexdigest()
    for given in (Given(sets=folder.parent), Given(sets=folder.parent.parent)):
        if given.sets == folder.parent.parent:
            folder.parent.rename(folder.parent.parent / "language")
        (one,) = sources(_recipe(), [SET], given).read
        assert one.told.sha256 == wanted
    (one.path or Path()).joinpath("readme").write_text("else")
    one.unchanged()
    (one.path or Path()).joinpath("a.jsonl").write_text("else")
    with pytest.raises(InputError, match="changed while it was read"):
        one.unchanged()


def test_a_set_by_its_path_and_one_that_nobody_named(folder: Path) -> None:
    named = _said("set", licence="CC0 1.0", origin=Origin.PUBLIC, path="sets/set")
    given = Given(folder=folder.parent.parent)
    assert sources(_recipe(named), [SET], given).paths == {"set": folder}
    with pytest.raises(InputError, match="nobody said where it is") as error:
        sources(_recipe(), [SET], given)
    assert "--sets DIR" in error.value.next_step
    with pytest.raises(InputError, match="There is no"):
        sources(_recipe(), [SET], Given(sets=folder))
    with pytest.raises(InputError, match=r"holds no \*\.jsonl, so it is not set"):
        content(folder / "more", ("*.jsonl",), "set")


def test_a_file_that_is_not_there_no_file_or_not_to_be_read(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none", "There is no"), (tmp_path, "is no file")):
        with pytest.raises(InputError, match=words) as error:
            content(path, (), "mine")
        assert error.value.next_step


def test_what_stands_in_a_nodes_data_is_personal_whatever_a_recipe_says(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "node.toml").write_text("")
    (tmp_path / "node" / "asked.csv").write_text("text,label\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "node" / "asked.csv")
    given = Given(folder=tmp_path, rules=_rules(tmp_path))
    for path in ("node/asked.csv", "link.csv"):
        called = _said("mine", path=path)
        with pytest.raises(RuleDeniedError, match="stands in the data of a node"):
            sources(_recipe(called), [], given, lambda _: True)
        mine = msgspec.structs.replace(called, origin=Origin.PERSONAL, key="Person.Asked")
        assert sources(_recipe(mine), [], given, lambda _: True).rules == ("asked",)
    (tmp_path / "node" / "set").mkdir()
    (tmp_path / "node" / "set" / "a.jsonl").write_text("what somebody asked")
    with pytest.raises(RuleDeniedError, match="'set' is called public"):
        sources(_recipe(), [SET], Given(sets=tmp_path / "node"))


# the tasks' own --------------------------------------------------------------------------------------------------


def test_the_sets_are_named_as_the_files_name_them() -> None:
    told = [f"{one.attribution}, {one.licence}" for one in sets.SETS]
    assert told == list(LICENCES.values())


def test_sets_for_a_task_that_reads_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="reads none of the public sets"):
        built("modes", shipped_recipe("modes"), None, Given(sets=tmp_path))


@pytest.mark.parametrize("name", ["modes", "ask", "home", "ask-small", "tiny"])
def test_a_shipped_recipe_names_what_its_task_reads(name: str) -> None:
    """And nothing else, word for word."""
    recipe = read_recipe(shipped_recipe(name))
    reads = {
        "modes": modes.TASK.reads,
        "tiny": (_patterns(), ENCODER),
    }.get(recipe.task, (*sets.SETS, ENCODER))
    assert [one.name for one in recipe.source] == [one.name for one in reads]
    for said, is_so in zip(recipe.source, reads, strict=True):
        assert (said.licence, said.origin) == (is_so.licence, is_so.origin)
        assert said.attribution in ("", is_so.attribution)


def _patterns() -> Reads:
    from hearthway.distill.patterns import PATTERNS

    return PATTERNS


def test_the_student_of_modes_that_ships_says_what_its_recipe_makes() -> None:
    stages = TASKS["modes"].build(read_recipe(shipped_recipe("modes")), Given()).stages
    about = next(one for one in stages if one.name == "export").settings[1]
    assert about == read(DATA / "modes.student").header.about


# sentences of one's own ------------------------------------------------------------------------------------------

ROWS = [[f"{verb} the lamp {n}", "lamp"] for n in range(5) for verb in ("light", "dim")] + [
    [f"how far to town {n}, please", "range"] for n in range(6)
]


def _csv(path: Path, rows: list[list[str]], head: str = "text,label") -> Path:
    with path.open("w", newline="") as file:
        file.write(f"{head}\n")
        csv.writer(file).writerows(rows)
    return path


def _corpus(path: Path, variants: int = 2) -> Any:
    one = _said("mine", path=path.name)
    read = sources(_recipe(one), [], Given(folder=path.parent), lambda _: True)
    return sentences.corpus_of(read, variants, 1)


def test_sentences_are_learned_from_or_judged_by_and_never_both(tmp_path: Path) -> None:
    rows = [*ROWS, ["who won", "oos"], ["Light the lamp 0!", "lamp"]]
    corpus = _corpus(_csv(tmp_path / "mine.csv", rows))
    assert corpus.labels == ("lamp", "range", "oos")
    pool = [one.text for one in corpus.pool]
    assert overlap(pool, [one.text for one in corpus.validation]) == 0
    judged = [one.label for one in corpus.validation]
    assert (judged.count("lamp"), judged.count("range")) == (2, 1)
    assert judged.count("oos") > 3, "texts in other scripts are judged by as well"
    own = {one.text for one in corpus.labelled + corpus.validation}
    assert {row[0] for row in ROWS} <= own, "a comma within quotes is of the text"
    assert {one.label for one in corpus.unlabelled} == {""}
    assert corpus == _corpus(tmp_path / "mine.csv")


BAD: dict[str, tuple[str, str]] = {
    "no head": ("a,b\n", "does not begin with the line text,label"),
    "empty": ("", "does not begin with the line text,label"),
    "a field too many": ("text,label\na b,c,d\n", "line 2 has 3 fields"),
    "no label": ("text,label\nhello,\n", "line 2 has no text"),
    "no letters": ("text,label\n?!,x\n", "line 2 has no text"),
    "too long": (f"text,label\n{'x' * 501},y\n", "line 2 has no text of at most 500"),
    "a long label": (f"text,label\nhello,{'x' * 101}\n", "a label of at most 100"),
    "two labels": ("text,label\nhello,a\nHello!,b\n", r"line 3 calls 'Hello!' 'b', and .*line 2"),
    "a label of two lines": ('text,label\nhello,"a\nb"\n', "the label is no line"),
    "an open quote": ('text,label\n"hello,a\n', "is no CSV in UTF-8"),
    "one label": ("text,label\n" + "".join(f"t {n},a\n" for n in range(9)), "have 1 labels"),
    "few of one": (
        "text,label\nx y,b\n" + "".join(f"t {n},a\n" for n in range(9)),
        "'b' has 1 sentences",
    ),
}


@pytest.mark.parametrize("words", BAD)
def test_a_file_that_does_not_fit_is_refused_by_its_line(tmp_path: Path, words: str) -> None:
    text, says = BAD[words]
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(HearthwayError, match=says) as error:
        _corpus(tmp_path / "mine.csv")
    assert error.value.next_step


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_bytes(b"text,label\n\xff\xfe,a\n")
    with pytest.raises(InputError, match="is no CSV in UTF-8"):
        _corpus(tmp_path / "mine.csv")


def test_texts_without_a_file_say_how_to_name_one() -> None:
    with pytest.raises(InputError, match="names no file of sentences") as error:
        TASKS["texts"].build(read_recipe(shipped_recipe("texts")), Given())
    assert "path" in error.value.next_step


def test_the_sentences_of_the_how_to_fit() -> None:
    file = Path(__file__).parents[2] / "docs" / "how-to" / "distill-sentences.toml"
    recipe = read_recipe(file)
    read = sources(recipe, (), Given(folder=file.parent), lambda _: True)
    corpus = sentences.corpus_of(read, 2, recipe.seed)
    assert corpus.labels == ("coat", "door", "keys", "oos")
    assert len(corpus.validation) > 4
