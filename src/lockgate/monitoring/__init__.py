"""The station that watches releases in service."""
