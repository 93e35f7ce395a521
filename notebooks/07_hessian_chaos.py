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
# # Hessian chaos: what negative curvature is for
#
# :::{admonition} In short
# :class: tip
# - Herrmann 2022 take the directions of negative curvature out of every step, and find that the
#   network hardly learns: {verdict}`H-negative-hurts`
# - In three networks, as many random directions can be spared: {verdict}`H-direction`
# - With a learning rate a hundred times larger these networks learn without them too, only more
#   slowly: {verdict}`H-inevitable`
# - What is taken out is signal: these directions hold much of what a batch has in common with all
#   samples. Nothing here says that chaos is needed.
# - Perturbed copies part by jumps where units have a kink. The paper's law for their distance,
#   $\sqrt{\alpha t^2 + \beta t}$: {verdict}`H-fig3-law`
#
# The figures to see are {numref}`fig-arms-sets` and {numref}`fig-contributions`.
# :::
#
# In a direction of negative curvature, one step of gradient descent drives neighbouring networks apart. {cite:t}`herrmann2022` call such directions *locally chaotic*,
# take them out of the gradient at every step of training, and find that the network hardly learns; without the directions of positive curvature it learns nearly as well as ever.
# They conclude that chaos is intrinsic to training. Then they perturb networks at the start and watch them part, for 40 epochs.
#
# This chapter repeats both, with the controls on which the conclusion depends: as many random directions taken out, the gradient's lost length restored, the learning rate tuned anew;
# the full batch beside the mini-batch; several networks, and intervals. It also examines the paper's two theorems, and the law and the bounds that they give for the parting of perturbed copies.
#
# The network has 256 inputs (USPS digits of 16×16 pixels), 20 hidden units with ReLU and 10 outputs, 5,350 parameters in all, drawn as PyTorch draws them; batches of 8, $\gamma = 10^{-3}$, no momentum.
# The paper's text says 784-20-10, which does not fit its images.

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from scipy import stats

from netdyn_lib.curvature import batch_hessian, batch_noise
from netdyn_lib.experiments import pruning_exponents, sgd_spectra, sizes
from netdyn_lib.experiments.perturbation_growth import analysis as distances
from netdyn_lib.experiments.perturbation_growth import experiment
from netdyn_lib.experiments.perturbation_growth.directions import Search
from netdyn_lib.experiments.perturbation_growth.divergence import independent
from netdyn_lib.experiments.pruning_ablation import analysis as ablation
from netdyn_lib.experiments.pruning_ablation import published, results
from netdyn_lib.figures import hessian as draw
from netdyn_lib.results import claims, provenance
from netdyn_lib.results.glue import glue_all
from netdyn_lib.statistics.intervals import student
from netdyn_lib.tasks import gradients, networks, tasks

# %% tags=["parameters", "hide-input"]
profile = "laptop"
device = "auto"
seed = 0
# None means the profile's; of what is computed here beside the arms
learning_rate = None  # γ
batch = None  # samples of a mini-batch
spectrum_networks = None
spectrum_times = None  # steps t of the exponents over [0, t]
twin_networks = None
twin_steps = None
horizon = None  # steps whose tangent product gives the directions
epsilon = None  # length of a perturbation along these
epsilons = None  # lengths in a random direction

# %% [markdown]
# ## Local exponents, and which directions are chaotic
#
# A step $W \mapsto W - \gamma\,g(W)$ has the Jacobian $I - \gamma H$, $H$ the Hessian of the batch's loss. Along an eigenvector with eigenvalue $\lambda$ a perturbation is multiplied by $1 - \gamma\lambda$,
# so its *local exponent* is $\ln|1 - \gamma\lambda|$, and it grows where
#
# $$
# \lambda < 0 \quad\text{or}\quad \lambda > 2/\gamma ,
# $$
#
# which is the paper's theorem 2.1. Directions with $\lambda = 0$ are neutral. The paper's *chaotic* directions are those of both kinds; here $2/\gamma$ is 2,000, far above any eigenvalue.
# An eigenvalue counts as zero where it is below $10^{-12}$ of the largest; rounding leaves $10^{-15}$. The count matters: a dense eigensolver returns some 5,000 numerical zeros for this network, with random signs.
#
# ### The exact spectrum of a mini-batch
#
# Herrmann 2022 computed the whole Hessian at every step. For a perceptron nearly all of it is zero. The loss of $B$ samples sees the first layer's weights $W_1$ (bias included) only through $W_1 \tilde x_b$.
# Let $Q$ have orthonormal columns that span the $\tilde x_b$, at most $B$ of them, so that $\tilde x_b = Q\,r_b$. Then the loss is a function of $W_1 Q$ and of the deeper layers: it is that of a small network with inputs $r_b$.
# With $S = (I_\text{units} \otimes Q) \oplus I$, which has orthonormal columns,
#
# $$
# H = S\,M\,S^{\mathsf T}, \qquad g = S\,m ,
# $$
#
# where $M$ and $m$ are Hessian and gradient of the small network. The eigenvalues of $H$ are those of $M$, with eigenvectors $S u$, and zeros: for batches of 8, $8\cdot 20 + 210 = 370$ dimensions instead of 5,350.
# Only the first layer is confined in this way; what a deeper one sees changes with the weights below it.
#
# Of these dimensions some are known to be flat before anything is solved. A unit with ReLU that is off for a sample does not see it, so its weights matter only in the span of the samples for which it is on.
# And cross-entropy does not change when the same number is added to all outputs, so the weights out of each unit matter only across that direction. What is left, in a small network, is counted below. Nothing is approximated:

# %%
small = tasks.get("digits-small", samples=8)
against = batch_hessian.against_dense(small, small.initial(1, seed)[0])
assert against.apart < 1e-10 and against.matrix_apart < 1e-10

# %% tags=["nbval-ignore-output"]
print(against)

# %% [markdown]
# A convolution sees each pixel with the same few weights, and no such frame confines it. But where the last layer is linear, $z_b = V\tilde a_b$ with features $\tilde a_b$ that depend on the $p$ parameters $\theta$ below, most of $H$ is known without differentiating twice:
#
# $$
# \frac{\partial^2 L}{\partial V^2} = \sum_b L''_b \otimes \tilde a_b \tilde a_b^{\mathsf T} ,
# $$
#
# $L''_b$ being the curvature of the loss in the outputs. It acts in as many dimensions as the batch's features span, for each output. The rest of $H$ are $p$ products with it, one along each parameter below; what they reach of $V$ is at most $p$ dimensions more.
# Here for a network as the paper's convolutional one, on the digits:

# %%
convolutional = tasks.get("digits-usps-cnn", samples=8)
against = batch_hessian.against_dense(convolutional, convolutional.initial(1, seed)[0])
assert against.apart < 1e-10 and against.matrix_apart < 1e-10

# %% tags=["nbval-ignore-output"]
print(against)

