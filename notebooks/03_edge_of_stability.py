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
# # Iris, the edge of stability
#
# :::{admonition} In short
# :class: tip
# - {cite:t}`danovski2024` raise the learning rate to 1. The network learns, and faster:
#   {verdict}`D-fig7-loss` {verdict}`D-sec4-faster`
# - On the way nearby networks part exponentially, from about 90% of the initial conditions:
#   {verdict}`D-fig8-kept`
# - They give the rate as 0.33 per epoch. It depends on the rule that picks the window of growth,
#   and the formula as printed gives less: {verdict}`D-fig8-lambda`
# - The growth belongs to the first epochs; the exponents of a whole training are near zero.
# - The sharpness reaches the edge of stability: {verdict}`D-fn2-reaches` That it falls at the end
#   of training is not seen: {verdict}`D-fn2-falls`
#
# The figure to see is {numref}`fig-edge-multiverse`. To move through training yourself, open
# {doc}`../book/explore_trajectories`.
# :::

# %% [markdown]
# ## What was claimed
#
# A hundred times faster than in {doc}`02_iris_slow`, at $\eta = 1$, the loss of the same network
# goes up and down before it falls. Section 4.1 of Danovski 2024 reads this as sensitive dependence
# on initial conditions:
#
# - the network learns, faster than at $\eta = 0.01$;
# - nearby networks part exponentially from about 90% of the initial conditions, at a mean rate of
#   0.33 per epoch, the *network maximal Lyapunov exponent*;
# - the rate settles as the perturbation shrinks;
# - the largest curvature of the loss rises to the edge of stability, and falls late in training.
#
# We repeat its Figures 7 and 8, and ask two things more: how far the number depends on the rule
# that picks the window of growth, and how much of the chaos outlives the first epochs.

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
import torch

from netdyn_lib import lyapunov, torch_utils
from netdyn_lib.curvature import hessian
from netdyn_lib.experiments import sizes
from netdyn_lib.experiments.learning_rate_sweep import responses, results
from netdyn_lib.figures import exponents as draw
from netdyn_lib.lyapunov import growth_fits, linear_regime
from netdyn_lib.results import claims
from netdyn_lib.results.glue import glue_all
from netdyn_lib.series import phases
from netdyn_lib.statistics import intervals
from netdyn_lib.statistics.intervals import bootstrap_interval, share_interval
from netdyn_lib.tasks import networks, tasks
from netdyn_lib.training import gradient_descent, observables

# %% tags=["parameters", "hide-input"]
profile = "laptop"
device = "auto"
seed = 0
learning_rate = None  # None: the profile's, as for all that follow
slow_rate = None
epochs = None
exponent_epochs = None
ensemble = None  # initial conditions
long_ensemble = None  # and of these, followed for all epochs
copies = None
sharp_networks = None
sharp_epochs = None

# %% tags=["hide-input"]
size = sizes.sizes(
    "03_edge_of_stability",
    profile,
    learning_rate=learning_rate,
    slow_rate=slow_rate,
    epochs=epochs,
    exponent_epochs=exponent_epochs,
    ensemble=ensemble,
    long_ensemble=long_ensemble,
    copies=copies,
    sharp_networks=sharp_networks,
    sharp_epochs=sharp_epochs,
)
task = tasks.get("iris", device=torch_utils.resolve(device))
edge = gradient_descent.GradientDescent(task, size.learning_rate)
slow = gradient_descent.GradientDescent(task, size.slow_rate)
start = task.initial(size.ensemble, seed=seed, device=device)
half = size.epochs // 2  # where the late part begins

# %% [markdown]
# ## Four trajectories
#
# Each reference network has five perturbed copies, with every parameter moved by at most
# $\epsilon = 10^{-8}$. $\bar d(t)$ is their mean distance from it after $t$ epochs.

# %%
balls = networks.perturbed(start, size.radius, size.copies, seed=seed)
some = balls[: size.long_ensemble]
observed = ("distance", "mean_distance", "loss")
long = gradient_descent.run(edge, some, size.epochs, observe=observed)
examples = slice(0, size.examples)
beginning = long["mean_distance"][: size.exponent_epochs + 1, examples]
fit = growth_fits.best_fit(beginning, min_length=20)

# %% tags=["hide-input"]
# | label: fig-edge-trajectories
# | fig-cap: >-
# |   Four networks at η = 1, a colour each. (a) Distances of their copies in 200 epochs (grey;
# |   means coloured); dotted, the window of best exponential fit, of slope Λ. (b) Mean distances
# |   over 4,000 epochs. (c) The last 50 of them, each over its range. (d) The loss. (Danovski 2024,
# |   Fig. 7.)
# | fig-alt: >-
# |   Four panels. On a logarithmic axis distances climb from 4e-7 to between a half and five within
# |   a hundred epochs, two along a straight line, one after a long plateau and one in two steps. Of
# |   the last stretches three zigzag with period two and one drifts. Losses are irregular at first
# |   and then fall.
draw.growth_panels(
    long.epochs,
    long["distance"][:, examples],
    long["loss"][:, examples, 0],
    fit,
    zoom=size.exponent_epochs,
)

