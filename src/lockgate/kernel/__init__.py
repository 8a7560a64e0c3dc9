"""What every room stands on: digests, canonical JSON, ids, names, access and the error tree. Imports nothing of ours."""
