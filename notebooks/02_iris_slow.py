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
# - At a learning rate of 0.01 the loss falls at every step: {verdict}`D-sec3-monotone`
# - Nearby networks stay nearby. Their distance is not monotonic, and it never grows exponentially:
#   {verdict}`D-fig3-turns` {verdict}`D-fig3-no-chaos`
# - It changes by a factor of order one in 10,000 epochs. The paper calls this a loss of orbital
#   stability; we call it marginal: {verdict}`D-fig4-orbital-instability`
# - After learning most directions of weight space are neutral; before it most were, too:
#   {verdict}`D-sec3-neutral`
# - Only a strong penalty on the weights makes distances shrink: {verdict}`D-sec5-regularisation`
#
# The figure to see is {numref}`fig-slow-distances`.
# :::
#
# At a conventional learning rate, $\eta = 0.01$, the loss of a small network goes down at every
# step. {cite:t}`danovski2024` ask what its weights do meanwhile: do nearby networks stay together,
# come together, or part? This chapter repeats section 3 of that paper and its Figures 1 to 6 and
# S1, and tests each of its statements: that distances neither shrink nor grow exponentially, that
# this holds for every size of perturbation, that weights do not simply drift, that basins of low
# loss open outward, that the approach to a trained network is not exponential, and, left open in
# its discussion, that regularisation would make trajectories more stable.
#
# The network has 4 inputs, 10 sigmoid units and 3 linear outputs under a softmax, 83 parameters in
# all; weights start from $\mathcal N(0, 1)$ and biases from 0. It is trained by full-batch
# gradient descent on 120 of Fisher's 150 iris flowers. The paper leaves the scaling of the
# features and the split of the data open: here features are raw centimetres and the split is
# scikit-learn's with `random_state=42`.

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
task = tasks.get("iris", device=torch_utils.resolve(device))
slow = gradient_descent.GradientDescent(task, size.learning_rate)
half = size.epochs // 2  # where the late part begins
task.split

# %% [markdown]
# ## A trajectory of networks
#
# Training is a walk through the space of all 83 parameters: one network after another, each a
# point.

# %%
examples = task.initial(size.examples, seed=seed, device=device)
walk = gradient_descent.run(slow, examples, size.epochs, observe=("loss", "weights"))

# %% tags=["hide-input"]
# | label: fig-slow-network
# | fig-cap: >-
# |   Training as a trajectory. The same network at three epochs, line widths showing the size of
# |   each weight and colours its sign (blue positive, orange negative), and the loss it descends.
# | fig-alt: >-
# |   Three drawings of a 4-10-3 network whose connections thicken as training proceeds, above a
# |   loss curve that falls from about one towards zero with the three epochs marked.
draw.trained_networks(
    task.network, walk["weights"][:, 0], walk["loss"][:, 0], (0, 200, size.epochs)
)

# %% [markdown]
# The network of {numref}`fig-slow-network` begins with the random weights at the left and ends as
# the one at the right, where the flowers are classified. How well, and which are missed?

# %% tags=["hide-input"]
# | label: fig-slow-flowers
# | fig-cap: >-
# |   The task. All 150 flowers in two planes of their four features; crosses mark those that the
# |   first example network gets wrong after training.
# | fig-alt: >-
# |   Two scatter plots of iris flowers in three colours. Setosa stands apart; the few crosses lie
# |   where versicolor and virginica meet.
draw.flowers(task.split, *observables.misclassified(task, walk.final[0].to(task.x.device)))

# %% [markdown]
# In {numref}`fig-slow-flowers` *setosa* stands apart, while the other two species overlap; the
# network's errors lie there.

# %% [markdown]
# ## An ensemble
#
# Four examples show what can happen, not how often. The shares below come from an ensemble of
# independent initial conditions, followed beyond the paper's 4,000 epochs, each with a few
# perturbed copies; what concerns the spread of perturbations comes from a smaller ensemble with 20
# copies each, the paper's number.

# %%
start = task.initial(size.ensemble, seed=seed, device=device)
print(f"{size.ensemble} initial conditions, {size.ensemble_copies} copies of each")
balls = networks.perturbed(start, size.radius, size.ensemble_copies, seed=seed)
observed = ("mean_distance", "norm", "accuracy", "test_accuracy")
followed = gradient_descent.run(slow, balls, size.long_epochs, observe=observed, every=10)
trained = np.searchsorted(followed.epochs, size.epochs)
accuracy = bootstrap_interval(followed["test_accuracy"][trained, :, 0], seed=seed)

