"""Sphinx: MyST pages, furo, warnings are errors (`scripts/check`). No extension reaches the network."""

from __future__ import annotations

project = "Hearthway"
project_copyright = "2026 The Hearthway authors"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "Hearthway"
exclude_patterns = ["_build"]
myst_heading_anchors = 4
html_theme_options = {"source_directory": "docs/"}
smartquotes = False  # options begin with two hyphens
html_show_sphinx = False
