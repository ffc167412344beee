"""Which operators of a student the fast runtime computes as one: what between them nobody else reads is never written down."""

from __future__ import annotations

from . import header as h
from .format import Student


def apart(student: Student) -> dict[str, tuple[str, ...]]:
    """Each concat of steps and what is no step, read by dense layers alone, with what it joins: those multiply it part by part."""
    values = student.plan.values
    return {
        node.name: node.of
        for node in student.header.nodes
        if isinstance(node, h.Concat)
        and len({values[name].steps for name in node.of}) > 1
        and all(isinstance(one, h.Dense) for one in _readers(student, node.name))
    }


def read_by_one(student: Student) -> dict[str, h.Embedding]:
    """The embeddings that one convolution reads, and nothing else, by their names."""
    return {
        node.name: node
        for node in student.header.nodes
        if isinstance(node, h.Embedding)
        and [type(one) for one in _readers(student, node.name)] == [h.Conv1d]
    }


def _readers(student: Student, name: str) -> list[h.Node | None]:
    """The nodes that read a value; None for whoever asked, where it is an output."""
    header = student.header
    found: list[h.Node | None] = [node for node in header.nodes if name in h.inputs_of(node)]
    return found + [None] * (name in header.outputs)