# %%
references = gradient_descent.run(slow, start, size.epochs, observe=("loss",))
monotone = share_interval(observables.non_increasing(references["loss"]))

# %% tags=["hide-input"]
# | label: fig-slow-accuracy
# | fig-cap: >-
# |   Accuracy on the training and the test flowers over the epochs: mean of the ensemble, and the
# |   band that holds 90% of its networks. (The paper's supplement S1.)
# | fig-alt: >-
# |   Two curves of accuracy that rise from one third to above 0.95, training and test nearly on top
# |   of each other, with a band that narrows.
draw.learning_curves(
    followed.epochs, followed["accuracy"][..., 0], followed["test_accuracy"][..., 0]
)

# %% [markdown]
# {numref}`fig-slow-accuracy`: the ensemble learns. After 4,000 epochs the mean test accuracy is
# {glue:text}`slow-test-accuracy:.3f`, and the loss never rose in a share
# {glue:text}`slow-monotone:.2f` of the networks.

# %% [markdown]
# ## Do nearby networks stay together?
#
# Each reference network is surrounded by copies with every parameter moved by at most
# $\epsilon = 10^{-8}$, and $d(t)$ is the L1 distance of a copy from its reference.

# %%
nearby = networks.perturbed(examples, size.radius, size.copies, seed=seed)
distance = gradient_descent.run(slow, nearby, size.epochs, observe=("distance", "loss"), every=10)

# %% tags=["hide-input"]
# | label: fig-slow-distances
# | fig-cap: >-
# |   Distance of 20 perturbed copies from each of four reference networks (grey; their mean in
# |   black) and the training loss (orange, dashed, right axis). ε = 1e-8, η = 0.01. (Danovski 2024,
# |   Fig. 3.)
# | fig-alt: >-
# |   Four panels. Distances of about 4e-7 rise by up to a half over 4,000 epochs: with a bump in
# |   the first thousand in two panels, smoothly in the others; single copies fan out. The loss
# |   falls smoothly.
draw.distances(distance.epochs, distance["distance"], distance["loss"][..., 0])

# %%
fans = networks.perturbed(start[: size.fans], size.radius, size.copies, seed=seed)
observed = ("distance", "mean_distance", "loss")
fan = gradient_descent.run(slow, fans, size.epochs, observe=observed, every=5)
curves = fan["mean_distance"]  # (epoch, network)
steps = np.diff(curves, axis=0)
turning = share_interval((steps > 0).any(axis=0) & (steps < 0).any(axis=0))
rising = share_interval(curves[-1] > curves[np.searchsorted(fan.epochs, half)])

# %%
grown = fan["distance"][-1] / fan["distance"][0]  # (network, copy)
unlike = share_interval(grown.max(axis=1) > size.unlike * grown.min(axis=1))

off = abs(fan["loss"][..., 1:] / fan["loss"][..., :1] - 1).max(axis=(0, 2))  # (network,)
coincide = share_interval(off < 0.01)


# %%
def between(logs):
    """Return the intraclass correlation of (network, copy): one-way analysis of variance."""
    copies, among = logs.shape[1], logs.mean(axis=1).var(ddof=1)
    within = logs.var(axis=1, ddof=1).mean()
    return (among - within / copies) / (among + within * (1 - 1 / copies))


logs = np.log(grown)
of_start = clustered_interval(logs, np.arange(len(logs)), between, seed=seed)

# %%
early = gradient_descent.run(slow, balls, size.early, observe=("mean_distance",))
fits = growth_fits.multiverse(early["mean_distance"])
growing = {name: share_interval(fit.kept()) for name, fit in fits.items()}

mean_distance = followed["mean_distance"]
growth = mean_distance[-1] / mean_distance[0]
final_ratio = bootstrap_interval(growth, np.median, seed=seed)

# %% [markdown]
# The curves of {numref}`fig-slow-distances` are what the paper describes: not monotonic (a share
# {glue:text}`slow-turning:.2f` of the ensemble both rises and falls, if only a little), not
# exponential, and different for each initial condition. Perturbations of one network differ too:
# in a share {glue:text}`slow-unlike:.2f` of the ensemble the copy that grew most grew at least
# half as much again as the one that grew least. All the same more of the variance of
# $\ln d(4000)/d(0)$ lies between initial conditions than between the copies of one; the scorecard
# below has the share. Of all this the loss shows nothing: that of the copies is, to the width of a
# line, their reference's.
#
# In the long run distances rise again in a share {glue:text}`slow-rising:.2f` of the networks, but
# slowly: after 10,000 epochs the median distance is {glue:text}`slow-final-ratio:.2f` times the
# initial one.