# %% tags=["hide-input"]
loss = long["loss"][..., 0]  # of the references, (epoch, network)
rises = ~observables.non_increasing(loss)
settles = share_interval(rises & (loss[-1] < 0.1))

late = phases.classify(long["mean_distance"][-60:], block=60, tolerance=0.05, longest=12)[0]
oscillating = share_interval(late > 1)  # with a period from 2 to 12

# %% tags=["hide-input"]
pair = (size.slow_rate, size.learning_rate)
both, rates = gradient_descent.each_rate(start[: size.long_ensemble], pair)
descent = gradient_descent.GradientDescent(task, rates)
race = gradient_descent.run(descent, both, size.epochs, observe=("loss", "test_accuracy"))

below = race.by_rate("loss", 2) < size.learned_loss  # (epoch, rate, network)
for_good = np.logical_and.accumulate(below[::-1])[::-1]
learned = np.where(for_good.any(axis=0), race.epochs[for_good.argmax(axis=0)], np.nan)

# %% tags=["hide-input"]
accuracy, target = race.by_rate("test_accuracy", 2), task.target_accuracy
arrivals = {  # (rate, network), NaN for never
    "loss below 0.4 for good": learned,
    "first 90% test accuracy": observables.first_hit(race.epochs, accuracy, target),
    "90% for 20 epochs": observables.first_hit(race.epochs, accuracy, target, sustained=20),
}
faster = {}
for name, (slowly, fast) in arrivals.items():
    ratio = (slowly / fast)[~np.isnan(slowly / fast)]  # of those that arrive at both rates
    few = intervals.Interval(np.nan, np.nan, np.nan)
    faster[name] = bootstrap_interval(ratio, np.median, seed=seed) if len(ratio) > 1 else few

# %% tags=["hide-input"]
observed = ("mean_distance", "distance", linear_regime.size)
first = gradient_descent.run(edge, balls, size.exponent_epochs, observe=observed)
gentle = gradient_descent.run(slow, some, size.exponent_epochs, observe=("mean_distance",))
largest = first["mean_distance"][:, : size.long_ensemble].max(axis=0)
apart = np.log10(largest / gentle["mean_distance"].max(axis=0))
orders = bootstrap_interval(apart, np.median, seed=seed)

# %% [markdown]
# {numref}`fig-edge-trajectories` shows what the paper describes. A share
# {glue:text}`edge-settles:.2f` of the networks ends with a loss below 0.1 after an erratic
# transient. In the median network nearby trajectories part {glue:text}`edge-orders:.1f` orders of
# magnitude further than at $\eta = 0.01$. Late distances oscillate with a small period in a share
# {glue:text}`edge-oscillating:.2f` (c).
#
# Does it learn faster? The median network's loss is below 0.4 for good
# {glue:text}`edge-faster-loss:.1f` times as soon as at $\eta = 0.01$, and its test accuracy first
# reaches 90% {glue:text}`edge-faster-first:.0f` times as soon. Accuracy that holds for 20 epochs
# comes only {glue:text}`edge-faster-held:.2f` times as soon: it waits for the end of the transient.

# %% [markdown]
# ## The distribution of exponents
#
# The exponent $\Lambda$ of one initial condition is here the slope of $\ln\bar d(t)$, over the
# window of at least 20 epochs, within the first 200, that a straight line fits best. By the paper's
# rule a growth *counts* as exponential if the fit has $R^2 > 0.9$ and $\Lambda > 0.05$. Their share
# is $p$, and the mean of the $\Lambda$ that count is $\lambda_{\mathrm{nMLE}}$.

# %% tags=["nbval-ignore-output"]
fit = growth_fits.best_fit(first["mean_distance"], min_length=20)
summary = growth_fits.summarise(fit, seed=seed)
print(f"{size.ensemble} networks; mean exponent {summary.exponent}, share {summary.share}")

# %% tags=["hide-input"]
modes = intervals.modality(fit.slope[fit.kept()], seed=seed)
everything = intervals.modality(fit.slope, seed=seed)
grown = first["mean_distance"].max(axis=0) / first["mean_distance"][0]
overlooked = share_interval(grown[~fit.kept()] > 1e5)


def exponents_of(mean_distance):
    """λ_nMLE of the windows of best fit: the slopes in them, and as the paper prints it."""
    window = growth_fits.best_fit(mean_distance, min_length=20)
    as_printed = growth_fits.printed(mean_distance, window)
    return [growth_fits.summarise(found, seed=seed) for found in (window, as_printed)]


distances, found = {}, {}
for radius in size.radii:
    run = first
    if radius != size.radius:
        ball = networks.perturbed(start, radius, size.copies, seed=seed)
        run = gradient_descent.run(edge, ball, size.exponent_epochs, observe=observed[:2])
    distances[radius], found[radius] = run["distance"], exponents_of(run["mean_distance"])
