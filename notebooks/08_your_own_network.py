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
# # Your own network
#
# :::{admonition} In short
# :class: tip
# - A module, a loss and data are enough for exponents, the sweet spot, sharpness and spectra.
# - Momentum and Adam are maps as well, with edges of stability of their own.
# - A monitor brings sharpness, the edge and an exponent into a loop that is not the library's.
# - What is measured belongs to a *map*: without the noise of batches and layers, or with that noise
#   held fixed.
# - Before you read an exponent from two runs of your own loop, run it twice from the same weights.
#   Where these part is your floor.
#
# The figure to see is {numref}`fig-own-search`.
# :::
#
# This chapter repeats no paper. It asks the papers' questions of a network that is none of theirs:
# is its training chaotic, at which learning rates, how sharp is its loss, and which directions grow?
# The network is a small convolution, an ordinary `torch.nn.Module`, and the data are scikit-learn's
# handwritten digits. Then the loss becomes one's own, and descent becomes momentum and Adam. Last
# comes where all of this breaks, and a training loop that is not ours.

# %% tags=["hide-input"]
import copy
import itertools
import time
import warnings

import numpy as np
import pandas
import torch

from netdyn_lib import monitor, torch_utils
from netdyn_lib.curvature import hessian, jacobian, optimizers
from netdyn_lib.experiments import sizes, sweet_spot
from netdyn_lib.figures import exponents as draw
from netdyn_lib.figures import sweeps as draw_search
from netdyn_lib.lyapunov import benettin, convergence, growth_fits
from netdyn_lib.results.glue import glue_all
from netdyn_lib.tasks import datasets, gradients, losses, networks, tasks
from netdyn_lib.training import gradient_descent, pytorch_loop

# %% tags=["parameters", "hide-input"]
profile = "laptop"
device = "auto"
seed = 0
samples = None  # None: the profile's, as for all that follow
low = None  # learning rates between which the search begins
high = None
search_conditions = None
search_epochs = None
ensemble = None  # initial conditions
copies = None
epochs = None

# %% tags=["hide-input"]
size = sizes.sizes(
    "08_your_own_network",
    profile,
    samples=samples,
    low=low,
    high=high,
    search_conditions=search_conditions,
    search_epochs=search_epochs,
    ensemble=ensemble,
    copies=copies,
    epochs=epochs,
)
torch.manual_seed(seed)  # of the layers' own initial weights
print("sizes that are not the profile's:", size.changed or "none")

# %% [markdown]
# ## A module and data
#
# Three kernels of 3×3 pixels see an image of 8×8 at every second pixel, and a linear layer names
# the digit.

# %%
digits = datasets.get("digits", size.samples)
x, y = digits.x.reshape(-1, 1, 8, 8), digits.y


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.see = torch.nn.Conv2d(1, 3, 3, stride=2)
        self.say = torch.nn.Linear(27, 10)

    def forward(self, images):
        return self.say(torch.tanh(self.see(images)).flatten(1))


# %% [markdown]
# ## From import to answer
#
# Training is full-batch gradient descent with a constant learning rate $\eta$, so that it is a map
# of the weights. `task.initial` draws weights from $\mathcal N(0, 1)$ and leaves biases at 0.

# %%
where = torch_utils.resolve(device)
task = tasks.custom("mine", Small(), losses.CrossEntropy(), x, y).to(where)
tried = dict(conditions=size.search_conditions, epochs=size.search_epochs)
search = sweet_spot.Search(low=size.low, high=size.high, **tried)
spot = sweet_spot.find(task, search=search, seed=seed)
plain = gradient_descent.GradientDescent(task, spot.learning_rate)

# %%
start = task.initial(size.ensemble, seed=seed, device=device)
balls = networks.perturbed(start, size.radius, size.copies, seed=seed)
observed = ("mean_distance", "loss", "accuracy")
record = gradient_descent.run(plain, balls, size.epochs, observe=observed)
fit = growth_fits.best_fit(record["mean_distance"][:, record.alive])
answer = growth_fits.summarise(fit, seed=seed)

# %%
edge = hessian.sharpness(task.objective, start) * spot.learning_rate / 2
advance, last = jacobian.of_descent(plain), size.spectrum_epochs
spectrum = benettin.spectrum(advance, start[: size.spectra], last, size.leading, at=(last,))

