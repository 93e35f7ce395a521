# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Performance: what it costs, and how near the limit it is
#
# :::{admonition} In short
# :class: tip
# - Each measurement stands beside a rival of the same run on the same machine.
# - Ensembles of small perceptrons are tens of times faster than a loop over networks, convolutions
#   a few times; fits of windows and low-rank spectra hundreds to thousands of times.
# - Where a goal was missed, the row says what limits it.
# - A sweep or a spectrum that is too large to run here is counted on paper.
#
# The figure to see is {numref}`fig-performance-ratios`.
# :::
#
# The papers' experiments are thousands of trainings, each of a small network. This chapter tests
# no claim of theirs. It shows how long such work takes with this library, beside rivals that do
# the same in the same run: a plain PyTorch loop, JAX, PyHessian, `numpy.polyfit`, nolds, and the
# rate at which the machine itself multiplies matrices. Then it shows how time and memory grow with
# the work, and counts on paper what two experiments would cost that are far larger than any here.
#
# Nothing heavy is measured while this page is made. All but one rough look at the end is read from
# a file of measurements, which one command makes anew.

# %% tags=["hide-input"]
import time
from dataclasses import replace

import numpy as np
import pandas as pd

from netdyn_lib import torch_utils
from netdyn_lib.experiments import benchmarks, cost_model, sizes
from netdyn_lib.figures import performance as draw
from netdyn_lib.results import provenance
from netdyn_lib.results.glue import glue_all
from netdyn_lib.tasks import networks, tasks
from netdyn_lib.training import gradient_descent

pd.set_option("display.max_colwidth", None)

# %% tags=["parameters", "hide-input"]
profile = "laptop"
device = "auto"
seed = 0
sweep_networks = None  # of the sweep that was never run; None: the profile's, as below
sweep_epochs = None
large_sizes = None  # units by layer of the large network
exponents = None  # of it
devices = None  # of a cluster
step_networks = None  # of the look at this machine

# %% [markdown]
# ## What was measured, on what

# %% tags=["hide-input"]
size = sizes.sizes(
    "09_performance",
    profile,
    sweep_networks=sweep_networks,
    sweep_epochs=sweep_epochs,
    large_sizes=large_sizes,
    exponents=exponents,
    devices=devices,
    step_networks=step_networks,
)
print("sizes that are not the profile's:", size.changed or "none")

# %%
known = benchmarks.published()
rows = pd.concat([found.table().assign(on=name) for name, found in known.items()])

# %% tags=["nbval-ignore-output"]
told = ["processor", "cores", "threads", "cpu_capability", "device", "cuda", "platform"]
told += ["python", "torch", "numpy", "scipy", "commit", "date", "duration_s", "command"]
about = pd.DataFrame({name: found.about for name, found in known.items()}).reindex(told)
about.dropna(how="all").fillna("")

# %% [markdown]
# `make bench KEEP=1` measures all of it again, installs the rivals for itself, and puts its file
# in the place of this one. A rival's result is compared with ours, and what does something else is
# no rival; the column of differences says by how much they differ. Both are warmed up and take
# turns, round by round; a ratio is taken in each round, and what is told is the median over rounds
# with its range. Where a rival would take hours, it is timed on a sample of the same work, and the
# dense spectrum of 5,350 parameters, which takes tens of seconds, once. Compile time is told apart
# and not counted. Some rows set unlike things side by side, a Hessian product and a gradient, or
# descent with pruning and without: there is no result in common, and the ratio is a price.
#
# ## Goals
#
# Each goal was set beforehand, as a ratio. Of {glue:text}`performance-goals` goals
# {glue:text}`performance-met` are met and {glue:text}`performance-missed` missed.

# %% tags=["nbval-ignore-output"]
rows.drop(columns="what limits it").set_index(["on", "part"])

# %% [markdown]
# Those missed, and where the time goes:

# %% tags=["nbval-ignore-output"]
missed = rows[rows["met"] == "no"]
missed[["work", "rival", "ratio", "goal", "what limits it"]]

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-performance-ratios
# | fig-cap: >-
# |   Times as fast as the rival, by work: median over rounds, and range where it is wider than the
# |   mark. An upright stroke is the goal; disks met theirs, open squares missed it, diamonds had
# |   none. Read from the published measurements.
# | fig-alt: >-
# |   A row for each work with a mark on a logarithmic axis from below one to above a thousand, a
# |   vertical line at one, and strokes at the goals.
provenance.shown(draw.ratios(known), known)

