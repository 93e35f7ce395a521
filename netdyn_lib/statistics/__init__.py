"""Intervals, classifiers and their curves, laws of growth."""
