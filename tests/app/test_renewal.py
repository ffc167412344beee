"""The home's own certificate: renewed at a start in its last days or after them, by the same key."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hearthway.app.config import Config, MeshTable, NodeTable
from hearthway.app.household import found_or_renew
from hearthway.app.paths import NodePaths
from hearthway.mesh.identity import DeviceIdentity, create_household
from hearthway.records.household import Role

DAY_S = 86_400.0


@pytest.mark.parametrize(("age_days", "renewed"), [(1, False), (25, True), (40, True)])
def test_a_home_outlives_its_certificate(tmp_path: Path, age_days: int, renewed: bool) -> None:
    now_s = time.time()
    paths = NodePaths(tmp_path)
    founded_s = now_s - age_days * DAY_S
    create_household(paths.keys, "Ours", founded_s).enrol(
        "home", Role.HOME, founded_s, "127.0.0.1:7447"
    )
    before = DeviceIdentity.load(paths.keys, founded_s)
    config = Config(
        node=NodeTable(id="home", role=Role.HOME), mesh=MeshTable(listen="127.0.0.1:7447")
    )
    found_or_renew(paths.keys, config, now_s)
    after = DeviceIdentity.load(paths.keys, now_s)
    assert after.household_id == before.household_id
    assert after.key.public_key() == before.key.public_key()
    assert (after.certificate != before.certificate) == renewed
    assert not after.renew_due(now_s)
