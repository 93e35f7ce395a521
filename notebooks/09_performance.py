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
# - Ensembles of small perceptrons train tens of times faster than in a loop over networks, and
#   convolutional networks a few times faster.
# - Fits of growth windows and spectra of batches are hundreds to thousands of times faster than the
#   plain way.
# - Of {glue:text}`performance-goals` goals set beforehand {glue:text}`performance-met` are met and
#   {glue:text}`performance-missed` missed; the appendix says what limits each.
# - A sweep over a million networks lacks time. The exponents of a network of a hundred million
#   parameters lack memory.
#
# The figure to see is {numref}`fig-performance-ratios`.
# :::
#
# The papers' experiments are thousands of trainings, each of a small network. This chapter tests no
# claim of theirs. It shows how long such work takes with this library, beside rivals that do the
# same in the same run on the same machine: a plain PyTorch loop, JAX, PyHessian, `numpy.polyfit`
# and nolds. Then it shows how time and memory grow with the work, and counts on paper what two far
# larger experiments would cost.
#
# Nothing heavy is measured while this page is made. The measurements are read from a file, which
# `make bench KEEP=1` makes anew.

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
known = benchmarks.published()

# %% [markdown]
# ## Beside rivals
#
# We and the rival take turns, round by round, and their results are compared. A ratio is taken in
# each round: the rival's time in units of ours. Goals were set beforehand.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-performance-ratios
# | fig-cap: >-
# |   Times as fast as the rival: a row for each work, a mark for each number of threads and each
# |   variant (median over rounds, line: range). An upright stroke is the goal; full blue marks met
# |   theirs, open ones missed it, grey ones had none. One run of the benchmarks.
# | fig-alt: >-
# |   A row for each work on a logarithmic axis from below one to above a thousand, with a vertical
# |   line at one. Fits of growth windows and the spectrum of a batch lie farthest to the right;
# |   pruned descent and Hessian products lie left of one.
provenance.shown(draw.ratios(known), known)

# %% [markdown]
# Left of 1 the rival is faster ({numref}`fig-performance-ratios`). Two kinds of rows lie there by
# their nature and are prices, not races: a Hessian product beside a single gradient, and pruned
# descent beside descent without pruning, which has no spectrum to find. Sharpness was measured with
# an earlier search, which took sixteen products at least.
#
# A ratio says as much about the rival as about us. The loop over networks pays for every call of
# PyTorch on a few dozen weights, and a second thread helps it little. Nearest to what is possible
# is the comparison with the machine itself: descent on MNIST reaches a share of
# {glue:text}`performance-share:.2f` of the rate of large matrix products (median over threads and
# precisions; appendix, {numref}`fig-performance-shares`).
#
# ## Growth
#
# Work that is twice as large should take twice as long, and no more memory than its data do. Each
# size was measured in a process of its own.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-performance-growth
# | fig-cap: >-
# |   Time (above) and memory beyond what was in use before (below) against the number of networks,
# |   epochs, samples and parameters; the line is the power that fits, dashes are growth in
# |   proportion. One run of the benchmarks, four or five sizes each.
# | fig-alt: >-
# |   Two rows of panels on logarithmic axes. Times lie on straight lines no steeper than the dashed
# |   ones, but for a few per cent; memory rises with networks, samples and parameters, and not with
# |   epochs.
provenance.shown(draw.growth(known), known)

# %% [markdown]
# An exponent of 1 is growth in proportion. One below 1 says that small sizes pay for something that
# does not grow, such as the calls of PyTorch. Memory does not grow with epochs, because what is
# observed is handed on.
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
# The processor's rate is the one measured above. That of a GPU is its maker's nominal peak unless
# one was measured, and programs stay below a peak. The appendix has the formulas.

# %% tags=["hide-input"]
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

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-performance-plans
# | fig-cap: >-
# |   Costs on paper. (a) What lies in the memory of a device for one piece of work; vertical lines
# |   are the memories of the devices. (b) Hours against the number of devices, if memory sufficed,
# |   at the measured rate where there is one and else at the maker's nominal peak.
# | fig-alt: >-
# |   Left, bars on a logarithmic axis; those of the activations of all samples pass the memory of
# |   every device. Right, lines for the sweep that fall in proportion to the number of devices, and
# |   level ones for the exponents of one network.
single = [one for one in costs if one.machine.devices == 1]
provenance.shown(draw.plans(cost_model.over_devices(single, size.most_devices)), known)

