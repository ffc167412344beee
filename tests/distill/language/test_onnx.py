"""A teacher in an ONNX file: its scores are taken as they are, and what does not fit is a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hearthway.distill.outside.onnx import scores
from hearthway.records.errors import InputError

onnx: Any = pytest.importorskip("onnx", reason="not installed; .ci/run tests with it")
pytest.importorskip("onnxruntime", reason="not installed; .ci/run tests with it")

WEIGHT = np.array([[1.0, -1.0, 0.5], [0.0, 2.0, -0.5]], np.float32)
ROWS = np.array([[1.0, 2.0], [np.nan, -1.0], [0.25, 0.0]] * 120)


def _model(path: Path, *, softmax: bool = False) -> Path:
    made = onnx.helper
    last = "sums" if softmax else "scores"
    nodes = [made.make_node("MatMul", ["rows", "weight"], [last])]
    if softmax:
        nodes.append(made.make_node("Softmax", ["sums"], ["scores"], axis=1))
    kind = onnx.TensorProto.FLOAT
    graph = made.make_graph(
        nodes,
        "teacher",
        [made.make_tensor_value_info("rows", kind, [None, 2])],
        [made.make_tensor_value_info("scores", kind, [None, 3])],
        [onnx.numpy_helper.from_array(WEIGHT, "weight")],
    )
    model = made.make_model(graph, opset_imports=[made.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def test_logits_come_as_they_are(tmp_path: Path) -> None:
    found = scores(_model(tmp_path / "t.onnx"), ROWS, 3)
    assert np.allclose(found, np.nan_to_num(ROWS) @ WEIGHT, atol=1e-5)


def test_probabilities_become_log_odds_of_the_same_order(tmp_path: Path) -> None:
    plain = scores(_model(tmp_path / "a.onnx"), ROWS, 3)
    found = scores(_model(tmp_path / "b.onnx", softmax=True), ROWS, 3)
    wanted = plain - np.log(np.exp(plain).sum(axis=1, keepdims=True))
    assert np.allclose(found, wanted, atol=1e-4)


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has 4 classes"):
        scores(_model(tmp_path / "t.onnx"), ROWS, 4)
    with pytest.raises(InputError, match="cannot be used"):
        scores(tmp_path / "t.onnx", ROWS[:, :1], 3)
    (tmp_path / "noise.onnx").write_bytes(b"noise")
    with pytest.raises(InputError, match="cannot be used"):
        scores(tmp_path / "noise.onnx", ROWS, 3)