# %% tags=["hide-input"]
# | label: fig-slow-final-ratio
# | fig-cap: >-
# |   Mean distance after 10,000 epochs relative to the initial one, one count for each network of
# |   the ensemble; the median in black, no change dashed.
# | fig-alt: >-
# |   A histogram on a logarithmic axis of final over initial distance, most networks between 0.8
# |   and 3, with a thin tail to the right.
draw.spread(growth, "$\\bar d(10\\,000)/\\bar d(0)$", reference=1.0)

# %% [markdown]
# ## Every radius alike
#
# The paper expects that, if perturbed networks merely fell into different minima, a smaller radius
# would at some point keep them together, and finds no such transition.

# %%
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
# |   One initial condition, four radii. Left: distances divided by ε, thin for each copy and thick
# |   for the mean; 20 directions are drawn for each ε, as in the paper. Right: relative deviation
# |   of each mean from the one at 1e-10. (Danovski 2024, Fig. 4, on one scale.)
# | fig-alt: >-
# |   Left, four bundles of curves on top of each other; their means differ a little. Right,
# |   deviations on a logarithmic axis, mostly from a hundredth to a tenth, in no order of the
# |   radii.
draw.radii(distance.epochs, by_radius)

# %% [markdown]
# Divided by ε, the curves of {numref}`fig-slow-radii` look alike: over twelve decades of ε any two
# means differ by at most a share {glue:text}`slow-alike:.2f`. That is the chance of 20 directions:
# with the same directions for each ε it is {glue:text}`slow-alike-same:.3f`, and the curves
# coincide. What follows from it does not need different minima: that distances scale with ε is
# what any *linear* response does, stable or not. Curves that coincide are governed by the tangent
# map $J = I - \eta H$, and say nothing of how large a ball would have to be to reach another
# minimum.

# %% [markdown]
# ## What single weights do
#
# The importance of a weight is the change of the loss when it is set to zero. Its displacement
# $\Delta_w = |w(T) - w(0)|$ compares with the distance it travelled,
# $D_w = \sum_t |w(t+1) - w(t)|$: a weight that drifts at random travels far and gets nowhere.

# %%
at_end = dict(observe=("displacement", "path_length"), at=(size.epochs,))
travelled = gradient_descent.run(slow, start, size.epochs, **at_end)
displacement, path = travelled["displacement"][-1], travelled["path_length"][-1]
final = references.final.to(task.x.device)
importance = observables.importances(task, final)

# %% tags=["hide-input"]
# | label: fig-slow-weights
# | fig-cap: >-
# |   Left: change of the loss on silencing each weight of the first layer of a trained network.
# |   Right: displacement of every parameter against the distance it travelled; on the grey line a
# |   weight never turns back. (Danovski 2024, Fig. 5.)
# | fig-alt: >-
# |   Left, a heat map of 10 hidden units by 4 inputs with a few strong cells. Right, points on
# |   double logarithmic axes that lie on or just below the diagonal.
draw.weights(task.network, importance[0], displacement[0], path[0])

# %%
abnormal = share_interval(stats.shapiro(importance, axis=1).pvalue < 0.05)
travel = observables.straightness(displacement, path)
linear = bootstrap_interval(travel.correlation, np.median, seed=seed)
turned = (travel.ratio < 0.5).sum(axis=1) / np.isfinite(travel.ratio).sum(axis=1)
drifting = bootstrap_interval(turned, seed=seed)
print(f"median slope of displacement on path: {np.median(travel.slope):.2f}")

# %% [markdown]
# {numref}`fig-slow-weights`: a few weights carry much of the solution, and in a share
# {glue:text}`slow-abnormal:.2f` of the networks the importances fail a test of normality.
# Displacement and distance travelled are proportional (median correlation
# {glue:text}`slow-correlation:.3f`); only a share {glue:text}`slow-drifting:.3f` of all parameters
# ends at less than half the distance it went. Most weights march straight; a minority turns back,
# more than the paper's figure shows: on the scale of the largest displacements, which its linear
# axes show, that minority is hard to see.

