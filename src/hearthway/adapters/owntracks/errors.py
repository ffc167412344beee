"""How an OwnTracks message can fail. All are refusals: nothing of the body they came in is kept."""

from __future__ import annotations

from hearthway.records.errors import InputError, WireError


class PayloadError(WireError):
    """The body is not what the OwnTracks app sends."""


class EncryptedError(InputError):
    """The app encrypts its payloads with a secret this node does not have."""


class ClockError(InputError):
    """The message is dated after now: one of the two clocks is wrong."""


class SenderError(InputError):
    """The message does not say whose it is."""
