"""Which commands were begun here, kept over restarts: a command that is repeated is answered, not carried out again.

That one was begun is on the disk before it is carried out: a note of 32 bytes in a file of its own, which is as large
as it will ever be from its first day, so that a flush writes one place and a full disk takes nothing from it. Who waits
at the same time shares a flush. How it ended goes to the store without one, beside: that only saves asking anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from hearthway.records.errors import HearthwayError, InputError, StoreError

from .notes import NOTE_BYTES, Notes
from .store import Store

log = logging.getLogger("hearthway.mesh")

KEPT_S = 86_400.0  # how it ended; that it was begun is kept by no clock: see `notes.PLACES`
REPLY_MAX_BYTES = 64 * 1024
REPLIES_MAX = 1_000
OF_SENDER_MAX = 4_096  # remembered while it runs: nobody pushes out what another began
COMMAND_ID_MAX_BYTES = 64
_TOGETHER_S, _TOGETHER_MAX = (
    0.05,
    100,
)  # ends are kept together: each by itself would hold up the next flush


class StoredJournal:
    """`checks.CommandJournal` on disk. Made without touching it; the first command that needs it does."""

    def __init__(self, store: Store, path: Path, now: Callable[[], float]) -> None:
        """`path`: the file of notes. `now`: Unix seconds; it may jump, as clocks do."""
        self._database = store.database
        self._path = path
        self._now = now
        self._notes: Notes | None = None
        self._found: dict[bytes, None] = {}  # begun before this process
        self._begun: dict[str, dict[bytes, None]] = {}  # in it, by sender, the oldest first
        self._flusher = ThreadPoolExecutor(1, "journal-flush")
        self._keeper = ThreadPoolExecutor(1, "journal-ends")  # the store may be busy for longer
        self._opening = asyncio.Lock()
        self._handing = threading.Lock()
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._flushing = False
        self._ends: dict[tuple[str, bytes], tuple[bytes, float]] = {}  # not in the store yet
        self._closed = False

    async def begin(self, sender: str, command_id: bytes) -> bytes | None:
        """None: new, and noted durably as begun. b"": begun before, how it ended is not known. Else its reply.

        StoreError where it cannot be noted: then it must not be carried out.
        """
        if not 0 < len(command_id) <= COMMAND_ID_MAX_BYTES:
            raise InputError("A command came without a usable id.")
        self._check_open()
        loop = asyncio.get_running_loop()
        if self._notes is None:
            async with self._opening:
                if self._notes is None:
                    await loop.run_in_executor(self._flusher, self._open)
        note, begun = _note(sender, command_id), self._begun.setdefault(sender, {})
        if note in begun or note in self._found:
            ended = self._ends.get((sender, command_id))
            if ended is not None:
                return ended[0]
            return await loop.run_in_executor(self._keeper, self._end_of, sender, command_id)
        begun[note] = None
        while len(begun) > OF_SENDER_MAX:
            begun.pop(next(iter(begun)))
        flushed: asyncio.Future[None] = loop.create_future()
        with self._handing:
            self._waiting.append((note, flushed))
            idle, self._flushing = not self._flushing, True
        if idle:
            self._flusher.submit(self._flush)
        try:
            await flushed
        except HearthwayError:  # it is not carried out, so asked again it is new
            begun.pop(note, None)
            raise
        return None

    def done(self, sender: str, command_id: bytes, reply: bytes) -> None:
        """Keep how it ended, for a day; InputError on a reply over 64 KiB. Nothing is waited for.

        A power cut may lose it, and so may a kill within 50 ms: then the command stays begun, and a repeat hears
        that nobody knows.
        """
        if len(reply) > REPLY_MAX_BYTES:
            raise InputError("The reply to a command is too large to keep.")
        self._check_open()
        with self._handing:
            self._ends[sender, command_id] = (reply, self._now())
            first, many = len(self._ends) == 1, len(self._ends) >= _TOGETHER_MAX
        if many:
            self._keep_ends()
        elif first:
            asyncio.get_running_loop().call_later(_TOGETHER_S, self._keep_ends)

    def close(self) -> None:
        """Write what is under way, and let go of the file. Blocks; before the store is closed."""
        self._closed = True
        self._keep_ends()
        self._flusher.shutdown()
        self._keeper.shutdown()
        if self._notes is not None:
            self._notes.close()

    def _keep_ends(self) -> None:
        with self._handing:
            ends, self._ends = self._ends, {}
        if ends:
            self._keeper.submit(self._keep, ends).add_done_callback(_kept)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("This node is stopping.", "Ask again when it is up.")

    # -- in the threads ------------------------------------------------------------------------

    def _open(self) -> None:
        """Reads what is noted; also what stands in the store, where earlier versions noted a beginning."""
        notes = Notes.open(self._path)
        try:
            rows = self._database.rows("SELECT sender, command_id FROM commands ORDER BY time_s")
        except BaseException:
            notes.close()
            raise
        begun = dict.fromkeys(_note(sender, bytes(command_id)) for sender, command_id in rows)
        self._found = begun | dict.fromkeys(notes.found)
        self._notes = notes

    def _flush(self) -> None:
        """One flush for all who wait, until nobody does."""
        notes = self._notes
        while notes is not None:
            with self._handing:
                batch, self._waiting = self._waiting, []
                if not batch:
                    self._flushing = False
                    return
            failed: Exception | None = None
            try:
                notes.add([note for note, _ in batch])
            except Exception as why:  # noqa: BLE001 - whatever it is, whoever waits hears of it
                failed = why
            with suppress(RuntimeError):  # the loop is closed, and with it whoever waited
                batch[0][1].get_loop().call_soon_threadsafe(_settle, batch, failed)

    def _end_of(self, sender: str, command_id: bytes) -> bytes:
        row = self._database.row(
            "SELECT reply FROM commands WHERE sender = ? AND command_id = ?", (sender, command_id)
        )
        return b"" if row is None or row[0] is None else bytes(row[0])

    def _keep(self, ends: dict[tuple[str, bytes], tuple[bytes, float]]) -> None:
        now_s = list(ends.values())[-1][1]
        with self._database.transaction(durable=False) as db:
            db.executemany(
                "INSERT OR REPLACE INTO commands (sender, command_id, time_s, reply) VALUES (?, ?, ?, ?)",
                [(*at, time_s, reply) for at, (reply, time_s) in ends.items()],
            )
            # a clock that was set back: what looks like tomorrow is a day old at most from now on
            db.execute("UPDATE commands SET time_s = ?1 WHERE time_s > ?1", (now_s,))
            db.execute("DELETE FROM commands WHERE time_s < ?", (now_s - KEPT_S,))
            db.execute(
                "DELETE FROM commands WHERE time_s < (SELECT time_s FROM commands"
                " ORDER BY time_s DESC LIMIT 1 OFFSET ?)",
                (REPLIES_MAX - 1,),
            )


def _note(sender: str, command_id: bytes) -> bytes:
    """What stands in the file: neither the sender's name nor anything else that can be read."""
    name = sender.encode()
    content = len(name).to_bytes(4, "big") + name + command_id
    return hashlib.blake2b(content, digest_size=NOTE_BYTES).digest()


def _settle(batch: list[tuple[bytes, asyncio.Future[None]]], failed: Exception | None) -> None:
    for _, flushed in batch:
        if flushed.done():  # whoever waited was cancelled
            continue
        if failed is None:
            flushed.set_result(None)
        else:
            flushed.set_exception(failed)


def _kept(work: Future[None]) -> None:
    why = work.exception()
    if why is not None:  # it was done all the same; a repeat learns "unknown"
        log.warning("How a command ended was not kept: %s", type(why).__name__)
        if not isinstance(why, HearthwayError):
            log.error("The journal failed with %s", type(why).__name__)