# %% [markdown]
# ## Pruned descent
#
# Each *arm* of the experiment trains the same networks on the same batches with one rule: at every step the eigenvectors of the batch's Hessian are found, and the gradient's part along the named ones is taken out.
# *Negative*, *positive* and *chaotic* are the paper's; at this $\gamma$ no eigenvalue comes near $2/\gamma$, so *chaotic* and *negative* prune the same, and with ReLU only *negative* is followed. *random-same* takes out a random subspace of as many dimensions as there are negative eigenvectors, uniform in the span of all eigenvectors that are not neutral;
# *random-same-positive* of as many as are positive. *-norm* arms restore the length of the whole gradient.
# Curves are means over networks, bands go from the lowest to the highest.

# %% tags=["hide-input"]
size = sizes.sizes(
    "07_hessian_chaos",
    profile,
    learning_rate=learning_rate,
    batch=batch,
    spectrum_networks=spectrum_networks,
    spectrum_times=spectrum_times,
    twin_networks=twin_networks,
    twin_steps=twin_steps,
    horizon=horizon,
    epsilon=epsilon,
    epsilons=epsilons,
)

# %%
here = results.live("usps", profile, seed)
papers = results.paper()  # task → arms, published
known, sigmoid = papers.get("usps", here), papers.get("usps-sigmoid", here)
task = tasks.get(results.live_task("usps"))


def there(*labels):
    """Those of some arms that are there; all arms where none is."""
    return [label for label in labels if label in known.arm] or known.arm.values.tolist()


# %% tags=["nbval-ignore-output"]
rows = {"here": (here, here.attrs["data"])}
rows |= {name: (data, data.attrs["provenance"]) for name, data in papers.items()}
for name, (data, source) in rows.items():
    count, steps = int(data.present.sum()), int(data.step.max())
    print(f"{name}: {data.sizes['arm']} arms, {count} networks, {steps:,} steps ({source})")
if here.attrs["task"] != "usps":
    print(f"NOTE: the images of USPS are not at hand; arms of {here.attrs['task']} stand in")

# %% tags=["hide-input"]
# | label: fig-arms-live
# | fig-cap: >-
# |   Pruned descent over the first steps, computed here: test accuracy and test loss by arm.
# | fig-alt: >-
# |   Two panels over some 1,500 steps. Test accuracy rises fastest without pruning; with negative
# |   directions pruned it stays lowest, with random ones in between. The test loss is the mirror
# |   image.
draw.curves(here)

# %% [markdown]
# And over the 40 epochs of the paper's Fig. 1, published. Arms that are missing here and in the figures below are not published yet; the end of the chapter lists them.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-sets
# | fig-cap: >-
# |   Herrmann 2022, Fig. 1: test accuracy and test loss over 40 epochs without pruning and with
# |   each set of directions pruned from the start. Published arms where there are any, else those
# |   computed here.
# | fig-alt: >-
# |   Two panels. Without pruning accuracy rises at once to above nine tenths. The other arms lie
# |   below it, the one without negative directions lowest.
arms = there("none", "negative", "positive", "chaotic")
provenance.shown(draw.curves(known, arms), known)

# %% tags=["nbval-ignore-output"]
ablation.summary(known)

# %% [markdown]
# Over 40 epochs networks without negative directions end at a test accuracy of {glue:text}`hessian-negative:.3f`. On USPS that is what guessing the most frequent class gives: such a network has learned how frequent the classes are, and nothing of the images.
# (Guessing gives {glue:text}`hessian-majority:.3f` with the images that this page was computed on; without those of USPS they are digits.)
# A random subspace of as many dimensions, drawn anew at each step, leaves {glue:text}`hessian-random-same:.3f`, beside {glue:text}`hessian-none:.3f` without pruning: it delays learning, and hardly more.
#
# ## Is it the direction, or the lost length?
#
# Taking out directions does two things to a gradient: it turns it, and it shortens it. A shorter gradient is a lower learning rate, and a network that learns more slowly is not one that cannot learn.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-kept
# | fig-cap: >-
# |   Length of the gradient that pruning leaves, in units of the whole.
# | fig-alt: >-
# |   Kept length over training, one curve for each arm, between zero and one; without negative
# |   directions less is left than without positive ones late in training.
arms = there("negative", "positive", "random-same", "random-same-positive")
provenance.shown(draw.kept(known, arms), known)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-controls
# | fig-cap: >-
# |   The controls: arms that prune negative directions, as many random ones, and each with the
# |   gradient's length restored.
# | fig-alt: >-
# |   Two panels, test accuracy and test loss over training, of up to six arms.
arms = there("none", "negative", "random-same", "negative-norm", "random-same-norm")
provenance.shown(draw.curves(known, arms), known)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-differences
# | fig-cap: >-
# |   Test accuracy at the end that each arm costs, in pairs: the same networks, the same batches;
# |   mean and 95% interval over networks (Student's t).
# | fig-alt: >-
# |   A row for each arm with a point and a bar; the zero line is training without pruning.
pace = {label: (arm.learning_rate, arm.momentum) for label, arm in ablation.arms(known).items()}
costs = {
    label: ablation.lost(known, label)
    for label in pace
    if label != "none" and pace[label] == pace["none"]
}
costs = dict(sorted(costs.items(), key=lambda pair: -pair[1].estimate))
provenance.shown(draw.differences(costs), known)

# %% [markdown]
# The length is not what is missing: with it restored at each step, networks without negative directions end at {glue:text}`hessian-negative-norm:.3f`, those without as many random ones at {glue:text}`hessian-random-same-norm:.3f` ({numref}`fig-arms-controls`).
#
# Positive directions pruned, networks end at {glue:text}`hessian-positive:.3f`; as many random ones pruned, at {glue:text}`hessian-random-same-positive:.3f`. Training does without the positive directions far better than without the negative ones, but not better than
# without as many others: measured against this control they do not hold less.
#
# ## With a learning rate of its own
#
# The length that is restored at one step does not restore the way that a network would have come with longer steps from the start. So each rule gets the best learning rate of those tried.
# Rates were added at the upper end while accuracy still rose there; where a curve below still rises at its largest rate, a larger one may do better, and the row of the scorecard says so.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-rates
# | fig-cap: >-
# |   Test accuracy at the end against the learning rate; dashed, the paper's. Published arms where
# |   there are any.
# | fig-alt: >-
# |   Test accuracy against learning rate on a logarithmic axis, without pruning and with negative
# |   or positive directions pruned, with intervals.
provenance.shown(draw.rates(ablation.rates(known), mark=size.learning_rate), known)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-retuned
# | fig-cap: >-
# |   Negative directions pruned at several learning rates, at the largest also all chaotic ones,
# |   beside training without pruning at the smallest and the largest of them. Published arms where
# |   there are any.
# | fig-alt: >-
# |   Two panels over 40 epochs. With negative directions pruned, test accuracy rests on plateaus
# |   below a third and leaves them the earlier the larger the learning rate; at 0.1 it joins the
# |   curve without pruning.
arms = there(
    *("none", "none-at-0.1", "negative", "negative-at-0.01", "negative-at-0.03"),
    *("negative-at-0.1", "chaotic-at-0.1"),
)
provenance.shown(draw.curves(known, arms), known)

