"""The station that judges packages. Pure: from records to a verdict."""