# %% [markdown]
# In {numref}`fig-performance-ratios`, left of 1 a rival is faster. Two kinds of rows lie there by
# their nature: a Hessian product is set against a single gradient, and where it computes the
# gradient as well it takes at least two of them, and pruned descent against descent without
# pruning, which has no spectrum to find. A ratio says as much about the rival as about the engine.
# The loop pays for every call of PyTorch on a network of a few dozen weights, and a second thread
# helps it little, for its products are too small to share. While this is measured threads may spin
# as they wait, as PyTorch has it by default. In the rest of the book they sleep, because there
# several processes share the processor; that makes a loop with two threads slower than with one,
# and would flatter the engine. The rows of sharpness were measured with an earlier search, which took
# sixteen products at least. `make bench` now times it to a given error, early, midway and late in
# training: Lanczos ends by its own criterion, which also bounds the chance that a larger
# eigenvalue was missed, and power iteration as soon as its value is within that error, which by
# itself it cannot tell. The exponent of a series is found as nolds finds it, from the nearest
# neighbour alone. With ten of them, our default, the mean distance begins larger and meets the
# size of the attractor sooner; the column of differences has the error of either. The authors' way
# pays for reading all images anew at every epoch, which is why the same loop with its batch in
# memory has a row of its own. Nearest to what is possible is the comparison with the machine
# itself.
#
# ## Shares of the machine's rate
#
# Full-batch training of a perceptron is almost nothing but matrix products. How fast this machine
# multiplies large matrices is measured in the same rounds, and the share of that rate that descent
# reaches is a number that no rival's clumsiness can flatter.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-performance-shares
# | fig-cap: >-
# |   Operations per second of descent on MNIST as a share of those of large matrix products. With
# |   the inputs that are used, the operations that are done; with all inputs, those that would have
# |   to be done if pixels that are zero were multiplied. Read from the published measurements.
# | fig-alt: >-
# |   A row for each ensemble and number of threads, a mark on a linear axis that begins at zero,
# |   and a vertical line at one, the rate of large matrix products.
provenance.shown(draw.shares(known), known)

# %% [markdown]
# Rows for *all* inputs may pass 1 ({numref}`fig-performance-shares`): samples with alike zeros go
# through the network together, and what is zero for all of a block is left out, exactly. What is
# missing to 1 in the others is what is no product: the activation and its derivative, a pass over
# memory for each; and products with sides of 10 and 64 are far from the large square ones that set
# the rate. The table of goals missed says what limits each, from a profile.
#
# ## Growth
#
# Work that is twice as large should take twice as long, and no more memory than its data do. Each
# size was measured in a process of its own; memory is the peak above what was in use before the
# work.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-performance-growth
# | fig-cap: >-
# |   Time and memory against the number of networks, epochs, samples and parameters; the line is
# |   the power that fits, dashes are growth in proportion. Read from the published measurements.
# | fig-alt: >-
# |   Two rows of panels on logarithmic axes. Times lie on straight lines close to the dashed ones;
# |   memory rises with networks, samples and parameters.
provenance.shown(draw.growth(known), known)

# %% tags=["nbval-ignore-output"]
table = []
for name, found in known.items():
    for one in found.growths:
        grew = one.mebibytes and min(one.mebibytes) > 0
        memory = str(one.exponent("mebibytes")) if grew else ""
        ends = [f"{n:,.0f}" for n in (one.sizes[0], one.sizes[-1])]
        table.append([name, one.work, one.quantity, *ends, str(one.exponent()), memory, one.remark])
columns = ["on", "work", "grows", "from", "to", "exponent of time", "of memory", "remark"]
pd.DataFrame(table, columns=columns).set_index("on")

