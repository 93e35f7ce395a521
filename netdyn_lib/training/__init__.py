"""Gradient descent as a map of weight space, iterated for whole ensembles and observed."""