# %% [markdown]
# **What the sweep lacks is time.** It would take {glue:text}`performance-sweep-cpu` on the
# processor that was measured, {glue:text}`performance-sweep-gpu` on the GPU, and
# {glue:text}`performance-sweep-cluster` on a cluster of these. Its networks know nothing of each
# other, so that devices divide the time ({numref}`fig-performance-plans`b).
#
# **What the exponents lack is memory.** The vectors themselves are
# {glue:text}`performance-vectors`, beside {glue:text}`performance-device` on the GPU. But first
# break the activations: a Hessian product keeps the values of *all* samples for every vector,
# {glue:text}`performance-activations`. Here the design breaks first; the appendix says what would
# help. More devices do not: the library spreads trajectories over devices, never the vectors of
# one, and the lines in {numref}`fig-performance-plans`b are level.
#
# ## Conclusion
#
# **What is fast.** Many small networks at once on an ordinary processor, spectra of small batches,
# and fits of growth windows.
#
# **What is not.** A few works miss their goal, most by little; the appendix has each with what
# limits it, from a profile.
#
# **How sure.** Every ratio is from one run on one machine, with its range over rounds; another
# processor changes it. Nothing was measured on a GPU unless the table of machines in the appendix
# names one.
#
# ## Exercises
#
# **1.** An ensemble of 3,000 networks has an exponent of time of 0.8 in the number of networks. By
# how much does the time grow if there are ten times as many?
#
# :::{dropdown} Solution
# By $10^{0.8} \approx 6.3$, while small sizes still pay for calls. Once products fill the processor
# the exponent tends to 1, and the time grows tenfold.
# :::
#
# **2.** One gradient of a perceptron with $P$ parameters, $D$ of them behind the first layer, takes
# $4P + 2D$ operations for a sample, and a Hessian product $4P + 8D$ more. How many gradients does a
# product cost for one hidden layer of 64 units on MNIST?
#
# :::{dropdown} Solution
# $P \approx 784 \cdot 64 + 64 \cdot 10 = 50{,}816$ and $D = 640$. So it is
# $(4P + 8D)/(4P + 2D) \approx 1.02$ gradients: the first layer dominates.
# :::

# %% [markdown]
# # Appendix: all measurements, and how costs are counted
#
# ## What was measured, on what

# %% tags=["hide-input", "nbval-ignore-output"]
told = ["processor", "cores", "threads", "cpu_capability", "device", "cuda", "platform"]
told += ["python", "torch", "commit", "date"]
about = pd.DataFrame({name: found.about for name, found in known.items()}).reindex(told)
about.dropna(how="all").fillna("")

# %% [markdown]
# `make bench KEEP=1` measures all of it again, installs the rivals for itself, and puts its file in
# the place of this one. What does something else is no rival. Both are warmed up. Where a rival
# would take hours, it is timed on a sample of the same work, and the dense spectrum of 5,350
# parameters, which takes tens of seconds, once. Compile time is told apart and not counted. Threads
# may spin as they wait, as PyTorch has it by default. In the rest of the book they sleep, because
# there several processes share the processor; that makes a loop with two threads slower than with
# one, and would flatter the library.
#
# ## Every work
#
# Times as fast as the rival, median over rounds, by threads; from the least to the greatest where a
# work has variants, such as two activations. What names no threads was measured with all.

# %% tags=["hide-input", "nbval-ignore-output"]
lines = pd.concat({name: found.side_by_side() for name, found in known.items()})
lines = lines.fillna("").droplevel(1).set_index(["work", "beside"])
lines

# %% [markdown]
# Each row with its times, the range over rounds, and by how much the results differ:

# %% tags=["hide-input", "hide-output", "nbval-ignore-output"]
rows = pd.concat([found.table().assign(on=name) for name, found in known.items()])
rows.drop(columns="what limits it").set_index(["on", "part"])