# %% [markdown]
# {numref}`fig-arms-retuned`: without its negative directions a network is slow to leave the plateaus on which it knows how frequent the classes are and little else, and the sooner it leaves them the larger $\gamma$ is.
# At $\gamma = 0.1$, a hundred times the paper's, it has left them after half of the 40 epochs, and ends at {glue:text}`hessian-negative-at-0.1:.3f`, beside {glue:text}`hessian-none-at-0.1:.3f` with all directions at the same rate and {glue:text}`hessian-none:.3f` at the paper's.
# So negative directions make training fast, and at the paper's rate 40 epochs are too few without them; but a network can learn without them as well as with them. Herrmann 2022 conclude that locally chaotic directions cannot be taken out *without hurting performance*; with the rate tuned, those of negative curvature can.
# The paper's chaotic set has eigenvalues above $2/\gamma$ too, which pruning of negative directions leaves in. At so large a rate there are some, at {glue:text}`hessian-edge:.1f`% of the steps observed.
# With these pruned as well, so that no locally chaotic direction of the batch is left, networks end at {glue:text}`hessian-chaotic-at-0.1:.3f`.

# %% [markdown]
# Test accuracy is not all of *performance*. Of training itself the table has the mean loss of batches over the last quarter, and the steps until test accuracy first is 0.9, of each rule at that learning rate at which it is best, network by network.

# %%
training = {
    "loss": known.loss.where(known.step > 0.75 * known.step.max()).mean("step"),  # (arm, seed)
    "steps to 0.9": known.step.where(known.test_accuracy >= 0.9).min("step"),  # NaN for never
}
best = {}  # (quantity, rule) → (seed,), by the arm of least mean
for what, values in training.items():
    means = values.fillna(np.inf).where(known.present).mean("seed")
    for rule in ("none", "negative"):
        tried = list(ablation.by_rate(known, rule).values())
        best[what, rule] = values.sel(arm=means.sel(arm=tried).idxmin("arm"))

# %% tags=["nbval-ignore-output"]
rows = {(what, found.arm.item()): found.to_series() for (what, _), found in best.items()}
pd.DataFrame.from_dict(rows, orient="index").map("{:.4g}".format)

# %% [markdown]
# By these the networks without negative directions do worse: they need some ten times as many steps, and their training loss ends about ten times as high, though low.
#
# ## Fewer directions, momentum, and other networks
#
# How many of the negative directions does it take? Below, only the ten largest are pruned, or any ten of them; and all of them where descent has momentum 0.9.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-fewer
# | fig-cap: >-
# |   Ten of the negative directions pruned, the largest or any, and all of them with momentum.
# |   Published.
# | fig-alt: >-
# |   Two panels, test accuracy and test loss over training: without pruning, with all negative
# |   directions pruned and with ten of them, and the first two with momentum.
arms = there(
    *("none", "negative", "negative-top-10", "negative-random-10"),
    *("none-momentum", "negative-momentum"),
)
provenance.shown(draw.curves(known, arms), known)

# %% [markdown]
# {numref}`fig-arms-fewer`: any ten of the negative directions can be spared, and so can the ten largest. Networks end at {glue:text}`hessian-negative-random-10:.3f` and {glue:text}`hessian-negative-top-10:.3f`, without pruning at {glue:text}`hessian-none:.3f`.
# With momentum $\mu = 0.9$ at the paper's rate they end at {glue:text}`hessian-none-momentum:.3f`, and at {glue:text}`hessian-negative-momentum:.3f` with negative directions pruned. At ten times the paper's rate and without momentum it was {glue:text}`hessian-none-at-0.01:.3f` and {glue:text}`hessian-negative-at-0.01:.3f`:
# momentum gives back no direction, it acts as the learning rate $\gamma/(1 - \mu)$ does.

# %% [markdown]
# And without batches: the same number of steps, each of all samples. Such a run has the gradient's noise taken out in place of its negative directions.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-full-batch
# | fig-cap: >-
# |   Descent by batches of 8 and by all samples at once, as many steps of the same length, without
# |   pruning; and by batches with negative directions pruned. Arms that are not published yet are
# |   missing.
# | fig-alt: >-
# |   Two panels, test accuracy and test loss over training: the curves of batches and of all
# |   samples, and that of batches with negative directions pruned.
provenance.shown(draw.curves(known, there("none", "none-full-batch", "negative")), known)

# %% [markdown]
# With all samples at every step networks end at a test accuracy of {glue:text}`hessian-none-full-batch:.3f`, with batches at {glue:text}`hessian-none:.3f` ({numref}`fig-arms-full-batch`). At the paper's learning rate descent without any noise of batches ends where descent with it does, so that noise is not what pruning takes away to such effect.
#
# The paper's second network is convolutional: here four kernels of 3×3 pixels with padding and ReLU (40 parameters), 3×3 max-pooling, and a linear layer (1,010). The paper's code has some 1,160 parameters, and the paper does not list them layer by layer.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-convolutional
# | fig-cap: >-
# |   The convolutional network over 40 epochs, without pruning and with each set pruned.
# |   Published.
# | fig-alt: >-
# |   Two panels, test accuracy and test loss of the convolutional network over training, a curve
# |   for each set of directions pruned.
small_network = papers["usps-cnn"]
provenance.shown(draw.curves(small_network), small_network)

# %% [markdown]
# Without negative directions it ends at {glue:text}`hessian-convolutional-negative:.3f`, without pruning at {glue:text}`hessian-convolutional-none:.3f`, at the paper's learning rate; the perceptron at {glue:text}`hessian-negative:.3f` and {glue:text}`hessian-none:.3f`.
#
# All other tasks at the paper profile, as far as they are published: sigmoid units, the digits of scikit-learn, and the convolutional network.

# %% tags=["nbval-ignore-output"]
others = {name: ablation.summary(data) for name, data in papers.items() if name != "usps"}
pd.concat(others, names=["task", "arm"])

# %% [markdown]
# ## The onset of pruning
#
# The paper's Fig. 2 lets networks with sigmoid units, which learn more slowly, train for a while before pruning begins.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-onset
# | fig-cap: >-
# |   Herrmann 2022, Fig. 2: sigmoid units, chaotic directions pruned from the step marked on.
# |   Published arms; without these, the arms computed here.
# | fig-alt: >-
# |   Two panels over 40 epochs: test accuracy and test loss without pruning, with pruning from the
# |   start, and from steps 2,000, 5,000 and 10,000, marked by dashed lines.
onsets = {label: arm.onset for label, arm in ablation.arms(sigmoid).items() if arm.onset}
provenance.shown(draw.curves(sigmoid, onsets=onsets), sigmoid)

# %% [markdown]
# ## Eigenvalues and the gradient
#
# How many eigenvalues are positive and negative, and where does the gradient lie?

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-counts
# | fig-cap: >-
# |   Eigenvalues of a batch's Hessian within its range, by sign, over training, for each set
# |   pruned.
# | fig-alt: >-
# |   Panels for up to four arms; in each, counts of positive and negative eigenvalues, some
# |   hundred each, over training.
arms = there("none", "negative", "positive", "random-same")
provenance.shown(draw.counts(known, arms), known)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-overlaps
# | fig-cap: >-
# |   Share of the squared gradient along positive and negative eigenvectors of the batch's
# |   Hessian.
# | fig-alt: >-
# |   Panels for up to four arms; in each, shares between zero and one of positive and negative
# |   directions over training.
provenance.shown(draw.overlaps(known, arms), known)