by_radius, printed = ({r: pair[k] for r, pair in found.items()} for k in (0, 1))

# %% tags=["hide-input"]
# | label: fig-edge-exponents
# | fig-cap: >-
# |   Exponents of 500 initial conditions, 200 epochs each. (a) Blue: counted as exponential growth,
# |   grey: not. Black: mean of the counted, dashed: the paper's value. (b) That mean with its 95%
# |   interval, and the standard deviation, against the radius ε. (Danovski 2024, Fig. 8.)
# | fig-alt: >-
# |   Left, a histogram with one broad hump around 0.3 per epoch and a grey heap near zero. Right,
# |   means that fall steadily from about 0.36 at the smallest radius to 0.1 at the largest.
draw.distribution(fit.slope, fit.kept(), size.radii, [by_radius[r] for r in size.radii])

# %% tags=["hide-input"]
small = [radius for radius in size.radii if radius <= 1e-6]
slopes = np.array([by_radius[r].exponent.estimate for r in small])
settled = abs(slopes / summary.exponent.estimate - 1).max()
as_printed = np.array([printed[r].exponent.estimate for r in small])
settled_printed = abs(as_printed / printed[size.radius].exponent.estimate - 1).max()
smallest, at_small = by_radius[min(small)].exponent, by_radius[max(small)].exponent

# %% [markdown]
# The mean exponent in {numref}`fig-edge-exponents`a is {glue:text}`edge-lambda:.3f`, close to the
# paper's 0.33 but not up to it, and a share {glue:text}`edge-kept:.2f` counts. The exponents that
# count have one mode.
#
# Those that do not count are not quiet networks. The third network of
# {numref}`fig-edge-trajectories`a is one of them: the straightest 20 epochs lie on its plateau,
# before the growth. A share {glue:text}`edge-overlooked:.2f` of these networks grew more than
# $10^5$-fold.
#
# Nor does the exponent settle as the radius shrinks (b). It rises from {glue:text}`edge-small:.3f`
# at $10^{-6}$ to {glue:text}`edge-smallest:.3f` at $10^{-14}$, ever more slowly. A likely reason,
# not tested here: a smaller ball grows for longer, and the rule has more windows to choose from.

# %% [markdown]
# ## One sentence, many numbers
#
# "The window yielding the best exponential fit" can be read in several ways:
#
# - *best fit, m or more*: of all windows of at least m epochs, the one with the largest $R^2$;
# - *ramp*: a plateau, a ramp and a plateau, fitted to the whole curve;
# - *as printed*: the paper's Equation 3, $\Lambda = \ln(\bar d(\tau)/\bar d(0))/\tau$, from epoch 0
#   to the end $\tau$ of a window; or *within* the window, from its first epoch to its last;
# - *tangent vector*: no window; one infinitesimal perturbation is followed over the same epochs.

# %% tags=["hide-input"]
directions = networks.displacements(balls[:, :2])  # to the first copy
growth = lyapunov.growth(edge.product, start, directions, size.exponent_epochs, order=1, workers=2)
linear = lyapunov.mean_growth(growth)  # ln of the tangent vector's length, (epoch, network)
fits = growth_fits.multiverse(first["mean_distance"], linear)
summaries = [growth_fits.summarise(found, seed=seed) for found in fits.values()]
spreads = [np.percentile(found.slope[found.kept()], (5, 95)) for found in fits.values()]
names = {f"best_fit({m})": f"best fit, {m} or more" for m in (10, 20, 30)} | {
    "ramp": "ramp",
    "printed(best_fit(20))": "as printed, best fit (20)",
    "printed(ramp)": "as printed, ramp",
    "between(best_fit(20))": "within best fit (20)",
    "tangent": "tangent vector",
}

# %% tags=["hide-input"]
# | label: fig-edge-multiverse
# | fig-cap: >-
# |   Eight readings of one sentence, on the same 500 networks. (a) Mean exponent with its 95%
# |   interval (blue), and where 90% of the networks lie (grey). (b) Share counted as exponential;
# |   the tangent vector has no fit and counts by Λ > 0.05 alone. Dashed: the paper's values.
# | fig-alt: >-
# |   Two columns of points with error bars for eight rules. Exponents spread well beyond their
# |   intervals, from the two printed ones at the low end to best fit with ten epochs at the high
# |   end; shares vary between 0.8 and 0.96. Grey bars of single networks are far longer.
draw.multiverse(summaries, spreads, [names[name] for name in fits])

# %% tags=["hide-input"]
values = {f.rule: f.exponent.estimate for f in summaries if f.kept}
lowest, highest = min(values.values()), max(values.values())

# %% [markdown]
# The same networks give a mean exponent from {glue:text}`edge-lowest:.2f` to
# {glue:text}`edge-highest:.2f` per epoch ({numref}`fig-edge-multiverse`), a spread that no interval
# shows. Growth is not a clean exponential: it pauses and speeds up. A short window finds the
# steepest straight piece, a long one an average, and the formula from epoch 0 the least, because it
# counts a quiet beginning ({numref}`fig-edge-windows`). The paper's 0.33 lies among the slopes. It
# is a number of a rule as much as of a network, and so is the share.

