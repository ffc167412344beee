"""What a person likes to eat, out of what the map around their destinations has."""

from __future__ import annotations

from random import Random

from hearthway.records.geo import distance_m
from hearthway.records.poi import Poi

from .ground import Site


class Taste:
    """A person's favourites near each site: three to six near the regular one, weighted.

    Cuisines get weights by the seed; the second adult's are drawn away from the first adult's, so that the
    two would rank the same street differently.
    """

    def __init__(self, sites: list[Site], rng: Random, other: Taste | None = None) -> None:
        cuisines = sorted({c for site in sites for poi in site.foods for c in poi.cuisines})
        self.weights = {c: rng.lognormvariate(0.0, 1.1) for c in cuisines}
        if other is not None:
            for cuisine in cuisines:
                self.weights[cuisine] /= max(0.05, other.weights.get(cuisine, 0.0)) ** 1.3
        self.favourites: dict[str, list[tuple[Poi, float]]] = {}
        for i, site in enumerate(sites):
            self.favourites[site.osm_id] = self._choose(
                site, rng, other, 3 + rng.randrange(4) if i == 0 else 2
            )

    def likes(self, poi: Poi) -> float:
        """How much this person likes a place by its cuisines; 0.4 where it has none."""
        if not poi.cuisines:
            return 0.4
        return max(self.weights.get(c, 0.4) for c in poi.cuisines)

    def _choose(
        self, site: Site, rng: Random, other: Taste | None, count: int
    ) -> list[tuple[Poi, float]]:
        scored: list[tuple[float, str, Poi]] = []
        taken = [p.osm_id for p, _ in other.favourites.get(site.osm_id, [])[:2]] if other else []
        for poi in site.foods[:60]:
            walk = distance_m(*site.park.point, poi.lat, poi.lon)
            score = self.likes(poi) * (1.25 - walk / 500.0) * rng.uniform(0.6, 1.4)
            if poi.osm_id in taken and len(site.foods) > 3:
                score *= 0.15
            if poi.kind == "pub":
                score *= 0.4
            scored.append((score, poi.osm_id, poi))
        scored.sort(key=lambda item: (-item[0], item[1]))
        # the first is eaten at about half the time, the next about half of the rest
        return [(poi, 0.55**rank) for rank, (_, _, poi) in enumerate(scored[:count])]

    def pick(self, site: Site, rng: Random) -> list[Poi]:
        """Favourites near a site in the order they come to mind this evening."""
        pairs = list(self.favourites.get(site.osm_id) or [(p, 1.0) for p in site.foods])
        order: list[Poi] = []
        while pairs:
            draw = rng.random() * sum(weight for _, weight in pairs)
            for i, (poi, weight) in enumerate(pairs):
                draw -= weight
                if draw <= 0.0 or i == len(pairs) - 1:
                    order.append(poi)
                    del pairs[i]
                    break
        return order + [p for p in site.foods if p not in order]

    def explore(self, foods: list[Poi], rng: Random) -> list[Poi]:
        """Any of the places near a site, the closer the likelier."""
        order = list(foods)
        rng.shuffle(order)
        return order
