"""Questions asked in the car, as a part of it: light until the first is asked, then the car's desk does it."""

from __future__ import annotations

from .part import Asking


class AskingInCar(Asking):
    """The same verb and the same voice as elsewhere; see `car_desk`."""

    _kind = ("car_desk", "CarDesk")
