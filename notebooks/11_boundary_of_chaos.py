# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The boundary of chaos
#
# Two questions that the papers leave open. Does chaos in the weights give another *function*?
# And what does the boundary of chaos look like, over the learning rate and the size of the
# initial weights: is it smooth or fractal, and does it lie where training fails?
#
# ## The protocol
#
# This section was written, and committed, before the first full run. A pilot of 48 × 48
# networks, for two initial conditions, chose the window of the map and showed one thing that the
# protocol heeds: where steps are small, the exponent is positive by about 0.01 per epoch, because
# descent leaves a saddle, and not because it is chaotic.
#
# **From weights to function.** Iris (4-10-3, sigmoid, 100 networks, 1,000 epochs) and the
# digits (64-32-10, tanh, 50 networks, 200 epochs), at the 16 learning rates of
# Jiménez-González 2025. Each network has one copy from its ε-ball, ε = 1e-8, all parameters
# perturbed. Measured:
#
# - the L1 distance of the weights and the root mean square distance of the logits on the test set
#   (each sample's logits less their mean), along training;
# - at the end, the *disagreement*, the share of test samples that the two put in different
#   classes, and the *function distance*, the mean over test samples of the total variation
#   distance between their class probabilities, from 0 to 1;
# - at the end, the *barrier* on the straight line between the two, at 21 points: the largest
#   excess of the training loss over the line between its ends, and the largest excess of the
#   training error over the mean of its ends; before and after the copy's hidden units are matched
#   to the reference's by linear sum assignment on their weights, with the sign symmetry of tanh
#   and of the sigmoid.
#
# Controls: another initial condition at the same rate (the next network) in the place of the copy,
# which says how far two unrelated networks are; and the smallest rates.
#
# A pair has *parted* where the distance of its weights at the end is at least 1% of that of two
# unrelated networks at the same rate (medians). *Chaos gives another function* where, over
# parted pairs, the median function distance is at least half that of unrelated networks; *partly*
# from a tenth. *A barrier parts them* where at least half of the parted pairs have an
# error barrier of 2%, the criterion of {cite:t}`frankle2020`, after matching; *partly* from a tenth.
# Intervals: bootstrap over networks, each with all its rates.
#
# **The map.** Iris, the default split, W(0) = s·W₀ with W₀ drawn once. 1,000 × 1,000 networks,
# η and s evenly spaced in their logarithms from 0.1 to 31.6. The exponent is the mean growth of
# ln|v|, Euclidean norm, of one tangent vector over 100 epochs, its first direction drawn once;
# the loss is the training loss, mean over epochs 50 to 99. Eight more draws of W₀ at 192 × 192;
# and a map of 125 × 125 over 1,000 epochs, to see what 100 epochs are worth.
#
# - *Boundary*: where the exponent crosses zero; as a second reading, where it crosses 0.05 per
#   epoch, above which the papers call it chaos.
# - *Dimension*: boxes of sides 1, 2, 4, 8, 16 and 32 cells (1.5 decades) whose corners
#   and inner points are not all on one side; minus the slope of ln count on ln side. Mean of the
#   eight draws, with Student's interval. *Fractal* from 1.1; *partly* from 1.05; below, smooth.
#   Controls by the same code at the same sizes: a circle and a sine (dimension 1), graphs of
#   Weierstrass' function (1.25 and 1.5), a Julia set (1.39).
# - Two zooms of 250 × 250 networks into the map. Each is the box of 32 cells, of the map or of
#   the zoom before, that holds the median number of boundary cells among boxes with
#   any; the first such box in reading order. A smooth boundary becomes a line there.
# - *Training fails* where the loss is not below ln 3, that of equal guesses. *The boundary lies
#   where training fails* where Cohen's κ of the two divisions of the map is at least 0.8, mean of
#   the eight draws; *partly* from 0.4.
#
# What it cannot show: after 100 epochs the exponent is a smooth function of η and s, so that no
# boundary is fractal below a scale that shrinks as trajectories part. Box counts speak of scales
# above it.