# %% [markdown]
# Within the range of a batch's Hessian both counts rise at first and then stay; Herrmann 2022 report that the negative ones become fewer. Without pruning nearly all of the gradient's length lies along positive eigenvectors once the network has learned something.
#
# Herrmann 2022 resolve the contradiction between the importance of negative directions and their small part of the gradient by supposing that negative curvature comes first in training. There is a simpler resolution, and it can be measured.
# A batch's gradient $g_b$ is a noisy copy of the whole gradient $g$. A step $-\gamma g_b$ changes the loss of *all* samples by $-\gamma\langle g, g_b\rangle$ to first order, and the part $P_c\,g_b$ of it that lies in a class of the batch's eigenvectors
# contributes $-\gamma\langle g, P_c\,g_b\rangle$. What counts is this share of the descent, not the share of $|g_b|^2$:

# %%
rate, samples = size.learning_rate, size.batch
descent = sgd_spectra.MiniBatchDescent(task, rate, samples, seed)
states = descent.states(0, size.times)  # step → parameters of a network
parts = {
    step: batch_noise.measure(task, params, samples, size.batches, seed)
    for step, params in states.items()
}

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-contributions
# | fig-cap: >-
# |   What the negative directions of a batch's Hessian hold of the batch's gradient, what they
# |   contribute to the descent of the whole training loss, and what as many random directions
# |   would take; 95% intervals over batches.
# | fig-alt: >-
# |   Three series of shares over training steps, with intervals: of the squared gradient, of the
# |   descent, and of the number of directions.
draw.contributions(parts)

# %% tags=["nbval-ignore-output"]
batch_noise.contribution_table(parts)

# %% [markdown]
# At the third of these steps the negative directions of a batch hold {glue:text}`hessian-length:.0%` of its squared gradient, and contribute {glue:text}`hessian-descent:.0%` of the descent; as many random directions would take {glue:text}`hessian-random:.0%`.
# The gradient's part along positive eigenvectors is long, but on USPS, after the first steps, it is mostly the batch's own: it points another way in every batch. The shorter part along negative eigenvectors agrees better with the gradient of all samples.
# What pruning leaves of the descent is the rest, and that is the order in which the arms learn.
# So there is no paradox to resolve: *where the gradient lies* and *what makes the loss fall* are two questions. Late in training, when next to nothing is left to descend, the shares are not determined any more.
#
# ### How much of the negative spectrum is noise of the batch?
#
# Take the negative eigenvectors of a batch's Hessian, and measure the curvature of the *full* training loss along each: if it is negative too, the direction is one of the loss; if not, it is one of the draw.

# %%
noise = {
    f"step {step:,}": batch_noise.compare(
        task, states[step], samples, size.noise_batches, seed, step
    )
    for step in size.noise_times
}

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-batch-noise
# | fig-cap: >-
# |   Each negative eigenvalue of some batches' Hessians, and the full batch's curvature along the
# |   same eigenvector; on the dashed line the full batch curves as the batch does.
# | fig-alt: >-
# |   Scatter plots, one for each time. Points lie above the dashed diagonal: the full batch's
# |   curvature is less negative than the batch's, and for many directions positive.
draw.noise(noise)

# %% tags=["nbval-ignore-output"]
batch_noise.table(noise)

# %% [markdown]
# And a small network's full batch, whole, beside its mini-batches (digits, 64-8-10):

# %%
little = tasks.get("digits-small")
little_descent = sgd_spectra.MiniBatchDescent(little, rate, samples, seed)
stages = little_descent.states(0, size.small_times)

# %% tags=["nbval-ignore-output"]
batch_noise.along(little, stages, samples, size.noise_batches, seed).round(3)

# %% [markdown]
# ## Theorem 2.1: what one step does
#
# The theorem is an identity of first order: along an eigenvector a step multiplies a small distance by $|1 - \gamma\lambda|$. Below, each eigenvector of a batch's Hessian is followed through one step of that batch by central differences of the gradient, in five networks at their start:
# at the paper's rate, where no $\lambda$ comes near $2/\gamma$, and at $\gamma = 4/\lambda_{\max}$, where some are above it. A step grows where the theorem says so.

# %%
agree, tested = [], {"λ < 0": 0, "λ > 2/γ": 0, "between": 0}
for network in range(5):
    params, part = little_descent.initial(network), little_descent.reference(network, 1).part(0)
    found, gradient = batch_hessian.spectrum(part, params), gradients.of(part)
    values, vectors = found.values, found.embed(found.basis.T)  # (m,), (m, P)
    images = (gradient(params + 1e-6 * vectors) - gradient(params - 1e-6 * vectors)) / 2e-6
    right = []
    for gamma in (rate, 4 / values.max()):
        clear = np.abs(np.log(np.abs(1 - gamma * values))) > 1e-6  # from what is neutral
        grown = (vectors - gamma * images).norm(dim=1).numpy() > 1
        kinds = {"λ < 0": values < 0, "λ > 2/γ": values > 2 / gamma}
        chaotic = np.logical_or(*kinds.values())
        right += (grown == chaotic)[clear].tolist()
        for name, of_kind in (kinds | {"between": ~chaotic}).items():
            tested[name] += int(of_kind[clear].sum())
    agree.append(np.mean(right))

# %% tags=["nbval-ignore-output"]
print(f"{np.mean(agree):.2%} of {sum(tested.values())} directions as the theorem says: {tested}")

# %% [markdown]
# Growth in one step of one batch is not chaos: the next batch has other directions. The rest of the chapter asks what is left of it over many steps.
#
# ## Theorem 2.2: can pruned descent still diverge?
#
# The paper's second theorem says that descent without chaotic directions has no orbits that diverge exponentially. As printed, its tangent map is $Y \leftarrow (I - \gamma P)\,Y$, with $P$ the projector on what is kept. The Hessian is missing from it, and so are the units of curvature.
# With the Hessian put in, $I - \gamma P H$ has no eigenvalue beyond 1 in magnitude, it is symmetric, and no product of such maps grows. But that is not the derivative of pruned descent, for the projector turns with the weights:
#
# $$
# J\,\delta = \delta - \gamma\,\big[P H\,\delta + (\partial P[\delta])\,g\big],
# \qquad
# \partial P[\delta] = -\sum_{i\ \text{pruned},\ j\ \text{kept}} \frac{v_j^{\mathsf T}\,\partial H[\delta]\,v_i}{\lambda_i - \lambda_j}\,\big(v_j v_i^{\mathsf T} + v_i v_j^{\mathsf T}\big)
# $$
#
# {cite:p}`kato1995`. The second term does not vanish unless the loss is quadratic or the gradient is zero. It is not symmetric, and it can expand: where $L = \varphi(|W|)$ with $\varphi' < 0 < \varphi''$, the tangential directions are the chaotic ones, the gradient has no part along them,
# so pruning changes nothing, and neighbours part at the rate $1 - \gamma\varphi'/|W| > 1$, as without it. With mini-batches that take turns such a factor repeats.
#
# ### A network of two weights
#
# Let $f(x) = x_1 w_1^2 + x_2 w_2^2$ learn two samples, $x = (1, 1)$ with target 1 and $x = (1, 0)$ with target 0, one at a step, by half the squared error. Of the first sample $\varphi(r) = (r^2 - 1)^2/2$, chaotic across $w$ where $1/3 < r^2 < 1$;
# the second has no curvature along $w_2$, and pulls $w_1$ back. From $w_2 = 0$ descent settles on a cycle of the two samples, where $w_1^2 = a^2$ before the first. Pruning takes nothing from its gradients, and $w_2$ grows by the factor $1 + 2\gamma(1 - a^2)$ an epoch, for ever as far as first order goes. Followed step by step, with the chaotic eigenvectors of each sample's Hessian pruned:


