"""A single POI index for learning: what a visit's POI is called on the map."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hearthway.records.poi import Opening, OpenState, Poi


class Map:
    """PoiIndex over two houses."""

    houses = (
        Poi(osm_id="node/1", kind="restaurant", name="A", lat=60.17, lon=24.94, cuisines=("thai",)),
        Poi(
            osm_id="node/2", kind="fast_food", name="B", lat=60.171, lon=24.94, cuisines=("pizza",)
        ),
    )

    def near(self, lat: float, lon: float, radius_m: float, kinds: Sequence[str]) -> list[Poi]:
        return [p for p in self.houses if p.kind in kinds]

    def along(
        self, points: Sequence[tuple[float, float]], corridor_m: float, kinds: Sequence[str]
    ) -> list[Poi]:
        return []

    def get(self, osm_id: str) -> Poi | None:
        return next((p for p in self.houses if p.osm_id == osm_id), None)

    def opening(self, poi: Poi, at_s: float) -> Opening:
        return Opening(state=OpenState.UNKNOWN)

    def covers(self, lat: float, lon: float) -> bool:
        return True


@pytest.fixture(scope="session")
def two_houses() -> Map:
    return Map()
