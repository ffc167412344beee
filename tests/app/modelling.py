"""A household whose models are files that nobody looks into, and a check that stands in for a runtime."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hearthway.app.models import Models
from hearthway.app.node import Node
from hearthway.mesh.state.shelf import UnfitError
from hearthway.mesh.trust.artefacts import sign_as_publisher, stated

TASK = "ask"
BAD = b"does not work"  # in an artefact: anywhere; with a device's name behind it: there


class OpaqueCheck:
    """The check of one node: the golden is the hash, and some artefacts say that they do not work."""

    device = ""

    def __call__(self, task: str, data: bytes, golden: bytes) -> None:
        if golden not in (b"", hashlib.sha256(data).digest()):
            raise UnfitError("It answers other bits here than where it was released.")
        if BAD + b"." in data or BAD + b" on " + self.device.encode() + b"." in data:
            raise UnfitError("It does not work.", "Try another.")

    def golden(self, task: str, data: bytes) -> bytes:
        golden = hashlib.sha256(data).digest()
        self(task, data, golden)
        return golden


@pytest.fixture
def opaque(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nodes that are made from now on check so; each knows its own name. Nothing is shipped."""
    made = Models.__init__

    def init(self: Models, node: Node) -> None:
        made(self, node)
        check = OpaqueCheck()
        check.device = node.config.node.id
        self.check = check
        self.fetcher.rate_bytes_s = 1e9

    monkeypatch.setattr(Models, "__init__", init)
    monkeypatch.setattr("hearthway.app.releasing.ChildCheck", OpaqueCheck)
    monkeypatch.setattr("hearthway.app.models.SHIPPED", tmp_path_factory.mktemp("shipped"))


def model(text: str, size: int = 200_000) -> bytes:
    """An artefact of four pieces whose content nobody looks into."""
    return (text.encode() + b".").ljust(size, b"\0")


def publish(
    folder: Path, name: str, data: bytes, key: Ed25519PrivateKey, serial: int = 1, task: str = TASK
) -> Path:
    """FILE and FILE.sig, as a publisher gives them away."""
    file = folder / name
    file.write_bytes(data)
    statement = stated(task=task, data=data, name=name, serial=serial)
    file.with_name(name + ".sig").write_bytes(sign_as_publisher(statement, key))
    return file


def own(folder: Path, name: str, data: bytes) -> dict[str, Any]:
    """The fields of `model-add` for a file that the household stands by itself."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_bytes(data)
    return {"file": str(file), "own": True, "task": TASK}


def serves(node: Node, task: str = TASK) -> bytes | None:
    """What works on the task there, hashed now."""
    found = node.part(Models).load(task)
    return None if found is None else found[1]


async def give(nodes: Any, folder: Path, data: bytes, *names: str) -> None:
    """The household stands by an artefact, and these nodes serve it."""
    await nodes.ask("home", "model-add", **own(folder, f"{hash(data)}.student", data))
    await nodes.until(lambda: all(serves(nodes[one]) == data for one in names))