# %% [markdown]
# An exponent of 1 is growth in proportion. One below 1 says that small sizes pay for something
# that does not grow, such as the calls of PyTorch; one above 1 that large sizes leave a cache.
# Intervals are Student's t of a line through the logarithms, 95%, from so few sizes that they are
# wide. Memory does not grow with epochs, because what is observed is handed on; where nothing was
# needed beyond what was there, no exponent is given.
#
# ## On paper: a million networks, and a hundred million parameters
#
# What would the papers' questions cost at sizes that nobody asked them at? Two plans, counted from
# sizes alone:
#
# 1. the sweep of CIFAR-10 with {glue:text}`performance-networks:,` networks of the architecture of
#    {cite:t}`jimenez2025`;
# 2. the {glue:text}`performance-count` largest Lyapunov exponents of one network of
#    {glue:text}`performance-parameters:,` parameters, by Benettin's method at every step.
#
# For a perceptron with $P$ parameters, $D$ of them weights behind the first layer, one gradient
# takes $4P + 2D$ operations for each sample, and one Hessian product $4P + 8D$, a multiplication
# and an addition counted as two. A QR decomposition of $k$ tangent vectors takes $4Pk^2$. Time is
# operations over a rate, and at least the bytes moved over the bandwidth where that is known;
# everything is in float64, which an $\epsilon$ of $10^{-8}$ needs.
# `netdyn_lib.experiments.cost_model` has the formulas. The processor's rate is the one at which
# the engine was measured above; of a GPU the one that was measured, if one was at hand, and else
# its maker's nominal peak, which is *not measured*, and below which programs stay. Memories are
# not measured either: the processor's is assumed, the GPU's is its maker's.

# %%
cpu = cost_model.measured(known["cpu"], size.cpu_memory)
name, rate, memory, bandwidth = size.gpu
if "gpu" in known:
    gpu = cost_model.measured(known["gpu"], memory)
else:
    basis = "its maker's nominal peak, not measured: programs stay below it"
    gpu = cost_model.Machine(name, rate, memory, basis, bandwidth)
cluster = replace(gpu, devices=size.devices)

# %%
large = (size.large_sizes, size.images, size.large_steps, size.exponents, size.conditions)
sweep = cost_model.sweep(
    size.sweep_sizes, size.images, size.sweep_networks, size.sweep_epochs, size.sweep_copies
)
whole = cost_model.exponents(*large)
blocks = cost_model.exponents(*large, at_once=size.block)
costs = [
    cost_model.cost(work, machine, size.patience)
    for work in (sweep, whole, blocks)
    for machine in (cpu, gpu, cluster)
]

# %% tags=["nbval-ignore-output"]
table = {
    machine.name: {
        "operations per second": f"{machine.rate:.2e}",
        "memory": cost_model.amount(machine.memory),
        "bandwidth": f"{cost_model.amount(machine.bandwidth)}/s" if machine.bandwidth else "",
        "the rate is": machine.basis,
    }
    for machine in (cpu, gpu)
}
pd.DataFrame.from_dict(table, orient="index")

# %% tags=["nbval-ignore-output"]
table = [
    {
        "work": one.work.name,
        "machine": one.machine.name,
        "devices used": f"{one.used:,} of {one.machine.devices:,}",
        "operations": f"{one.work.operations:.1e}",
        "needed at least": f"{one.work.least:.1e}",
        "bytes moved": f"{one.work.moved:.1e}",
        "time": cost_model.in_words(one.seconds),
        "decided by": one.bound,
        "memory of one piece": cost_model.amount(one.needed),
        "of a device's": cost_model.amount(one.machine.memory),
        "results": cost_model.amount(one.work.kept),
        "runs out first": one.first or "nothing",
    }
    for one in costs
]
pd.DataFrame(table)

