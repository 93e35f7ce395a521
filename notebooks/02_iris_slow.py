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
# # Iris, slow
#
# :::{admonition} In short
# :class: tip
# - {cite:t}`danovski2024` train a small network at a conventional learning rate, 0.01. Its loss
#   falls at every step: {verdict}`D-sec3-monotone`
# - Nearby networks stay nearby. Their distance goes up and down, and never grows exponentially:
#   {verdict}`D-fig3-turns` {verdict}`D-fig3-no-chaos`
# - It changes by a factor of order one in 10,000 epochs. The paper calls this a loss of orbital
#   stability; we call it marginal: {verdict}`D-fig4-orbital-instability`
# - After learning, most directions of weight space are neutral, but most were so before:
#   {verdict}`D-sec3-neutral`
# - Only a strong penalty on the weights makes distances shrink: {verdict}`D-sec5-regularisation`
#
# The figure to see is {numref}`fig-slow-distances`. To move through training yourself, open
# {doc}`../book/explore_trajectories`.
# :::

# %% [markdown]
# ## What was claimed
#
# While the loss of a network goes down at every step, what do its weights do? Do nearby networks
# stay together, come together, or part? Section 3 of Danovski 2024 answers for Fisher's iris
# flowers:
#
# - distances between nearby networks neither shrink nor grow exponentially;
# - this holds for every size of perturbation, so it is no matter of different minima;
# - most weights march straight on, for basins of low loss open outward;
# - a trained network, when perturbed, does not return exponentially;
# - regularisation would make trajectories more stable (a conjecture).
#
# We repeat its Figures 1 to 6 and S1. The network has 4 inputs, 10 sigmoid units and 3 linear
# outputs under a softmax: 83 parameters. It is trained by full-batch gradient descent on 120
# flowers.

# %% tags=["hide-input"]
import numpy as np
from scipy import stats

from netdyn_lib import torch_utils
from netdyn_lib.curvature import hessian, jacobian
from netdyn_lib.experiments import sizes
from netdyn_lib.figures import trajectories as draw
from netdyn_lib.lyapunov import growth_fits
from netdyn_lib.results import claims
from netdyn_lib.results.glue import glue_all
from netdyn_lib.statistics.intervals import bootstrap_interval, clustered_interval, share_interval
from netdyn_lib.tasks import networks, tasks
from netdyn_lib.training import gradient_descent, observables

# %% tags=["parameters", "hide-input"]
profile = "laptop"
device = "auto"
seed = 0
learning_rate = None  # None: the profile's, as for all that follow
epochs = None
long_epochs = None
ensemble = None  # initial conditions
copies = None  # perturbed copies of each network that is shown
radius = None
radii = None
rates = None
decays = None

# %% tags=["hide-input"]
size = sizes.sizes(
    "02_iris_slow",
    profile,
    learning_rate=learning_rate,
    epochs=epochs,
    long_epochs=long_epochs,
    ensemble=ensemble,
    copies=copies,
    radius=radius,
    radii=radii,
    rates=rates,
    decays=decays,
)

# %% [markdown]
# ## Training as a trajectory
#
# Training is a walk through the space of all 83 parameters: one network after another, each a
# point.

# %%
task = tasks.get("iris", device=torch_utils.resolve(device))
slow = gradient_descent.GradientDescent(task, size.learning_rate)
examples = task.initial(size.examples, seed=seed, device=device)
walk = gradient_descent.run(slow, examples, size.epochs, observe=("loss", "weights"))

# %% tags=["hide-input"]
# | label: fig-slow-network
# | fig-cap: >-
# |   (a) One network at three epochs: line widths show the size of each weight, colours its sign
# |   (blue positive, orange negative). (b) The loss that it descends in 4,000 epochs; dots are the
# |   three networks of (a).
# | fig-alt: >-
# |   Three drawings of a 4-10-3 network whose connections thicken as training proceeds, above a
# |   loss curve that falls from two to a third, with the three epochs marked.
marked = (0, 200, size.epochs)
draw.trained_networks(task.network, walk["weights"][:, 0], walk["loss"][:, 0], marked)

# %% [markdown]
# The network of {numref}`fig-slow-network` starts from random weights, drawn from
# $\mathcal N(0, 1)$, and zero biases. It ends where the flowers are classified: mean test accuracy
# after 4,000 epochs is {glue:text}`slow-test-accuracy:.3f`, and the loss never rose in a share
# {glue:text}`slow-monotone:.2f` of {glue:text}`slow-networks:d` networks.