# %%
def pruned_step(w, x, y, gamma=0.1):
    """One step against a sample's loss (f − y)²/2, without the chaotic part of its gradient."""
    rest, slope = x @ w**2 - y, 2 * x * w  # f − y and ∇f
    values, vectors = np.linalg.eigh(2 * rest * np.diag(x) + np.outer(slope, slope))
    kept = vectors[:, (values >= 0) & (values <= 2 / gamma)]
    return w - gamma * kept @ (kept.T @ (rest * slope))


# %%
copies, between, before = [np.array([0.7, 0.0]), np.array([0.7, 1e-9])], [], []
for _ in range(151):
    between.append(np.linalg.norm(copies[1] - copies[0]))
    before.append(copies[0][0])  # a
    for x, y in (((1.0, 1.0), 1.0), ((1.0, 0.0), 0.0)):
        copies = [pruned_step(w, np.array(x), y) for w in copies]
parting = np.diff(np.log(between))  # of each epoch
expected = np.log(1 + 0.2 * (1 - before[-1] ** 2))
print(f"ln d grows by {parting.min():.4f} to {parting.max():.4f} an epoch, as {expected:.4f}")
print(f"distance after 150 epochs: {between[-1] / between[0]:.2g} times the first")

# %% [markdown]
# That is exponential growth of the distance of two copies, at a constant rate, under pruned descent: the guarantee does not hold. It holds with the projector held fixed, which is another map.
#
# ### In a network that learns
#
# Whether it matters where a network learns is another question. Here $\ln\sigma_1$ of the product of derivatives, from the same starts, on the digits with four hidden units. Exponential growth would be a straight line from the origin.

# %%
few_units = networks.MLP((64, 4, 10), "relu")
digits = tasks.custom(
    "digits, 64-4-10", few_units, little.loss, little.x, little.y, initialisation="pytorch"
)
digits_descent = sgd_spectra.MiniBatchDescent(digits, rate, samples, seed)
growth = pruning_exponents.compare(digits_descent, size.map_networks, size.map_times)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-pruned-growth
# | fig-cap: >-
# |   Largest growth of a perturbation, ln σ₁ of the product of derivatives, along plain descent,
# |   along pruned descent by its true derivative, and with the projector held fixed; digits,
# |   64-4-10. Mean over networks and their range.
# | fig-alt: >-
# |   Growth over steps for three maps. With the projector held fixed it stays at zero; plain
# |   descent and pruned descent with its true derivative both rise.
draw.maps(growth)

# %% [markdown]
# By the true derivative perturbations of pruned descent grow in every network that is followed here, in the second half of these steps about as much as in the first, and far less than along plain descent:

# %% tags=["nbval-ignore-output"]
end = growth.growth.isel(time=-1)  # ln σ₁ (map, network)
middle = growth.growth.sel(time=growth.time[-1] / 2, method="nearest")
halves = {"first half": middle, "second half": end - middle}
pd.DataFrame({name: of.mean("network").to_series() for name, of in halves.items()})

# %% [markdown]
# A pace that lasts is what exponential growth would have, but so little in so few steps proves none: at this pace it would take longer than the 40 epochs of training to grow by a factor of $e$. What refutes the guarantee is the network of two weights; what the digits show is that where a network learns there is little growth to be ruled out, with pruning or without.
#
# ## Exponents over training
#
# Finite-time exponents over $[0, t]$ are $\ln\sigma_i(Y)/t$, $Y = J(t-1)\cdots J(0)$. Herrmann 2022 take them from the eigenvalues of $Y^{\mathsf T} Y$, which in double precision loses all that is below $10^{-8}$ of the largest.
# Nor does Benettin's method help in so short a time: at $\gamma = 10^{-3}$ one vector drawn at random among 5,000 neutral directions hardly turns towards those that grow. Here a small network has its whole spectrum, from $Y = Q D T$ kept to full relative accuracy,
# and the paper's network its leading exponents, from block Krylov passes forwards and backwards with bounds on their error.

# %%
count, times = size.spectrum_networks, size.spectrum_times
spectrum = sgd_spectra.over_time(little_descent, count, times, interval=size.interval)
whole = sgd_spectra.published().get("digits-small", spectrum)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-spectra
# | fig-cap: >-
# |   Digits, 64-8-10: all 610 exponents over [0, t] (left), and the extreme ones over time
# |   (right), mean over networks and range; published where there are any.
# | fig-alt: >-
# |   Left, spectra against the index: positive at the left end, a long plateau at zero, negative
# |   at the right end; the later, the closer to zero. Right, the largest and smallest exponents
# |   over time.
provenance.shown(draw.exponents(whole), whole)

# %% tags=["nbval-ignore-output"]
sgd_spectra.extremes(whole)

# %% tags=["nbval-ignore-output"]
print("computed here:")
sgd_spectra.extremes(spectrum)

# %% [markdown]
# And the leading exponents of the network of this chapter:

# %%
count, times = size.leading_networks, size.leading_times
leading = sgd_spectra.over_time(descent, count, times, size.leading)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-leading
# | fig-cap: >-
# |   256-20-10 (or its stand-in): the leading exponents over [0, t], and the largest of [0, t] and
# |   of each stretch over time.
# | fig-alt: >-
# |   Left, leading exponents against the index at several times, all positive. Right, the largest
# |   over time.
draw.exponents(leading)

# %% tags=["nbval-ignore-output"]
sgd_spectra.extremes(leading)

# %% [markdown]
# An exponent over $[0, t]$ falls as $1/t$ once growth has ended: that it converges to zero says no more than that the growth is finite. The largest exponent of a *stretch* says whether there is still growth then.
# And the largest of thousands of exponents cannot be negative while most directions are neutral.
#
# ### Do the subspaces stand still?

# %%
spans = sgd_spectra.overlaps(little_descent, 0, size.span_times, size.span, size.interval)
of_batch = sgd_spectra.of_hessian(little_descent, 0, size.lag_times, size.lag)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-subspaces
# | fig-cap: >-
# |   Digits, 64-8-10. Left: overlap of subspaces of the Lyapunov matrix at one time with those at
# |   the next; dotted, what random subspaces of these dimensions have. Right: overlap of the
# |   negative and positive eigenspaces of one and the same batch's Hessian before and after some
# |   steps of training; dotted, chance within its range.
# | fig-alt: >-
# |   Two panels of overlaps between zero and one against the step, each with dotted lines for
# |   chance.
draw.stabilising(spans, of_batch)

# %% tags=["nbval-ignore-output"]
spans