# %% [markdown]
# ## How long does the chaos last?

# %% tags=["hide-input"]
few = start[: size.tangent_ensemble]
directions = lyapunov.random_directions(few, seed=seed)
whole = lyapunov.growth(edge.product, few, directions, size.epochs, workers=2)
edges = (*(e for e in size.edges if e < half), half, size.epochs)
stretches = tuple(zip(edges, edges[1:]))
rates = [bootstrap_interval(whole.exponent(a, b)[:, 0], seed=seed) for a, b in stretches]

# %% tags=["hide-input"]
# | label: fig-edge-transient
# | fig-cap: >-
# |   Mean growth rate of a tangent vector in successive stretches of 4,000 epochs at η = 1, over 40
# |   networks, with 95% intervals.
# | fig-alt: >-
# |   Points with error bars for seven stretches: about 0.1 in the first fifty epochs, highest
# |   between epochs 50 and 200, then falling to nearly zero after epoch 1,000.
draw.rates_over_time(stretches, rates)

# %% [markdown]
# Sensitive dependence is a transient ({numref}`fig-edge-transient`). Tangent vectors
# grow by {glue:text}`edge-rate-first:.2f` per epoch in the first 50 epochs, by up to
# {glue:text}`edge-rate-top:.2f` where growth is fastest, and by {glue:text}`edge-rate-last:.4f` in
# the last stretch. A Lyapunov exponent in the strict sense, the limit of long times, would describe
# the last value. What the paper measures, and we with it, is the finite-time exponent of the
# beginning.

# %% [markdown]
# ## Sharpness
#
# The *sharpness* is the largest eigenvalue of the Hessian, the matrix of second derivatives of the
# loss. On a quadratic, gradient descent diverges where it exceeds $2/\eta$. {cite:t}`cohen2021`
# found that training settles there, at the *edge of stability*. The second footnote of Danovski
# 2024 adds that, with cross-entropy, sharpness should fall late in training.

# %% tags=["hide-input"]
spaced = np.geomspace(1, size.sharp_epochs, size.sharp_times) - 1  # even in ln(1 + t)
times = np.union1d(spaced.round().astype(int), (half, size.epochs))
pairs = np.union1d(times, times + 1)
sharp_start = start[: size.sharp_networks]
observed = ("weights", "loss")
watched = gradient_descent.run(edge, sharp_start, size.sharp_epochs, observe=observed, at=pairs)

# %% tags=["hide-input"]
sharp = hessian.along(task.objective, watched["weights"], device=task.x.device)
now = np.searchsorted(pairs, times)  # each epoch, and in the next row the one after it
scaled = (sharp[now] + sharp[now + 1]) / 2 * size.learning_rate / 2
loss = (watched["loss"][now] + watched["loss"][now + 1]) / 2

# %% tags=["hide-input"]
at_end = list(times).index(size.epochs)
late = np.median(scaled[(times >= half) & (times <= size.epochs)], axis=0)  # (network,)
at_edge, above = share_interval(abs(late - 1) <= 0.2), share_interval(late > 1)
starts_beyond = share_interval(scaled[0] >= 1)
falls, falls_later = share_interval(scaled[at_end] < 0.5), share_interval(scaled[-1] < 0.5)
level, later = np.median(scaled[at_end]), np.median(scaled[-1])

# %% tags=["hide-input"]
# | label: fig-edge-sharpness
# | fig-cap: >-
# |   (a) Sharpness times η/2, mean of two successive epochs, of 40 networks over 10,000 epochs at
# |   η = 1 (grey; median in black). Dashed, at 1: the edge of stability. (b) Their training loss.
# | fig-alt: >-
# |   Top, sharpness that starts on either side of the dashed line, swings around it in the first
# |   five hundred epochs and settles close to it. Bottom, losses that stay above a tenth for some
# |   hundred epochs and then fall.
draw.sharpness(times, scaled, loss)

# %% [markdown]
# Most initial networks lie beyond $2/\eta$ already ({numref}`fig-edge-sharpness`). So
# training does not lift sharpness to the edge so much as bring it there: in a share
# {glue:text}`edge-at-edge:.2f` of the networks its median over epochs 2,000 to 4,000 is within 20%
# of $2/\eta$. The few that start well below rise to the edge, as the literature has it (appendix).
#
# There it stays. The median over networks is {glue:text}`edge-trained-sharpness:.2f` times $2/\eta$
# after 4,000 epochs and {glue:text}`edge-last-sharpness:.2f` after 10,000. The drop of which the
# footnote speaks is not seen.

