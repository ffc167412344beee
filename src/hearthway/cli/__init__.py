"""One module a verb, imported only when it is called."""
