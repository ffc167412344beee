"""`hearthway up`: what is said to a node that is there counts, or is refused; a first start that fails leaves nothing."""

from __future__ import annotations

import re
import socket
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hearthway.app.config import load_config
from hearthway.app.control import held
from hearthway.app.household import found_or_renew
from hearthway.app.node import Node
from hearthway.app.paths import NodePaths, private_dir
from hearthway.mesh.trust.root import HouseholdRoot

Hearthway = Callable[..., Any]
PHONE = """# mine
[node]
id = "phone"
role = "phone"

[map]
atlas = "none"   # for now
"""


@pytest.fixture
def taken() -> Iterator[list[str]]:
    """Two addresses at which somebody else listens, so that a node says which it was told, and ends."""
    sockets = [socket.socket() for _ in range(2)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
        one.listen()
    yield [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()


@pytest.fixture
def free(taken: list[str]) -> list[str]:
    """Two addresses at which nobody listens."""
    sockets = [socket.socket() for _ in range(2)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    found = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return found


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that is up ends at once."""
    run = Node.run

    async def briefly(node: Node, *, leash: bool, up: Callable[[], None]) -> None:
        def stop() -> None:
            up()
            node.stop()

        await run(node, leash=leash, up=stop)

    monkeypatch.setattr(Node, "run", briefly)


def _node(root: Path, text: str = PHONE) -> Path:
    private_dir(root)
    (root / "node.toml").write_text(text)
    return root


def test_a_first_start_that_fails_leaves_nothing_to_contradict_the_next(
    hearthway: Hearthway, tmp_path: Path, taken: list[str]
) -> None:
    for address in taken:
        done = hearthway("up", "--role", "phone", "--data", tmp_path / "new", "--web", address)
        done.refuses(f"Port {address.rpartition(':')[2]}", "--web")
        assert not (tmp_path / "new").exists()
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("of mine")
    hearthway("up", "--role", "phone", "--data", tmp_path / "there", "--web", taken[0]).refuses()
    assert (tmp_path / "there" / "mine.txt").read_text() == "of mine"


def test_an_address_said_later_is_kept_with_all_else_that_stood_there(
    hearthway: Hearthway, tmp_path: Path, free: list[str], ends: None
) -> None:
    root = _node(tmp_path / "phone")
    for address in free:
        done = hearthway("up", "--data", root, "--web", address, "--listen", "127.0.0.1:1")
        assert done.code == 0, done.err
        assert f"web.listen is {address} from now on (node.toml)" in done.out
        assert f"its page: http://{address}/" in done.out
        assert ("mesh.listen is 127.0.0.1:1" in done.out) == (address == free[0])
        text = (root / "node.toml").read_text()
        assert text.startswith(PHONE)
        settings = tomllib.loads(text)
        assert settings["web"]["listen"] == address
        assert settings["mesh"] == {"listen": "127.0.0.1:1"}
    token = settings["web"]["token"]
    done = hearthway("up", "--data", root, "--web", free[0], "--name", "phone", "--role", "phone")
    assert done.code == 0, done.err
    assert load_config(root / "node.toml").web.token == token != ""
    done = hearthway("up", "--data", root, "--web", free[0])
    assert done.code == 0, done.err
    assert "from now on" not in done.out  # it stood there


def test_what_was_said_to_a_node_that_does_not_start_with_it_is_not_kept(
    hearthway: Hearthway, tmp_path: Path, taken: list[str], free: list[str], ends: None
) -> None:
    root = _node(tmp_path / "phone")
    done = hearthway("up", "--data", root, "--web", taken[0], "--listen", "127.0.0.1:1")
    done.refuses(f"Port {taken[0].rpartition(':')[2]}", "--web")
    assert "from now on" not in done.out
    assert (root / "node.toml").read_text() == PHONE
    assert hearthway("up", "--data", root).code == 0
    (tmp_path / "mine").mkdir()
    start = ("up", "--data", tmp_path / "mine", "--role")
    hearthway(*start, "phone", "--web", taken[0]).refuses("in use")
    assert not (tmp_path / "mine" / "node.toml").exists()
    assert hearthway(*start, "phone", "--web", free[0]).code == 0
    hearthway("up", "--data", tmp_path / "mine", "--web", taken[0]).refuses("in use")
    assert load_config(tmp_path / "mine" / "node.toml").web.listen == free[0]


def test_a_port_of_the_systems_choice_is_told(
    hearthway: Hearthway, tmp_path: Path, ends: None
) -> None:
    done = hearthway("up", "--data", _node(tmp_path / "phone"), "--web", "127.0.0.1:0")
    assert done.code == 0, done.err
    found = re.search(r"its page: http://127\.0\.0\.1:(\d+)/", done.out)
    assert found is not None
    assert int(found[1]) > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--name", "other"), "'phone' for good"),
        (("--role", "car"), "this device is a phone"),
        (("--venue", "node/1", "Here"), "Leave out --venue"),
        (("--listen", "nonsense"), "mesh.listen"),
        (("--listen", ""), "mesh.listen"),
        (("--web", "127.0.0.1:99999"), "web.listen"),
    ],
)
def test_what_cannot_be_taken_in_is_refused_and_changes_nothing(
    hearthway: Hearthway, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    root = _node(tmp_path / "phone")
    hearthway("up", "--data", root, *words).refuses(said)
    assert (root / "node.toml").read_text() == PHONE
    assert [path.name for path in root.iterdir()] == ["node.toml"]


@pytest.mark.parametrize(
    "text",
    [
        'web.listen = "off"\n[node]\nid = "phone"\nrole = "phone"\n',
        'web = { listen = "off" }\n[node]\nid = "phone"\nrole = "phone"\n',
        '[node]\nid = "phone"\nrole = "phone"\nname = """\n[web]\nlisten = "a"\n"""\n[web]\nlisten = "off"\n',
    ],
)
def test_a_file_of_another_form_is_left_to_its_writer(
    hearthway: Hearthway, tmp_path: Path, text: str
) -> None:
    root = _node(tmp_path / "phone", text)
    hearthway("up", "--data", root, "--web", "127.0.0.1:0").refuses("web.listen", "yourself")
    assert (root / "node.toml").read_text() == text


def test_a_comment_behind_a_setting_stays(
    hearthway: Hearthway, tmp_path: Path, free: list[str], ends: None
) -> None:
    root = _node(tmp_path / "phone", PHONE + "[web]\nlisten = 'off'  # not yet\n[offload]\n")
    assert hearthway("up", "--data", root, "--web", free[0]).code == 0
    assert f'\nlisten = "{free[0]}"  # not yet\n[offload]\n' in (root / "node.toml").read_text()


def test_a_running_node_is_changed_by_nobody(hearthway: Hearthway, tmp_path: Path) -> None:
    root = _node(tmp_path / "phone")
    with held(NodePaths(root).socket):
        hearthway("up", "--data", root, "--web", "127.0.0.1:0").refuses("running already")
    assert (root / "node.toml").read_text() == PHONE


def test_a_venue_says_which_place_it_is(
    hearthway: Hearthway, tmp_path: Path, free: list[str], ends: None
) -> None:
    root, start = tmp_path / "kitchen", ("up", "--role", "venue", "--data", tmp_path / "kitchen")
    hearthway(*start).refuses("--venue")
    hearthway(*start, "--venue", "bogus", "X").refuses("node/123")
    assert not root.exists()
    _node(root, '[node]\nid = "kitchen"\nrole = "venue"\n')  # by hand, or by an older version
    done = hearthway(*start, "--venue", "node/12", "Kitchen", "--listen", free[0])
    assert done.code == 0, done.err
    table = load_config(root / "node.toml").venue
    assert (table.osm_id, table.name, table.listen) == ("node/12", "Kitchen", free[0])


def test_a_home_that_listens_elsewhere_stands_there_in_the_households_list(
    hearthway: Hearthway, tmp_path: Path, taken: list[str], free: list[str], ends: None
) -> None:
    root = _node(
        tmp_path / "home",
        '[node]\nid = "home"\nrole = "home"\n[mesh]\nlisten = "127.0.0.1:9"\n[map]\natlas = "none"\n',
    )
    keys, now_s = private_dir(root / "keys"), time.time()
    found_or_renew(keys, load_config(root / "node.toml"), now_s)

    def listed() -> str:
        member = HouseholdRoot.load(keys, now_s).roster.member("home")
        return "" if member is None else member.address

    assert listed() == "127.0.0.1:9"
    done = hearthway("up", "--data", root, "--listen", taken[0])
    done.refuses(taken[0].rpartition(":")[2])
    assert listed() == "127.0.0.1:9"
    done = hearthway("up", "--data", root, "--listen", free[0])
    assert f"the home is at {free[0]} from now on" in done.out
    assert listed() == free[0]
