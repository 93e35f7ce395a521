"""Figures of the book, in one style: arrays in, ``Figure`` out.  Nothing else in the library imports Matplotlib."""
