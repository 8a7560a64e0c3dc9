"""Bringing in models that were fitted elsewhere: what is asked for, and what a child reads of it."""
