"""What every test shares: how Hypothesis searches."""

import os

from hypothesis import settings

# No deadline: a busy machine is not a fault of the code. Derandomised in CI, so that a run can be repeated.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
