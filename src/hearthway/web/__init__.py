"""The screens: one page a node serves of itself, to its own household."""