# %% [markdown]
# ## Do nearby networks stay together?
#
# Each reference network is surrounded by perturbed copies, with every parameter moved by at most
# $\epsilon = 10^{-8}$. The distance $d(t)$ of a copy from its reference after $t$ epochs is the sum
# of the absolute differences of all parameters, and $\bar d(t)$ its mean over copies.

# %%
nearby = networks.perturbed(examples, size.radius, size.copies, seed=seed)
distance = gradient_descent.run(slow, nearby, size.epochs, observe=("distance", "loss"), every=10)

# %% tags=["hide-input"]
# | label: fig-slow-distances
# | fig-cap: >-
# |   Distance of 20 perturbed copies from each of four reference networks over 4,000 epochs, over
# |   their mean at the start (grey; mean in black), and the training loss (orange, dashed, right
# |   axis). ε = 1e-8, η = 0.01. (Danovski 2024, Fig. 3.)
# | fig-alt: >-
# |   Four panels. Mean distances rise by less than a half over 4,000 epochs: with a bump in the
# |   first thousand in panels a and d, smoothly in the others; single copies fan out. The loss
# |   falls smoothly.
draw.distances(distance.epochs, distance["distance"], distance["loss"][..., 0])

# %% tags=["hide-input"]
half = size.epochs // 2  # where the late part begins
start = task.initial(size.ensemble, seed=seed, device=device)
balls = networks.perturbed(start, size.radius, size.ensemble_copies, seed=seed)
observed = ("mean_distance", "norm", "accuracy", "test_accuracy")
followed = gradient_descent.run(slow, balls, size.long_epochs, observe=observed, every=10)
trained = np.searchsorted(followed.epochs, size.epochs)
accuracy = bootstrap_interval(followed["test_accuracy"][trained, :, 0], seed=seed)
references = gradient_descent.run(slow, start, size.epochs, observe=("loss",))
monotone = share_interval(observables.non_increasing(references["loss"]))
final = references.final.to(task.x.device)
mean_distance = followed["mean_distance"]
growth = mean_distance[-1] / mean_distance[0]
final_ratio = bootstrap_interval(growth, np.median, seed=seed)

# %% tags=["hide-input"]
fans = networks.perturbed(start[: size.fans], size.radius, size.copies, seed=seed)
observed = ("distance", "mean_distance", "loss")
fan = gradient_descent.run(slow, fans, size.epochs, observe=observed, every=5)
curves = fan["mean_distance"]  # (epoch, network)
steps = np.diff(curves, axis=0)
turning = share_interval((steps > 0).any(axis=0) & (steps < 0).any(axis=0))
rising = share_interval(curves[-1] > curves[np.searchsorted(fan.epochs, half)])

grown = fan["distance"][-1] / fan["distance"][0]  # (network, copy)
unlike = share_interval(grown.max(axis=1) > size.unlike * grown.min(axis=1))
off = abs(fan["loss"][..., 1:] / fan["loss"][..., :1] - 1).max(axis=(0, 2))  # (network,)
coincide = share_interval(off < 0.01)

# %% [markdown]
# The curves of {numref}`fig-slow-distances` are what the paper describes. They are not monotonic: a
# share {glue:text}`slow-turning:.2f` of a larger ensemble both rises and falls, if only a little.
# None grows exponentially. They differ from network to network, and from copy to copy: in a share
# {glue:text}`slow-unlike:.2f` of the ensemble the copy that grew most grew at least half as much
# again as the one that grew least.
#
# The loss shows nothing of this: that of the copies is, to the width of a line, their reference's.
# After 10,000 epochs the median distance is {glue:text}`slow-final-ratio:.2f` times the initial one
# ({numref}`fig-slow-final-ratio`).

# %% [markdown]
# ## Every radius alike
#
# The paper argues that, if perturbed networks merely fell into different minima, a smaller radius
# $\epsilon$ would at some point keep them together. It finds no such transition, and neither do we.

# %% tags=["hide-input"]
by_radius, same_directions = {}, {}
for k, radius in enumerate(size.radii):
    for found, of_copies in ((by_radius, seed + k), (same_directions, seed)):
        ball = networks.perturbed(examples[:1], radius, size.copies, seed=of_copies)
        run = gradient_descent.run(slow, ball, size.epochs, observe=("distance",), every=10)
        found[radius] = run["distance"][:, 0]
alike, alike_same = observables.collapse(by_radius), observables.collapse(same_directions)

