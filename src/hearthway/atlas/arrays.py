"""The road graph as arrays: what building makes and an atlas stores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

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