# %% [markdown]
# A dozen lines, and five answers. `spot` has $p(\eta)$, the share of initial conditions whose
# perturbed copies part exponentially, at each learning rate that was tried, and the smallest of
# these with $p$ of at least 0.9. `answer` has the exponent at that learning rate, with its interval,
# and $p$; `edge` the sharpness in units of $2/\eta$; `spectrum` the leading exponents of the tangent
# map.

# %% tags=["nbval-ignore-output"]
print(f"learning rate with developed sensitivity: {spot.learning_rate:.3f} — {spot.reason}")
print("exponent per epoch:", answer.exponent, answer.reason)
print("share with exponential growth:", answer.share)
print("sharpness / (2/η) of the initial networks:", edge.round(2))

# %% tags=["hide-input"]
# | label: fig-own-search
# | fig-cap: >-
# |   The search for the sweet spot: share p of initial conditions with exponential growth at each
# |   learning rate that was tried, with its 95% interval; numbers say in which order. The shaded
# |   bracket is where p reaches 0.9.
# | fig-alt: >-
# |   Shares against the learning rate on a logarithmic axis: near zero at the left end, near one at
# |   the right, and a shaded bracket between where they cross the dashed level.
draw_search.search(spot)

# %% tags=["hide-input"]
# | label: fig-own-answer
# | fig-cap: >-
# |   The answer at the learning rate found. (a) Mean distance of perturbed copies, a line for each
# |   initial condition, the window of best exponential fit dotted. (b) Training loss. (c) Leading
# |   exponents of the tangent map, each network with its own mark.
# | fig-alt: >-
# |   Left, tiny distances that climb along straight dotted stretches and level off. Middle, erratic
# |   losses. Right, exponents that fall with the index from positive values towards zero.
draw.answer(record, fit, spectrum.exponents())

# %% [markdown]
# Sensitivity sets in over a narrow range of $\eta$, and at $\eta$ = {glue:text}`own-rate:.2f` it is
# developed ({numref}`fig-own-search`); the search took {glue:text}`own-cost:,` network-epochs. There
# nearby networks part at {glue:text}`own-exponent:.2f` per epoch ({numref}`fig-own-answer`).
#
# After as many epochs the mean training accuracy is {glue:text}`own-accuracy:.2f`: what was found is
# where sensitivity is developed, and nothing here says that learning is best there. The initial
# networks lie beyond the edge of stability, at {glue:text}`own-sharp:.1f` times $2/\eta$ in the
# median.
#
# Why is the first exponent of (c), {glue:text}`own-first:.2f` in the mean, not that of the copies?
# They are averages over different stretches. The fit takes the window that looks most like a
# straight line, while copies are still close; the exponent of the tangent map is the mean over *all*
# epochs, quiet ones included. The appendix asks whether it has converged, and compares other
# readings of an exponent.
#
# ## Your own loss
#
# A loss is given by what it makes of each sample. `losses.PerSample` takes a function, or a loss of
# `torch.nn` with `reduction="none"`, and derives what else the library needs. Here is Huber's loss
# on one-hot targets, and label smoothing in one line. Everything above takes the tasks `robust` and
# `smooth` as it took `task`.


# %%
def huber(output, labels):
    error = output - torch.nn.functional.one_hot(labels, 10).to(output)
    clipped = error.clamp(-1, 1)
    return (clipped * (error - clipped / 2)).sum(1)


per_sample = losses.PerSample(huber)
robust = tasks.custom("robust", Small(), per_sample, x, y, std=size.std).to(where)
smoothing = torch.nn.CrossEntropyLoss(label_smoothing=0.1, reduction="none")
smooth = tasks.custom("smooth", Small(), losses.PerSample(smoothing), x, y).to(where)

# %% tags=["nbval-ignore-output"]
pairs = networks.perturbed(start[: size.search_conditions], size.radius, 1, seed=seed)
relaxed = sweet_spot.probe(smooth, spot.learning_rate, pairs, size.search_epochs, seed)
print("label smoothing, same η and initial conditions: p =", relaxed.share)
print("exponent:", relaxed.exponent)

# %% [markdown]
# ## Momentum and Adam
#
# An optimizer remembers. Its step is no map of the weights, but it is one of a state that holds what
# it remembers: $(W, u)$ with the velocity $u$ of momentum,
#
# ```{math}
# u \leftarrow \mu u + \nabla L(W), \qquad W \leftarrow W - \eta u,
# ```
#
# and $(W, m, \sqrt v, t)$ with Adam's running means $m$ of the gradient and $v$ of its square, and
# the number $t$ of steps. Copies are perturbed in $W$, distances $d(t)$ are those of $W$; tangent
# vectors and exponents are of the whole state.