# %% tags=["hide-input"]
# | label: fig-slow-radii
# | fig-cap: >-
# |   One network, four radii ε, 20 copies for each, 4,000 epochs. (a) Distances over ε, thin for
# |   each copy and thick for the mean. (b) How far each mean lies above or below that at 1e-10.
# |   Directions are drawn anew for each ε, as in the paper. (Danovski 2024, Fig. 4.)
# | fig-alt: >-
# |   Left, four bundles of curves on top of each other, whose means differ a little. Right, the
# |   means deviate by at most 13 per cent, in no order of the radii.
draw.radii(distance.epochs, by_radius)

# %% [markdown]
# Over twelve decades of ε any two means of {numref}`fig-slow-radii` differ by at most
# a share {glue:text}`slow-alike:.2f`. That is the chance of 20 directions: with the same directions
# for each ε it is {glue:text}`slow-alike-same:.3f`, and the curves coincide. But what follows does
# not concern minima. Distances that scale with ε are what any *linear* response shows, stable or
# not: they follow the tangent map $J = I - \eta H$, with $H$ the Hessian of the loss, the matrix of
# its second derivatives. They do not say how large a ball would have to be to reach another
# minimum.

# %% [markdown]
# ## Stability after learning
#
# Now the perturbation comes late: trained networks are perturbed after 4,000 epochs. Near an
# isolated stable minimum $d(t)$ would decay exponentially, to nothing.

# %% tags=["hide-input"]
late_balls = networks.perturbed(final, size.radius, size.ensemble_copies, seed=seed)
late = gradient_descent.run(slow, late_balls, size.epochs, observe=("mean_distance",), every=10)
shown_balls = networks.perturbed(final[: size.examples], size.radius, size.copies, seed=seed)
shown = gradient_descent.run(slow, shown_balls, size.epochs, observe=("distance",), every=10)
frozen = jacobian.frozen_distance(task.objective, shown_balls, shown.epochs, size.learning_rate)

# %% tags=["hide-input"]
# | label: fig-slow-late
# | fig-cap: >-
# |   Distance of 20 copies from each of four trained networks, over 4,000 epochs after the
# |   perturbation (grey; mean in black). Dotted: the mean if the Hessian stayed what it was at the
# |   perturbation. (Danovski 2024, Fig. 6.)
# | fig-alt: >-
# |   Four panels of distances that drop by some per cent within the first few hundred epochs; then
# |   two means stay, one goes on falling slowly, and one rises again. Dotted predictions lie on the
# |   means or leave them late.
draw.distances(shown.epochs, shown["distance"], frozen=frozen)


# %% tags=["hide-input"]
def decay_rate(first, last):
    """Rate γ of d ∝ exp(−γ t) from epoch first to last, by least squares of ln d; (network,)."""
    within = (late.epochs >= first) & (late.epochs <= last)
    return -np.polyfit(late.epochs[within], np.log(late["mean_distance"][within]), 1)[0]


at_first, at_last = decay_rate(0, size.first), decay_rate(half, size.epochs)
slowing = share_interval((at_last >= 0) & (at_last < 0.1 * at_first))
regrowing = share_interval(at_last < 0)
relative = late["mean_distance"] / late["mean_distance"][0]
lowest = bootstrap_interval(relative.min(axis=0), np.median, seed=seed)
swelling = share_interval(relative[-1] > 1)

# %% [markdown]
# In {numref}`fig-slow-late` distances drop at first, to {glue:text}`slow-lowest:.2f`
# of their initial value in the median network. Then the decay all but stops: in a share
# {glue:text}`slow-slowing:.2f` of the networks it goes on at less than a tenth of its early rate,
# and in a share {glue:text}`slow-regrowing:.2f` the distance grows again in the last half.

# %% [markdown]
# ## Why: neutral directions
#
# Along an eigenvector of the Hessian a small difference is multiplied by an eigenvalue of
# $J = I - \eta H$ in each epoch: it contracts below 1, stays at 1 and expands above. The paper
# conjectures that most of them are 1, which can be checked.

# %%
multipliers = 1 - size.learning_rate * hessian.spectra(task.objective, final[: size.spectra])
untrained = 1 - size.learning_rate * hessian.spectra(task.objective, start[: size.spectra])


def neutral_share(multipliers, band):
    """Share of a network's eigenvalues of I − ηH within a band around 1: median of networks."""
    return bootstrap_interval((abs(multipliers - 1) < band).mean(axis=1), np.median, seed=seed)


