"""One command, four real nodes, one suggestion, one receipt."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hearthway.app.config import load_config
from hearthway.app.paths import NodePaths


def test_the_moment_is_printed_and_in_the_json(driven: Any) -> None:
    assert len(driven.result["suggestions"]) == 1
    moment = driven.result["suggestions"][0]
    assert moment["headline"] in driven.out
    for line in moment["lines"]:
        assert line.rstrip() in driven.out
    for option in moment["options"]:
        assert re.fullmatch(r"(node|way|relation)/\d+", option["poi"]["osm_id"])
        assert option["poi"]["osm_id"] in driven.out
    assert driven.result["synthetic"] is True
    assert "SYNTHETIC" in driven.out
    assert driven.result["measured"]["wall_s"] > 0


def test_they_pair_for_real(driven: Any) -> None:
    assert driven.result["pairings"] == ["phone", "car"]
    assert driven.out.count("SPAKE2 over a 6-digit code") == 2


def test_the_receipts_of_phone_car_and_home(driven: Any) -> None:
    """Each node its own part; every crossing by a rule; every stage by its hash; the venue's disclosure counted."""
    receipts = {receipt["node"]: receipt for receipt in driven.result["receipts"]}
    assert sorted(receipts) == ["car", "home", "phone"]
    moment = driven.result["suggestions"][0]
    assert {r["suggestion_id"] for r in receipts.values()} == {moment["suggestion_id"]}
    for receipt in receipts.values():
        assert all(crossing["rule"] for crossing in receipt["crossings"])
        assert all(re.fullmatch(r"[0-9a-f]{16}", ran["code"]) for ran in receipt["computations"])
        assert receipt["fields"]
    phone = receipts["phone"]
    assert {ran["stage"] for ran in phone["computations"]} >= {"sense", "context", "assist"}
    assert {field["source"] for field in phone["fields"]} >= {"synthetic-car"}
    assert phone["measured"]["bytes_to"]["car"] > 0
    asked = [crossing for crossing in phone["crossings"] if crossing["receiver_role"] == "venue"]
    assert bool(asked) == bool(phone["disclosures"])
    home = receipts["home"]
    assert home["person"] == ""
    assert {crossing["purpose"] for crossing in home["crossings"]} == {"witness"}


def test_no_byte_to_the_internet(driven: Any) -> None:
    """In namespaces the kernel says so; on loopback it cannot be told apart and is None."""
    alone = "four network namespaces" in driven.out
    for receipt in driven.result["receipts"]:
        measured = receipt["measured"]
        if alone:
            assert measured["internet_bytes"] == 0
            assert measured["internet_refused"] == 0
            assert "no interface has a route beyond the household" in measured["how"]
        else:
            assert measured["internet_bytes"] in (0, None)


def test_it_is_all_private(driven: Any) -> None:
    """Directories 0700, files 0600, sockets gone."""
    for path in driven.data.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, f"{path} {mode:o}"
        else:
            assert mode & 0o077 == 0, f"{path} {mode:o}"
    assert not list(driven.data.rglob("*.sock"))
    assert stat.S_IMODE(driven.data.stat().st_mode) == 0o700
    result = driven.data.with_name("first.json")
    assert stat.S_IMODE(result.stat().st_mode) == 0o600


def test_the_logs_hold_nobody(driven: Any) -> None:
    """No name of a person or of a POI, no coordinate, no pairing code; every line is JSON."""
    moment = driven.result["suggestions"][0]
    names = re.findall(r"(\w+) \((?:adult|child),", driven.out)
    assert len(names) == 3
    words = [*names, *(option["poi"]["name"] for option in moment["options"])]
    for name in ("phone", "car", "home", "venue"):
        text = (driven.data / name / "node.log").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        assert any(line["say"] == "node up" for line in lines)
        assert not [word for word in words if re.search(rf"\b{re.escape(word)}\b", text)]
        assert not re.search(r"(?<![\d.])(60\.1\d{2,}|24\.9\d{2,})", text), "a coordinate"
        assert (driven.data / name / "stderr.txt").read_bytes() == b""


def test_why_tells_it_again(driven: Any, hearthway: Callable[..., Any], tmp_path: Path) -> None:
    """By a shortened id, and as JSON; without an id, the list."""
    wanted = driven.result["suggestions"][0]["suggestion_id"]
    told = hearthway("why", wanted[:10], "--data", str(driven.data))
    assert told.code == 0
    assert driven.result["suggestions"][0]["headline"] in told.out
    for node in ("phone", "car", "home"):
        assert f"receipt of {node} for {wanted}" in told.out
    file = tmp_path / "why.json"
    assert hearthway("why", wanted, "--data", str(driven.data), "--json", str(file)).code == 0
    assert len(json.loads(file.read_bytes())["receipts"]) == 3
    assert wanted[:12] in hearthway("why", "--data", str(driven.data)).out
    hearthway("why", "ffffffffffff", "--data", str(driven.data)).refuses("No suggestion")


def test_status_and_check_of_what_stands_there(driven: Any, hearthway: Callable[..., Any]) -> None:
    told = hearthway("status", "--data", str(driven.data))
    assert told.code == 0
    assert told.out.count("not running") == 4
    assert hearthway("check", "--data", str(driven.data)).code == 0
    shown = hearthway("rules", "--data", str(driven.data))
    assert "car-signals" in shown.out


def test_an_answer_afterwards(copied: Any, hearthway: Callable[..., Any]) -> None:
    """The nodes are down: it is stored, and learned from at the next start. A POI not suggested is refused."""
    moment = copied.result["suggestions"][0]
    data = str(copied.data / "phone")
    noted = hearthway("answer", moment["suggestion_id"][:8], "never-here", "--data", data)
    assert noted.code == 0, noted.err
    assert "never-here: noted" in noted.out
    bad = hearthway("answer", moment["suggestion_id"], "accept", "--poi", "node/1", "--data", data)
    bad.refuses("was not suggested")
    hearthway("answer", "ffff", "accept", "--data", data).refuses("ffff")


def test_phone_and_car_have_the_map(driven: Any) -> None:
    """`hearthway stops` is asked in the car."""
    maps = {
        name: load_config(NodePaths(driven.data / name).config).map.atlas
        for name in ("phone", "car", "home", "venue")
    }
    assert maps == {"phone": "bundled", "car": "bundled", "home": "none", "venue": "none"}
