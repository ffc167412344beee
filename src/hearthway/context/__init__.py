"""Signals -> situation: stays, trips, places of a life, routines, battery, and where this drive leads."""
