"""OwnTracks: a real phone's positions, over HTTP, without anybody's server between."""