# %% [markdown]
# ## Conclusion
#
# Danovski 2024 claim that at $\eta = 1$ networks learn fast through a chaotic transient, with an
# exponent of 0.33 per epoch. We see the transient in nearly all of 500 networks, and it helps: the
# loss falls sooner. Of that we are sure, for one task, one split of the data and one seed.
#
# The number is not a property of the network alone. Rules that all fit the paper's sentence give
# exponents that differ by a factor of two; its own printed formula gives about half of 0.33; and at
# smaller radii the slope still grows. What would decide is the authors' rule for the window.
# Whether sharpness falls later than 10,000 epochs only a longer training can tell.

# %% [markdown]
# ## Exercises
#
# **1.** A distance rests for 20 epochs, grows as $e^{0.3\,t}$ for 60, and rests again. What are
# the slope, and the exponent as the paper prints it, $\ln(d(\tau)/d(0))/\tau$, for $\tau = 80$ and
# for $\tau = 200$?
#
# :::{dropdown} Solution
# The slope in the window is 0.3. Printed, the logarithm has grown by 18, so the exponent is
# $18/80 = 0.23$ and $18/200 = 0.09$. One distance, three numbers: that is why every reading has a
# row of its own.
# :::
#
# **2.** Where does the edge of stability lie for the same network under momentum $\mu = 0.9$ at
# $\eta = 1$?
#
# :::{dropdown} Solution
# For heavy-ball momentum it is $2(1 + \mu)/\eta = 3.8$ instead of 2 (chapter 8). Momentum allows a
# sharper valley.
# :::

# %% [markdown]
# # Appendix: windows, tangent vectors and sharpening
#
# What the main line of {doc}`03_edge_of_stability` leaves out, and how each claim was judged.
#
# ## How much faster
#
# Medians, with 95% intervals, over the networks that arrive at both learning rates within 4,000
# epochs; the other columns have the share that does not arrive.

# %% tags=["hide-input", "nbval-ignore-output"]
table = pd.DataFrame({"times as soon": {name: str(ratio) for name, ratio in faster.items()}})
for k, rate in enumerate(pair):
    never = {name: np.isnan(times_of[k]).mean() for name, times_of in arrivals.items()}
    table[f"never, η = {rate:g}"] = never
table.round(2)

# %% [markdown]
# ## Where each rule puts its window

# %% tags=["hide-input"]
# | label: fig-edge-windows
# | fig-cap: >-
# |   Where each rule puts its window on the mean distance (grey) of the four networks of the main
# |   line; of the printed exponents, the line from epoch 0 to τ. Lines are shifted down so that
# |   they can be told apart.
# | fig-alt: >-
# |   Four logarithmic distance curves that rise and saturate; coloured segments below them, of
# |   different lengths and slopes, mark the windows chosen by best fit with 10, 20 and 30 epochs
# |   and by the ramp; two more start at epoch 0 and are flatter.
without = ("between(best_fit(20))", "tangent")  # the window of best_fit(20) again; no window
drawn = {names[name]: found for name, found in fits.items() if name not in without}
draw.window_choices(first.epochs, first["mean_distance"][:, examples], drawn)

# %% [markdown]
# None of the rules that judge by $R^2$ is safe by itself: the steep start of a noisy
# power law passes the default one. In {numref}`fig-edge-windows` short windows end on a plateau in
# (c), and on one of two steps in (d). The printed exponent and its variants were added after all
# the numbers of this chapter had been seen.
#
# The exponents that count have one mode (dip test: p = {glue:text}`edge-p-modes:.2f`). All of them
# together have not (p = {glue:text}`edge-p-all:.3f`), for those that do not count form a heap of
# their own near zero. None of them fails for a bad fit: the least $R^2$ is above 0.9. From
# $10^{-6}$ to $10^{-14}$ the slope departs from its value at $10^{-8}$ by a share of up to
# {glue:text}`edge-settled:.2f`.

# %% [markdown]
# ## Which reading fits which paper?
#
# {cite:t}`jimenez2025` print the same formula and find 0.68 for MNIST at $\eta = 10$
# ({doc}`05_mnist_cifar`). The tables apply the same readings to both papers, each with the verdict
# that it would have by itself.

# %% tags=["hide-input"]
sweeps = results.paper("mnist-eta10"), results.paper("mnist-6000-eta10")
mnist = results.best(*sweeps, least=results.ENOUGH)
on_iris = {k: growth_fits.summarise(fits[k], seed=seed) for k in growth_fits.READINGS}
iris_readings = {name: found.exponent.estimate for name, found in on_iris.items()}
on_mnist = responses.multiverse(mnist.data, seed=seed)
mnist_readings = {name: found.at(size.mnist_rate).estimate for name, found in on_mnist.items()}
paper_d, paper_j = (claims.load()[name] for name in ("D-fig8-lambda", "J-fig3-lambda"))
print(mnist.note)

# %% tags=["hide-input"]
readings = pd.DataFrame({"Iris": iris_readings, "MNIST": mnist_readings})
readings["Danovski: 0.33"] = readings["Iris"].map(paper_d.judge)
readings["Jiménez: 0.68"] = readings["MNIST"].map(paper_j.judge)
readings.rename(index=names).round(2)