# %% [markdown]
# (twins)=
# ## Perturbed copies
#
# Herrmann 2022 perturb a network at its start by $\varepsilon = 0.1$ and let both learn from the same batches. The directions are eigenvectors of the Lyapunov matrix $\ln(Y^{\mathsf T}Y)/2T$ of a first run: the one that grows most and the one that shrinks most, random combinations of those that grow (*chaotic*) and of those that shrink (*non-chaotic*), and any.
# They are *initial* directions, right singular vectors of $Y$; QR carried forwards gives those at the end, so passes go backwards and forwards.
# Of the 5,350 directions the leading and the contracting few are computed; combinations are of these. Contracting directions shrink by factors whose squares, over many steps, lie further apart than double precision can tell:
# of these only the first is known well, and the lower bound with it. The data say which sets have converged (`converged_top`, `converged_bottom`).

# %%
search = Search(size.horizon, size.directions, size.sweeps, size.tolerance)
along = experiment.along_strategies(
    descent, size.twin_networks, size.twin_steps, size.twin_every, search, size.epsilon
)
published_copies = experiment.published()
apart = published_copies.get("usps", along)

# %% tags=["nbval-ignore-output"]
for name, data in ({"here": along} | published_copies).items():
    about = data.attrs
    print(f"{name}: {about['data']}; {data.sizes['network']} networks, {about['steps']:,} steps")
    print(f"    {about['provenance']}")

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-twins
# | fig-cap: >-
# |   Herrmann 2022, Fig. 3a: distance of copies to the reference, by the direction of the
# |   perturbation; mean over networks and range. Published where there are any.
# | fig-alt: >-
# |   Distance over 40 epochs for five directions. All rise from 0.1, quickly at first and then
# |   ever more slowly; top and chaotic lie highest.
provenance.shown(draw.divergence(apart), apart)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-twin-bounds
# | fig-cap: >-
# |   Herrmann 2022, Fig. 3b: distances between the bounds from the largest and the smallest
# |   exponent, up to the time for which directions were found.
# | fig-alt: >-
# |   Distances on a logarithmic axis between two grey curves that part from the value 0.1.
provenance.shown(draw.bounds(apart), apart)

# %% [markdown]
# The bounds hold for infinitesimal perturbations, and there they are theorems. Where a distance at $\varepsilon = 0.1$ is above the upper one, the perturbation has left the range in which the map between copies is linear.
#
# ### Which law?
#
# The paper's $\sqrt{\alpha t^2 + \beta t}$ starts at 0 where the perturbation starts at $\varepsilon$; here $d^2 = \varepsilon^2 + \alpha t^2 + \beta t$. Its rivals are a pure walk, a pure drift, a straight line, a power law and an exponential;
# and, since all curves bend over, two that end: a walk in a bowl, $d^2 = \varepsilon^2 + s(1 - e^{-t/\tau})$, and a drift that relaxes, $d = \varepsilon + c(1 - e^{-t/\tau})$.
# A good $R^2$ decides nothing, so laws are compared by a corrected information criterion with correlated noise, and on the last third of the time, held out.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-twin-fits
# | fig-cap: >-
# |   One network's copies: distance, the paper's law as fitted by least squares and by likelihood,
# |   and the best of its rivals. The likelihood takes residuals to be correlated, so its curves
# |   may run beside the points.
# | fig-alt: >-
# |   Five panels, one for each direction, with a curve of distances and fitted laws.
provenance.shown(draw.fits(apart), apart)

# %% tags=["nbval-ignore-output"]
distances.laws(apart).round(3)

# %% [markdown]
# The drift that relaxes stands for {glue:text}`hessian-relaxing:.0%` of the curves. It has as many parameters as the paper's law, and an end: the push that parts two networks is the gradient's, and it fades as both settle.

# %% [markdown]
# ### The size of the perturbation, and why small ones behave at random
#
# Herrmann 2022 find performance unharmed up to $\varepsilon = 7.5$, and that below 0.1 copies behave the more randomly the smaller the perturbation; they suspect a numerical error.
# In double precision, rounding cannot be seen above $\varepsilon = 10^{-12}$ or so. But ReLU has a kink. Where one of the two networks has a unit on for a sample and the other has it off, their gradients differ by an amount that $\varepsilon$ does not decide, and so does the jump in their distance: about $\gamma|g|$.
# The smaller $\varepsilon$, the rarer such a jump and the larger beside $\varepsilon$. Sigmoid units have no kink, and tell the two explanations apart.

# %%
sigmoid_task = tasks.get(results.live_task("usps-sigmoid"))
sigmoid_descent = sgd_spectra.MiniBatchDescent(sigmoid_task, rate, samples, seed)
settings = size.twin_networks, size.size_steps, size.size_every
lengths = experiment.over_sizes(descent, *settings, size.epsilons)
smooth = experiment.over_sizes(sigmoid_descent, *settings, size.epsilons[: size.small_epsilons])
known_lengths = published_copies.get("usps-sizes", lengths)
known_smooth = published_copies.get("usps-sigmoid-sizes", smooth)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-twin-shape
# | fig-cap: >-
# |   ReLU: distance in units of the perturbation, for perturbations of several lengths in one
# |   direction, mean over networks.
# | fig-alt: >-
# |   Curves of d over epsilon on a logarithmic axis. The smallest perturbations share one curve
# |   near 1; some of those between jump up by orders of magnitude, in steps.
provenance.shown(draw.shape(known_lengths), known_lengths)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-twin-shape-sigmoid
# | fig-cap: >-
# |   The same with sigmoid units.
# | fig-alt: >-
# |   Curves of d over epsilon for all perturbations lie on each other.
provenance.shown(draw.shape(known_smooth), known_smooth)

# %% tags=["nbval-ignore-output"]
departures = {
    name: distances.linear_range(data, size.linear)
    for name, data in {"ReLU": known_lengths, "sigmoid": known_smooth}.items()
}
pd.DataFrame({name: table.departure for name, table in departures.items()})

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-twin-sizes
# | fig-cap: >-
# |   Test accuracy at the end against the length of the perturbation; grey, the reference.
# | fig-alt: >-
# |   Accuracy against the length of the perturbation on a logarithmic axis: level with the
# |   reference up to lengths of several units, lower at the right end.
provenance.shown(draw.sizes(known_lengths), known_lengths)

# %% [markdown]
# ### How far apart are two networks?
#
# Herrmann 2022 give 6.38 as the expected distance of two networks that are drawn independently. Each parameter is uniform in $(-a, a)$ with $a^2 = 1/\text{fan in}$, so that $\mathbb E|\Delta W|^2 = \sum 2a^2/3$.

# %%
scale = independent(tasks.recipe("usps").architecture())
of_text = independent(networks.MLP((784, 20, 10)))
print(f"256-20-10: {scale:.3f}")
print(f"784-20-10: {of_text:.3f}; √2 times that: {2**0.5 * of_text:.2f}")

# %% [markdown]
# The network of the text, 784-20-10, has nearly the same distance as 256-20-10, and $\sqrt 2$ times that is the number printed: as if each difference had four times the variance of a parameter, and not twice.

