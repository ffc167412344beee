"""The map a household carries: an OpenStreetMap extract as one compact SQLite file."""
