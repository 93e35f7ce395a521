"""Sweeps over learning rates and initial conditions.

``grid`` says what a sweep is, and ``published`` opens what the book shows;
:mod:`netdyn_lib.experiments.campaign` runs sweeps.

>>> from netdyn_lib.experiments.learning_rate_sweep import grid
>>> print(grid.get("digits").pieces()[0])
η = 0.0005, initial conditions 0 to 2
"""
