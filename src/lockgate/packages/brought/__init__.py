"""Models that were fitted elsewhere: what was brought, read without running any of it."""
