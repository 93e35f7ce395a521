"""Perturbed copies: networks that start a distance ε apart in a chosen direction, and learn from
the same batches.

``directions`` finds the initial perturbations that grow or shrink most along a run (Herrmann 2022,
§4.2) and the bounds that they set, ``divergence`` follows perturbed copies and says how far apart
two fresh networks are, ``experiment`` does both for several networks, and ``analysis`` compares the
distances with bounds and laws (:mod:`netdyn_lib.statistics.growth_laws`).
"""
