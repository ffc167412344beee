"""The docs cannot rot: generated parts equal the code, commands parse, links lead somewhere."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

import hearthway
from hearthway.app.config import parse_config
from hearthway.cli.main import VERBS, cli
from hearthway.mesh.policy.rules import Rules

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "decisions").glob("*.md")]
    + [page for page in DOCS.rglob("*.md") if "_build" not in page.parts]
)
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def fences(page: Path, *languages: str) -> list[str]:
    return [
        body for language, body in FENCE.findall(page.read_text("utf-8")) if language in languages
    ]


# what the code says ------------------------------------------------------------------------------------------------


def test_the_reference_is_as_the_code_says(generator: ModuleType) -> None:
    old = [
        page.name
        for page in generator.pages()
        if generator.renewed(page.read_text("utf-8")) != page.read_text("utf-8")
    ]
    assert not old, f"run `python docs/generate.py`: {', '.join(old)} differ from the code"


def test_every_verb_has_its_part_and_an_example(generator: ModuleType) -> None:
    page = (DOCS / "reference" / "verbs.md").read_text("utf-8")
    examples = "\n".join(fences(DOCS / "reference" / "verbs.md", "sh"))
    for name, _ in generator.verbs():
        assert f"<!-- generated: verb {name} -->" in page, f"reference/verbs.md misses {name}"
        assert re.search(rf"^hearthway {name}\b", examples, re.MULTILINE), f"no example of {name}"
    assert {name.split()[0] for name, _ in generator.verbs()} == set(VERBS)


def test_every_option_has_a_meaning(generator: ModuleType) -> None:
    for name, command in generator.verbs():
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert option.help, f"{name} {option.opts[0]} says nothing about itself"


def test_every_generated_part_stands_on_a_page(generator: ModuleType) -> None:
    text = "".join(page.read_text("utf-8") for page in generator.pages())
    for name in generator.PARTS:
        assert f"<!-- generated: {name} -->" in text, name


def test_every_student_that_ships_has_a_card_with_figures_of_that_very_file(
    generator: ModuleType,
) -> None:
    """Its table is renewed by `python docs/generate.py`; what was measured is of one file, and says which."""
    page = (DOCS / "reference" / "models.md").read_text("utf-8")
    shipped = [path.stem for path in generator.file_card.students(generator.SHIPPED)]
    assert {"ask", "home", "modes"} <= set(shipped)
    sections = {
        found[1]: found[0]
        for found in re.finditer(r"^## Card of ([\w-]+)\.student$.*?(?=^## |\Z)", page, re.M | re.S)
    }
    assert set(shipped) <= set(sections)
    for name, words in sections.items():
        [path] = [
            one
            for one in generator.file_card.students(generator.SHIPPED, generator.BESIDE)
            if one.stem == name
        ]
        identity = hashlib.sha256(path.read_bytes()).hexdigest()
        assert f"<!-- generated: card {name} -->" in words, name
        assert identity in words, f"run `python docs/generate.py`: {name} is another file"
        assert f"Measured on file `{identity[:16]}`" in words, (
            f"{path} is another file than its figures are of: measure it, and name its identity"
        )


def test_every_task_of_distill_is_in_its_how_to(generator: ModuleType) -> None:
    page = (DOCS / "how-to" / "distill.md").read_text("utf-8")
    for name in generator.TASKS:
        assert re.search(rf"^\| .*`{name}`.* \|.*\|.*\|$", page, re.M), name


def test_every_adapter_is_documented() -> None:
    reference = (DOCS / "reference" / "adapters.md").read_text("utf-8")
    guides = "".join(page.read_text("utf-8") for page in (DOCS / "how-to").glob("*.md"))
    manifests = sorted((Path(hearthway.__file__).parent / "adapters").glob("*/manifest.toml"))
    assert manifests
    for manifest in manifests:
        about = tomllib.loads(manifest.read_text("utf-8"))
        assert f"## {about['name']}\n" in reference, manifest
        assert about["counterpart"]["name"] in guides, manifest


def test_pages_named_in_messages_exist() -> None:
    named = set()
    for file in Path(hearthway.__file__).parent.rglob("*.py"):
        named |= set(re.findall(r"\bdocs/([\w/-]+)", file.read_text("utf-8")))
    assert named
    for page in named:
        assert (DOCS / f"{page}.md").is_file() or (DOCS / page).exists(), page


# what the pages say ------------------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[Path, str, bool]]:
    for page in PAGES:
        for block in fences(page, "sh", "bash", "console"):
            for line in block.replace("\\\n", " ").splitlines():
                found = re.search(r"(?:^|\$ |\()\s*(hearthway .*)$", line)
                if found:
                    yield page, found[1], True
        for inline in re.findall(r"`(hearthway [a-z][^`]*)`", page.read_text("utf-8")):
            if not re.search(r"\[|[A-Z]{4}", inline):  # a form, not a command
                yield page, inline, False


@pytest.mark.parametrize(
    ("page", "line", "in_a_fence"),
    [pytest.param(p, c, fenced, id=f"{name_of(p)}: {c}") for p, c, fenced in commands()],
)
def test_commands_parse(page: Path, line: str, in_a_fence: bool) -> None:
    words = shlex.split(line, comments=True)[1:]
    for end in ("|", ">", ")", "&&", "||"):
        words = words[: words.index(end)] if end in words else words
    context: click.Context = click.Context(cli, info_name="hearthway")
    if words in (["--version"], ["--help"]):
        return
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        command, context = found, click.Context(found, parent=context, info_name=name)
    if isinstance(command, click.Group) and not words:
        return
    try:
        command.make_context(context.info_name, words)
    except click.MissingParameter as why:
        if words or in_a_fence:  # inline, a bare verb names the verb
            pytest.fail(f"{name_of(page)}: {line}\n{why.format_message()}")
    except click.UsageError as why:
        if "does not exist" not in why.format_message():  # a file of the reader's
            pytest.fail(f"{name_of(page)}: {line}\n{why.format_message()}")


def test_settings_shown_are_valid() -> None:
    shown = fences(DOCS / "reference" / "settings.md", "toml")
    assert shown
    for text in shown:
        parse_config(text, "settings.md")
    for page in (DOCS / "how-to").glob("*.md"):
        for text in fences(page, "toml"):
            parse_config('[node]\nid = "phone"\nrole = "phone"\n' + text, name_of(page))


def test_rules_shown_are_valid() -> None:
    for text in fences(DOCS / "reference" / "rules.md", "toml"):
        assert Rules.parse(text, "rules.md").rules


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text("utf-8"))
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), f"{name_of(page)} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_line_is_in_the_projects_words(page: Path) -> None:
    text = page.read_text("utf-8")
    for wrong in (r"\bTODO\b", r"\bFIXME\b", r"\blorem\b"):
        assert not re.search(wrong, text), f"{name_of(page)}: {wrong}"


def test_decisions_are_numbered_without_gaps() -> None:
    found = sorted(path.name for path in (ROOT / "decisions").glob("[0-9]*.md"))
    assert [name[:4] for name in found] == [f"{n:04d}" for n in range(1, len(found) + 1)]
    overview = (ROOT / "decisions" / "README.md").read_text("utf-8")
    for name in found:
        text = (ROOT / "decisions" / name).read_text("utf-8")
        assert text.startswith(f"# {name[:4]}: "), name
        assert "**Context.**" in text, name
        assert "**Decision.**" in text, name
        assert "**Consequences.**" in text, name
        assert name in overview, name


def test_the_readmes_table_is_the_base_install() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    pinned = dict(
        re.findall(
            r"^([a-z0-9.-]+)==([\w.]+)(?! ; python_full_version >= '3.12')",
            "\n".join(
                line
                for line in (ROOT / "requirements" / "base.txt").read_text("utf-8").splitlines()
                if ">= '3.12'" not in line and "win32" not in line
            ),
            re.MULTILINE,
        )
    )
    shown = dict(
        re.findall(r"^\| ([a-z][a-z0-9-]+) \| (\d[\w.]*) \| [\d.]+ \|", readme, re.MULTILINE)
    )
    assert shown == pinned, "the README's table and requirements/base.txt differ"
    assert len(pinned) + 1 <= 14
    assert f"{len(pinned)} distributions besides Hearthway" in readme


def test_the_first_screen_of_the_readme() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    first = "\n".join(lines[:45])
    for shown in ("synthetic", "before arrival", "receipt of phone", "docs/images/page.png"):
        assert shown in first, shown
    assert "bash scripts/drive" in first
    assert "bash scripts/test" in first
    assert (DOCS / "images" / "page.png").stat().st_size < 300_000


@pytest.mark.parametrize(("page", "least"), [("attacks", 40), ("incumbents", 15)])
def test_every_test_that_a_claim_names_exists(page: str, least: int) -> None:
    """A claim about an attack, or about what others get wrong, is worth the test it names."""
    text = (DOCS / "explanation" / f"{page}.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert len(named) > least
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).exists()
        or (name and f"def {name}(" not in (ROOT / file).read_text("utf-8"))
    ]
    assert not missing
