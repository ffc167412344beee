"""What checking a grant costs, beside the library alone with the same token, in one run.

    python bench/grants.py

`first`: parse, verify every signature and form, and authorise. `fresh`: a question not asked in this minute of a
token that is kept. `cached`: the same question again within the minute. The peer is biscuit-python used barely:
`from_bytes` and `authorize` with the same facts and policy, generous limits, and no check of its form; for the
cached cases its token is kept parsed. Rounds alternate; the median of 7 is shown, in CPU time, so
that other work on the machine counts little.

`--data` is not needed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import biscuit_auth as biscuit

from hearthway.mesh.policy import grants

try:
    from bench._ends import started
except ModuleNotFoundError:  # started as a script: bench/ itself is on the path
    from _ends import started  # type: ignore[no-redef, import-not-found, unused-ignore]

SEED = bytes(range(32))
KEY, HOLDER = "Home.Climate.Living", "phone-guest"
NOON = 1_795_341_600.0  # 2026-11-22 12:00 in Helsinki
ROUNDS = 7
WANTED_US = {"first": 1500.0, "cached": 60.0}


def _token(blocks: int) -> bytes:
    token = grants.issue(
        SEED,
        grant_id="g-1",
        keys=["Home.Climate.*"],
        operation="read",
        holder=HOLDER,
        until_s=NOON + 30 * 86_400,
        zone="Europe/Helsinki",
        hours=("08:00", "20:00"),
    )
    for _ in range(blocks):
        token = grants.attenuate(token, keys=[KEY], hours=("09:00", "18:00"))
    return token


def _bare(data: bytes, root: biscuit.PublicKey) -> biscuit.Biscuit:
    return biscuit.Biscuit.from_bytes(data, root)


def _authorise(token: biscuit.Biscuit, minute: int) -> int:
    builder = biscuit.AuthorizerBuilder(
        "asked({k}, {o}, {h}, {t}, {s}); allow if grant(1, $i, $z, $o, $k, $h, $u, $f, $e);",
        {"k": KEY.split("."), "o": "read", "h": HOLDER, "t": minute * 60, "s": 43_200},
    )
    limits = builder.limits()  # type: ignore[attr-defined]  # in the library, not in its stubs
    limits.max_time = timedelta(seconds=5)
    builder.set_limits(limits)  # type: ignore[attr-defined]  # as above
    return builder.build(token).authorize()


def _time_us(work: Callable[[int], object], repeats: int) -> float:
    begin = time.thread_time()
    for n in range(repeats):
        work(n)
    return (time.thread_time() - begin) / repeats * 1e6


def _beside(
    ours: Callable[[int], object], theirs: Callable[[int], object], n: int
) -> tuple[float, float]:
    """(ours, theirs) in microseconds, CPU time, medians of alternating rounds."""
    rounds = [(_time_us(ours, n), _time_us(theirs, n)) for _ in range(ROUNDS)]
    return statistics.median(r[0] for r in rounds), statistics.median(r[1] for r in rounds)


def _row(case: str, unit: str, ours: float, peer: str, theirs: float) -> dict[str, Any]:
    return {
        "case": case,
        "metric": "check" if unit == "CPU-us" else "size",
        "unit": unit,
        "ours": round(ours, 2),
        "peer": peer,
        "theirs": round(theirs, 2),
        "ratio": round(theirs / ours, 2),
    }


def main() -> int:
    """0 when the first and the cached check stay below what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", help="not needed here")
    parser.parse_args()
    public = grants.public_key_of(SEED)
    root = biscuit.PublicKey("ed25519/" + public.hex())
    rows, fine = [], True
    for blocks in (0, 2):
        token = _token(blocks)
        plain = token[4 + len(public) :]
        kept = _bare(plain, root)
        book = grants.GrantBook(public)
        minute = int(NOON // 60)
        if book.allows(token, KEY, "read", HOLDER, NOON) is None:
            print("The grant does not let what it says.", file=sys.stderr)
            return 2

        def first(_: int, token: bytes = token) -> object:
            return grants.GrantBook(public).allows(token, KEY, "read", HOLDER, NOON)

        def fresh(n: int, token: bytes = token, book: grants.GrantBook = book) -> object:
            return book.allows(token, KEY, "read", HOLDER, NOON + 60 * (n + 1))

        def cached(_: int, token: bytes = token, book: grants.GrantBook = book) -> object:
            return book.allows(token, KEY, "read", HOLDER, NOON)

        def bare_first(_: int, plain: bytes = plain, minute: int = minute) -> object:
            return _authorise(_bare(plain, root), minute)

        def bare_kept(_: int, kept: biscuit.Biscuit = kept, minute: int = minute) -> object:
            return _authorise(kept, minute)

        name = f"narrowed {blocks} times" if blocks else "as given"
        for case, ours, theirs, peer, repeats in (
            ("first", first, bare_first, "biscuit verify + authorise", 100),
            ("fresh", fresh, bare_kept, "biscuit authorise, token kept", 200),
            ("cached", cached, bare_kept, "biscuit authorise, token kept", 200),
        ):
            our_us, their_us = _beside(ours, theirs, repeats)
            rows.append(_row(f"{case}, {name}", "CPU-us", our_us, peer, their_us))
            fine = fine and our_us <= WANTED_US.get(case, our_us)
        rows.append(_row(f"token, {name}", "bytes", len(token), "the biscuit in it", len(plain)))
    for row in rows:
        print(
            f"{row['case']:28} {row['ours']:9.2f} {row['unit']:5} | {row['peer']} {row['theirs']}"
        )
    print(json.dumps({"bench": "grants", "rows": rows}))
    return 0 if fine else 1


if __name__ == "__main__":
    started(main)