# %% [markdown]
# The exponent of a series is found as nolds finds it, from the nearest neighbour alone. With ten of
# them, our default, the mean distance begins larger and meets the size of the attractor sooner; the
# column of differences has the error of either. The authors' way pays for reading all images anew
# at every epoch, which is why the same loop with its batch in memory has a row of its own.
# `make bench` now times sharpness to a given error, early, midway and late in training: Lanczos
# ends by its own criterion, which also bounds the chance that a larger eigenvalue was missed, and
# power iteration as soon as its value is within that error, which by itself it cannot tell.
#
# ## Goals missed, and where the time goes
#
# Of each work and rival the row farthest from its goal:

# %% tags=["hide-input", "nbval-ignore-output", "hide-output"]
missed = {}  # (work, rival) → the row farthest from its goal
for row in sorted((row for of in known.values() for row in of.rows), key=lambda row: -row.ratio):
    if row.met is False:
        missed[row.work.partition(", ")[0], row.rival.partition(",")[0]] = {
            "ratio": f"{row.ratio:.3g}",
            "goal": f"{row.goal:.3g}",
            "what limits it": row.limit,
        }
pd.DataFrame.from_dict(missed, orient="index")

# %% [markdown]
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
# |   to be done if pixels that are zero were multiplied. One run of the benchmarks.
# | fig-alt: >-
# |   A row for each ensemble and number of threads, a mark on a linear axis that begins at zero,
# |   and a vertical line at one, the rate of large matrix products.
provenance.shown(draw.shares(known), known)

# %% [markdown]
# Rows for *all* inputs may pass 1 ({numref}`fig-performance-shares`): samples with alike zeros go
# through the network together, and what is zero for all of a block is left out, exactly. What is
# missing to 1 in the others is what is no product: the activation and its derivative, a pass over
# memory for each; and products with sides of 10 and 64 are far from the large square ones that set
# the rate.
#
# ## Growth, in numbers

# %% tags=["hide-input", "nbval-ignore-output", "hide-output"]
table = []
for found in known.values():
    for one in found.growths:
        grew = one.mebibytes and min(one.mebibytes) > 0
        memory = str(one.exponent("mebibytes")) if grew else ""
        ends = f"{one.sizes[0]:,.0f} to {one.sizes[-1]:,.0f} {one.quantity}"
        table.append([one.work, ends, str(one.exponent()), memory])
columns = ["work", "grows from", "exponent of time", "of memory"]
pd.DataFrame(table, columns=columns).set_index("work")

# %% [markdown]
# Intervals are Student's t of a line through the logarithms, 95%, from so few sizes that they are
# wide; exponents above 1 say that large sizes leave a cache. Where nothing was needed beyond what
# was there, no exponent is given.
#
# ## How costs are counted
#
# For a perceptron with $P$ parameters, $D$ of them weights behind the first layer, one gradient
# takes $4P + 2D$ operations for each sample, and one Hessian product $4P + 8D$, a multiplication
# and an addition counted as two. A QR decomposition of $k$ tangent vectors takes $4Pk^2$. Time is
# operations over a rate, and at least the bytes moved over the bandwidth where that is known;
# everything is in float64, which an $\epsilon$ of $10^{-8}$ needs.
# `netdyn_lib.experiments.cost_model` has the formulas. Memories are not measured: the processor's
# is assumed, the GPU's is its maker's.

# %% tags=["hide-input", "nbval-ignore-output"]
table = {
    machine.name: {
        "operations per second": f"{machine.rate:.2e}",
        "memory": cost_model.amount(machine.memory),
        "bandwidth": f"{cost_model.amount(machine.bandwidth)}/s" if machine.bandwidth else "",
        "the rate is": machine.basis,
    }
    for machine in (cpu, gpu)
}
pd.DataFrame.from_dict(table)

# %% tags=["hide-input", "nbval-ignore-output"]
works = {"sweep": sweep, "exponents": whole, "exponents, samples in blocks": blocks}
short = {work.name: name for name, work in works.items()}
table = {
    (short[one.work.name], f"{one.used:,} of {one.machine.devices:,} {one.machine.name}"): {
        "time": cost_model.in_words(one.seconds),
        "decided by": one.bound,
        "runs out first": one.first or "nothing",
    }
    for one in costs
}
pd.DataFrame.from_dict(table, orient="index")

# %% tags=["hide-input", "hide-output", "nbval-ignore-output"]
table = {
    name: {
        "what": work.name,
        "operations": f"{work.operations:.1e}",
        "needed at least": f"{work.least:.1e}",
        "bytes moved": f"{work.moved:.1e}",
        "results": cost_model.amount(work.kept),
    }
    for name, work in works.items()
}
pd.DataFrame.from_dict(table)

