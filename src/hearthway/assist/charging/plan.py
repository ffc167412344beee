"""The cheapest charging by a departure, as a linear program that HiGHS solves (Huangfu and Hall, 2018).

Columns are the pieces of every slot (see `bill`), each from nothing to its size, and what is missing to the target. Two rows: the pieces
and what is missing reach the target; the pieces do not pass the battery's limit. What is missing costs more than any
piece, so that there is always a plan and it misses only what no plan could give. Of plans that cost the same the earliest is taken.

Where selling earns more than buying costs (a fixed feed-in price beside a negative one), a slot is best taken whole or
not at all, and is one piece (see `bill.pieces`). A vertex of two rows takes at most one such slot in part, so the plan is dearer than the least
by at most what that one slot bends; and it is never dearer than charging at once, which is taken where it is cheaper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from hearthway.records.charging import Car, Plan, Slot, check_car, check_slots
from hearthway.records.errors import ConfigError

from .bill import most_kwh, pieces, priced
from .fixed import at_once

if TYPE_CHECKING:
    import highspy

SCALE = 1_000.0  # so that a difference of EARLY is seen through HiGHS's tolerance of 1e-7
EARLY = 1e-7  # currency a kWh and slot: prices closer than this (times the slots) count as the same
SNAP_KWH = 1e-6


class _Program(Struct):
    """Columns with a cost and an upper bound, and rows `low <= sum of factor * column <= high`."""

    cost: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    rows: list[tuple[float, float, list[int], list[float]]] = field(default_factory=list)

    def column(self, cost: float, upper: float) -> int:
        """A further column, from 0 to `upper`; its number."""
        self.cost.append(cost)
        self.upper.append(upper)
        return len(self.cost) - 1


def plan_charging(car: Car, slots: tuple[Slot, ...], connection_kw: float | None = None) -> Plan:
    """The cheapest plan by the end of the last slot; misses the target only where nothing reaches it.

    InputError where car or slots cannot be; ConfigError where HiGHS is not installed.
    """
    check_car(car)
    check_slots(slots)
    program, of_slot = _written(car, slots, connection_kw)
    values = _solved(program)
    kwh = [_snapped(sum(values[i] for i in columns)) for columns in of_slot]
    plan = priced(car, slots, _not_beyond(kwh, car.room_kwh))
    once = at_once(car, slots, connection_kw)
    return once if once.short_kwh <= plan.short_kwh and once.cost < plan.cost else plan


def _written(
    car: Car, slots: tuple[Slot, ...], connection_kw: float | None
) -> tuple[_Program, list[list[int]]]:
    program = _Program()
    of_slot: list[list[int]] = []
    dearest = 1.0
    for number, slot in enumerate(slots):
        parts = pieces(slot, most_kwh(car, slot, connection_kw))
        columns = [program.column(part.price + EARLY * number, part.kwh) for part in parts]
        dearest = max([dearest, *(abs(part.price) for part in parts)])
        of_slot.append(columns)
    charged = [i for columns in of_slot for i in columns]
    missing = program.column(10.0 * dearest, car.need_kwh)
    ones = [1.0] * len(charged)
    program.rows.append((car.need_kwh, float("inf"), [*charged, missing], [*ones, 1.0]))
    program.rows.append((0.0, car.room_kwh, charged, ones))
    return program, of_slot


def _solved(program: _Program) -> list[float]:
    try:
        import highspy
    except ModuleNotFoundError as error:
        raise ConfigError(
            "Planning needs the solver HiGHS, which is not installed here.",
            "Install it with `pip install 'hearthway[charging]'`.",
        ) from error

    solver = highspy.Highs()
    for name, value in (("output_flag", False), ("threads", 1), ("solver", "simplex")):
        solver.setOptionValue(name, value)
    solver.passModel(_model(highspy, program))
    solver.run()
    status = solver.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"HiGHS gave no optimum of a program that has one: {status.name}")
    return list(solver.getSolution().col_value)


def _model(solvers: Any, program: _Program) -> highspy.HighsLp:
    model: highspy.HighsLp = solvers.HighsLp()
    model.num_col_, model.num_row_ = len(program.cost), len(program.rows)
    model.col_cost_ = [SCALE * cost for cost in program.cost]
    model.col_lower_ = [0.0] * len(program.cost)
    model.col_upper_ = program.upper
    model.row_lower_ = [row[0] for row in program.rows]
    model.row_upper_ = [row[1] for row in program.rows]
    starts = [0]
    for row in program.rows:
        starts.append(starts[-1] + len(row[2]))
    matrix = model.a_matrix_
    matrix.format_ = solvers.MatrixFormat.kRowwise
    matrix.start_ = starts
    matrix.index_ = [i for row in program.rows for i in row[2]]
    matrix.value_ = [factor for row in program.rows for factor in row[3]]
    return model


def _snapped(kwh: float) -> float:
    """Without the solver's last digits."""
    return 0.0 if kwh < SNAP_KWH else round(kwh, 9)


def _not_beyond(kwh: list[float], room: float) -> list[float]:
    """Rounded amounts may pass the room by a millionth of a Wh: the last gives it back."""
    over = sum(kwh) - room
    for i in reversed(range(len(kwh))):
        if over <= 0.0:
            break
        back = min(over, kwh[i])
        kwh[i] -= back
        over -= back
    return kwh
