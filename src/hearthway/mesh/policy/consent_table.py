"""The words about consents that a node keeps: a bounded share for each device and each person, so that nobody takes another's.

What counts is who signed a word, not who handed it on. Words that give or accept have a share, words that revoke
another one; a revocation of what is kept here by somebody who may end it always finds room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from hearthway.mesh.trust.roster import Roster
from hearthway.records.codec import unpack
from hearthway.records.errors import HearthwayError
from hearthway.records.household import Consent, ConsentWord

from .consent import GIVE, REVOKE, is_signed, may_end, register_key

OF_DEVICE_MAX = 256
OF_PERSON_MAX = 512  # of all devices of one person


class ConsentTable:
    """Words that were verified. Not for threads."""

    def __init__(self, words: Iterable[ConsentWord] = ()) -> None:
        self._words: dict[str, ConsentWord] = {}
        self._of_id: dict[str, set[str]] = {}
        self._counts: Counter[tuple[str, bool]] = Counter()  # by device, and whether it revokes
        for word in words:
            self.keep(word)

    def __len__(self) -> int:
        return len(self._words)

    def __iter__(self) -> Iterator[ConsentWord]:
        """In the order in which they came."""
        return iter(self._words.values())

    def __contains__(self, word: ConsentWord) -> bool:
        return register_key(word) in self._words

    def keep(self, word: ConsentWord) -> None:
        """Take in a word that was verified and has room."""
        key = register_key(word)
        if key not in self._words:
            self._words[key] = word
            self._of_id.setdefault(word.consent_id, set()).add(key)
            self._counts[word.device_id, word.word == REVOKE] += 1

    def has_room(self, word: ConsentWord, roster: Roster) -> bool:
        """Is there room in the share of whoever says it? Costs no signature: ask before it is verified."""
        revokes = word.word == REVOKE
        if revokes and any(may_end(roster, word.device_id, c) for c in self.given(word.consent_id)):
            return True  # bounded by what is kept already
        if self._counts[word.device_id, revokes] >= OF_DEVICE_MAX:
            return False
        member = roster.member(word.device_id)
        if member is None or not member.person:
            return True
        theirs = (m.device_id for m in roster.members if m.person == member.person)
        return sum(self._counts[device, revokes] for device in theirs) < OF_PERSON_MAX

    def given(self, consent_id: str) -> list[Consent]:
        """What was given under that id, as far as it is known here."""
        words = (self._words[key] for key in self._of_id.get(consent_id, ()))
        return [unpack(word.consent, Consent) for word in words if word.word == GIVE]

    def sweep(self, roster: Roster, now_s: float) -> list[ConsentWord]:
        """Let go of what can never count any more: what is over, and what a key said that its device has no longer.

        What was revoked stays with its revocation: a clock that goes wrong must not bring it back.
        """
        gone = [
            word
            for word in self._words.values()
            if word.word != REVOKE
            and (
                _is_of_another(word, roster)
                or (is_over(word, now_s) and not self._is_revoked(word.consent_id))
            )
        ]
        for word in gone:
            key = register_key(word)
            del self._words[key]
            self._of_id[word.consent_id].discard(key)
            self._counts[word.device_id, False] -= 1
            if not self._of_id[word.consent_id]:
                del self._of_id[word.consent_id]
        return gone

    def _is_revoked(self, consent_id: str) -> bool:
        return any(self._words[key].word == REVOKE for key in self._of_id[consent_id])


def is_over(word: ConsentWord, now_s: float) -> bool:
    """Does it give or accept what has ended by then? It can count no more."""
    if word.word == REVOKE:
        return False
    try:
        until_s = unpack(word.consent, Consent).until_s
    except HearthwayError:
        return False  # said by whoever verifies it
    return 0 < until_s <= now_s


def _is_of_another(word: ConsentWord, roster: Roster) -> bool:
    """Has the device of that name another key by now? The one before was put out for good."""
    member = roster.member(word.device_id)
    return member is not None and not is_signed(word, member.public_key)
