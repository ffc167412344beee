"""Questions in plain words: what each may mean, what it may use, and its answer from facts handed in. Pure."""