neutral, before = neutral_share(multipliers, 1e-3), neutral_share(untrained, 1e-3)

# %% tags=["hide-input"]
# | label: fig-slow-multipliers
# | fig-cap: >-
# |   Eigenvalues of I − ηH at 50 trained networks, 83 each. (a) Sorted, each network in grey, the
# |   median in black. (b) How many directions contract or expand by more than one part in a
# |   thousand per epoch.
# | fig-alt: >-
# |   Left, curves that are flat at one over nearly all of the 83 directions and dip below it, to
# |   about 0.9, in the first few. Right, two histograms: from three to eight contracting
# |   directions, and none or one expanding.
draw.multipliers(multipliers)

# %% tags=["hide-input"]
more = (abs(multipliers - 1) < 1e-3).mean(axis=1) - (abs(untrained - 1) < 1e-3).mean(axis=1)
gained = bootstrap_interval(more, np.median, seed=seed)
strict = neutral_share(multipliers, 0.1 / size.epochs)  # neutral over the whole training
curved = np.median((multipliers < 1 - 1e-3).sum(axis=1))

# %% [markdown]
# In the median network of {numref}`fig-slow-multipliers` only
# {glue:text}`slow-curved:.0f` of 83 directions contract by more than $10^{-3}$ per epoch, and a
# share {glue:text}`slow-neutral:.2f` lies within $10^{-3}$ of 1. So a perturbation shrinks along
# the few curved directions, stays as it is along most, and grows slowly along those where the loss
# still curves downwards. The dotted lines of {numref}`fig-slow-late` know nothing but that
# spectrum, and explain most of what happens.
#
# Little of it is due to learning: before training the share is {glue:text}`slow-before:.2f`
# already.

# %% [markdown]
# ## Beyond the paper: does regularisation stabilise?
#
# The penalty $(\lambda/2)\|W\|^2$ on the vector $W$ of all parameters, of strength $\lambda$, adds
# $\lambda$ to every eigenvalue of the Hessian. Directions that were flat then contract by
# $1 - \eta\lambda$ per epoch.

# %% tags=["hide-input"]
some = balls[: size.regularised]
curves = {0.0: mean_distance[:, : size.regularised]}
for decay in size.decays:
    pulled = gradient_descent.GradientDescent(task, size.learning_rate, weight_decay=decay)
    run = gradient_descent.run(pulled, some, size.long_epochs, observe=("mean_distance",), every=10)
    curves[decay] = run["mean_distance"]
strongest = curves[size.decays[-1]][-1] / curves[0.0][-1]
effect = bootstrap_interval(strongest, np.median, seed=seed)

# %% tags=["hide-input"]
# | label: fig-slow-decay
# | fig-cap: >-
# |   Mean distance over its initial value from a perturbation of the initial condition, without
# |   and with a penalty of strength λ: median of 20 networks over 10,000 epochs, and for no penalty
# |   and the strongest the band that holds 90% of them.
# | fig-alt: >-
# |   Four median curves on a logarithmic axis: without a penalty and with the two weaker ones the
# |   distance rises by about a half, with the strongest it falls below its initial value.
draw.decays(followed.epochs, curves)

# %% [markdown]
# The penalty does what the paper suspects, as far as it is strong
# ({numref}`fig-slow-decay`). With $\lambda = 10^{-2}$ the median distance after 10,000 epochs is
# {glue:text}`slow-effect:.2f` (95%: {glue:text}`slow-effect-low:.2f` to
# {glue:text}`slow-effect-high:.2f`) times what it is without. This is about what the penalty does
# by itself, a factor $e^{-1}$ (exercise 2). At $\lambda = 10^{-4}$ it does almost nothing: stable
# in name, marginal in practice.

# %% [markdown]
# ## Conclusion
#
# Danovski 2024 claim that at a low learning rate nearby networks neither converge nor diverge
# exponentially, and that orbital and dynamical stability are lost. The facts hold, on
# {glue:text}`slow-networks:d` networks from one seed and one split of the data. Distances change by
# a factor of order one in 10,000 epochs, the loss shows nothing of it, and most directions are
# neutral.
#
# We differ in three readings. A change that slow is marginal rather than unstable. That all radii
# agree shows a linear response, not the absence of separate minima. And most directions are neutral
# before learning, too. More networks would sharpen the shares and change none of this;
# perturbations large enough to leave the linear response would test the statement about minima.