# %%
methods = {
    "gradient descent": gradient_descent.GradientDescent(robust, size.plain_rate),
    "momentum": optimizers.Momentum(robust, size.momentum_rate, size.momentum),
    "Adam": optimizers.Adam(robust, size.adam_rate, size.betas),
}
for name, method in methods.items():
    print(f"{name}: {optimizers.threshold_of(method):.4g}")

# %% [markdown]
# These are their thresholds: the sharpness beyond which a quadratic loss makes them oscillate with
# growing amplitude. Along an eigenvector with curvature $h$, momentum multiplies a difference by the
# roots of $z^2 - (1 + \mu - \eta h) z + \mu$, and one of them passes $-1$ at $h = (2 + 2\mu)/\eta$
# {cite:p}`cohen2021`. Adam, once $v$ hardly moves, is momentum in other coordinates, with $P^{-1} H$
# in place of $H$, $P$ the diagonal matrix of $(1 - \beta_1^t)(\sqrt{\hat v} + \epsilon)$, and its
# threshold is $(2 + 2\beta_1)/((1 - \beta_1)\eta)$ {cite:p}`cohen2022`. Does training come to these
# thresholds?

# %%
begin = robust.initial(size.edge_networks, seed=seed, device=device)
edges = {
    name: optimizers.sharpness_along(method, begin, size.edge_at)
    for name, method in methods.items()
}

# %% tags=["hide-input"]
# | label: fig-own-edges
# | fig-cap: >-
# |   Sharpness along training in units of each method's threshold, for Adam the preconditioned
# |   sharpness: median and range of the networks. The dashed line is the edge of stability.
# | fig-alt: >-
# |   Three curves that rise from below the dashed line at one, reach its neighbourhood, and stay
# |   there.
draw.edges(size.edge_at, edges)

# %% [markdown]
# Sharpness rises until it comes to the edge, and stays near it ({numref}`fig-own-edges`). At the end
# its mean is {glue:text}`own-edge-gradient:.2f` times its threshold for gradient descent,
# {glue:text}`own-edge-momentum:.2f` for momentum and {glue:text}`own-edge-adam:.2f` for Adam,
# although the thresholds themselves are far apart. The learning rates were chosen, after trying a
# few, so that a few hundred epochs are enough. Part of Adam's rise is not the loss's: $\hat v$
# begins with the first, large gradients and forgets them slowly, so that $P^{-1}H$ grows as
# gradients shrink.

# %% [markdown]
# ## Where it breaks
#
# A Lyapunov exponent is of a map: the same state must go to the same next state. Three everyday
# ingredients of training break that, each in its own way. Below, pairs of networks are trained by a
# plain PyTorch loop, which takes from the library nothing but the order of samples: once from
# weights $\epsilon$ apart and under the same random numbers, and once from the *same* weights under
# others.
#
# **Mini-batches** make every step another map. Nothing refuses to run; it is for you to ask which
# question has an answer.

# %%
criterion = torch.nn.CrossEntropyLoss()
in_full = pytorch_loop.Setting(size.noise_rate, size.noise_steps)
in_batches = pytorch_loop.Setting(size.noise_rate, size.noise_steps, size.batch)
near, other = {"radius": size.radius, "seed": seed}, {"seeds": (0, 1), "seed": seed}
batches = pytorch_loop.twins(Small(), criterion, x, y, in_batches, **near)
other_batches = pytorch_loop.twins(Small(), criterion, x, y, in_batches, **other)

# %% [markdown]
# **Dropout** makes the step random even on the full batch, and the library refuses to call it a map.

# %%
forgetful = torch.nn.Sequential(
    torch.nn.Conv2d(1, 3, 3, stride=2),
    torch.nn.Tanh(),
    torch.nn.Flatten(),
    torch.nn.Dropout(0.2),
    torch.nn.Linear(27, 10),
)

try:
    tasks.custom("forgetful", forgetful, losses.CrossEntropy(), x, y)
except ValueError as refusal:
    print(refusal)

# %% tags=["hide-input"]
dropped = pytorch_loop.twins(forgetful, criterion, x, y, in_full, **near)
other_dropped = pytorch_loop.twins(forgetful, criterion, x, y, in_full, **other)

