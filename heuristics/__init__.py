"""Algorithms without a proof of optimality."""
