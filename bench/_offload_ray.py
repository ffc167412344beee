"""Ray as the peer of bench/offload.py: `_offload_ray.py ADDRESS`, the car's driver; the phone's node has the resource "phone".

A line {"stops": N, "seed": S} on standard input is a task of an actor at the phone, with the bundled map.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import ray

if TYPE_CHECKING:
    from bench._offload_node import compute, say, task_of
else:  # run as a script, its own folder is on the path
    from _offload_node import compute, say, task_of


class Phone:
    """Computes at the phone."""

    def compute(self, data: bytes) -> bytes:
        """One task."""
        return bytes(compute(data))


def main() -> None:
    """Until standard input ends."""
    ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
    here = str(Path(__file__).resolve().parent)
    kind = ray.remote(resources={"phone": 1}, runtime_env={"env_vars": {"PYTHONPATH": here}})(Phone)
    actor = kind.remote()
    ray.get(actor.compute.remote(task_of(1, 1)))
    say(event="up")
    for line in sys.stdin:
        do = json.loads(line)
        data = task_of(do["stops"], do["seed"])
        begun_s = time.monotonic()
        output = ray.get(actor.compute.remote(data))
        say(took_s=time.monotonic() - begun_s, bytes=len(data) + len(output))


if __name__ == "__main__":
    main()
