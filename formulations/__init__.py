"""Exact models and bounds."""
