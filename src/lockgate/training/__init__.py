"""The station that makes training sets, fits and measures. It runs the user's code; belongs in a child process."""