# %% [markdown]
# ## Basins that open outward
#
# Cross-entropy is never quite satisfied: once the flowers are on the right side, larger weights
# make the network surer and the loss smaller. The paper offers this as its explanation of the slow
# divergence.

# %%
radial = observables.radial_loss(task, final, size.factors)
norm = followed["norm"][..., 0]  # (epoch, network)
middle = np.searchsorted(followed.epochs, half)
leaving = share_interval((norm[trained] > norm[middle]) & (norm[trained] > norm[0]))
same, scaled = observables.radial_loss(task, final, (1.0, 1.1))
outward = share_interval(scaled < same)

# %% tags=["hide-input"]
# | label: fig-slow-outward
# | fig-cap: >-
# |   Left: norm of the parameters, each network in grey and the mean in black. Right: loss of
# |   trained networks along the ray through the origin, αW; the median in black. The dotted line is
# |   the trained network itself.
# | fig-alt: >-
# |   Left, norms that stay near 8 for some hundred epochs and then grow, to about 12 after ten
# |   thousand. Right, losses that fall steadily as the weights are scaled up, past the trained
# |   network.
draw.outward(followed.epochs, norm, size.factors, radial)

# %% [markdown]
# Both parts hold ({numref}`fig-slow-outward`): a share {glue:text}`slow-leaving:.2f` of the
# networks is still moving away from the origin between epochs 2,000 and 4,000, and for a share
# {glue:text}`slow-outward:.2f` of the trained networks scaling all parameters by 1.1 lowers the
# loss further.

# %% [markdown]
# ## Stability after learning
#
# Now the perturbation comes late: trained networks are perturbed after 4,000 epochs and followed
# from there. Near an isolated stable minimum $d(t)$ would decay exponentially.

# %%
late_balls = networks.perturbed(final, size.radius, size.ensemble_copies, seed=seed)
late = gradient_descent.run(slow, late_balls, size.epochs, observe=("mean_distance",), every=10)
shown_balls = networks.perturbed(final[: size.examples], size.radius, size.copies, seed=seed)
shown = gradient_descent.run(slow, shown_balls, size.epochs, observe=("distance",), every=10)
frozen = jacobian.frozen_distance(task.objective, shown_balls, shown.epochs, size.learning_rate)

# %% tags=["hide-input"]
# | label: fig-slow-late
# | fig-cap: >-
# |   Distance after a perturbation of the trained network (grey; mean in black), logarithmic axis.
# |   Dotted: the mean if the Hessian stayed what it was at the perturbation. (Danovski 2024, Fig.
# |   6.)
# | fig-alt: >-
# |   Four panels of distances that drop by some per cent within the first few hundred epochs; then
# |   one mean levels off, one goes on falling slowly, and two turn and rise. Dotted predictions lie
# |   on the means or leave them late.
draw.distances(shown.epochs, shown["distance"], logarithmic=True, frozen=frozen)


# %%
def decay_rate(first, last):
    """Rate γ of d ∝ exp(−γ t) from epoch first to last, by least squares of ln d; (network,)."""
    within = (late.epochs >= first) & (late.epochs <= last)
    return -np.polyfit(late.epochs[within], np.log(late["mean_distance"][within]), 1)[0]


at_first, at_last = decay_rate(0, size.first), decay_rate(half, size.epochs)
slowing = share_interval((at_last >= 0) & (at_last < 0.1 * at_first))
regrowing = share_interval(at_last < 0)

# %%
relative = late["mean_distance"] / late["mean_distance"][0]
lowest = bootstrap_interval(relative.min(axis=0), np.median, seed=seed)
swelling = share_interval(relative[-1] > 1)

# %%
multipliers = 1 - size.learning_rate * hessian.spectra(task.objective, final[: size.spectra])
untrained = 1 - size.learning_rate * hessian.spectra(task.objective, start[: size.spectra])


def neutral_share(multipliers, band):
    """Share of a network's eigenvalues of I − ηH within a band around 1: median of networks."""
    return bootstrap_interval((abs(multipliers - 1) < band).mean(axis=1), np.median, seed=seed)


neutral, before = neutral_share(multipliers, 1e-3), neutral_share(untrained, 1e-3)
more = (abs(multipliers - 1) < 1e-3).mean(axis=1) - (abs(untrained - 1) < 1e-3).mean(axis=1)
gained = bootstrap_interval(more, np.median, seed=seed)
strict = neutral_share(multipliers, 0.1 / size.epochs)  # neutral over the whole training
curved = np.median((multipliers < 1 - 1e-3).sum(axis=1))

