"""Which commands were begun here, kept over restarts: a command that is repeated is answered, not carried out again."""

from __future__ import annotations

from collections.abc import Callable

from hearthway.records.errors import InputError

from .store import Store

KEPT_S = 86_400.0
REPLY_MAX_BYTES = 64 * 1024
COMMAND_ID_MAX_BYTES = 64


class StoredJournal:
    """`checks.CommandJournal` in the node's store. Every answer of `begin` is on disk before it is given."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        """`now`: Unix seconds; it may jump, as clocks do."""
        self._database = store.database
        self._now = now

    def begin(self, sender: str, command_id: bytes) -> bytes | None:
        """None: new, and noted durably as begun. b"": begun before, how it ended is not known. Else its reply."""
        if not 0 < len(command_id) <= COMMAND_ID_MAX_BYTES:
            raise InputError("A command came without a usable id.")
        now_s = self._now()
        with self._database.transaction() as db:
            row = db.execute(
                "SELECT reply FROM commands WHERE sender = ? AND command_id = ?",
                (sender, command_id),
            ).fetchone()
            if row is not None:
                return b"" if row[0] is None else bytes(row[0])
            # a clock that was set back: what looks like tomorrow is a day old at most from now on
            db.execute("UPDATE commands SET time_s = ?1 WHERE time_s > ?1", (now_s,))
            db.execute("DELETE FROM commands WHERE time_s < ?", (now_s - KEPT_S,))
            db.execute(
                "INSERT INTO commands (sender, command_id, time_s) VALUES (?, ?, ?)",
                (sender, command_id, now_s),
            )
        return None

    def done(self, sender: str, command_id: bytes, reply: bytes) -> None:
        """Keep how it ended, for a day; InputError on a reply over 64 KiB.

        A kill does not lose it, a power cut may: then the command stays begun, and a repeat hears that nobody knows.
        """
        if len(reply) > REPLY_MAX_BYTES:
            raise InputError("The reply to a command is too large to keep.")
        with self._database.transaction(durable=False) as db:
            db.execute(
                "UPDATE commands SET reply = ? WHERE sender = ? AND command_id = ?",
                (reply, sender, command_id),
            )
