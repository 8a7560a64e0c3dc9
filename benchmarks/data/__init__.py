"""What the data side costs, and that it is right: checks, features, joins, windows, stores, parity."""