# %%
escaping = (multipliers - 1).max(axis=1) * size.epochs > 1  # e-fold in as many epochs
resting = (norm[trained] / norm[middle])[: size.spectra] < 1.05
saddle, negative = share_interval(escaping & resting), share_interval(escaping)

# %% tags=["hide-input"]
# | label: fig-slow-multipliers
# | fig-cap: >-
# |   Eigenvalues of the map's Jacobian I − ηH at trained networks. Left: sorted, each network in
# |   grey, the median in black. Right: how many directions contract or expand by more than one part
# |   in a thousand per epoch.
# | fig-alt: >-
# |   Left, curves that are flat at one over nearly all of the 83 directions and dip below it, to
# |   about 0.9, in the first few. Right, two histograms: from three to eight contracting
# |   directions, and none or one expanding.
draw.multipliers(multipliers)

# %% [markdown]
# The distances of {numref}`fig-slow-late` drop at first, to {glue:text}`slow-lowest:.2f` of their
# initial value in the median network, and the decay is not exponential: in a share
# {glue:text}`slow-slowing:.2f` of the networks it goes on at less than a tenth of its early rate,
# and in a share {glue:text}`slow-regrowing:.2f` the distance grows again in the last half; in some
# it ends above the initial value.
#
# The reason is close to the paper's conjecture, and here it can be checked
# ({numref}`fig-slow-multipliers`). In the median network {glue:text}`slow-curved:.0f` of 83
# eigenvalues of $I - \eta H$ lie below $1 - 10^{-3}$, and a share {glue:text}`slow-neutral:.2f`
# lies within $10^{-3}$ of 1. That is neutral over hundreds of epochs, not over 4,000: within
# $0.1/4000$ of 1 lies a share {glue:text}`slow-strict:.2f`.
#
# Little of that is due to learning, for before training the share within $10^{-3}$ is
# {glue:text}`slow-before:.2f` already. Nor are these networks at saddle points, as the paper also
# considers: some have a direction of negative curvature that counts over 4,000 epochs, but all of
# them still move outwards. A perturbation shrinks along the few curved directions,
# stays as it is along most, and grows slowly along those where the loss still curves downwards.
# The dotted lines of {numref}`fig-slow-late`, which know nothing but that frozen spectrum, show
# how much it explains.

# %% [markdown]
# ## Beyond the paper: how slow is slow?
#
# The loss is monotonic at $\eta = 0.01$. Where does that end?

# %%
grid, each = gradient_descent.each_rate(start, size.rates)
descent = gradient_descent.GradientDescent(task, each)
scan = gradient_descent.run(descent, grid, size.rate_epochs, observe=("loss",))
losses = scan.by_rate("loss", len(size.rates))  # (epoch, rate, network)
monotone_share = [share_interval(flags) for flags in observables.non_increasing(losses)]
print(f"followed for {size.rate_epochs:,} epochs")

# %% tags=["hide-input"]
# | label: fig-slow-rates
# | fig-cap: >-
# |   Share of networks whose loss never rises, against the learning rate, with 95% intervals.
# |   Dotted: the three rates that the paper studies.
# | fig-alt: >-
# |   A curve that stays at one for small learning rates and falls to zero around the middle of a
# |   logarithmic axis, before the paper's second rate of one.
draw.share_against_rate(size.rates, monotone_share, paper_rates=(0.01, 1.0, 5.0))

# %% [markdown]
# {numref}`fig-slow-rates` places the paper's three rates: the first lies well inside the monotonic
# range, the other two beyond it. Monotonic here means over the epochs of this scan.

# %% [markdown]
# ## Beyond the paper: does regularisation stabilise?
#
# The paper's discussion suspects that a penalty on large weights would make trajectories more
# stable. The penalty $(\lambda/2)\|W\|^2$ adds $\lambda$ to every eigenvalue of the Hessian, so
# that directions that were flat now contract at the rate $\eta\lambda$.

# %%
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
# |   Mean distance relative to its initial value, from perturbations of the initial condition,
# |   without and with weight decay λ: median over networks and the band that holds 90% of them.
# | fig-alt: >-
# |   Four median curves on a logarithmic axis: without decay and with the two weaker ones the
# |   distance rises by about a half, with the strongest it falls below its initial value.
draw.decays(followed.epochs, curves)