# %% [markdown]
# ## Answers
#
# *Does a network learn without its negative directions?* At the paper's learning rate it does not, and it is not for the number of directions: as many random ones can be spared. This is the paper's finding, and it stands with the control. With a rate a hundred times
# larger it does, as well as with them on test images, after some ten times as many steps: what they give is speed, and that they are indispensable does not stand. The few directions above $2/\gamma$ were left in.
# *Why speed?* Because the negative directions of a batch, small as their part of its gradient is, hold much of what the batch has in common with all samples: of the descent of the whole loss they contribute more than their share, while the loss still falls.
# *Is it chaos that is needed?* Nothing here says so. What is taken out with the chaotic directions is the signal; and pruned descent is not free of growth either, for the projector turns: in a network of two weights its copies part exponentially, which theorem 2.2 rules out.
# *Do perturbed copies part by drift and a random walk?* The law that the curves follow best relaxes towards an end, which drift and walk have not. A perturbation of 0.1 is not small: units with a kink part by jumps. With sigmoid units, or with ReLU below the size at which a kink is met, all perturbations grow alike.
#
# ## Published numbers, recomputed

# %% tags=["nbval-ignore-output"]
checks = published.check_all(provenance.commit(), size.checked)
print(*checks or ["NOTE: no arm is published, so none was recomputed"], sep="\n")
assert all(check.agrees for check in published.made(checks))

# %% [markdown]
# Arms of the paper profile that are not published yet, or not with all their networks; `python -m netdyn_lib.experiments run NAME --profile paper` computes what is missing.

# %% tags=["nbval-ignore-output"]
results.unpublished(papers)

# %% tags=["remove-cell", "nbval-ignore-output"]
labels = "none negative positive random-same random-same-positive negative-norm random-same-norm"
labels += " negative-at-0.1 none-at-0.1 chaotic-at-0.1 negative-at-0.01 none-at-0.01"
labels += " negative-top-10 negative-random-10 none-momentum negative-momentum none-full-batch"
ends = ablation.final(known).mean("seed").to_series()  # arm → test accuracy
small_ends = ablation.final(small_network).mean("seed").to_series()
most_frequent, middle = task.y.bincount().argmax(), parts[size.middle]
beyond = ablation.beyond_edge(known, "negative-at-0.1") if "negative-at-0.1" in ends else np.nan
glue_all(
    "hessian",
    **ends.reindex(labels.split()).to_dict(),
    **{f"convolutional-{label}": small_ends[label] for label in ("none", "negative")},
    majority=float((task.y_test == most_frequent).double().mean()),
    edge=100 * getattr(beyond, "estimate", beyond),
    length=middle.lengths()["negative"],
    descent=middle.shares()["negative"],
    random=middle.random(),
    relaxing=distances.share_of(apart, ("bounded drift",)),
)

# %% [markdown]
# ## Exercises
#
# **1.** Which share of a gradient's squared length lies in $k$ random directions of $P$?
#
# :::{dropdown} Solution
# $k/P$ on average. With 120 of 5,350 that is 2.2%. Compare {numref}`fig-arms-overlaps`: the
# negative directions hold more than as many random ones.
# :::
#
# **2.** In a direction of curvature $-a$ neighbours part by the factor $1 + \gamma a$ a step. With
# $\gamma = 10^{-3}$ and $a = 1$, how far would they be after 36,480 steps, and why are they not?
#
# :::{dropdown} Solution
# By $e^{36}$, if the direction and the curvature stayed. They do not: the next batch has other
# negative directions, and what grew in one shrinks or rests in the next. Exponents over training
# are near zero (*Exponents over training*).
# :::
#
# ## The paper's claims
#
# Ranges were written before any arm had been followed for more than 1,500 steps, and before any copy had been followed, except where a row says otherwise. Intervals are Student's t over networks; where there are few they are wide. Claims are judged on published numbers where there are any.

# %%
card = claims.Scorecard("07_hessian_chaos", changed=size.changed)
labels = "none", "negative", "positive", "random-same", "negative-norm", "random-same-positive"
labels += ("negative-top-10",)
followed = known.reindex(arm=list(labels))  # NaN where an arm is not there
end, test_loss, loss = (
    dict(zip(labels, ablation.final(followed, what).transpose("arm", "seed").values))
    for what in ("test_accuracy", "test_loss", "loss")
)  # arm → (seed,)

# %%
measured = {
    "H-negative-hurts": end["none"] - end["negative"],
    "H-negative-loss": loss["negative"] - loss["none"],
    "H-direction": end["random-same"] - end["negative"],
    "H-not-length": end["none"] - end["negative-norm"],
    "H-positive-less": end["positive"] - end["random-same-positive"],
    "H-largest": end["none"] - end["negative-top-10"],
}
damage = {arm: test_loss[arm] - test_loss["none"] for arm in ("positive", "negative")}
measured["H-positive-mild"] = damage["positive"] / damage["negative"]

# %%
saw = ", ".join(f"{arm} {np.nanmean(values):.3f}" for arm, values in end.items())
untested = "An arm that it needs is neither published nor computed here, or diverged."
takes = " Two more networks of each arm that prunes would decide, 20 minutes of a core each."
for id, values in measured.items():
    few = int(np.isfinite(values).sum() < 5)
    words = dict(saw=f"Final test accuracy: {saw}.{takes * few}", untested=untested)
    card.measure(id, *student(values), **words, source=known)

# %%
plain, last = followed.sel(arm="none"), float(known.step.max())
shares = {
    "H-negative-always": plain.negative > 0,
    "H-no-edge": plain.chaotic > plain.negative,
    "H-overlap": plain.overlap_positive - plain.overlap_negative,
}
measured = {
    id: values.where(plain.negative.notnull()).mean("step") for id, values in shares.items()
}

# %%
for sign in ("negative", "positive"):
    early = plain[sign].where(plain.step <= last / 4).mean("step")
    late = plain[sign].where(plain.step >= 3 * last / 4).mean("step")
    measured[f"H-counts-{sign}"] = late / early - 1

# %%
mean = plain.mean()
saw = (
    f"On average {mean.negative:.0f} negative and {mean.positive:.0f} positive eigenvalues, with"
    f" shares of {mean.overlap_negative:.2f} and {mean.overlap_positive:.2f} of the squared"
    f" gradient; the largest ever observed is {plain.largest.max() * size.learning_rate:.2g}/γ."
)
for id, values in measured.items():
    card.measure(id, *student(values), saw=saw, untested=untested, source=known)

# %%
lead, mine, theirs = ablation.retuned(known, "negative")
saw = ""
if np.isfinite(lead.estimate):
    label, tried = ablation.by_rate(known, "negative")[mine], ablation.by_rate(known, "none")
    above = ablation.beyond_edge(known, label).estimate
    saw = (
        f"Best γ: {theirs:g} without pruning and {mine:g} with negative directions pruned, of"
        f" {', '.join(f'{rate:g}' for rate in tried)}; where the largest is the best, a larger one"
        f" may do better. There, at {above:.1%} of the steps observed, an eigenvalue was above 2/γ,"
        " in a direction that is not pruned."
    )
    if (chaotic := f"chaotic-at-{mine:g}") in known.arm:
        lost = ablation.lost(known, chaotic, label).estimate
        saw += f" With all chaotic directions pruned there, networks end lower by {lost:.3f}."
