"""Files people have of their own movements, read as fixes: GPX, CSV, GeoLife .plt; streamed, counted, never guessed."""
