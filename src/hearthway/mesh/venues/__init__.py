"""A venue's signed wait, over a sealed link of its own."""