# %% [markdown]
# **Batch normalisation** is refused as well, for another reason: it remembers.

# %%
normed = torch.nn.Sequential(
    torch.nn.Conv2d(1, 3, 3, stride=2),
    torch.nn.BatchNorm2d(3),
    torch.nn.Tanh(),
    torch.nn.Flatten(),
    torch.nn.Linear(27, 10),
)

try:
    tasks.custom("normed", normed, losses.CrossEntropy(), x, y)
except ValueError as refusal:
    print(refusal)

# %% tags=["hide-input"]
with_norm = pytorch_loop.twins(normed, criterion, x, y, in_full, **near)
no_noise = pytorch_loop.twins(normed, criterion, x, y, in_full, **other)
print("full batch, same weights, other random numbers: largest distance", no_noise.distance.max())

# %% tags=["hide-input"]
# | label: fig-own-floors
# | fig-cap: >-
# |   Distance of two trainings by a plain loop, one pair each: ε apart under the same random
# |   numbers (solid), and from the same weights under others (dashed, from step 1). With batch
# |   normalisation on the full batch the dashed curve is missing, because that distance stays
# |   exactly zero.
# | fig-alt: >-
# |   Three panels with a logarithmic axis. Solid curves start small and change slowly. In the
# |   panels for mini-batches and dropout a dashed curve lies orders of magnitude above from the
# |   first step on; in the third there is none.
draw.floors(
    {
        "mini-batches": (batches.distance, other_batches.distance),
        "dropout": (dropped.distance, other_dropped.distance),
        "batch norm": (with_norm.distance, no_noise.distance),
    },
    size.radius,
)

# %% [markdown]
# Under the *same* batches or masks, $d(t)$ is growth of one and the same sequence of maps, and an
# exponent is well defined: that of the training loop *with this noise*
# ({numref}`fig-own-floors`). `netdyn_lib.curvature.jacobian` has its spectra.
#
# Under *other* noise the two trainings are {glue:text}`own-floor-batches:.2g` (mini-batches) and
# {glue:text}`own-floor-dropout:.2g` (dropout) apart after one step, from no perturbation at all,
# against {glue:text}`own-near:.2g` for the perturbed pair. That is the floor of the noise. A
# distance above it that grows says that the two saw different samples, not that the dynamics is
# sensitive; no exponent can be read from it.
#
# Batch normalisation on the full batch has no floor: its step *is* a map of the weights. What breaks
# is what the weights mean, for the layer is used with statistics that it remembers (appendix,
# {numref}`fig-own-memory`).
#
# ## Your own training loop
#
# So far the library trained. `netdyn_lib.monitor` looks on while another loop trains, such as this
# one: mini-batches in random order, batch normalisation, dropout, single precision, an optimizer of
# PyTorch. A report is of the loss on one probe batch, with one set of masks, and the training is bit
# for bit what it is without. {doc}`../book/monitor` has loggers for it.

# %%
samples = torch.utils.data.TensorDataset(x.float(), y)
noisy = torch.nn.Sequential(*normed[:-1], torch.nn.Dropout(0.2), torch.nn.Linear(27, 10)).float()


def loss_fn(model, batch):
    return criterion(model(batch[0]), batch[1])


# %%
def watch(model, optimizer):
    """Reports along a training, a row each, and the share of its time that they took."""
    loader = torch.utils.data.DataLoader(samples, size.batch, shuffle=True)
    looks = monitor.Monitor(model, loss_fn, samples[:], every=size.watch_every)
    reports, begin, spent = [], time.perf_counter(), 0.0
    for step, batch in enumerate(itertools.chain(*size.watch_epochs * [loader])):
        optimizer.zero_grad()
        loss_fn(model, batch).backward()
        optimizer.step()
        before = time.perf_counter()
        reports += [{"step": step, **report} for report in [looks.step(optimizer)] if report]
        spent += time.perf_counter() - before
    return pandas.DataFrame(reports), spent / (time.perf_counter() - begin)


# %% tags=["hide-input"]
watched, spent = {}, {}
makers = {
    "SGD": lambda ps: torch.optim.SGD(ps, lr=size.watch_rate, momentum=size.momentum),
    "Adam": lambda ps: torch.optim.Adam(ps, lr=size.adam_rate),
}
for name, make in makers.items():
    torch.manual_seed(seed)
    model = copy.deepcopy(noisy)
    watched[name], spent[name] = watch(model, make(model.parameters()))

