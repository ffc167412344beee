"""Files people have of their own movements, read as fixes: Google, OwnTracks, GPX, CSV, GeoLife; streamed, counted, never guessed."""
