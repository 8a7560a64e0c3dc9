"""The station that examines snapshots."""