# %% tags=["remove-cell", "nbval-ignore-output"]
met = [row.met for found in known.values() for row in found.rows if row.met is not None]
glue_all("performance", goals=len(met), met=sum(met), missed=len(met) - sum(met))
words = zip(("sweep_cpu", "sweep_gpu", "sweep_cluster"), costs)
glue_all("performance", **{name: cost_model.in_words(one.seconds) for name, one in words})
glue_all("performance", networks=size.sweep_networks, count=size.exponents)
glue_all("performance", devices=size.devices)
vectors = whole.memory["tangent vectors"]
amounts = dict(
    vectors=vectors,
    frames=vectors + whole.memory["repeated states and products"],
    activations=whole.memory["activations of all samples"],
    device=gpu.memory,
    samples=sweep.memory["samples"],
    kept=sweep.kept,
    states=8 * sweep.networks * sweep.parameters,  # all weights at one epoch
)
glue_all("performance", **{name: cost_model.amount(size) for name, size in amounts.items()})
most = int(gpu.memory // (8 * cost_model.FRAMES * size.exponents))  # parameters
glue_all("performance", parameters=whole.parameters, largest=most)
glue_all("performance", spare=whole.operations / whole.least)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-performance-plans
# | fig-cap: >-
# |   Costs on paper. (a) What lies in the memory of a device for one piece of work; vertical lines
# |   are the memories of the devices. (b) Hours against the number of devices, if memory sufficed,
# |   at the measured rate where there is one and else at the maker's nominal peak, which is not
# |   measured.
# | fig-alt: >-
# |   Left, bars on a logarithmic axis; those of the activations of all samples pass the memory of
# |   every device. Right, lines for the sweep that fall in proportion to the number of devices, and
# |   level ones for the exponents of one network.
single = [one for one in costs if one.machine.devices == 1]
provenance.shown(draw.plans(cost_model.over_devices(single, size.most_devices)), known)

# %% [markdown]
# **What the sweep lacks is time.** On the processor that was measured it would take
# {glue:text}`performance-sweep-cpu`, on the GPU {glue:text}`performance-sweep-gpu`, on a cluster
# of {glue:text}`performance-devices` of these {glue:text}`performance-sweep-cluster`. Its groups of a reference and copies know
# nothing of each other: a shard is a file, and as many devices as there are groups divide the time
# ({numref}`fig-performance-plans`b).
#
# A device needs memory for one group, and for the images, {glue:text}`performance-samples` in the
# layouts that products want, which every device holds for itself. What is kept of all networks is
# {glue:text}`performance-kept`; their weights at one epoch would be
# {glue:text}`performance-states`, so nothing that needs the weights later can be asked of such a
# sweep.
#
# **What the exponents lack is memory.** The vectors themselves are
# {glue:text}`performance-vectors`, and a step of the tangent map, which repeats the state for each
# vector, makes {glue:text}`performance-frames` of them, beside {glue:text}`performance-device` on
# the GPU.
#
# But first break the activations: a Hessian product, the derivative along the vector of the pass
# back, keeps the values of *all* samples for every vector, {glue:text}`performance-activations`.
# Descent takes samples in blocks, and so do the Hessian products of sharpness; those of tangent
# vectors do not, and this is where the design breaks first. With blocks it would be the vectors:
# at {glue:text}`performance-largest:,` parameters they fill that GPU with nothing left for
# anything else.
#
# **More devices do not help the exponents of one network.** The library spreads trajectories over
# devices, never the vectors or the samples of one, so in {numref}`fig-performance-plans`b the
# lines are level. And each vector takes the gradient along anew:
# {glue:text}`performance-spare:.2f` times the operations that are needed. To go further, linearise
# once for all vectors, take samples in blocks, and give each device its share of the samples, at
# the price of exchanging the vectors at every step.

# %% [markdown]
# ## A look at this machine
#
# Last, the one thing that is timed here: a step of one network on Iris by one thread, a few
# networks, while whatever else this machine does goes on. It is rough, and not compared with
# anything; `make bench` is the measurement.

# %%
balls = networks.perturbed(tasks.get("iris").initial(size.step_networks // 6, seed), 1e-8, 5, seed)
plain, times = gradient_descent.GradientDescent(tasks.get("iris"), 1.0), []
with torch_utils.one():  # one thread
    for _ in range(1 + size.rounds):
        began = time.perf_counter()
        gradient_descent.run(plain, balls, size.epochs, observe=("distance",), workers=1)
        times.append(time.perf_counter() - began)
steps = balls.shape[0] * balls.shape[1] * size.epochs
here = 1e6 * np.array(times[1:]) / steps  # the first warms up

# %% tags=["nbval-ignore-output"]
there = next(row for row in known["cpu"].rows if row.work.startswith(size.step_row))
both = {"published": there.ours, "here, roughly": here}
table = {name: [np.median(t), np.min(t), np.max(t)] for name, t in both.items()}
columns = [f"median, {there.unit}", "least", "greatest"]
pd.DataFrame.from_dict(table, orient="index", columns=columns).round(3)