# %% tags=["nbval-ignore-output"]
print("share of the time spent on reports:", {name: round(s, 2) for name, s in spent.items()})
watched["Adam"].iloc[[1, -1]].T.round(3)

# %% tags=["hide-input"]
# | label: fig-own-watched
# | fig-cap: >-
# |   Reports of the monitor along a loop with mini-batches, batch normalisation and dropout, one
# |   network each. (a) Loss on the probe batch. (b) Sharpness in units of each optimizer's
# |   threshold. (c) Share of the squared gradient in directions of negative curvature. (d) Local
# |   expansion rate of a tangent vector per step.
# | fig-alt: >-
# |   Four panels against the step. Both losses fall. Sharpness ends far below the threshold. The
# |   share of negative curvature falls from some tenths to mostly a few per cent. Expansion rates
# |   end small and positive.
draw.watched(watched)

# %% [markdown]
# At the end sharpness is {glue:text}`own-watched-sgd:.3f` times its threshold with momentum and
# {glue:text}`own-watched-adam:.3f` times with Adam, whose first report is high because $\hat v$ is
# still that of one gradient ({numref}`fig-own-watched`). Where sharpness is below the edge, what
# expands in (d) are directions of negative curvature. The rate is a mean of local rates, one step in
# {glue:text}`own-every`, and no Lyapunov exponent of the loop.
#
# What does it cost? A report is 20 to 40 Hessian products on the probe batch. Here they come so
# often that they take most of the time; at the default, one in 1,000 steps with a probe batch as
# large as the others, some 5% of it, as `make bench` measures.
#
# ## Conclusion
#
# **What works.** Any module that is a map of its weights: exponents, the sweet spot, sharpness and
# spectra take a dozen lines, for gradient descent, momentum and Adam.
#
# **What does not.** An exponent read from two runs that saw different noise. Hold batches and masks
# fixed, or measure the floor first.
#
# **How sure.** The answers here are those of one small network and few initial conditions, and show
# how to ask, not what training does in general. Look at the interval, at the number of initial
# conditions, and at whether the exponent has converged; `netdyn exponents` prints all three.
#
# ## Exercises
#
# **1.** You train twice with different seeds and the weights are 0.3 apart after 100 steps. The
# exponent that you read from $10^{-8}$ to 0.3 is $\ln(3 \cdot 10^7)/100 = 0.17$. What is wrong?
#
# :::{dropdown} Solution
# The trainings were not $10^{-8}$ apart under the same noise: other batches put them far apart after
# *one* step ({numref}`fig-own-floors`). Perturb by $10^{-8}$, give both the same batches and masks,
# and read the slope while the distance is small.
# :::
#
# **2.** With momentum $\mu = 0.9$ and $\eta = 0.25$, at which sharpness is the edge of stability?
# How much larger may it be than that of gradient descent with the same $\eta$?
#
# :::{dropdown} Solution
# At $(2 + 2\mu)/\eta = 3.8/0.25 = 15.2$, against $2/\eta = 8$: by the factor $1 + \mu = 1.9$. In the
# units of its *effective* rate $\eta/(1 - \mu)$, the edge is lower by $(1 + \mu)(1 - \mu) = 0.19$.
# :::

# %% [markdown]
# # Appendix: readings, convergence, and layers that need care
#
# ## Other readings of an exponent
#
# The exponent depends on how it is read off the curves. The papers print
# $\ln(\bar d(\tau)/\bar d(0))/\tau$ with $\tau$ the end of the window (`printed`), not the slope in
# it; {doc}`03_edge_of_stability` compares them.

# %% tags=["nbval-ignore-output"]
readings = growth_fits.multiverse(record["mean_distance"][:, record.alive])
{name: str(growth_fits.summarise(found, seed=seed).exponent) for name, found in readings.items()}

# %% [markdown]
# ## Have the exponents converged?
#
# An exponent is a mean of rates that are correlated in time. Its standard error comes from means
# over blocks longer than the correlations (`netdyn_lib.lyapunov.convergence`), and the verdict from
# that error and from the drift between the earlier and the later half of the run. Here one network
# is followed for longer.

# %%
long = benettin.spectrum(advance, start[:1], size.long_epochs, 2)
steps, running = convergence.running(long.rates()[:, 0])  # exponents over the first t epochs
early = long.exponents(stop=min(last, size.long_epochs))[0, 0]

