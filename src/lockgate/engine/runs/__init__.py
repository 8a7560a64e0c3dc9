"""Training runs: listed, searched, shown, compared."""
