"""Rollouts: versions that get traffic step by step, and lose it where they fail."""
