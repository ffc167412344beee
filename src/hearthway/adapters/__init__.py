"""One folder a counterpart, the same file names in each: manifest.toml, adapter.py, mapping.py, errors.py."""
