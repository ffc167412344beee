"""A teacher in an ONNX file, run by onnxruntime where that is installed: rows of floats in, one score a class out."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hearthway.records.errors import InputError

Floats = NDArray[np.float64]
BATCH = 256


def scores(path: Path, rows: Floats, classes: int) -> Floats:
    """What the model says of rows of features, as log-probabilities up to a constant; InputError where it does not fit.

    Its first output is taken: logits, or probabilities where every row of it sums to 1 and none is negative. What is
    not known (NaN) is given as 0.
    """
    try:
        onnxruntime = import_module("onnxruntime")
    except ImportError:
        raise InputError(
            "A teacher in an ONNX file needs onnxruntime, which is not installed here.",
            "pip install onnxruntime",
        ) from None
    try:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        name = session.get_inputs()[0].name
        given = np.nan_to_num(rows, nan=0.0).astype(np.float32)
        told = np.concatenate(
            [
                np.asarray(session.run(None, {name: given[at : at + BATCH]})[0], np.float64)
                for at in range(0, len(given), BATCH)
            ]
        )
    except Exception as why:  # noqa: BLE001  # onnxruntime's exceptions have no common base
        raise InputError(
            f"The teacher {path} cannot be used: {str(why).splitlines()[0]}",
            "It has to take rows of float32 features in the task's order.",
        ) from None
    if told.shape != (len(rows), classes) or not np.isfinite(told).all():
        raise InputError(
            f"The teacher {path} gives {told.shape[1:]} a row, and the task has {classes} classes.",
            "Name a model with one finite score a class.",
        )
    sums = told.sum(axis=1)
    if (told >= 0.0).all() and np.allclose(sums, 1.0, atol=1e-3):
        return np.asarray(np.log(np.maximum(told, 1e-9)))
    return told
