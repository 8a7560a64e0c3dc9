"""The station that reads sources."""
