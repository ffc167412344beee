"""Small models in integers: one file, one reference, and runtimes that equal it bit for bit."""
