"""What the need for a meal assumes beside the gate, each with its reason; none is fitted to a test."""

from __future__ import annotations

UNKNOWN_WAIT_MIN = 10.0  # an unknown wait is charged as this one, and shown as unknown
CLOSED_DOOR_MIN = 20.0  # standing before a closed door: walk back, choose again
LAST_ORDERS_S = 45 * 60.0  # a kitchen that closes sooner than this after arrival is half a meal
LAST_ORDERS_MIN = 10.0
PLACE_REACH_M = 500.0  # a meal this near a place was eaten "at" that place
