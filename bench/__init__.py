"""What it costs, against the limits of the machine. `make bench` runs all of it."""
