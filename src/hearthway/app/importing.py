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
import threading
import traceback
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Any

from msgspec import Struct

from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.policy.rules_file import RuleBook
from hearthway.mesh.state.store import Store
from hearthway.records import codec
from hearthway.records.errors import HearthwayError, StoreError

from .config import Config
from .control import refusal
from .maps import open_atlas
from .paths import NodePaths
from .personal import import_file

log = logging.getLogger("hearthway.importing")
# Not from the node's working directory: whatever lies there would be imported by its name.
_COMMAND = (sys.executable, "-P", "-m", "hearthway.app.importing")
_SIZE_BYTES = 4  # in front of what is asked
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
    """As `personal.import_file` in that node's store, and the person's life is learned.

    The process ends with the caller, and with this process. HearthwayError: what was wrong with the file. StoreError: no
    process could be had, or it was ended from outside.
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
            stderr=DEVNULL,
            env={**os.environ, **single},
            start_new_session=True,  # Ctrl-C in the node's terminal ends the node, and the node ends this
        )
    except OSError as why:
        raise StoreError(f"A file could not be taken in: {why.strerror}.", AGAIN) from None
    assert process.stdin is not None  # asked for above, as the next
    assert process.stdout is not None
    try:
        request = codec.pack(asked)
        process.stdin.write(len(request).to_bytes(_SIZE_BYTES, "big") + request)
        # Its standard input stays open meanwhile: it is the leash.
        answer = await process.stdout.read()
        exit_code = await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        process.stdin.close()
    try:
        told: dict[str, Any] = json.loads(answer)
    except ValueError:
        raise StoreError(
            f"The process that took the file in was ended (exit {exit_code}).", AGAIN
        ) from None
    if "fault" in told:
        log.error("import failed", extra={"fields": {"trace": told["fault"]}})
        raise HearthwayError(
            f"The file could not be taken in ({told['kind']}).", "The node.log has the lines."
        )
    if "error" in told:
        raise refusal(told)
    return told


# in the process of its own ----------------------------------------------------------------------------------------


def main() -> None:
    """Reads what is asked from standard input, answers on standard output, and ends when its standard input does."""
    size = int.from_bytes(sys.stdin.buffer.read(_SIZE_BYTES), "big")
    request = sys.stdin.buffer.read(size)
    threading.Thread(target=_end_with_the_node, daemon=True).start()
    try:
        told = _imported(codec.unpack(request, _Asked))
    except HearthwayError as why:
        told = {"error": why.message, "next": why.next_step, "exit": why.exit_code}
    except Exception as why:  # noqa: BLE001 - its lines go into the log of the node
        told = {"fault": traceback.format_exc(), "kind": type(why).__name__}
    sys.stdout.write(json.dumps(told))


def _end_with_the_node() -> None:
    """A node that was killed starts again, or something is forgotten: nothing may be stored behind its back then."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def _imported(asked: _Asked) -> dict[str, Any]:
    from .brain import check_rules
    from .equipment import brain_for

    paths, rules = NodePaths(Path(asked.root)), Rules.of(asked.rules)
    with Store.open(paths.database, node_id=asked.config.node.id) as store:
        found = import_file(store, Path(asked.file), asked.name, asked.person_id, rules)
        atlas = open_atlas(asked.config.map)
        try:
            person = store.person(found["person_id"])
            check_rules(store, rules)
            with store.database.snapshot():  # what the phone stores meanwhile is after all of it
                brain = brain_for(store, person, asked.config, atlas, rules)
            brain.snapshot()
        finally:
            if atlas is not None:
                atlas.close()
    return found


if __name__ == "__main__":
    main()
