"""The prediction log: what was answered, what really happened and what was posted, in segments.

Written by the endpoint, read by monitoring. `frames` alone needs Polars; nothing else here imports it.
"""
