"""The nouns: frozen values, one file per station, in the order of the line. Each file names only what stands upstream.

source → snapshot → check → features → training → package → verdict → release → rollout → prediction → outcome →
monitoring; `line` records the walk itself.
"""
