"""What a training is given besides its texts. Same settings, texts, seed and kind of processor: same bits."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType, field


def tiles() -> bool:
    """Whether this processor multiplies bfloat16 in tiles (AMX): without them, such products are slower than float32."""
    try:
        import torch
    except ImportError:  # nothing is trained without it; settings are read all the same
        return False
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


class TeacherSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fine-tuning of a sentence encoder: all layers but the word embeddings."""

    seed: int = 1
    epochs: int = 4
    batch: int = 64
    rate: float = 2e-4
    head_rate: float = 2e-3
    warm: float = 0.1  # share of the steps in which the rate rises
    smoothing: float = 0.05
    decay: float = 0.01
    average: float = 0.998  # of the running mean of the weights, which is the teacher
    slots: float = 1.0  # what the slots' loss counts, where there are slots
    lost_pieces: float = 0.0  # share of the pieces that a step sees as the mask
    pieces: int = 48  # of a text, at most
    half: bool = field(default_factory=tiles)  # products in bfloat16, unset by the processor
    states: int = 0  # principal directions that are kept of each word's last layer


class NetShape(Struct, frozen=True, kw_only=True):
    """The student: embedding, convolutions of three with residual adds, max and mean, linear heads."""

    pieces: int
    labels: int
    slots: int = 0  # labels of the slot head; 0: there is none
    width: int = 96  # of the embedding
    table_bits: int = 8  # a number of the embedding; with 4 each row has a gain
    channels: int = 192
    convs: int = 3
    mean_gain: float = 2.0  # the mean is smaller than the maximum, and both have one scale


class StudentSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Distillation: first in floats, then with the roundings of the integers."""

    seed: int = 1
    vocabulary: int | Literal["whole"] = (
        8000  # pieces; the whole one: those of no text as the teacher has them
    )
    width: int = 128
    channels: int = 192
    convs: int = 3
    epochs: int = 16
    int_epochs: int = 3
    batch: int = 128
    alike: int = 128  # batches that are sorted by length together
    rate: float = 3e-3
    int_rate: float = 8e-4
    table_rate: float = 0.3  # of the rate, for the embedding: rare pieces stay the teacher's
    warm: float = 0.05
    decay: float = 0.01
    average: float = 0.998
    temperature: float = 1.5
    hard: float = 0.1  # share of the loss on the labels that people gave, where there are
    cosine: float = 1.0
    states: float = 0.0  # what the cosine to the teacher's state of each word counts
    dropout: float = 0.1
    lost_pieces: float = 0.08  # share of the pieces that a training step does not see
    slots: float = 1.0  # what the slots' loss counts, where there are slots
    half: bool = field(default_factory=tiles)  # those of the float epochs in bfloat16, as above
    table_bits: Literal[4] | UnsetType = UNSET  # unset it is int8, and not in a file's recipe