# %% [markdown]
# ## Exercises
#
# **1.** Add the same 11 numbers, 10 weights and a bias, to every output unit. What happens to the
# loss, and how many neutral directions does this give?
#
# :::{dropdown} Solution
# All three outputs of a sample move by the same amount, which a softmax does not see: the loss
# stays the same. So at *any* weights at least 11 of the 83 eigenvalues of the Hessian are zero.
# This part of the neutral directions is a symmetry, and no result of training.
# :::
#
# **2.** With a penalty $(\lambda/2)\,\|W\|^2$ every neutral direction shrinks. By which factor in
# 10,000 epochs at $\eta = 0.01$ and $\lambda = 0.01$?
#
# :::{dropdown} Solution
# Each step multiplies it by $1 - \eta\lambda = 1 - 10^{-4}$, and 10,000 steps by
# $e^{-1} \approx 0.37$. Compare {numref}`fig-slow-decay`: distances shrink at about the rate of
# the penalty itself, so it is the penalty that one sees and not a new stability.
# :::

# %% [markdown]
# # Appendix: the task, single weights and the long run
#
# What the main line of {doc}`02_iris_slow` leaves out, and how each claim was judged.
#
# ## The task
#
# The paper leaves the scaling of the features and the split of the data open. Here features are raw
# centimetres, and the split is scikit-learn's with `random_state=42`: 120 flowers to train on, 30
# to test.

# %% tags=["hide-input"]
# | label: fig-slow-flowers
# | fig-cap: >-
# |   All 150 flowers in two planes of their four features; crosses mark those that one network
# |   gets wrong after 4,000 epochs. (Danovski 2024, Fig. 2.)
# | fig-alt: >-
# |   Two scatter plots of iris flowers in three colours. Setosa stands apart; the few crosses lie
# |   where versicolor and virginica meet.
wrong = observables.misclassified(task, walk.final[0].to(task.x.device))
draw.flowers(task.split, *wrong)

# %% tags=["hide-input"]
# | label: fig-slow-accuracy
# | fig-cap: >-
# |   Accuracy on the training and the test flowers over 10,000 epochs: mean of 100 networks, and
# |   the band that holds 90% of them. (The paper's supplement S1.)
# | fig-alt: >-
# |   Two curves of accuracy that rise from one third to above 0.95, training and test nearly on top
# |   of each other, with a band that narrows.
draw.learning_curves(
    followed.epochs, followed["accuracy"][..., 0], followed["test_accuracy"][..., 0]
)

# %% [markdown]
# The errors of {numref}`fig-slow-flowers` lie where two species overlap. The ensemble
# of {numref}`fig-slow-accuracy` is the one behind the shares of this chapter: independent initial
# conditions, followed beyond the paper's 4,000 epochs, each with two perturbed copies. What
# concerns the spread of perturbations comes from a smaller ensemble with the paper's 20 copies
# each.

# %% [markdown]
# ## Distances in the long run

# %% tags=["hide-input"]
# | label: fig-slow-final-ratio
# | fig-cap: >-
# |   Mean distance after 10,000 epochs over the initial one, one count for each of 100 networks;
# |   the median in black, no change dashed.
# | fig-alt: >-
# |   A histogram on a logarithmic axis of final over initial distance, most networks between 0.9
# |   and 3, with a thin tail to the right, up to about 30.
draw.spread(growth, "$\\bar d(10\\,000)/\\bar d(0)$", reference=1.0)

# %% [markdown]
# Between epochs 2,000 and 4,000 distances rise in a share {glue:text}`slow-rising:.2f` of the
# networks, slowly. The paper also finds that growth depends on the initial condition more than on
# the perturbation. The intraclass correlation below is the share of the variance of
# $\ln d(4000)/d(0)$ that lies between initial conditions, not between the copies of one.


# %%
def between(logs):
    """Return the intraclass correlation of (network, copy): one-way analysis of variance."""
    copies, among = logs.shape[1], logs.mean(axis=1).var(ddof=1)
    within = logs.var(axis=1, ddof=1).mean()
    return (among - within / copies) / (among + within * (1 - 1 / copies))


logs = np.log(grown)
of_start = clustered_interval(logs, np.arange(len(logs)), between, seed=seed)
print("share of the variance between initial conditions:", of_start)

# %% tags=["hide-input"]
early = gradient_descent.run(slow, balls, size.early, observe=("mean_distance",))
fits = growth_fits.multiverse(early["mean_distance"])
growing = {name: share_interval(fit.kept()) for name, fit in fits.items()}

