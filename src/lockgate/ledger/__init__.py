"""Append-only records, content-addressed blobs, pointers moved by compare-and-swap, and leases."""