# %% [markdown]
# {numref}`fig-slow-decay`: the penalty does what the paper suspects, as far as it is strong. With
# $\lambda = 10^{-2}$ the median distance after 10,000 epochs is {glue:text}`slow-effect:.2f` (95%:
# {glue:text}`slow-effect-low:.2f` to {glue:text}`slow-effect-high:.2f`) times what it is without.
# Where nothing else acts, the penalty shrinks a distance by $(1 - \eta\lambda)^t$, which at
# $\lambda = 10^{-2}$ is a factor $e^{-1}$ in 10,000 epochs and at $10^{-4}$ almost nothing: stable
# in name, marginal in practice.

# %% tags=["remove-cell", "nbval-ignore-output"]
glue_all("slow", test_accuracy=accuracy, monotone=monotone)
glue_all("slow", turning=turning, unlike=unlike, rising=rising, final_ratio=final_ratio)
glue_all("slow", alike=alike, alike_same=alike_same)
glue_all("slow", abnormal=abnormal, correlation=linear, drifting=drifting)
glue_all("slow", leaving=leaving, outward=outward)
glue_all("slow", lowest=lowest, slowing=slowing, regrowing=regrowing)
glue_all("slow", neutral=neutral, strict=strict, before=before, curved=curved)
glue_all("slow", effect=effect, effect_low=effect.low, effect_high=effect.high)

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
# **2.** With a penalty $(\lambda/2)\,|W|^2$ every neutral direction shrinks. By which factor in
# 10,000 epochs at $\eta = 0.01$ and $\lambda = 0.01$?
#
# :::{dropdown} Solution
# Each step multiplies it by $1 - \eta\lambda = 1 - 10^{-4}$, and 10,000 steps by
# $e^{-1} \approx 0.37$. Compare {numref}`fig-slow-decay`: distances shrink at about the rate of
# the penalty itself, so it is the penalty that one sees and not a new stability.
# :::
#
# ## The paper's claims

# %%
card = claims.Scorecard("02_iris_slow", changed=size.changed)
card.measure("D-sec3-monotone", *monotone)
card.measure("D-fig3-turns", *turning)
card.measure(
    "D-fig3-no-chaos",
    *growing["best_fit(20)"],
    readings={name: growing[name].estimate for name in growth_fits.READINGS},
)
card.measure("D-fig3-inconsistent", *unlike)
card.measure("D-fig3-losses", *coincide, saw=f"They differ by a share {off.max():.0e} at the most.")
card.measure("D-sec3-ergodic", *of_start)
card.measure(
    "D-fig3-long-run", *rising, saw="Most mean distances rise late, the others fall slightly."
)

# %%
card.measure(
    "D-fig4-every-radius",
    alike,
    saw=f"With the same directions for each ε it is {alike_same:.3f}: curves divided by ε "
    "coincide, as in any linear response; that alone says nothing about separate minima.",
)
card.measure(
    "D-fig4-orbital-instability",
    *final_ratio,
    saw="Distances change by a factor of order 1 in 10,000 epochs: marginal, rather than unstable.",
)
card.measure("D-fig5-importance", *abnormal)
card.measure("D-fig5-linear", *linear)
card.measure(
    "D-fig5-no-drift", *drifting, saw="Some weights, mostly those that move little, turn back."
)

# %%
card.measure("D-sec3-norm", *leaving)
card.measure("D-sec3-outward", *outward)
card.measure(
    "D-fig6-not-exponential",
    *slowing,
    saw=f"In a share {regrowing.estimate:.2f} the distance grows again in the last half.",
)
card.measure(
    "D-fig6-rarely-grow",
    *swelling,
    saw="Fewer end above the initial value than grow in the last half.",
)
card.measure(
    "D-sec3-neutral",
    *gained,
    saw=f"After training the share is {neutral.estimate:.2f}, before it {before.estimate:.2f}.",
)
card.measure(
    "D-sec3-saddle",
    *saddle,
    saw=f"A share {negative.estimate:.2f} has such a direction, "
    f"a share {resting.mean():.2f} hardly moves.",
)

# %%
card.measure("D-S1-learns", *accuracy)
card.measure(
    "D-sec5-regularisation",
    *effect,
    saw="Only the strongest decay tried makes distances shrink, "
    "and then at about the rate of the penalty itself.",
)

# %% tags=["nbval-ignore-output"]
card

# %%
print("verdicts that hold over the whole interval:", card.verdicts(decisive=True), sep="\n")