# %% [markdown]
# ## What single weights do
#
# The importance of a weight is the change of the loss when it is set to zero. Its displacement
# $\Delta_w = |w(T) - w(0)|$ after $T = 4000$ epochs compares with the distance it travelled,
# $D_w = \sum_t |w(t+1) - w(t)|$: a weight that drifts at random travels far and gets nowhere.

# %% tags=["hide-input"]
at_end = dict(observe=("displacement", "path_length"), at=(size.epochs,))
travelled = gradient_descent.run(slow, start, size.epochs, **at_end)
displacement, path = travelled["displacement"][-1], travelled["path_length"][-1]
importance = observables.importances(task, final)

# %% tags=["hide-input"]
# | label: fig-slow-weights
# | fig-cap: >-
# |   One trained network. (a) Change of the loss on silencing each weight of the first layer.
# |   (b) Displacement of every parameter against the distance it travelled in 4,000 epochs; on the
# |   grey line a weight never turns back. (Danovski 2024, Fig. 5.)
# | fig-alt: >-
# |   Left, a heat map of 10 hidden units by 4 inputs with a few strong cells. Right, points on
# |   double logarithmic axes that lie on or below the diagonal, most of them close to it.
draw.weights(task.network, importance[0], displacement[0], path[0])

# %% tags=["hide-input"]
abnormal = share_interval(stats.shapiro(importance, axis=1).pvalue < 0.05)
travel = observables.straightness(displacement, path)
linear = bootstrap_interval(travel.correlation, np.median, seed=seed)
turned = (travel.ratio < 0.5).sum(axis=1) / np.isfinite(travel.ratio).sum(axis=1)
drifting = bootstrap_interval(turned, seed=seed)
print(f"median slope of displacement on path: {np.median(travel.slope):.2f}")

# %% [markdown]
# A few weights carry much of the solution ({numref}`fig-slow-weights`a): in a share
# {glue:text}`slow-abnormal:.2f` of the networks the importances fail a test of normality.
# Displacement and distance travelled are proportional (b; median correlation
# {glue:text}`slow-correlation:.3f`), and only a share {glue:text}`slow-drifting:.3f` of all
# parameters ends at less than half the distance it went.
#
# So most weights march straight. A minority turns back, more than the paper's figure shows: its
# linear axes show the largest displacements, and that minority is hard to see there.

# %% [markdown]
# ## Basins that open outward
#
# Cross-entropy is never quite satisfied: once the flowers are on the right side, larger weights
# make the network surer and the loss smaller. The paper offers this as its explanation of the slow
# divergence.

# %% tags=["hide-input"]
radial = observables.radial_loss(task, final, size.factors)
norm = followed["norm"][..., 0]  # (epoch, network)
middle = np.searchsorted(followed.epochs, half)
leaving = share_interval((norm[trained] > norm[middle]) & (norm[trained] > norm[0]))
same, scaled = observables.radial_loss(task, final, (1.0, 1.1))
outward = share_interval(scaled < same)

# %% tags=["hide-input"]
# | label: fig-slow-outward
# | fig-cap: >-
# |   (a) Norm of the parameters over 10,000 epochs, each of 100 networks in grey and the mean in
# |   black. (b) Loss of the trained networks along the ray through the origin, αW; the median in
# |   black. The dotted line is the trained network itself.
# | fig-alt: >-
# |   Left, norms that stay near 8 for some hundred epochs and then grow, to about 12 after ten
# |   thousand. Right, losses that fall as the weights are scaled up, past the trained network, for
# |   nearly all of them.
draw.outward(followed.epochs, norm, size.factors, radial)

# %% [markdown]
# Both parts hold ({numref}`fig-slow-outward`): a share {glue:text}`slow-leaving:.2f` of the
# networks is still moving away from the origin between epochs 2,000 and 4,000, and for a share
# {glue:text}`slow-outward:.2f` of the trained networks scaling all parameters by 1.1 lowers the
# loss further.

# %% [markdown]
# ## Neutral for how long, and are these saddles?
#
# Within $10^{-3}$ of 1 means neutral over hundreds of epochs, not over 4,000. Within $0.1/4000$ of
# 1 lies a share {glue:text}`slow-strict:.2f` of the eigenvalues of a trained network.
#
# The paper also considers that networks rest at saddle points. We call a network one at a saddle if
# a direction of negative curvature grows at least $e$-fold in 4,000 epochs, while its norm has
# grown by less than 5% since epoch 2,000. Some have such a direction, but all still move outwards.