# %% tags=["hide-input"]
both = claims.fitting((paper_d, iris_readings), (paper_j, mnist_readings))
print("Readings within the ranges of both papers:", both)

# %% [markdown]
# As printed, with $\tau$ at the end of the best window, the exponent is lower than
# the slope in that window, here and on MNIST.

# %% [markdown]
# ## Copies and tangent vectors
#
# A ball of radius ε measures the tangent dynamics as long as distances are small. A tangent vector
# that starts as the displacement of one copy is followed beside that copy, at all radii of
# {numref}`fig-edge-exponents`. Two errors part the two curves: the map is not linear, which shows
# first where the radius is large (*saturation*), and every step is rounded, which shows first where
# it is small (*rounding*).
#
# A copy has *parted* from its tangent vector once their growth differs by more than 10%. It is
# called saturated if at that epoch a copy at a smaller radius still agrees with the vector and none
# at a larger, rounded if one at a larger radius does and none at a smaller, and undecided
# otherwise. The outermost radii serve as witnesses only.

# %% tags=["hide-input"]
one_copy = {radius: distance[..., 0] for radius, distance in distances.items()}
same_copy = growth_fits.best_fit(one_copy[size.radius], min_length=20)
kept = same_copy.kept()
in_window = growth_fits.fit_in(linear, same_copy.start, same_copy.stop)
found = linear_regime.compare(one_copy, linear, first["size"])
cause = found.in_window(same_copy, size.radius)

# %% tags=["hide-input"]
# | label: fig-edge-parting
# | fig-cap: >-
# |   500 networks. (a) Epoch at which a copy parts from its tangent vector, and its distance from
# |   the reference there over the size of the weights, Σ|w|, for three radii; discs saturated,
# |   triangles rounded, crosses undecided. Dotted: the spacing of double precision. (b) How many
# |   part for which cause, by radius; *agree*: never within 200 epochs.
# | fig-alt: >-
# |   Left, discs of all three radii fill one band around a thousandth of the weights, the smaller
# |   the radius the later; triangles of the two smaller radii lie far below, at levels close to ε.
# |   Right, bars almost all saturation, with a share of rounding and undecided that grows towards
# |   the smallest radius.
draw.parting(found, size.parting_radii)

# %% tags=["hide-input", "nbval-ignore-output"]
k = list(found.radii).index(size.radius)
rounded = found.cause[k] == linear_regime.ROUNDING
path = gradient_descent.run(edge, start[rounded], size.exponent_epochs, observe=("weights",))
path = torch.as_tensor(path["weights"], device=task.x.device)
followed, fresh = linear_regime.along_a_fresh_vector(
    edge.product, path, linear[:, rounded], found.epoch[k, rounded], back=40, seed=seed
)
print(f"ln of growth in 40 epochs: {np.median(followed):.2f}; fresh: {np.median(fresh):.1f}")

# %% [markdown]
# At every radius but the smallest most copies part by saturation, a few by rounding
# ({numref}`fig-edge-parting`b). Saturation comes at a distance well short of the size of the
# weights, at $10^{-8}$ in the median at {glue:text}`edge-saturation:.4f` of it. That distance
# hardly depends on the radius, while the epoch does.
#
# Rounding parts copies that are still close, and becomes more frequent as the ball shrinks. At
# $10^{-12}$ more are undecided, because the only smaller ball, at $10^{-14}$, parts no later. In
# the 40 epochs before rounding shows at $10^{-8}$ (printed above), the tangent vector hardly grows
# in the median network, and a fresh random vector grows many times over: as if the displacement had
# lost its part along the directions that now expand, and what rounding puts there grew in its
# stead.

# %% tags=["hide-input"]
# | label: fig-edge-agreement
# | fig-cap: >-
# |   (a) Exponent of the same window from one copy (ε = 1e-8) and from its tangent vector, one
# |   point for each initial condition that counts, by what parts them before the window ends. (b)
# |   How far the two growth curves are apart, for all 500; at epoch 0 they are equal. Dashed: 10%,
# |   where they count as parted.
# | fig-alt: >-
# |   Left, blue points lie on the diagonal; orange points, with a few of other colours, on both
# |   sides of it or on it. Right, two curves that start below 1e-8 and climb; the 95th percentile
# |   crosses the dashed line between epochs 40 and 50, the median between 80 and 90.
draw.agreement(
    same_copy.slope[kept],
    in_window[kept],
    cause[kept],
    linear_regime.log_error(one_copy[size.radius], linear),
)

# %% tags=["hide-input", "nbval-ignore-output"]
gap = abs(same_copy.slope - in_window)
windows = pd.DataFrame({"parted by": cause, "gap": gap, "off": gap > 0.1 * same_copy.slope})
windows["copy larger"] = windows["off"] & (same_copy.slope > in_window)
of_cause = windows[kept].groupby("parted by")
sums = of_cause[["off", "copy larger"]].sum()
sums.insert(0, "windows", of_cause.size())
sums["median gap"] = of_cause["gap"].median().round(4)
sums

