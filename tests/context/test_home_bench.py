"""The bench of the home's next event: it reads the sets as published, tells no method the future, and says what is missing."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hearthway.records.errors import InputError

BENCH = Path(__file__).parents[2] / "bench" / "home.py"


@pytest.fixture(scope="module")
def home() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_home", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_home"] = module
    sys.path.insert(0, str(BENCH.parent))  # as when it is run as a script
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCH.parent))
    return module


def test_both_forms_are_read(home: ModuleType, tmp_path: Path) -> None:
    dutch = tmp_path / "houseZ.sensors"
    dutch.write_bytes(b"".join(b"%d\t5\t24\r\n" % (200 - i) for i in range(12)))
    assert home.log_of(dutch)[0] == (189, "24")
    spanish = tmp_path / "OrdonezZ_Sensors.txt"
    line = "1970-01-02 00:00:01\t\t1970-01-02 00:00:09\t\tDoor\t\tPIR\t\tKitchen\n"
    spanish.write_text("Start time\tEnd time\n----\t----\n" + line * 10)
    assert home.log_of(spanish) == [(86_401, "Door/PIR/Kitchen")] * 10


@pytest.mark.parametrize("text", ["", "1\t2\t3\n", "1\t2\t3\n1x\t2\t3\n" * 20])
def test_what_is_no_log_is_refused(home: ModuleType, tmp_path: Path, text: str) -> None:
    path = tmp_path / "houseZ.sensors"
    path.write_text(text)
    with pytest.raises(InputError, match="no log to learn from"):
        home.log_of(path)


def test_no_method_knows_what_comes(home: ModuleType) -> None:
    events = [(i * 600, "abcab"[i * i % 5]) for i in range(200)]
    whole = home.walked("z", events, home.LOGGED)
    other = home.walked("z", [*events[:199], (199 * 600, "never seen")], home.LOGGED)
    for label in home.METHODS:
        assert other.scores[label].ranks[:-1] == whole.scores[label].ranks[:-1]
        assert other.scores[label].sure == whole.scores[label].sure
        assert (whole.scores[label].ranks[-1] > 0) > (other.scores[label].ranks[-1] > 0)


def test_the_interval_holds_the_mean_and_narrows_to_a_constant(home: ModuleType) -> None:
    days = [day for day in range(12) for _ in range(5)]
    homes = [home.Home("z", days, {}, home.HomeState())]
    assert home.interval(homes, [[1.0] * 60]) == (1.0, 1.0, 1.0)
    mean, low, high = home.interval(homes, [[float(day % 2) for day in days]])
    assert low < mean == 0.5 < high
    assert low > 0.15
    assert high < 0.85


def test_it_ends_with_rows_or_says_what_is_there(
    home: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = [f"{i * 5000}\t3\t{(1, 2, 1, 3)[i % 4]}\n" for i in range(200)]
    (tmp_path / "houseZ.sensors").write_text("".join(lines))
    monkeypatch.setattr(sys, "argv", ["home", "--data", str(tmp_path)])
    assert home.main() == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    gain = {
        (row["case"], row["peer"]): row["ours"]
        for row in told["rows"]
        if row["metric"] == "paired gain of Acc@1, low"
    }
    assert told["bench"] == "home"
    assert gain["all, changes", "Markov-1"] > 0.1  # after 1 comes 2 or 3: the two before tell
    monkeypatch.setattr(sys, "argv", ["home", "--data", str(tmp_path), "--split", "houseY"])
    assert home.main() == 2
    assert "there: houseZ.sensors" in capsys.readouterr().err
