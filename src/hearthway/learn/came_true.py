"""What was said on a replayed day, and whether the person then went there: by where they stood, and by nothing else."""

from __future__ import annotations

from hearthway.records.geo import distance_m
from hearthway.records.life import STAY_MIN_S
from hearthway.records.signals import Fix
from hearthway.records.suggestion import Suggestion

RIGHT_WITHIN_S = 90 * 60.0
RIGHT_RADIUS_M = 100.0


class Words:
    """The words of one setting over one history, in their order. `right`: of each, None where nothing tells."""

    def __init__(self) -> None:
        self.said: list[Suggestion] = []
        self.right: dict[str, bool | None] = {}
        self._open: list[tuple[Suggestion, dict[str, float | None]]] = []

    def add(self, said: Suggestion) -> None:
        """One more. Of one that names no POI a position tells nothing."""
        self.said.append(said)
        self.right[said.suggestion_id] = False if said.options else None
        if said.options:
            self._open.append((said, {o.poi.osm_id: None for o in said.options}))

    def watch(self, fix: Fix) -> None:
        """See where the person stands: 20 minutes within 100 m of a suggested POI, begun within 90, is there."""
        still = []
        for said, since in self._open:
            until_s = said.time_s + RIGHT_WITHIN_S
            done = waiting = False
            for option in said.options:
                poi = option.poi
                begin = since[poi.osm_id]
                if distance_m(poi.lat, poi.lon, fix.lat, fix.lon) > RIGHT_RADIUS_M:
                    since[poi.osm_id] = None
                elif begin is None:
                    since[poi.osm_id] = fix.time_s
                elif fix.time_s - begin >= STAY_MIN_S and begin <= until_s:
                    done = True
                begin = since[poi.osm_id]
                waiting |= begin is not None and begin <= until_s
            if done:
                self.right[said.suggestion_id] = True
            elif waiting or fix.time_s <= until_s:
                still.append((said, since))
        self._open = still
