"""What adapters on this machine say of its sensors, over the control socket: as a recording's lines."""

from __future__ import annotations

import msgspec

from hearthway.records.errors import InputError
from hearthway.records.signals import Signal

from .recording import Line


def signals_of(request: dict[str, object]) -> list[Signal]:
    """The request's "signals"; InputError where they are none."""
    try:
        return [one.signal() for one in msgspec.convert(request.get("signals", []), list[Line])]
    except msgspec.ValidationError as why:
        raise InputError(
            f"Those are not signals: {why}.", "See docs/reference/recording."
        ) from None
