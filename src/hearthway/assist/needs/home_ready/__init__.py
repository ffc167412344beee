"""The house is colder than one is used to when coming home, and nothing warms it: begin now."""
