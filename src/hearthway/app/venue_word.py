"""What the venue says when it is asked: the wait that was typed while it holds, else what its own count expects."""

from __future__ import annotations

import threading

from hearthway.learn.queue_ahead import SIZE, forecast
from hearthway.mesh.venues.book import Book
from hearthway.mesh.venues.desk import Curve, VenueDesk
from hearthway.mesh.venues.venue_link import Said

from .clock import Clock

AGAIN_S = 60.0  # a crowd that asks is told the same; what is entered makes it new at once


class VenueWord:
    """Counts anew at most once a minute and on every entry; called from the link's threads."""

    def __init__(self, desk: VenueDesk, book: Book, tables: tuple[int, ...], clock: Clock) -> None:
        self._desk, self._book, self._tables, self._clock = desk, book, tables, clock
        self._lock = threading.Lock()
        self._counted: tuple[float, Said | None] | None = None

    def entered(self) -> None:
        """Something changed: what was counted before holds no more."""
        with self._lock:
            self._counted = None

    def expected(self) -> Curve | str:
        """The curve from now on, or why it is unknown."""
        now_s = self._clock.now_s()
        return forecast(self._book.parties(now_s), self._tables, now_s)

    def __call__(self) -> Said | None:
        """The venue's word now; None where it has nothing to say."""
        now_s = self._clock.now_s()
        typed = self._desk.typed(now_s)
        if typed is not None:
            return typed, None
        with self._lock:
            if self._counted is None or not 0.0 <= now_s - self._counted[0] < AGAIN_S:
                curve = self.expected()
                said = None if isinstance(curve, str) else self._desk.expect(curve, SIZE, now_s)
                self._counted = (now_s, said)
            said = self._counted[1]
        if said is not None:
            return said
        last = self._desk.current()  # expired: whoever asks sees since when
        return None if last is None else (last, None)
