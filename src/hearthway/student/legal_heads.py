"""What heads have to be: how outputs are read has to fit what is read."""

from __future__ import annotations

import math
from collections.abc import Mapping

from msgspec import UNSET

from . import header as h
from .forms import Tensors, Value, illegal

FOLLOWS_MAX = 2**22  # sums of one text at steps_max, each label after each: fuel of its own


def check_head(
    head: h.Head, header: h.Header, values: Mapping[str, Value], tensors: Tensors
) -> None:
    """StudentError where a head does not fit the value that it reads."""
    if head.of not in header.outputs:
        raise illegal(f"head {head.name} reads {head.of}, which is no output")
    if sum(one.name == head.name for one in header.heads) > 1:
        raise illegal(f"two heads have the name {head.name}")
    if not (math.isfinite(head.scale) and head.scale > 0):
        raise illegal(f"head {head.name} has no positive scale")
    value = values[head.of]
    if value.channels is None or value.steps != isinstance(head, h.TagsHead):
        raise illegal(f"head {head.name} cannot be read from {value}")
    if isinstance(head, h.ValueHead):
        if not math.isfinite(head.offset):
            raise illegal(f"head {head.name} has no finite offset")
        return
    if len(head.labels) != value.channels or len(set(head.labels)) != len(head.labels):
        raise illegal(f"head {head.name} needs {value.channels} different labels")
    if isinstance(head, h.TagsHead):
        if not all(x == "O" or (x[:2] in ("B-", "I-") and len(x) > 2) for x in head.labels):
            raise illegal(f"head {head.name}: a label is O, B-name or I-name")
        _check_follows(head, header.input.steps_max, tensors)
    elif head.outside is None:
        if head.score == "margin":
            raise illegal(f"head {head.name}: a margin needs a label that is outside")
    elif head.outside >= len(head.labels) or len(head.labels) < 2:
        raise illegal(f"head {head.name}: the label that is outside is none of its own")


def _check_follows(head: h.TagsHead, steps: int, tensors: Tensors) -> None:
    if (head.follows is UNSET) != (head.gain is UNSET):
        raise illegal(f"head {head.name}: follows and gain go together")
    if head.follows is UNSET:
        return
    table = tensors.get(head.follows)
    wanted = (len(head.labels), len(head.labels))
    if table is None or table.dtype.name != "int8" or table.shape != wanted:
        raise illegal(f"head {head.name}: its follows has to be int8 {list(wanted)}")
    if steps * len(head.labels) ** 2 > FOLLOWS_MAX:
        raise illegal(f"head {head.name}: the labels of one text cost more than a student may")