# %% tags=["hide-input"]
escaping = (multipliers - 1).max(axis=1) * size.epochs > 1  # e-fold in as many epochs
resting = (norm[trained] / norm[middle])[: size.spectra] < 1.05
saddle, negative = share_interval(escaping & resting), share_interval(escaping)

# %% [markdown]
# ## Beyond the paper: how slow is slow?
#
# The loss is monotonic at $\eta = 0.01$. Where does that end?

# %% tags=["hide-input"]
grid, each = gradient_descent.each_rate(start, size.rates)
descent = gradient_descent.GradientDescent(task, each)
scan = gradient_descent.run(descent, grid, size.rate_epochs, observe=("loss",))
losses = scan.by_rate("loss", len(size.rates))  # (epoch, rate, network)
monotone_share = [share_interval(flags) for flags in observables.non_increasing(losses)]
print(f"followed for {size.rate_epochs:,} epochs")

# %% tags=["hide-input"]
# | label: fig-slow-rates
# | fig-cap: >-
# |   Share of 100 networks whose loss never rises, against the learning rate, with 95% intervals.
# |   Dotted: the three rates that the paper studies.
# | fig-alt: >-
# |   A curve that stays at one for small learning rates and falls to zero around the middle of a
# |   logarithmic axis, before the paper's second rate of one.
draw.share_against_rate(size.rates, monotone_share, paper_rates=(0.01, 1.0, 5.0))

# %% [markdown]
# {numref}`fig-slow-rates` places the paper's three rates: the first lies well inside the monotonic
# range, the other two beyond it. Monotonic here means over the epochs of this scan.

# %% [markdown]
# ## The papers' claims

# %% tags=["hide-input"]
card = claims.Scorecard("02_iris_slow", changed=size.changed)
card.measure("D-sec3-monotone", monotone)
card.measure("D-fig3-turns", turning)
card.measure(
    "D-fig3-no-chaos",
    growing["best_fit(20)"],
    readings={name: growing[name].estimate for name in growth_fits.READINGS},
)
card.measure("D-fig3-inconsistent", unlike)
card.measure("D-fig3-losses", coincide, saw=f"They differ by a share {off.max():.0e} at the most.")
card.measure("D-sec3-ergodic", of_start)
card.measure(
    "D-fig3-long-run", rising, saw="Most mean distances rise late, the others fall slightly."
)

# %% tags=["hide-input"]
card.measure(
    "D-fig4-every-radius",
    alike,
    n=size.copies,
    saw=f"With the same directions for each ε it is {alike_same:.3f}: curves divided by ε "
    "coincide, as in any linear response; that alone says nothing about separate minima.",
)
card.measure(
    "D-fig4-orbital-instability",
    final_ratio,
    saw="Distances change by a factor of order 1 in 10,000 epochs: marginal, rather than unstable.",
)
card.measure("D-fig5-importance", abnormal)
card.measure("D-fig5-linear", linear)
card.measure(
    "D-fig5-no-drift", drifting, saw="Some weights, mostly those that move little, turn back."
)

# %% tags=["hide-input"]
card.measure("D-sec3-norm", leaving)
card.measure("D-sec3-outward", outward)
card.measure(
    "D-fig6-not-exponential",
    slowing,
    saw=f"In a share {regrowing.estimate:.2f} the distance grows again in the last half.",
)
card.measure(
    "D-fig6-rarely-grow",
    swelling,
    saw="Fewer end above the initial value than grow in the last half.",
)
card.measure(
    "D-sec3-neutral",
    gained,
    saw=f"After training the share is {neutral.estimate:.2f}, before it {before.estimate:.2f}.",
)
card.measure(
    "D-sec3-saddle",
    saddle,
    saw=f"A share {negative.estimate:.2f} has such a direction, "
    f"a share {resting.mean():.2f} hardly moves.",
)

# %% tags=["hide-input"]
card.measure("D-S1-learns", accuracy)
card.measure(
    "D-sec5-regularisation",
    effect,
    saw="Only the strongest decay tried makes distances shrink, "
    "and then at about the rate of the penalty itself.",
)

# %% tags=["hide-input", "nbval-ignore-output", "hide-output"]
card