# %% [markdown]
# Of the sweep, a group of a reference and its copies is a shard and a file, and as many devices as
# there are groups divide the time. A device needs memory for one group, and for the images,
# {glue:text}`performance-samples` in the layouts that products want, which every device holds for
# itself. What is kept of all networks is {glue:text}`performance-kept`; their weights at one epoch
# would be {glue:text}`performance-states`, so nothing that needs the weights later can be asked of
# such a sweep.
#
# Of the exponents, a step of the tangent map repeats the state for each vector and makes
# {glue:text}`performance-frames` of the vectors. Descent takes samples in blocks, and so do the
# Hessian products of sharpness; those of tangent vectors do not. With blocks it would be the
# vectors: at {glue:text}`performance-largest:,` parameters they fill that GPU with nothing left for
# anything else. And each vector takes the gradient along anew:
# {glue:text}`performance-spare:.2f` times the operations that are needed. To go further, linearise
# once for all vectors, take samples in blocks, and give each device its share of the samples, at
# the price of exchanging the vectors at every step.
#
# ## A look at this machine
#
# Last, the one thing that is timed here: a step of one network on Iris by one thread, a few
# networks, while whatever else this machine does goes on. It is rough, and not compared with
# anything; `make bench` is the measurement.

# %% tags=["hide-input"]
balls = networks.perturbed(tasks.get("iris").initial(size.step_networks // 6, seed), 1e-8, 5, seed)
plain, times = gradient_descent.GradientDescent(tasks.get("iris"), 1.0), []
with torch_utils.one():  # one thread
    for _ in range(1 + size.rounds):
        began = time.perf_counter()
        gradient_descent.run(plain, balls, size.epochs, observe=("distance",), workers=1)
        times.append(time.perf_counter() - began)
steps = balls.shape[0] * balls.shape[1] * size.epochs
here = 1e6 * np.array(times[1:]) / steps  # the first warms up

# %% tags=["hide-input", "nbval-ignore-output", "hide-output"]
there = next(row for row in known["cpu"].rows if row.work.startswith(size.step_row))
both = {"benchmark": there.ours, "here, roughly": here}
table = {name: [np.median(t), np.min(t), np.max(t)] for name, t in both.items()}
columns = [f"median, {there.unit}", "least", "greatest"]
pd.DataFrame.from_dict(table, orient="index", columns=columns).round(3)

# %% tags=["hide-input"]
# What the alt texts and captions say
found = known["cpu"]
medians = {work.name: [row.ratio for row in work.rows] for work in found.by_work()}
top = sorted(medians, key=lambda name: -max(medians[name]))[:2]
assert set(top) == {"Growth window", "Spectrum of a batch of 8"} and max(medians[top[1]]) > 500
assert max(medians["Descent"]) < 1 and max(medians["Hessian–vector product with its gradient"]) < 1
loops = [work for work in found.by_work() if work.rival == "one nn.Module after another"]
assert {work.name for work in loops} == {"Iris 4-10-3", "Convolutional network"}
assert min(medians["Iris 4-10-3"]) > 1 and 1 < min(row.ratio for row in loops[-1].rows) < 10
steep = {one.quantity: one.exponent().estimate for one in found.growths}
assert max(steep.values()) < 1.1
memory = {one.quantity: one.exponent("mebibytes").estimate for one in found.growths}
assert memory["epochs"] < 0.1 < min(memory[name] for name in ("networks", "samples", "parameters"))
assert whole.memory["activations of all samples"] > max(cpu.memory, gpu.memory)
assert all(4 <= len(one.sizes) <= 5 for one in found.growths)

# %% tags=["remove-cell", "nbval-ignore-output"]
met = [row.met for found in known.values() for row in found.rows if row.met is not None]
glue_all("performance", goals=len(met), met=sum(met), missed=len(met) - sum(met))
shares = [row.ratio for row in known["cpu"].rows if row.shares and row.goal is not None]
glue_all("performance", share=np.median(shares))
words = zip(("sweep_cpu", "sweep_gpu", "sweep_cluster"), costs)
glue_all("performance", **{name: cost_model.in_words(one.seconds) for name, one in words})
glue_all("performance", networks=size.sweep_networks, count=size.exponents)
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
