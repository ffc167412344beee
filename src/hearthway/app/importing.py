"""A history into a running phone, by a process that ends again.

Reading months of fixes and learning from them tears the heap, and some forms of history are sorted with the numbers library:
done in the node, a phone at rest would hold both from then on. The other process stores what it read and keeps what it
learned; the node takes that from the store, as at a start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

from msgspec import Struct

from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.policy.rules_file import RuleBook
from hearthway.mesh.state.store import Store
from hearthway.records import codec
from hearthway.records.errors import HearthwayError, StoreError

from .config import Config
from .maps import open_atlas
from .paths import NodePaths
from .personal import import_file

log = logging.getLogger("hearthway.importing")
_COMMAND = (sys.executable, "-m", "hearthway.app.importing")
AGAIN = "Import it again: what was stored stays, and what is repeated is counted, not doubled."


class _Asked(Struct, frozen=True, kw_only=True):
    root: str
    config: Config
    rules: RuleBook
    file: str
    name: str
    person_id: str | None


async def import_apart(
    paths: NodePaths, config: Config, rules: Rules, file: Path, name: str, person_id: str | None
) -> dict[str, Any]:
    """As `personal.import_file` in that node's store, and the person's life is learned. The process ends with the caller.

    HearthwayError: what was wrong with the file. StoreError: no process could be had, or it was ended from outside.
    """
    asked = _Asked(
        root=str(paths.root),
        config=config,
        rules=rules.book,
        file=str(file),
        name=name,
        person_id=person_id,
    )
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={**os.environ, **single},
            start_new_session=True,  # Ctrl-C in the node's terminal ends the node, and the node ends this
        )
    except OSError as why:
        raise StoreError(f"A file could not be taken in: {why.strerror}.", AGAIN) from None
    try:
        answer, last = await process.communicate(codec.pack(asked))
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    try:
        told: dict[str, Any] = json.loads(answer)
    except ValueError:
        kind = last.decode(errors="replace").strip().rpartition("\n")[2].partition(":")[0]
        log.error("import ended", extra={"fields": {"exit": process.returncode, "why": kind[:80]}})
        raise StoreError(
            f"The process that took the file in was ended (exit {process.returncode}).", AGAIN
        ) from None
    if "problem" in told:
        raise HearthwayError(told["problem"], told["next"])
    return told


# in the process of its own ----------------------------------------------------------------------------------------


def main() -> None:
    """Reads what is asked from standard input, answers on standard output."""
    try:
        told = _imported(codec.unpack(sys.stdin.buffer.read(), _Asked))
    except HearthwayError as why:
        told = {"problem": why.message, "next": why.next_step}
    sys.stdout.write(json.dumps(told))


def _imported(asked: _Asked) -> dict[str, Any]:
    from .phone import brain_for

    paths, rules = NodePaths(Path(asked.root)), Rules.of(asked.rules)
    with Store.open(paths.database, node_id=asked.config.node.id) as store:
        found = import_file(store, Path(asked.file), asked.name, asked.person_id, rules)
        atlas = open_atlas(asked.config.map)
        try:
            person = store.person(found["person_id"])
            brain_for(store, person, asked.config, atlas, rules).snapshot()
        finally:
            if atlas is not None:
                atlas.close()
    return found


if __name__ == "__main__":
    main()