# %% [markdown]
# For the exponents, what matters is whether the window ends in time. The table sorts the windows by
# what parted copy and vector before the window's end; *off* counts those whose exponents differ by
# more than 10%. Where nothing did (*never*), the two exponents differ by at most
# {glue:text}`edge-agree:.4f` per epoch ({numref}`fig-edge-agreement`a). They are off only where the
# window reaches too far: where copies saturate, the copy has the smaller exponent in most networks,
# where they are rounded, the larger.

# %% [markdown]
# ## Does sharpness rise from below?
#
# Distances zigzag with period two, and sharpness may do so too; it is therefore taken as the mean
# of two successive epochs. To see it rise, we take those of the 500 networks that start below 80%
# of $2/\eta$, and its median over epochs 2,000 to 4,000.

# %% tags=["hide-input"]
gentle_start = start[hessian.sharpness(task.objective, start) * size.learning_rate / 2 < 0.8]
spots = times[(times >= half) & (times < size.epochs)]
both_epochs = np.union1d(spots, spots + 1)
low = gradient_descent.run(edge, gentle_start, size.epochs, observe=("weights",), at=both_epochs)
risen = hessian.along(task.objective, low["weights"], device=task.x.device)
now = np.searchsorted(both_epochs, spots)
risen = np.median((risen[now] + risen[now + 1]) / 2 * size.learning_rate / 2, axis=0)  # (network,)
sharpens = share_interval(abs(risen - 1) <= 0.2)

# %% tags=["hide-input", "nbval-ignore-output"]
print("beyond 2/η at the start:", starts_beyond, "  in the second half:", above)
print(f"of {len(risen)} of {size.ensemble} that start below 80% of 2/η, end near it:", sharpens)
print("below half of 2/η after training:", falls, "  at the end:", falls_later)

# %% [markdown]
# ## The papers' claims

# %% tags=["hide-input"]
card = claims.Scorecard("03_edge_of_stability", changed=size.changed)
card.measure("D-fig7-loss", settles)
by_loss, by_first, by_held = faster
card.measure(
    "D-sec4-faster",
    faster[by_loss],
    readings={name: faster[name].estimate for name in (by_loss, by_first)},
    saw="Test accuracy that holds for 20 epochs comes "
    f"{faster[by_held].estimate:.2f} times as soon.",
)
card.measure("D-fig7-larger", orders)
card.measure("D-fig7-oscillate", oscillating)

# %% tags=["hide-input"]
count = on_mnist["ramp"].count[0]
in_words = f"MNIST, {count} initial conditions (Jiménez-González 2025: {paper_j.paper_value})"
card.measure(
    "D-fig8-lambda",
    summary.exponent,
    readings=iris_readings,
    saw=f"Tangent vectors, which need no window: {summaries[-1].exponent.estimate:.2f}. "
    f"{in_words}: {paper_j.in_words(mnist_readings)} Within the ranges of both papers: {both}.",
)

# %% tags=["hide-input"]
others = [f"{s.share.estimate:.2f} ({s.rule})" for s in summaries if s.rule != fit.rule]
card.measure(
    "D-fig8-kept",
    summary.share,
    saw=f"Under the other readings {', '.join(others)}. A share {overlooked.estimate:.2f} of the "
    "others grew more than 1e5-fold: the rule chose a plateau.",
)
card.measure(
    "D-fig8-unimodal",
    modes.p,
    n=summary.kept,
    saw=f"With the exponents that do not count p is {everything.p:.3f}.",
)
card.measure(
    "D-fig8-radius",
    settled,
    n=summary.count,
    saw=f"The exponent keeps rising as ε shrinks, to {smallest.estimate:.2f} at 1e-14. "
    f"As printed in Eq. 3, the largest deviation is {settled_printed:.2f}.",
)

# %% tags=["hide-input"]
beyond = f"A share {starts_beyond.estimate:.2f} starts beyond 2/η."
card.measure("D-fn2-reaches", at_edge, saw=beyond)
few = f"Only {len(risen)} of {size.ensemble} networks start so low."
card.measure("D-sec4-sharpening", sharpens, saw=f"{few} {beyond}")
stays = f"the median is {later:.2f} times 2/η after {size.sharp_epochs:,} epochs"
card.measure("D-fn2-falls", falls, saw=f"Sharpness stays at the edge: {stays}.")

# %% tags=["hide-input", "nbval-ignore-output", "hide-output"]
card