# %% tags=["hide-input"]
# | label: fig-own-convergence
# | fig-cap: >-
# |   The two leading exponents of one network over its first t epochs, with 95% intervals where
# |   there are enough blocks for one. The legend has the verdict at the end: *converged*, *not
# |   yet*, or *too short*, also where rates drift over the whole run.
# | fig-alt: >-
# |   Two curves against the number of epochs on a logarithmic axis, erratic at first, with shaded
# |   bands where there are intervals.
draw.convergence(steps, running)

# %% [markdown]
# {numref}`fig-own-convergence`: the first exponent is {glue:text}`own-early:.2f` per epoch over as
# many epochs as in (c), and {glue:text}`own-late:.2f` over {glue:text}`own-long:,`. Training need
# not be stationary. Where the curve still moves and the verdict is not *converged*, an exponent is
# a number of its stretch of training, and no property of the map's attractor.

# %% [markdown]
# ## Growth under momentum and Adam
#
# The same tools measure how perturbations grow. A step is that of `torch.optim.SGD` or
# `torch.optim.Adam`, which the tests check over 200 steps.

# %%
one = robust.initial(1, seed=seed, device=device)
near = networks.perturbed(one, size.radius, 1, seed=seed)
last, growth, leading = size.methods_epochs, {}, {}
for name, method in methods.items():
    run = gradient_descent.run if name == "gradient descent" else optimizers.run
    parted = run(method, near, last, observe=("mean_distance",))
    growth[name] = (parted.epochs, *optimizers.beside_tangent(method, near, parted))
    found = optimizers.spectrum(method, one, last, size.leading, at=(last,))
    leading[name] = found.exponents()[0]

# %% tags=["hide-input"]
# | label: fig-own-methods
# | fig-cap: >-
# |   (a) to (c) Growth of the distance in W of a copy perturbed by ε (solid), and of the tangent
# |   vector that starts along the same perturbation (dashed), for one network. (d) Leading
# |   exponents of each map over the same epochs.
# | fig-alt: >-
# |   In each of three panels a solid and a dashed curve lie on each other. At the right, rows of
# |   exponents: gradient descent's near zero, momentum's little above, Adam's highest.
draw.methods(growth, leading)

# %%
largest = {name: abs(parted - grown).max() for name, (_, parted, grown) in growth.items()}
assert all(value < 0.05 for value in largest.values()), largest

# %% [markdown]
# In {numref}`fig-own-methods` copy and tangent vector differ by {glue:text}`own-apart:.4f` at most
# in the logarithm. The exponents at the right are of $W$ and of what the optimizer remembers
# together. Two warnings go with them. The largest exponent of a finite run depends on coordinates:
# velocity and weights have different units. A vector with a part in what the optimizer remembers
# may grow faster in the first epochs than one in $W$ alone, and so the first exponents of Adam are
# larger than the growth of its copy. And momentum contracts its whole state at the rate $\ln\mu$
# per parameter whatever the loss, so that a sum of exponents says little about the loss.

# %% [markdown]
# ## What batch normalisation remembers
#
# The layer trains with the statistics of the batch and is used with statistics it remembers, and
# those depend on the way that led to the weights:

# %% tags=["hide-input"]
# | label: fig-own-memory
# | fig-cap: >-
# |   One training with batch normalisation: the loss of the same weights with the statistics of the
# |   batch, as the network trains, and with the remembered ones, as it is used.
# | fig-alt: >-
# |   Two falling curves of the loss that differ at first and approach each other over some tens of
# |   steps.
draw.remembered(range(size.noise_steps + 1), no_noise.loss[:, 0], no_noise.evaluated[:, 0])

# %% [markdown]
# In {numref}`fig-own-memory` the second is {glue:text}`own-memory:.2f` times the first after one
# step, and {glue:text}`own-memory-end:.2f` times at the end. A loss, an accuracy or a Hessian in
# `eval()` mode is thus no function of $W$ alone. The way out is a layer without memory: with
# `track_running_stats=False`, statistics are always those of the batch. Samples then see each
# other. That is found out when the task is made, and such samples are never cut into blocks.

# %%
memoryless = torch.nn.Sequential(
    *(torch.nn.Conv2d(1, 3, 3, stride=2), torch.nn.BatchNorm2d(3, track_running_stats=False)),
    *(torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(27, 10)),
)
cross_entropy = torch.nn.CrossEntropyLoss()
taken = tasks.custom("memoryless", memoryless, cross_entropy, x, y, initialisation="pytorch")
print("samples see each other:", taken.network.coupled)

