"""The other side of `idle.py`: a bare zenoh process, and paho sending and receiving. It loads nothing of ours.

    idle_peers.py bare CONFIG | receive KEYS ADDRESS FILE SPEED | send KEYS ADDRESS FILE SPEED

Each says "ready" when it is, and ends with its standard input. `--data` is not its business: `idle.py` starts it.
"""

from __future__ import annotations

import json
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOPIC = "household/car/signals"


def _bare(config: str) -> None:
    import zenoh

    session = zenoh.open(zenoh.Config.from_json5(config))
    subscriber = session.declare_subscriber("bare/**", lambda _: None)
    print("ready", flush=True)
    sys.stdin.read()
    subscriber.undeclare()  # type: ignore[no-untyped-call]  # zenoh's stub leaves it so
    session.close()  # type: ignore[no-untyped-call]  # zenoh's stub leaves it so


def _client(keys: Path, address: str) -> Any:
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.tls_set(
        str(keys / "ca.pem"), str(keys / "device.pem"), str(keys / "device.key"), ssl.CERT_REQUIRED
    )
    client.tls_insecure_set(True)  # noqa: FBT003 - paho's form; names prove nothing in the household either
    client.connect(address, 8883)
    return client


def _receive(keys: Path, address: str) -> None:
    client, seen = _client(keys, address), 0

    def heard(_client: Any, _data: Any, message: Any) -> None:
        nonlocal seen
        seen += bool(json.loads(message.payload))

    client.on_message = heard
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.subscribe(TOPIC, 1)
    client.loop_start()
    sys.stdin.read()
    client.loop_stop()
    print(seen, flush=True)


def _send(keys: Path, address: str, file: Path, speed: float) -> None:
    client = _client(keys, address)
    ticks = json.loads(file.read_text())
    client.loop_start()
    print("ready", flush=True)
    sys.stdin.readline()
    due_s = time.monotonic()
    for tick in ticks:
        client.publish(TOPIC, json.dumps(tick), qos=1).wait_for_publish(10)
        due_s += 1 / speed
        time.sleep(max(0.0, due_s - time.monotonic()))
    print("done", flush=True)
    sys.stdin.read()
    client.loop_stop()


PARTS: dict[str, Callable[..., None]] = {
    "bare": _bare,
    "receive": lambda keys, address, _file, _speed: _receive(Path(keys), address),
    "send": lambda keys, address, file, speed: _send(Path(keys), address, Path(file), float(speed)),
}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--help"] or not sys.argv[1:] or sys.argv[1] not in PARTS:
        print(__doc__)
        sys.exit(0 if sys.argv[1:2] == ["--help"] else 2)
    PARTS[sys.argv[1]](*sys.argv[2:])
