"""The station that decides which release answers. Pure: from a plan to the next."""
