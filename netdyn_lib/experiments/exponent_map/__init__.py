"""A map of finite-time exponents over the learning rate and the scale of the initial weights.

``following`` follows networks with a tangent vector, ``grid`` says which, ``published`` writes
and reads what the book shows; :mod:`netdyn_lib.experiments.campaign` runs it.
"""