# %% tags=["hide-input"]
# What the alt texts and captions say
if (profile, seed) == ("laptop", 0) and not size.changed:  # they describe this run
    mean = first["mean_distance"][:, examples]  # of the four networks, (epoch, network)
    assert (abs(mean[0] / 4e-7 - 1) < 0.1).all()
    assert ((mean[100] > 0.5) & (mean[100] < 5)).all()
    shown = growth_fits.best_fit(mean, min_length=20)
    assert list(shown.stop - shown.start > 40) == [True, True, False, False]
    assert (
        mean[50, 2] < 10 * mean[0, 2] and not shown.kept()[2]
    )  # a long plateau, where the rule stays
    steps = np.log(mean[[10, 30, 40, 55], 3])
    assert steps[1] - steps[0] > 5 and steps[2] - steps[1] < 2 and steps[3] - steps[2] > 3
    turns = np.diff(np.sign(np.diff(long["mean_distance"][-50:, examples], axis=0)), axis=0)
    assert list((turns != 0).all(axis=0)) == [True, False, True, True] and (turns[:, 1] == 0).all()
    losses = long["loss"][:, examples, 0]
    assert (np.diff(losses[:500], axis=0) > 0).any(axis=0).all() and (losses[-1] < 0.1).all()

    assert (size.ensemble, size.copies, size.long_ensemble) == (500, 5, 60)
    assert np.all(np.diff([by_radius[r].exponent.estimate for r in size.radii]) < 0)
    assert abs(by_radius[1e-14].exponent.estimate - 0.36) < 0.01
    assert abs(by_radius[1e-2].exponent.estimate - 0.1) < 0.01
    assert modes.p > 0.05 and np.median(fit.slope[~fit.kept()]) < 0.05 and fit.r2.min() > 0.9
    order = sorted(values, key=values.get)
    assert set(order[:2]) == {"printed(best_fit(20))", "printed(ramp)"}
    assert order[-1] == "best_fit(10)" and highest > 2 * lowest
    assert lowest - 0.33 / 2 < 0.03 and values["printed(best_fit(20))"] < 0.6 * 0.33
    every = [s.share.estimate for s in summaries]
    assert 0.8 < min(every) < 0.82 and 0.95 < max(every) < 0.97
    within = [s.exponent.high - s.exponent.low for s in summaries]
    assert (np.diff(spreads)[:, 0] > 3 * np.array(within)).all()
    assert fits["best_fit(20)"].stop[2] < 50 and fits["printed(ramp)"].start[2] == 0

    growing = [rate.estimate for rate in rates]
    assert len(whole.exponent(0, 50)) == 40 and abs(growing[0] - 0.1) < 0.03
    assert set(np.argsort(growing)[-2:]) == {1, 2} and max(growing[-2:]) < 0.02
    assert (scaled[0] < 1).any() and (scaled[0] > 1).mean() > 0.5 and scaled.shape[1] == 40
    assert (abs(scaled[times > 1000] - 1) < 0.5).all(axis=0).mean() > 0.8 and times[
        -1
    ] + 1 == 10_000
    assert (loss[(times > 20) & (times < 200)] > 0.1).mean() > 0.9 and np.median(loss[-1]) < 0.05

    where = {radius: found.row(radius) for radius in size.parting_radii}
    saturated_at = {r: found.cause[row] == linear_regime.SATURATION for r, row in where.items()}
    middle = [np.median(found.relative[where[r], saturated_at[r]]) for r in where]
    assert all(3e-4 < m < 3e-3 for m in middle)
    epochs_of = [np.median(found.epoch[where[r], saturated_at[r]]) for r in where]
    assert epochs_of[0] > epochs_of[1] > epochs_of[2]
    for radius in (1e-12, 1e-8):
        rounding = found.relative[
            where[radius], found.cause[where[radius]] == linear_regime.ROUNDING
        ]
        assert 0.1 * radius < np.median(rounding) < 10 * radius
    kinds = (found.cause[1:-1] == linear_regime.SATURATION).mean(axis=1)
    assert (np.diff(kinds) > 0).all() and kinds[0] > 0.5
    error = abs(linear_regime.log_error(one_copy[size.radius], linear))
    off_by = np.percentile(error, [50, 95], axis=1)
    crossed = [int(np.argmax(curve > np.log(1.1))) for curve in off_by]
    assert 80 <= crossed[0] <= 90 and 40 <= crossed[1] <= 50 and max(off_by[:, 1]) < 1e-8
    assert gap[kept & (cause == "never")].max() < 0.005

# %% tags=["remove-cell", "nbval-ignore-output"]
glue_all("edge", settles=settles, oscillating=oscillating, orders=orders)
ratios = zip(("loss", "first", "held"), faster.values())
glue_all("edge", **{f"faster_{name}": ratio for name, ratio in ratios})
glue_all("edge", **{"lambda": summary.exponent}, kept=summary.share)
glue_all("edge", p_modes=modes.p, p_all=everything.p, overlooked=overlooked)
glue_all("edge", settled=settled, smallest=smallest, small=at_small)
glue_all("edge", lowest=lowest, highest=highest, agree=gap[kept & (cause == "never")].max())
saturated = found.relative[k][found.cause[k] == linear_regime.SATURATION]
glue_all("edge", saturation=np.median(saturated), at_edge=at_edge)
glue_all("edge", rate_first=rates[0], rate_last=rates[-1])
glue_all("edge", rate_top=max(rate.estimate for rate in rates))
glue_all("edge", trained_sharpness=level, last_sharpness=later)

# %%
print("verdicts that hold over the whole interval:", card.verdicts(decisive=True), sep="\n")
