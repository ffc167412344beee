"""Where the car can stand at a place one hardly knows."""
