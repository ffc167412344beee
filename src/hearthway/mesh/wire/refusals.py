"""What was refused: counted, and logged in words of ours, for what a message said is in no log.

A frame that does not open is no trouble at first: whoever restarted is still written to in the session before, until the two
have greeted each other anew. It is one where greeting has not helped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from hearthway.records.errors import (
    HearthwayError,
    IdentityError,
    InputError,
    RuleDeniedError,
    StoreError,
    WireError,
)

from .lanes import UnopenedError
from .sessions import EndedError, NewerEpochError, OlderEpochError, Sessions

log = logging.getLogger("hearthway.mesh")

LINES_A_S = 20  # in the log; the rest of that second is one number
SETTLES_S = 10.0  # a greeting and the list of devices take less; what does not open after it has another reason
OVER_S = 60.0  # silence after which what does not open has begun anew
_MENDED = (UnopenedError, NewerEpochError, OlderEpochError)  # by greeting, or by the list
_SEE_LOG = "See node.log."


class CrowdedError(WireError):
    """More is waiting than there is room for."""


_WORDS: tuple[tuple[type[HearthwayError], str, str], ...] = (
    (
        UnopenedError,
        "it is of no session that stands here, and the two greet each other anew",
        "Start Hearthway on it anew; if it goes on, pair it again.",
    ),
    (
        NewerEpochError,
        "it is sealed with a household key that has not been heard of here, and the list of devices is asked for",
        "Bring this device into reach of the home.",
    ),
    (
        OlderEpochError,
        "it is sealed with a household key that is over, and it is handed the list of devices",
        "Bring it into reach of the home.",
    ),
    (EndedError, "its certificate has ended", "Bring it into reach of the home."),
    (CrowdedError, "too much from it waits here already", _SEE_LOG),
    (RuleDeniedError, "the owner's rules here do not let it in", "`hearthway rules` shows them."),
    (IdentityError, "its certificate does not hold", "`hearthway doctor` names the cause."),
    (InputError, "what it says cannot be used here", _SEE_LOG),
    (StoreError, "it could not be kept here", "`hearthway doctor` looks at the storage."),
    (WireError, "it does not decode, came twice or late, or belongs to nothing here", _SEE_LOG),
    (HearthwayError, "it could not be used here", _SEE_LOG),
)


class Refusals:
    """One node's account of them. `now_s` is monotonic."""

    def __init__(self, sessions: Sessions, now_s: Callable[[], float] = time.monotonic) -> None:
        self._sessions = sessions
        self._now_s = now_s
        self._second_s, self._lines, self._worst = 0.0, 0, logging.INFO
        self._unopened: dict[str, tuple[bytes, float, float]] = {}  # of members: where, first, last
        self.count = 0

    def note(self, claimed: str, why: HearthwayError) -> None:
        """A message that came from there was refused."""
        self.count += 1
        now_s = self._now_s()
        level = logging.INFO if self._passes(claimed, why, now_s) else logging.WARNING
        if now_s - self._second_s >= 1.0:
            if self._lines > LINES_A_S:
                log.log(self._worst, "%d more messages were refused", self._lines - LINES_A_S)
            self._second_s, self._lines, self._worst = now_s, 0, logging.INFO
        self._lines += 1
        if self._lines > LINES_A_S:
            self._worst = max(self._worst, level)
            return
        words, step = self._words(claimed, why)
        fields = {"next": step} if level == logging.WARNING else {}
        log.log(
            level, "A message from %s was refused: %s", claimed, words, extra={"fields": fields}
        )

    def _words(self, claimed: str, why: HearthwayError) -> tuple[str, str]:
        if self._sessions.identity.roster.member(claimed) is None:
            return "it is not on the household's list of devices", "If it is yours, pair it."
        return next((words, step) for kind, words, step in _WORDS if isinstance(why, kind))

    def _passes(self, claimed: str, why: HearthwayError, now_s: float) -> bool:
        """Is it what a restart or a new list leaves behind, and still to be mended by greeting?"""
        if not isinstance(why, _MENDED) or self._sessions.identity.roster.member(claimed) is None:
            return False
        session = self._sessions.get(claimed)
        at = b"" if session is None else session.own_session + session.session
        before = self._unopened.get(claimed)
        if before is None or before[0] != at or now_s - before[2] > OVER_S:
            before = at, now_s, now_s
        self._unopened[claimed] = at, before[1], now_s
        return now_s - before[1] < SETTLES_S
