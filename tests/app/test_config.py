"""node.toml: every mistake is named with what to write instead; nothing a file holds raises anything else."""

from __future__ import annotations

import tomllib
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.app.config import (
    AssistTable,
    Config,
    MapTable,
    MeshTable,
    NodeTable,
    WebTable,
    load_config,
    parse_config,
    save_config,
    split_address,
)
from hearthway.app.paths import NodePaths, private_dir
from hearthway.records import toml
from hearthway.records.errors import ConfigError, HearthwayError
from hearthway.records.household import Role

NODE = '[node]\nid = "phone"\nrole = "phone"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "node"),
        ("[node\n", "not TOML"),
        ('[node]\nid = "phone"\n', "role"),
        ('[node]\nid = "phone"\nrole = "boat"\n', "boat"),
        ('[node]\nid = "Phone!"\nrole = "phone"\n', "not usable"),
        ('[node]\nid = ""\nrole = "phone"\n', "not usable"),
        (f"{NODE}[assist]\ndail = 'eager'\n", "Did you mean `dial`?"),
        (f"{NODE}[asist]\ndial = 'eager'\n", "Did you mean `assist`?"),
        (f"{NODE}[weather]\n", "Known here: node"),
        (f"{NODE}[assist]\ndial = 'loud'\n", "quiet, normal, eager"),
        (f"{NODE}[assist]\ndaily_budget = -1\n", "0 to 20"),
        (f"{NODE}[assist]\ndaily_budget = 'two'\n", "daily_budget"),
        (f"{NODE}[charging]\ntariff = 't.toml'\n", "Set charging.charger_kw"),
        (f"{NODE}[charging]\ncharger_kw = 0.01\n", "Use 0.1 to 400"),
        (f"{NODE}[charging]\ntarget_pct = 0\n", "Use 1 to 100"),
        (f"{NODE}[charging]\nconnection_kw = 17\n", "Set charging.house"),
        (f"{NODE}[charging]\ntarrif = 't.toml'\n", "Did you mean `tariff`?"),
        (f"{NODE}[mesh]\nlisten = '7447'\n", "host:port"),
        (f"{NODE}[mesh]\nlisten = '10.0.0.1:99999'\n", "host:port"),
        (f"{NODE}[mesh]\nlisten = 'somewhere'\n", "host:port"),
        (f"{NODE}[web]\nlisten = 'on'\n", "host:port"),
        (f"version = 2\n{NODE}", "Update Hearthway"),
        (f"{NODE}[node]\n", "not TOML"),
    ],
)
def test_a_mistake_is_named(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "node.toml")
    assert "node.toml" in caught.value.message
    assert words in str(caught.value)
    assert caught.value.next_step


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(HearthwayError):
        parse_config(text, "node.toml")


@given(st.text(max_size=40))
def test_no_address_raises_anything_else(text: str) -> None:
    with suppress(ConfigError):
        host, port = split_address(text)
        assert host
        assert 0 <= port < 65536


@given(
    dial=st.sampled_from(["quiet", "normal", "eager"]),
    budget=st.integers(0, 20),
    port=st.integers(0, 65535),
    hours=st.dictionaries(st.text(max_size=12), st.text(max_size=20), max_size=3),
    role=st.sampled_from([Role.PHONE, Role.CAR, Role.HOME]),
)
def test_what_is_saved_is_loaded(
    tmp_path_factory: pytest.TempPathFactory,
    dial: str,
    budget: int,
    port: int,
    hours: dict[str, str],
    role: Role,
) -> None:
    paths = NodePaths(private_dir(tmp_path_factory.mktemp("node")))
    config = Config(
        node=NodeTable(id="a-node", role=role),
        mesh=MeshTable(listen=f"127.0.0.1:{port}"),
        map=MapTable(hours=hours),
        assist=AssistTable(dial=dial, daily_budget=budget),
        web=WebTable(listen="off"),
    )
    save_config(paths, config)
    assert load_config(paths.config) == config
    assert paths.config.stat().st_mode & 0o777 == 0o600


def test_files_that_are_no_settings(tmp_path: Path) -> None:
    """Absent, a directory, and bytes that are no text."""
    with pytest.raises(ConfigError, match="no node at"):
        load_config(tmp_path / "node.toml")
    (tmp_path / "node.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "node.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "binary.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a" + ".a" * 100_000 + " = 1", "more than 300 dots"),
        ("".join(f"k{n}" + ".a" * 299 + " = 1\n" for n in range(100)), "too many lines"),
        ("".join(f"[k{n}" + ".a" * 150 + "]\n" for n in range(800)), "too many lines"),
    ],
)
def test_keys_of_too_many_parts_are_refused_before_they_take_the_memory(
    text: str, said: str
) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match=said):
            parse_config(text, "node.toml")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_many_lines_of_few_dots_and_a_few_of_many_are_read() -> None:
    text = "".join(f"k{n}" + ".a" * 20 + " = 1.5\n" for n in range(4000))
    assert len(toml.parse(text)) == 4000
    assert len(toml.parse("".join(f"k{n}" + ".a" * 299 + " = 1\n" for n in range(22)))) == 22


@pytest.mark.parametrize("number", ["9" * 5000, "0x" + "f" * 20_000, str(2**63), str(-(2**63) - 1)])
def test_a_number_larger_than_any_is_refused(number: str) -> None:
    with pytest.raises(ConfigError, match="not TOML"):
        parse_config(f"version = {number}\n{NODE}", "node.toml")
    with pytest.raises(tomllib.TOMLDecodeError):
        toml.parse(f"a = [[{{b = {number}}}]]")


def test_the_largest_and_the_least_integer_of_toml_are_read() -> None:
    text = f"a = [{2**63 - 1}, {-(2**63)}, true]"
    assert toml.parse(text) == {"a": [2**63 - 1, -(2**63), True]}
