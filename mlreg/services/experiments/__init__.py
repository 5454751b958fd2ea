"""Experiments: which version is better, with a verdict that survives peeking."""
