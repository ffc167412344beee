"""`hearthway grant` without a node: reading a grant out and narrowing it, offline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hearthway.cli.grant import command
from hearthway.mesh.policy import grants
from hearthway.records.errors import HearthwayError

TOKEN = grants.to_text(
    grants.issue(
        bytes(range(32)),
        grant_id="g-1a2b",
        keys=["Home.Climate.*", "Home.Presence.Anyone"],
        operation="read",
        holder="guest-phone",
        until_s=1_796_083_200.0,
        zone="Europe/Helsinki",
        hours=("08:00", "20:00"),
    )
)


def _run(*args: str, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(command, args, input=stdin)
    if isinstance(result.exception, HearthwayError):
        raise result.exception
    return result


def test_a_grant_is_read_out() -> None:
    assert _run("show", TOKEN).output == (
        "g-1a2b  read Home.Climate.*, Home.Presence.Anyone · 08:00-20:00 (Europe/Helsinki) ·"
        " until 2026-12-01 02:00, for the device guest-phone only\n"
    )
    (row,) = json.loads(_run("show", "-", "--json", stdin=TOKEN + "\n").output)
    assert (row["id"], row["holder"], row["operation"]) == ("g-1a2b", "guest-phone", "read")
    assert row["household_key"] == grants.public_key_of(bytes(range(32))).hex()


def test_a_grant_is_narrowed_and_says_so() -> None:
    out = _run(
        "narrow",
        TOKEN,
        "--key",
        "Home.Climate.Living",
        "--hours",
        "09:00–18:00",
        "--until",
        "2026-11-30",
    ).output.splitlines()
    assert out[1].strip() == (
        "narrowed to Home.Climate.Living · 09:00-18:00 (Europe/Helsinki) · until 2026-12-01 00:00"
    )
    assert _run("show", out[2]).output.splitlines() == out[:2]
    assert grants.said(grants.from_text(out[2])).until_s == 1_796_076_000


def test_into_a_file(tmp_path: Path) -> None:
    target = tmp_path / "narrow.json"
    _run("narrow", TOKEN, "--until", "2026-11-30 12:00", "--json", str(target))
    assert target.stat().st_mode & 0o777 == 0o600
    (row,) = json.loads(target.read_text())
    assert grants.from_text(row["token"])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("show", "junk"), "no grant"),
        (("show", TOKEN[:-8]), "does not hold"),
        (("show", ""), "no grant"),
        (("narrow", TOKEN), "Nothing"),
        (("narrow", TOKEN, "--hours", "morning"), "no hours"),
        (("narrow", TOKEN, "--hours", "8-9"), "time of day"),
        (("narrow", TOKEN, "--until", "soon"), "no day"),
        (("narrow", TOKEN, "--key", "*"), "key pattern"),
        (("give", "Home.*", "--until", "2026-12-01", "--to", "x"), "To read, or to write"),
        (("give", "Home.*", "--until", "2026-12-01", "--read"), "For whom"),
        (("give", "Home.*", "--until", "2026-12-01", "--read", "--to", "x", "--app"), "For whom"),
    ],
)
def test_what_is_wrong_is_said(args: tuple[str, ...], words: str) -> None:
    with pytest.raises(HearthwayError, match=words) as caught:
        _run(*args)
    assert caught.value.next_step