card.measure("H-inevitable", *lead, saw=saw + takes, untested=untested, source=known)

# %%
worse = best["loss", "negative"] - best["loss", "none"]
slower = best["steps to 0.9", "negative"] / best["steps to 0.9", "none"]
words = dict(untested=untested, source=known)
for id, what, values in (("loss", "loss", worse), ("steps", "steps to 0.9", slower)):
    saw = []
    for rule in ("negative", "none"):
        found = best[what, rule].dropna("seed")
        each = ", ".join(f"{value:.4g}" for value in found.values)
        saw.append(f"{found.arm.item()}, by network, {each}")
    words["saw"] = f"The {what}: {'; '.join(saw)}.{takes}"
    card.measure(f"H-inevitable-{id}", *student(values.values), **words)

# %%
paces = [ablation.pace_after(sigmoid, label) for label in onsets] or [student([np.nan])]
slowest = max(paces, key=lambda interval: interval.estimate)
ends = ablation.final(sigmoid).mean("seed").to_series()
saw = ", ".join(f"{label} {value:.3f}" for label, value in ends.items())
words = dict(saw=f"Final test accuracy: {saw}.", untested=untested)
card.measure("H-onset", *slowest, **words, source=sigmoid)

# %%
saw = ", ".join(f"{count} with {name}" for name, count in tested.items())
card.measure("H-local", *student(agree), saw=f"Eigenvectors tested: {saw}.")
saw = f"Each epoch it grows by {parting.min():.4f} to {parting.max():.4f}; expected {expected:.4f}."
card.measure("H-theorem", parting.min(), saw=saw)

# %%
first, second = halves.values()
expands = second.sel(map="pruned") / second.sel(map="plain")
saw = "; ".join(
    f"{name} {first.sel(map=name).mean():.2g}, then {second.sel(map=name).mean():.2g}"
    for name in growth["map"].values
)
saw = f"ln σ₁ grows by, in the first and the second half of {int(growth.time[-1])} steps: {saw}."
card.measure("H-theorem-networks", *student(expands.values), saw=saw)

# %%
largest, stretch = whole.exponent.isel(index=0), whole.local.isel(index=0)  # (network, time)
grows = stretch * np.diff(whole.time, prepend=0) > sgd_spectra.NEUTRAL
first, end, of_last = (
    float(values.mean())
    for values in (largest.isel(time=0), largest.isel(time=-1), stretch.isel(time=-1))
)
saw = (
    f"The largest is {first:.2g} per step over [0, {int(whole.time[0])}] and {end:.2g} per step"
    f" over [0, {int(whole.time[-1])}]; {of_last:.2g} over the last stretch."
)

# %%
words = dict(saw=saw, source=whole)
card.measure("H-exponents-start", *student(largest.isel(time=0)), **words)
card.measure("H-exponents-decay", *student(largest.isel(time=-1) / largest.isel(time=0)), **words)
card.measure("H-exponents-sign", *student(grows.mean("time")), **words)

# %%
bound = np.exp(whole.exponent.isel(index=-1, time=-1) * float(whole.time[-1]))  # in units of ε
of_copies = ", ".join(f"{one:.2g}" for one in np.exp(apart.log_bottom.isel(mark=-1).values))
saw = (
    f"After {int(whole.time[-1]):,} steps: {', '.join(f'{one:.2g}' for one in bound.values)}."
    f" Of the copies' network, 256-20-10, after {int(apart.mark[-1]):,} steps: {of_copies}."
)
card.measure("H-lower-bound", *student(bound.values), saw=saw, source=(whole, apart))

# %%
last = spans.groupby(level="subspace", sort=False).last()  # of the last two times
overlaps = [f"{name} {row.overlap:.2f} (chance {row.chance:.2f})" for name, row in last.iterrows()]
saw = f"Overlap of the last two times: {', '.join(overlaps)}. It takes four more networks."
card.measure("H-stabilise", *student([last.overlap["chaotic"]]), saw=saw)

# %%
far = apart.distance.where(np.isfinite(apart.distance))  # (network, direction, step)
last = far.isel(step=-1).mean("network").to_series()
laws = [law for *_, found in distances.compared(apart) if found for law in found.standing]
upper = distances.within(apart, lower=False).estimate
lower = distances.within(apart, upper=False).estimate
saw = (
    f"Distance at the end: {', '.join(f'{way} {last[way]:.2f}' for way in experiment.EXPECTED)}."
    f" Laws that stand, by number of curves: {pd.Series(laws).value_counts().to_dict()}. The upper"
    f" bound holds at {upper:.0%} of the observed times, the lower at {lower:.0%}."
)

# %%
mean, steps = far.mean("direction"), apart.step
middle = mean.sel(step=0.75 * float(steps[-1]), method="nearest")
before = (middle - mean.isel(step=0)) / (middle.step - steps[0])
after = (mean.isel(step=-1) - middle) / (steps[-1] - middle.step)
late = (after / before).where(before > 0)  # 1 where distances keep their pace
expected = np.arange(len(experiment.EXPECTED), 0, -1)
ends = far.isel(step=-1).sel(direction=list(experiment.EXPECTED)).values
order = [stats.kendalltau(expected, row).statistic for row in ends]
largest = far.max(["direction", "step"]) / (apart.attrs["independent"] or np.nan)

# %%
words = dict(saw=saw, source=apart)
few = "The directions computed here are of too few steps for twelve observations."
together = "The copies followed here had not parted by three quarters of the time."
early = distances.early_exponential(apart)
card.measure("H-exponential-first", *early, untested=few, **words)
card.measure("H-fig3-law", *distances.share_of(apart), **words)
card.measure("H-fig3-unsaturated", *student(late), untested=together, **words)
card.measure("H-fig3-bounds", *distances.within(apart), **words)
card.measure("H-fig3-order", *student(order), **words)
card.measure("H-fig3-range", *student(largest), **words)

# %%
saw = "The square root of twice it, for 784-20-10, is the paper's number."
card.measure("H-expected", scale, saw=saw)
harm = {e: distances.harm(known_lengths, e) for e in known_lengths.epsilon.values if e >= 1}
saw = ", ".join(f"{lost.estimate:.3f} at {e:g}" for e, lost in harm.items())
words = dict(saw=f"Accuracy lost at the end: {saw}.", source=known_lengths)
card.measure("H-size-harmless", *distances.harm(known_lengths, 7.5), **words)
card.measure("H-size-harmful", *distances.harm(known_lengths, 10.0), **words)

# %%
small = departures["ReLU"].loc[0.99e-8:1.01e-2]
worst = small.loc[small.departure.idxmax()]
told = ", ".join(f"{row[1]:.2g} ({row[2]:.2g} to {row[3]:.2g})" for row in small.itertuples())
saw = f"At ε of {', '.join(f'{e:g}' for e in small.index)}: {told}."
saw += " With sigmoid units all small perturbations behave alike: what departs are kinks of ReLU."
card.measure("H-small-sizes", *worst, saw=saw, source=known_lengths)

# %% tags=["nbval-ignore-output"]
card

# %%
print("verdicts that hold over the whole interval:", card.verdicts(decisive=True), sep="\n")
