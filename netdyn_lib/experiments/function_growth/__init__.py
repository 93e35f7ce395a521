"""From weights to functions: how far perturbed copies are as functions, and what lies between.

``grid`` says what is followed, ``published`` writes and reads what the book shows;
:mod:`netdyn_lib.experiments.campaign` runs it.
"""
