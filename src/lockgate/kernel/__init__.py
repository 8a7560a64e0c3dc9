"""What every room stands on: canonical JSON, digests, ids, names, access, errors. Imports nothing of ours."""
