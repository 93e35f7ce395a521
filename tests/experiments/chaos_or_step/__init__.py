"""Tests of the comparison of arms with and without expansion."""