# %% tags=["hide-input"]
# What the alt texts and captions say
if (profile, seed) == ("laptop", 0) and not size.changed:  # they describe this run
    loss = walk["loss"][:, 0]
    assert (np.diff(loss) < 0).all() and abs(loss[0] - 2) < 0.2 and abs(loss[-1] - 1 / 3) < 0.05
    thick = abs(walk["weights"][list(marked), 0]).mean(axis=1)
    assert thick[-1] > thick[0]

    mean = distance["distance"].mean(axis=2) / distance["distance"][0].mean(
        axis=1
    )  # (epoch, network)
    assert ((mean[-1] > 1) & (mean[-1] < 1.5)).all()
    assert (np.diff(distance["loss"], axis=0) < 0).all()
    early = mean[distance.epochs <= 700].max(axis=0)
    then = mean[(distance.epochs >= 600) & (distance.epochs <= 1200)].min(axis=0)
    bump = early > 1.05 * then
    assert list(bump) == [True, False, False, True]

    over = {radius: curve.mean(axis=1) / radius for radius, curve in by_radius.items()}
    apart = {radius: abs(curve / over[1e-10] - 1).max() for radius, curve in over.items()}
    assert 0.12 < max(apart.values()) < 0.135 and apart[1e-6] > apart[1e-2] > apart[1e-14]

    mean = shown["distance"].mean(axis=2) / shown["distance"][0].mean(axis=1)
    turn = np.searchsorted(shown.epochs, 500)
    assert ((mean[turn] > 0.9) & (mean[turn] < 0.97)).all()
    rest = mean[-1] / mean[np.searchsorted(shown.epochs, 1500)] - 1
    assert (abs(rest[:2]) < 0.01).all() and rest[2] < -0.01 and rest[3] > 0.03
    predicted = abs(frozen / shown["distance"].mean(axis=2) - 1)
    assert predicted[: len(predicted) // 2].max() < 0.01 and predicted[-1].max() < 0.04
    contracting, expanding = (
        (multipliers < 1 - 1e-3).sum(axis=1),
        (multipliers > 1 + 1e-3).sum(axis=1),
    )
    assert (contracting.min(), contracting.max(), expanding.max()) == (3, 8, 1)
    assert abs(np.median(multipliers.min(axis=1)) - 0.9) < 0.02 and len(multipliers) == 50

    ends = [np.median(values[-1] / values[0]) for values in curves.values()]
    assert all(1.3 < end < 1.7 for end in ends[:3]) and 0.7 < ends[3] < 1
    assert curves[0.0].shape[1] == 20 and len(start) == 100

    missed = np.concatenate([task.split.y[wrong[0]], task.split.y_test[wrong[1]]])
    assert 0 < len(missed) < 10 and set(missed) == {1, 2}
    for name in ("accuracy", "test_accuracy"):
        mean = followed[name][..., 0].mean(axis=1)
        spread = np.percentile(followed[name][..., 0], [5, 95], axis=1)
        width = spread[1] - spread[0]
        assert abs(mean[0] - 1 / 3) < 0.05 and mean[-1] > 0.95 and width[-1] < width[10]
    assert ((growth > 0.9) & (growth < 3)).mean() > 0.7 and 20 < growth.max() < 35
    assert (displacement[0] <= path[0] * (1 + 1e-9)).all()
    assert (displacement[0] > 0.5 * path[0]).mean() > 0.5
    assert abs(norm[norm.shape[0] // 100].mean() - 8.3) < 0.5 and abs(norm[-1].mean() - 12) < 1
    assert (np.diff(radial, axis=0) < 0).all(axis=0).mean() > 0.7
    assert (radial[-1] < radial[20]).mean() > 0.9
    shares = dict(zip(size.rates, (interval.estimate for interval in monotone_share)))
    assert shares[0.01] == 1 and shares[1.0] == shares[5.0] == 0 and resting.sum() == 0

# %% tags=["remove-cell", "nbval-ignore-output"]
glue_all("slow", test_accuracy=accuracy, monotone=monotone, networks=len(start))
glue_all("slow", turning=turning, unlike=unlike, rising=rising, final_ratio=final_ratio)
glue_all("slow", alike=alike, alike_same=alike_same)
glue_all("slow", abnormal=abnormal, correlation=linear, drifting=drifting)
glue_all("slow", leaving=leaving, outward=outward)
glue_all("slow", lowest=lowest, slowing=slowing, regrowing=regrowing)
glue_all("slow", neutral=neutral, strict=strict, before=before, curved=curved)
glue_all("slow", effect=effect, effect_low=effect.low, effect_high=effect.high)

# %%
print("verdicts that hold over the whole interval:", card.verdicts(decisive=True), sep="\n")
