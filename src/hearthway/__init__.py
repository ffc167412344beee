"""Hearthway: phone, car and home as one household, computed only on the devices you own."""

__version__ = "0.1.0"
