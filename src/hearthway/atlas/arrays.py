"""The road graph as arrays: what an atlas stores and routing reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .columns import DTYPES, checked

I32 = npt.NDArray[np.int32]


class Roads(NamedTuple):
    """Chain i joins vertices tail[i] and head[i]; its shape, both ends included, is the points
    shape[i]:shape[i + 1] of lat/lon (1e-7 degrees)."""

    tail: I32
    head: I32
    speed_dkmh: npt.NDArray[np.int16]  # tenths of km/h that a car keeps
    directions: npt.NDArray[np.int8]  # 1 forward, 2 backward, 3 both
    component: npt.NDArray[np.int16]  # strongly connected; 0 is the biggest
    shape: I32
    lat: I32
    lon: I32
    length_m: npt.NDArray[np.float32]


def loaded(blobs: Mapping[str, object]) -> Roads:
    """The arrays out of an atlas's bytes; MapError where they are no road graph."""
    data = checked(blobs)
    return Roads(*(np.frombuffer(data[name], dtype=dtype) for name, dtype in DTYPES.items()))