# %% [markdown]
# The papers' initial weights, the default of a task, set all parameters of one dimension to 0.
# These include the gains of a normalisation, without which the network is deaf; with
# `initialisation="pytorch"` a module begins as its own layers draw it.
#
# ### Layers without all derivatives
#
# Exponents and sharpness need products with the Hessian. PyTorch has several ways to them, and
# none is right for every layer: the usual kernels of attention have no second derivative, `vmap`
# cannot follow an `if` on values, and the double backward of `weight_norm` is wrong and does not
# say so. So each way is first tried on a few samples, and taken only where it agrees with central
# differences of the gradient.

# %%
torch.manual_seed(seed)
layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(64, 8))
rescaled = torch.nn.Sequential(torch.nn.Flatten(), layer, torch.nn.Tanh(), torch.nn.Linear(8, 10))
task = tasks.custom("rescaled", rescaled, cross_entropy, x, y)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it says once that this way is slower
    ways = gradients.ways(task)

# %%
weights = task.network.own
by_double_backward = gradients.PlainGradient(task).twice(weights, weights)[1]
product = hessian.operator(task, weights)(weights)
error = float((by_double_backward - product).norm() / product.norm())
print("way taken:", ways.product, " double backward is off by more than 1%:", error > 0.01)

# %% [markdown]
# Recurrent layers on a GPU are another case: cuDNN computes `RNN`, `LSTM` and `GRU` without second
# derivatives, so that their products are central differences, and a warning says so. With
# `torch.backends.cudnn.flags(enabled=False)` PyTorch's own kernels have them
# ({doc}`../book/monitor`).

# %% tags=["hide-input"]
# What the alt texts and captions say
shares = {probe.learning_rate: probe.share.estimate for probe in spot.probes}
assert shares[min(shares)] < 0.2 and shares[max(shares)] > 0.8
distance = record["mean_distance"][:, record.alive]
assert distance[0].max() < 1e-4 and np.median(distance[-1]) > 0.01
first, *_, lowest = spectrum.exponents().mean(0)
assert first > 0 and abs(lowest) < first
for values in edges.values():
    middle = np.median(np.asarray(values), axis=1)
    assert middle[0] < 1 and 0.5 < middle[-1] < 1.5
for noisy_pair, near_pair in ((other_batches, batches), (other_dropped, dropped)):
    assert noisy_pair.distance[1] > 100 * near_pair.distance[1]
assert no_noise.distance.max() == 0
for reports in watched.values():
    assert reports["loss"].iloc[-1] < reports["loss"].iloc[0]
    assert reports["sharpness_over_edge"].iloc[-1] < 0.2 and reports["exponent"].iloc[-1] > 0
    later = reports["negative_share"].iloc[len(reports) // 2 :]
    assert later.median() < 0.1 < reports["negative_share"].max()
heights = {name: np.mean(found) for name, found in leading.items()}
assert abs(heights["gradient descent"]) < heights["momentum"] < heights["Adam"]

# %% tags=["remove-cell", "nbval-ignore-output"]
glue_all("own", rate=spot.learning_rate, cost=spot.cost_epochs)
accuracy = record["accuracy"][-1, record.alive, 0].mean()
glue_all("own", exponent=answer.exponent, share=answer.share, accuracy=accuracy)
glue_all("own", early=early, late=long.exponents()[0, 0], long=size.long_epochs)
glue_all("own", sharp=np.median(edge), first=spectrum.exponents()[:, 0].mean())
for name, values in edges.items():
    glue_all("own", **{f"edge_{name.partition(' ')[0].lower()}": values[-1].mean()})
glue_all("own", apart=max(largest.values()), near=batches.distance[0])
floors = {"floor_batches": other_batches, "floor_dropout": other_dropped}
glue_all("own", **{name: float(pair.distance[1]) for name, pair in floors.items()})
for name, reports in watched.items():
    glue_all("own", **{f"watched_{name.lower()}": reports["sharpness_over_edge"].iloc[-1]})
glue_all("own", every=size.watch_every)
memory = no_noise.evaluated[:, 0] / no_noise.loss[:, 0]
glue_all("own", memory=memory[1], memory_end=memory[-1])
