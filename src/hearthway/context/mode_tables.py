"""What is known of foot, bicycle, car, bus and train before a person is: speeds, stops, changes, and how common each is.

Speeds are mixtures of normal distributions in m/s, cut at zero, by these sources:
foot     1.34, sd 0.26 (Weidmann 1993), wider for errors of position; a tenth runs
bicycle  6.0 on the flat (Parkin and Rotheram 2010), 4 to 5 in streets with lights
car      streets, and three tenths of the time faster roads; at most 50 (Dabiri and Heaslip 2018)
bus      commercial speeds of 4 to 7, at most 33 (Dabiri and Heaslip 2018)
train    underground and suburban 7 to 17, faster lines up to 90; what is faster flies
How often each stands, how far apart its stops are and how hard it speeds up are rounded from the same and from service
braking of 1.1 to 1.3 m/s2 in rail and bus traffic. A bus stops each 300 to 500 m (TCRP Report 100), a train each 1 to 3 km.
The shares are Germany's (Mobilitaet in Deutschland 2017: 22, 11, 57 and 10 of 100 ways). All are rounded, none is fitted.
"""

from __future__ import annotations

from functools import lru_cache
from math import erf, exp, log, pi, sqrt

FOOT, BICYCLE, CAR, BUS, TRAIN = range(5)
CLASS_OF = ((FOOT,), (BICYCLE,), (CAR,), (BUS, TRAIN))  # in the order of `records.life.MODES`
SHARES = (0.22, 0.11, 0.57, 0.10)
TRANSIT_SPLIT = (0.6, 0.4)  # bus, train
ACCESS = (0.1, 0.2, 0.42, 0.28)  # after a long walk: bicycle, car, bus, train (assumed)
LEAVE_S = (600.0, 1_200.0, 1_500.0, 1_200.0, 1_800.0)  # how long one keeps to a mode, on average

Part = tuple[float, float, float]  # weight, mean, standard deviation
_SPEEDS: tuple[tuple[Part, ...], ...] = (
    ((0.9, 1.35, 0.4), (0.1, 2.8, 0.6)),
    ((1.0, 4.6, 1.6),),
    ((0.7, 8.5, 4.5), (0.3, 25.0, 8.0)),
    ((0.85, 7.0, 3.5), (0.15, 15.0, 5.0)),
    ((0.5, 12.0, 5.0), (0.5, 35.0, 15.0)),
)
_STANDS = (0.15, 0.12, 0.18, 0.3, 0.2)  # share of the time
_STANDING_MPS = 0.5  # how far a position wanders while one stands
_ANY = 0.02  # of all speeds are errors of position, up to `_MOST_MPS`
_MOST_MPS = 90.0
_FLYING = 0.02  # of what others carry
_FASTEST_MPS = 300.0
_BIN_MPS = 0.25
_PAUSES = (0.2, 0.3, 0.3, 0.3, 0.3)  # of long stretches have a pause of unknown length in them
_EVENED = 0.7  # of the spread of speeds is left in the mean of some minutes
# Of its speed has a way with its stops and bends, as the crow flies.
_WITH_STOPS = (0.85, 0.85, 0.7, 0.7, 0.8)

RIDES_M = (2_000.0, 3_500.0, 15_000.0, 7_000.0, 25_000.0)  # mean length of a ride
STOPS_M = (1_500.0, 900.0, 650.0, 350.0, 1_500.0)  # mean distance between two stops
FREQUENT_STOP = tuple(log(1_000.0 / metres) for metres in STOPS_M)
HARD_MPS2 = 1.6
_HARD_P = (0.03, 0.05, 0.12, 0.03, 0.01)  # of a step that shows it
HARD = tuple((log(1.0 - p), log(p)) for p in _HARD_P)
# A road for cars within 40 m (GPS is within 5 to 10 of it; Newson and Krumm 2009); rails run beside roads half the time.
_ON_ROAD_P = (0.85, 0.85, 0.97, 0.97, 0.5)
NEAR_ROAD = tuple(log(p) for p in _ON_ROAD_P)
OFF_ROAD = tuple(log(1.0 - p) for p in _ON_ROAD_P)
CAR_SAYS = (-6.0, -6.0, 0.0, -6.0, -6.0)  # it moves with this person: else only by chance


def speed_logs(mps: float, *, whole: bool = False) -> tuple[float, ...]:
    """Log-likelihood of a speed by mode; `whole`: of a long stretch, with its stops, as the crow flies."""
    return _table(whole)[min(int(max(0.0, mps) / _BIN_MPS), _BINS - 1)]


_BINS = int(_FASTEST_MPS / _BIN_MPS)


@lru_cache(maxsize=2)
def _table(whole: bool) -> tuple[tuple[float, ...], ...]:
    return tuple(
        tuple(log(_density(mode, (i + 0.5) * _BIN_MPS, whole=whole)) for mode in range(5))
        for i in range(_BINS)
    )


def _density(mode: int, mps: float, *, whole: bool) -> float:
    parts, stands = _SPEEDS[mode], _STANDS[mode]
    if whole:
        slower = _WITH_STOPS[mode]
        parts = tuple((w, m * slower, s * slower * _EVENED) for w, m, s in parts)
    moving = sum(w * _normal_cut(mps, m, s) for w, m, s in parts)
    standing = _normal_cut(mps, 0.0, _STANDING_MPS)
    if whole:
        most = sum(w * m for w, m, _ in parts)
        stands, standing = _PAUSES[mode], 1.0 / most if mps < most else 0.0
    found = (1.0 - _ANY) * (stands * standing + (1.0 - stands) * moving)
    found += _ANY / _MOST_MPS if mps < _MOST_MPS else _ANY * 1e-3 / _FASTEST_MPS
    if mode == TRAIN:
        found += _FLYING / _FASTEST_MPS
    return found


def _normal_cut(x: float, mean: float, sd: float) -> float:
    """A normal density, cut at zero and scaled to 1."""
    above = 0.5 * (1.0 + erf(mean / (sd * sqrt(2.0))))
    return exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * sqrt(2.0 * pi) * above)
