"""Benchmarks, each a module run with `make bench NAME=x`; all report in the one shape of `benchmarks.harness`."""
