"""kill -9 while forgetting: after the next start it was either never ordered, or nothing of it is left."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hearthway.mesh.state.forget import resume
from hearthway.mesh.state.receipts import ReceiptChain
from hearthway.mesh.state.store import Store

NAME = "Annabella-Xyzzy"
PROGRAM = textwrap.dedent(
    f"""
    import sys
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from hearthway.mesh.state.forget import forget
    from hearthway.mesh.state.receipts import ReceiptChain
    from hearthway.mesh.state.store import Store
    from hearthway.records.forgetting import PersonScope
    from hearthway.records.signals import Fix, Signal
    store = Store.open(sys.argv[1], node_id="phone")
    chain = ReceiptChain(store, Ed25519PrivateKey.from_private_bytes(b"n" * 32))
    store.add_person("{NAME}", "a1")
    store.add_fixes("a1", (Fix(time_s=float(t), lat=60.0, lon=24.0) for t in range(20_000)), "{NAME}.gpx")
    store.add_signals("a1", (Signal(key="K", value="{NAME}", time_s=float(t)) for t in range(2_000)))
    print("ready", flush=True)
    forget(store, chain, PersonScope(person_id="a1"), 1e6)
    print("done", flush=True)
    """
)


@pytest.mark.parametrize("delay_s", [0.0, 0.004, 0.01, 0.02, 0.05])
def test_a_kill_at_any_moment_is_made_good(tmp_path: Path, delay_s: float) -> None:
    path = tmp_path / "data" / "node.db"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay_s)
        process.kill()
        done = process.stdout.read() == "done\n"
    with Store.open(path, node_id="phone") as store:
        chain = ReceiptChain(store, Ed25519PrivateKey.from_private_bytes(b"n" * 32))
        ordered = bool(store.database.rows("SELECT 1 FROM orders"))
        resume(store, chain)
        assert ordered or not done
        if ordered:
            assert store.persons() == []
            for file in sorted(path.parent.iterdir()):
                assert NAME.encode() not in file.read_bytes(), file
        else:
            assert [one.name for one in store.persons()] == [NAME]
            assert sum(1 for _ in store.fixes("a1")) == 20_000
        assert store.database.problems() == []
