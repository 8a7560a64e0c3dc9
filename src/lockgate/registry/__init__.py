"""The station that keeps packages, evidence and releases, and hands them to endpoints."""
