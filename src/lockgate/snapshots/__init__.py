"""The station that keeps rows."""
