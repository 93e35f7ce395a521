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
# - {cite:t}`herrmann2022` take the directions of negative curvature out of every step of training.
#   At their learning rate the network then hardly learns: {verdict}`H-negative-hurts`
# - It is not the number of directions that counts, for as many random ones can be spared:
#   {verdict}`H-direction`
# - The paper concludes that chaos cannot be removed without hurting performance. With a learning
#   rate a hundred times larger the test accuracy is as good without these directions:
#   {verdict}`H-inevitable`. It takes many more steps: {verdict}`H-inevitable-steps`
# - What is removed is signal: these directions hold much of what one batch has in common with all
#   samples. Nothing here says that chaos is needed.
# - Copies of a network that start nearby drift apart, and ever more slowly. The paper's law for
#   their distance, $\sqrt{\alpha t^2 + \beta t}$: {verdict}`H-fig3-law`
#
# The figure to see is {numref}`fig-arms-retuned`.
# :::
#
# ## What was claimed
#
# In a direction of negative curvature one step of gradient descent drives neighbouring networks
# apart. {cite:t}`herrmann2022` call such directions *locally chaotic*. They remove them from the
# gradient at every step, and the network hardly learns; without the directions of *positive*
# curvature it learns nearly as well as ever. They conclude that chaos is intrinsic to training.
# Then they perturb networks at their start and watch copy and original part for 40 epochs.
#
# This chapter repeats both experiments and adds the controls on which the conclusion depends: as
# many random directions, the gradient's length restored, and a learning rate of its own for each
# rule. It also looks at the paper's two theorems.
#
# The network has 256 inputs (USPS digits of 16×16 pixels), 20 hidden units with ReLU and 10
# outputs: 5,350 parameters. It is trained by gradient descent on batches of 8 with a learning rate
# $\gamma = 10^{-3}$ and without momentum, for 40 epochs, which are 36,480 steps.

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
from netdyn_lib.figures import style
from netdyn_lib.results import claims, provenance
from netdyn_lib.results.glue import glue_all
from netdyn_lib.statistics import growth_laws
from netdyn_lib.statistics.intervals import student
from netdyn_lib.tasks import gradients, networks, tasks

# %% tags=["parameters", "hide-input"]
profile = "laptop"
device = "auto"
seed = 0
# None means the profile's; of what is computed here beside the stored runs
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
# ## Training without a class of directions
#
# Let $H$ be the Hessian of the loss of one batch and $h$ one of its eigenvalues, a *curvature*. A
# step $W \mapsto W - \gamma\,g(W)$ multiplies a small difference along that eigenvector by
# $1 - \gamma h$. So neighbours part where
#
# $$
# h < 0 \quad\text{or}\quad h > 2/\gamma ,
# $$
#
# which is the paper's theorem 2.1 ({verdict}`H-local`). At this learning rate $2/\gamma$ is 2,000,
# far above any curvature seen here, so that *chaotic* and *negative* are the same directions.
#
# In *pruned descent* all eigenvectors of the batch's Hessian are found at every step, and the
# gradient's part along those of one class is taken out. Each *rule* below says what is taken out.
# All rules train the same networks on the same batches. The stored runs, ours at full size, have
# 40 epochs.

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
here = results.live("usps", profile, seed)  # the first steps, computed now
papers = results.paper()  # task → stored runs
known, sigmoid = papers.get("usps", here), papers.get("usps-sigmoid", here)
task = tasks.get(results.live_task("usps"))


# %% tags=["hide-input"]
def there(*labels):
    """Those of some rules that were run; all where none was."""
    return [label for label in labels if label in known.arm] or known.arm.values.tolist()


# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-sets
# | fig-cap: >-
# |   Herrmann et al., Fig. 1. (a) Test accuracy and (b) test loss over 40 epochs, without pruning
# |   and without each class of directions. Lines are means over n networks, bands go from the
# |   lowest to the highest. Without negative directions the network hardly learns.
# | fig-alt: >-
# |   Two panels over 36,480 steps. Without pruning accuracy rises to about nine tenths. Without
# |   positive directions it ends a little lower. Without negative directions it passes a low hump
# |   and ends below a fifth, and its test loss hardly falls.
arms = there("none", "negative", "positive", "chaotic")
provenance.shown(draw.curves(known, arms), known)

# %% [markdown]
# In {numref}`fig-arms-sets` networks without negative directions end at a test accuracy of
# {glue:text}`hessian-negative:.3f`, and with the whole gradient at {glue:text}`hessian-none:.3f`.
# Guessing the most frequent class gives {glue:text}`hessian-majority:.3f`: such a network has
# learned how frequent the classes are, and nothing of the images. This is the paper's finding.
#
# ## Is it these directions, their number, or the lost length?
#
# Taking out directions does three things to a gradient: it loses *these* directions, it loses *so
# many*, and it gets shorter, which acts as a lower learning rate. Two controls tell them apart. One
# takes out a random subspace of as many dimensions, drawn anew at each step. The other restores the
# gradient's length after pruning.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-differences
# | fig-cap: >-
# |   Test accuracy after 40 epochs that each rule costs, compared with the whole gradient on the
# |   same n networks and the same batches: means, with 95% intervals (Student's t) where n is at
# |   least 5.
# | fig-alt: >-
# |   A row for each rule with a point; the line at zero is the whole gradient. The two rules
# |   without all negative directions, with and without their length restored, cost more than six
# |   tenths. All others cost less than one tenth.
pace = {label: (arm.learning_rate, arm.momentum) for label, arm in ablation.arms(known).items()}
costs = {
    label: ablation.lost(known, label)
    for label in pace
    if label != "none" and pace[label] == pace["none"]
}
costs = dict(sorted(costs.items(), key=lambda pair: -pair[1].estimate))
provenance.shown(draw.differences(costs), known)

# %% [markdown]
# {numref}`fig-arms-differences`: as many random directions hardly matter
# ({glue:text}`hessian-random-same:.3f` at the end). The lost length is not it either: with it
# restored, networks without negative directions still end at
# {glue:text}`hessian-negative-norm:.3f`. Any ten of the negative directions can be spared, and so
# can the ten most negative ({verdict}`H-largest`): it takes all of them.
#
# The same control changes the paper's second statement. Training does without the positive
# directions far better than without the negative ones ({glue:text}`hessian-positive:.3f`), but not
# better than without as many random ones ({glue:text}`hessian-random-same-positive:.3f`):
# {verdict}`H-positive-less`
#
# ## With a learning rate of its own
#
# A rule that learns slowly is not a rule that cannot learn. So each gets the best learning rate of
# those tried.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-retuned
# | fig-cap: >-
# |   Test accuracy over 40 epochs at several learning rates γ, each line one network. Without
# |   negative directions networks wait on plateaus, and leave them the earlier the larger γ. At the
# |   largest they reach the others, also where all locally chaotic directions are taken out.
# | fig-alt: >-
# |   A panel for each learning rate from 0.001 to 0.1. The whole gradient learns at all of them.
# |   Without negative directions accuracy stays below one half up to 0.01, some networks learn at
# |   0.03, and at 0.1 all of them rise in steps and end with the others.
tried = {rule: ablation.by_rate(known, rule) for rule in ("none", "negative")}
tried["chaotic"] = {rate: f"chaotic-at-{rate:g}" for rate in tried["negative"]}
groups = {
    rate: {rule: labels[rate] for rule, labels in tried.items() if labels.get(rate) in known.arm}
    for rate in tried["none"]
}
provenance.shown(draw.by_rate(known, groups), known)

# %% [markdown]
# At $\gamma = 0.1$, a hundred times the paper's rate, networks without negative directions end at
# {glue:text}`hessian-negative-at-0.1:.3f` and with the whole gradient at
# {glue:text}`hessian-none-at-0.1:.3f` ({numref}`fig-arms-retuned`). Accuracy still rises at the
# largest rate tried, so a larger one may do better still. At this rate some curvatures are above
# $2/\gamma$; with these taken out as well, so that no locally chaotic direction is left, networks
# end at {glue:text}`hessian-chaotic-at-0.1:.3f`.
#
# Test accuracy is not all of *performance*. Of training itself the table has the loss and the steps
# needed, of each rule at the learning rate at which it is best.

# %% tags=["hide-input"]
training = {
    "loss": known.loss.where(known.step > 0.75 * known.step.max()).mean("step"),  # (arm, seed)
    "steps to 0.9": known.step.where(known.test_accuracy >= 0.9).min("step"),  # NaN for never
}
best = {}  # (quantity, rule) → (seed,), by the rule's rate of least mean
for what, values in training.items():
    means = values.fillna(np.inf).where(known.present).mean("seed")
    for rule in ("none", "negative"):
        labels = list(ablation.by_rate(known, rule).values())
        best[what, rule] = values.sel(arm=means.sel(arm=labels).idxmin("arm"))

# %% tags=["hide-input", "nbval-ignore-output"]
about = {"loss": "loss, last quarter", "steps to 0.9": "steps to test accuracy 0.9"}
rows = {
    f"{about[what]}: {draw.named(found.arm.item())}": {
        "mean": f"{float(found.mean()):.4g}",
        "range": f"{float(found.min()):.4g} to {float(found.max()):.4g}",
        "n": int(found.notnull().sum()),
    }
    for (what, _), found in best.items()
}
pd.DataFrame.from_dict(rows, orient="index")

# %% [markdown]
# By these the networks without negative directions do worse: some ten times as many steps
# ({verdict}`H-inevitable-steps`), and a training loss some ten times as high, though low
# ({verdict}`H-inevitable-loss`). So negative directions make training fast; they are not
# indispensable.
#
# ## Why they make training fast
#
# The gradient has a small part along negative directions, and yet they matter.
# {cite:t}`herrmann2022` suppose that negative curvature comes first in training. There is a simpler
# explanation, and it can be measured. The gradient $g_b$ of a batch is a noisy copy of $g$, that of
# all samples. To first order a step $-\gamma g_b$ lowers the loss of *all* samples by
# $\gamma\langle g, g_b\rangle$. What a class of directions contributes to this descent is
# $\langle g, P g_b\rangle$, where $P$ projects on the class.

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
# |   Negative directions of a batch: their share of the batch's squared gradient, their share of
# |   the descent of the whole training loss, and the share that as many random directions would
# |   take. One network, computed here, 95% intervals over batches. Early in training they
# |   contribute most of the descent.
# | fig-alt: >-
# |   Three series of shares over training steps. The share of the descent rises well above one half
# |   and falls later; the share of the squared gradient stays below one half and falls towards
# |   zero; that of the number of directions stays between them at about four tenths.
draw.contributions(parts)

# %% [markdown]
# At step {glue:text}`hessian-middle:,` the negative directions of a batch hold
# {glue:text}`hessian-length:.0%` of its squared gradient, and contribute
# {glue:text}`hessian-descent:.0%` of the descent ({numref}`fig-contributions`).
#
# As many random ones would take {glue:text}`hessian-random:.0%`. The part along positive directions is long, but it is
# mostly the batch's own: it points another way in every batch. The shorter part along negative
# directions agrees better with the gradient of all samples. So *where the gradient lies* and *what
# makes the loss fall* are two questions.
#
# ## Does pruned descent end all chaos?
#
# The paper's theorem 2.2 says that descent without locally chaotic directions has no orbits that
# part exponentially. Its proof takes the projector for constant. But the projector turns with the
# weights, and that adds a term which can expand (the appendix derives it). One example is enough to
# refute a guarantee: a network of two weights, $f(x) = x_1 w_1^2 + x_2 w_2^2$, that learns
# two samples in turn, $x = (1, 1)$ with target 1 and $x = (1, 0)$ with target 0.


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
    before.append(copies[0][0])  # w₁ before the first sample
    for x, y in (((1.0, 1.0), 1.0), ((1.0, 0.0), 0.0)):
        copies = [pruned_step(w, np.array(x), y) for w in copies]
parting = np.diff(np.log(between))  # of each epoch
expected = np.log(1 + 0.2 * (1 - before[-1] ** 2))

# %% tags=["hide-input"]
# | label: fig-two-weights
# | fig-cap: >-
# |   Distance of two copies of a network of two weights under pruned descent, all locally chaotic
# |   directions taken out of every step; dotted, the growth that the analysis gives. One pair,
# |   150 epochs of two steps. The distance grows exponentially.
# | fig-alt: >-
# |   A straight line on a logarithmic axis, from a billionth up by more than six orders of
# |   magnitude, upon a dotted line.
with style.figure(height=2.2, width=0.6 * style.WIDTH) as (figure, ((axis,),)):
    epochs = np.arange(len(between))
    axis.line(epochs, between, "two copies, pruned", **style.look(0, ms=0))
    line = between[-1] * np.exp(expected * (epochs - epochs[-1]))
    axis.line(epochs, line, "expected", color="black", ls=":", lw=2)
    axis.set(xlabel="epoch", ylabel="distance", yscale="log")
    axis.legend()
figure

# %% [markdown]
# In {numref}`fig-two-weights` two copies part at a constant rate under pruned descent: the
# guarantee does not hold ({verdict}`H-theorem`). In a small network that learns digits there is
# little growth to be ruled out, with pruning or without ({verdict}`H-theorem-networks`; appendix,
# {numref}`fig-pruned-growth`). Nor does growth in one step make chaos: the next batch has other
# directions.
#
# (twins)=
# ## How perturbed copies part
#
# In the paper's second experiment a network is perturbed at its start by $\varepsilon = 0.1$, and
# both learn from the same batches. The direction of the perturbation is the one that grows most in
# a first run (*top*), the one that shrinks most (*bottom*), a random combination of those that grow
# (*chaotic*) or shrink (*non-chaotic*), or any (*random*). The paper's law for the distance is a
# drift and a random walk, $d^2 = \varepsilon^2 + \alpha t^2 + \beta t$.

# %% tags=["hide-input"]
search = Search(size.horizon, size.directions, size.sweeps, size.tolerance)
along = experiment.along_strategies(
    descent, size.twin_networks, size.twin_steps, size.twin_every, search, size.epsilon
)
published_copies = experiment.published()
apart = published_copies.get("usps", along)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-twins
# | fig-cap: >-
# |   Herrmann et al., Fig. 3: distance between copy and original over 40 epochs, by the direction
# |   of the perturbation; grey, each network, blue, their mean. Two laws are fitted to the mean by
# |   least squares: drift and walk, the paper's, and a bounded drift, which relaxes. Distances bend
# |   over more than the paper's law can.
# | fig-alt: >-
# |   Five panels on one scale. All distances rise from 0.1, quickly at first and then ever more
# |   slowly. Top and chaotic end higher than the other three. The curve of the drift that relaxes
# |   follows the measured ones more closely than that of drift and walk.
provenance.shown(draw.divergence(apart), apart)

# %% [markdown]
# The distances bend over ({numref}`fig-twins`). The law that fits most of them,
# {glue:text}`hessian-relaxing:.0%`, is a drift that relaxes, $d = \varepsilon + c(1 - e^{-t/\tau})$:
# it has as many parameters as the paper's and an end. The push that parts two networks is the
# gradient's, and it fades as both settle.
#
# ## Why small perturbations behave at random
#
# {cite:t}`herrmann2022` find that copies behave the more randomly the smaller the perturbation, and
# suspect a numerical error. In double precision rounding cannot be seen above
# $\varepsilon = 10^{-12}$ or so. But ReLU has a kink. Where one network has a unit on for a sample
# and the other has it off, their gradients differ by an amount that $\varepsilon$ does not decide,
# and so does the jump in their distance. Sigmoid units have no kink and tell the two explanations
# apart.

# %% tags=["hide-input"]
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
# |   Distance in units of the perturbation ε over 40 epochs, for several ε in one direction, mean
# |   over n networks. With ReLU units (a) the smallest ε share one curve, and larger ones jump away
# |   from it; with sigmoid units (b) all share one curve.
# | fig-alt: >-
# |   Two panels with a logarithmic axis. With ReLU the smallest perturbations lie on one curve near
# |   1 and others jump to several times that. With sigmoid units all curves lie on each other.
by_units = {"ReLU": known_lengths, "sigmoid": known_smooth}
provenance.shown(draw.shape(by_units), (known_lengths, known_smooth))

# %% [markdown]
# So it is the kinks, and no numerical error ({numref}`fig-twin-shape`; {verdict}`H-small-sizes`):
# the smaller $\varepsilon$, the rarer such a jump, and the larger beside $\varepsilon$.
#
# ## Conclusion
#
# **What is claimed.** Locally chaotic directions, those of negative curvature, are needed for
# learning; training cannot do without chaos.
#
# **What we saw.** At the paper's learning rate a network hardly learns without them, and it is
# these directions, not their number or length. With a learning rate a hundred times larger it
# reaches the same test accuracy without them, after some ten times as many steps. What is taken out
# is signal that a batch shares with all samples, while the loss still falls. Perturbed copies part
# as a drift that relaxes.
#
# **How sure.** The rules were followed in {glue:text}`hessian-networks` networks each, all from one
# data set, the perturbed copies in {glue:text}`hessian-copies`; a verdict takes at least five.
# Where a claim is *not tested* for want of networks, the effects are far larger than the
# differences between networks, but five networks of each rule would have to show it. Larger
# learning rates would decide whether the steps lost can be won back, and other networks and data
# whether negative curvature holds the signal elsewhere.
#
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
# are near zero ({numref}`fig-spectra`).
# :::

# %% [markdown]
# # Appendix: spectra, variants, bounds and claims
#
# ## The exact spectrum of a mini-batch
#
# {cite:t}`herrmann2022` computed the whole Hessian at every step. For a perceptron nearly all of it
# is zero. The loss of $B$ samples sees the first layer's weights $W_1$ (bias included) only through
# $W_1 \tilde x_b$. Let $Q$ have orthonormal columns that span the $\tilde x_b$, at most $B$ of
# them, so that $\tilde x_b = Q\,r_b$. Then the loss is a function of $W_1 Q$ and of the deeper
# layers: it is that of a small network with inputs $r_b$. With
# $S = (I_\text{units} \otimes Q) \oplus I$, which has orthonormal columns,
#
# $$
# H = S\,M\,S^{\mathsf T}, \qquad g = S\,m ,
# $$
#
# where $M$ and $m$ are Hessian and gradient of the small network. The eigenvalues of $H$ are those
# of $M$, with eigenvectors $S u$, and zeros: for batches of 8, $8\cdot 20 + 210 = 370$ dimensions
# instead of 5,350. Only the first layer is confined in this way; what a deeper one sees changes
# with the weights below it.
#
# Of these dimensions some are known to be flat before anything is solved. A unit with ReLU that is
# off for a sample does not see it, so its weights matter only in the span of the samples for which
# it is on. And cross-entropy does not change when the same number is added to all outputs, so the
# weights out of each unit matter only across that direction. Nothing is approximated. A curvature
# counts as zero where it is below $10^{-12}$ of the largest; rounding leaves $10^{-15}$. A dense
# eigensolver returns some 5,000 numerical zeros for this network, with random signs.

# %%
small = tasks.get("digits-small", samples=8)
against = batch_hessian.against_dense(small, small.initial(1, seed)[0])
assert against.apart < 1e-10 and against.matrix_apart < 1e-10

# %% tags=["nbval-ignore-output"]
print(against)

# %% [markdown]
# A convolution sees each pixel with the same few weights, and no such frame confines it. But where
# the last layer is linear, $z_b = V\tilde a_b$ with features $\tilde a_b$ that depend on the $p$
# parameters $\theta$ below, most of $H$ is known without differentiating twice:
#
# $$
# \frac{\partial^2 L}{\partial V^2} = \sum_b L''_b \otimes \tilde a_b \tilde a_b^{\mathsf T} ,
# $$
#
# $L''_b$ being the curvature of the loss in the outputs. It acts in as many dimensions as the
# batch's features span, for each output. The rest of $H$ are $p$ products with it, one along each
# parameter below; what they reach of $V$ is at most $p$ dimensions more. Here for a network as the
# paper's convolutional one, on the digits:

# %%
convolutional = tasks.get("digits-usps-cnn", samples=8)
against = batch_hessian.against_dense(convolutional, convolutional.initial(1, seed)[0])
assert against.apart < 1e-10 and against.matrix_apart < 1e-10

# %% tags=["nbval-ignore-output"]
print(against)

# %% [markdown]
# ## What was run
#
# The paper's text says 784-20-10, which does not fit its images; networks here are 256-20-10, drawn
# as PyTorch draws them. A *random* rule takes out a subspace of as many dimensions as there are
# negative (or positive) eigenvectors, uniform in the span of all eigenvectors that are not neutral.
# With ReLU and at this learning rate the rule without *chaotic* directions is that without
# *negative* ones, and only the latter is run. The first steps are computed with this page:

# %% tags=["hide-input", "nbval-ignore-output"]
rows = {"computed here": here} | papers
rows = {
    name: {
        "data": data.attrs["task"],
        "rules": data.sizes["arm"],
        "networks": int(data.present.sum()),
        "steps": f"{int(data.step.max()):,}",
    }
    for name, data in rows.items()
}
if here.attrs["task"] != "usps":
    print(f"NOTE: the images of USPS are not at hand; {here.attrs['task']} stands in")
pd.DataFrame.from_dict(rows, orient="index")

# %% tags=["hide-input"]
# | label: fig-arms-live
# | fig-cap: >-
# |   Pruned descent over its first steps, computed with this page: (a) test accuracy and (b) test
# |   loss by rule, means over n networks and ranges.
# | fig-alt: >-
# |   Two panels over some 1,500 steps. Without pruning the test loss falls fastest, without
# |   negative directions it hardly falls.
draw.curves(here)

# %% [markdown]
# Of all stored runs, what networks end with: mean over the last twentieth of the steps.

# %% tags=["hide-input", "hide-output", "nbval-ignore-output"]
summaries = {name: ablation.summary(data) for name, data in papers.items()}
columns = ["networks", "test accuracy", "test loss", "kept length"]
tables = pd.concat(summaries or {"computed here": ablation.summary(here)}, names=["task", "rule"])
tables[columns].rename(index=draw.named, level="rule").round(2)

# %% [markdown]
# ## The controls over training

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-kept
# | fig-cap: >-
# |   Length of the gradient that pruning leaves, in units of the whole, over 40 epochs; means over
# |   n networks and ranges.
# | fig-alt: >-
# |   Four curves between zero and one. Without positive directions less and less is left; the
# |   others keep more than half.
arms = there("negative", "positive", "random-same", "random-same-positive")
provenance.shown(draw.kept(known, arms), known)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-controls
# | fig-cap: >-
# |   (a) Test accuracy and (b) test loss over 40 epochs without negative directions, without as
# |   many random ones, and each with the gradient's length restored; means over n networks and
# |   ranges.
# | fig-alt: >-
# |   Two panels. The rules that take out random directions learn almost as the whole gradient;
# |   those without negative directions do not, whether the length is restored or not.
arms = there("none", "negative", "random-same", "negative-norm", "random-same-norm")
provenance.shown(draw.curves(known, arms), known)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-rates
# | fig-cap: >-
# |   Test accuracy after 40 epochs against the learning rate; dashed, the paper's. Means over
# |   networks (the table has how many), with 95% intervals where there are at least five.
# | fig-alt: >-
# |   Test accuracy against learning rate on a logarithmic axis. With the whole gradient it is high
# |   at all rates. Without negative directions it rises from below a fifth to the level of the
# |   whole gradient at the largest rate.
provenance.shown(draw.rates(ablation.rates(known), mark=size.learning_rate), known)

# %% [markdown]
# Rates were added at the upper end while accuracy still rose there. At $\gamma = 0.1$ a curvature
# was above $2/\gamma$ at {glue:text}`hessian-edge:.1f`% of the steps observed.
#
# ## Fewer directions, momentum, no batches, and other networks

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-fewer
# | fig-cap: >-
# |   (a) Test accuracy and (b) test loss over 40 epochs with ten of the negative directions taken
# |   out, the most negative or any, and with momentum 0.9; means over n networks and ranges.
# | fig-alt: >-
# |   Two panels. With ten directions taken out the curves are those of the whole gradient. With
# |   momentum the whole gradient learns faster; without negative directions it stays below four
# |   tenths.
arms = there(
    *("none", "negative", "negative-top-10", "negative-random-10"),
    *("none-momentum", "negative-momentum"),
)
provenance.shown(draw.curves(known, arms), known)

# %% [markdown]
# {numref}`fig-arms-fewer`: with momentum $\mu = 0.9$ networks end at
# {glue:text}`hessian-none-momentum:.3f`, and at {glue:text}`hessian-negative-momentum:.3f` without
# negative directions. At ten times the learning rate and without momentum it was
# {glue:text}`hessian-negative-at-0.01:.3f` without them: momentum gives back no direction, it acts
# as the learning rate $\gamma/(1 - \mu)$ does.
#
# With all samples at every step, and as many steps, networks end at
# {glue:text}`hessian-none-full-batch:.3f`, as with batches. So at the paper's learning rate the
# noise of the batches is not what pruning takes away to such effect.
#
# The paper's second network is convolutional: here four kernels of 3×3 pixels with padding and ReLU
# (40 parameters), 3×3 max-pooling, and a linear layer (1,010). The paper's code has some 1,160
# parameters, and the paper does not list them layer by layer.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-convolutional
# | fig-cap: >-
# |   The convolutional network over 40 epochs at the paper's learning rate, without pruning and
# |   without each class of directions: (a) test accuracy, (b) test loss; means over n networks and
# |   ranges.
# | fig-alt: >-
# |   Two panels. Without pruning accuracy ends near nine tenths, without positive directions near
# |   eight tenths, without negative ones below a fifth.
small_network = papers.get("usps-cnn", here)
provenance.shown(draw.curves(small_network), small_network)

# %% [markdown]
# ## The onset of pruning
#
# The paper's Fig. 2 lets networks with sigmoid units, which learn more slowly, train for a while
# before pruning begins.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-onset
# | fig-cap: >-
# |   Herrmann et al., Fig. 2: sigmoid units, locally chaotic directions taken out from the step
# |   marked on. (a) Test accuracy and (b) test loss over 40 epochs, means over n networks and
# |   ranges.
# | fig-alt: >-
# |   Two panels. Without pruning accuracy rises to about three quarters. With pruning from the
# |   start and from each of the marked steps it ends below one half, the lower the earlier.
onsets = {label: arm.onset for label, arm in ablation.arms(sigmoid).items() if arm.onset}
provenance.shown(draw.curves(sigmoid, onsets=onsets), sigmoid)

# %% [markdown]
# ## Curvatures and the gradient

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-counts
# | fig-cap: >-
# |   How many curvatures of a batch's Hessian are positive and negative within its range, over 40
# |   epochs, for four rules; means over networks and ranges.
# | fig-alt: >-
# |   Four panels. With the whole gradient both counts rise at first and then stay, more positive
# |   than negative ones.
arms = there("none", "negative", "positive", "random-same")
provenance.shown(draw.counts(known, arms), known)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-overlaps
# | fig-cap: >-
# |   Share of the squared gradient along directions of positive and of negative curvature, over 40
# |   epochs, for four rules; means over networks and ranges.
# | fig-alt: >-
# |   Four panels of shares between zero and one. With the whole gradient the positive directions
# |   come to hold nearly all of it; without negative directions both hold about one half.
provenance.shown(draw.overlaps(known, arms), known)

# %% [markdown]
# Both counts rise at first and then stay; {cite:t}`herrmann2022` report that the negative ones
# become fewer ({verdict}`H-counts-negative`). The shares of {numref}`fig-contributions` as a table,
# with intervals over batches; late in training, when next to nothing is left to descend, they are
# not determined any more:

# %% tags=["hide-input", "nbval-ignore-output"]
batch_noise.contribution_table(parts)

# %% [markdown]
# ### How much of the negative spectrum is noise of the batch?
#
# Take the negative eigenvectors of a batch's Hessian, and measure the curvature of the *full*
# training loss along each: if it is negative too, the direction is one of the loss; if not, it is
# one of the draw.

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
# |   Each negative curvature of some batches' Hessians, and the full batch's along the same
# |   direction; one network, a panel for each time. On the dashed line the full batch curves as the
# |   batch does.
# | fig-alt: >-
# |   Scatter plots. Nearly all points lie above the dashed diagonal: the full batch's curvature is
# |   less negative than the batch's, and for some directions positive.
draw.noise(noise)

# %% tags=["hide-input", "nbval-ignore-output"]
batch_noise.table(noise)

# %% [markdown]
# And a small network's full batch, whole, beside its mini-batches (digits, 64-8-10):

# %%
little = tasks.get("digits-small")
little_descent = sgd_spectra.MiniBatchDescent(little, rate, samples, seed)
stages = little_descent.states(0, size.small_times)

# %% tags=["hide-input", "nbval-ignore-output"]
batch_noise.along(little, stages, samples, size.noise_batches, seed).round(2).T

# %% [markdown]
# ## Theorem 2.1: what one step does
#
# The theorem is an identity of first order: along an eigenvector a step multiplies a small distance
# by $|1 - \gamma h|$. Its logarithm is the *local exponent*; where $h = 0$ a direction is neutral.
# Below, each eigenvector of a batch's Hessian is followed through one step of that batch by central
# differences of the gradient, in five networks at their start: at the paper's rate, where no $h$
# comes near $2/\gamma$, and at $\gamma = 4/h_{\max}$, where some are above it.

# %% tags=["hide-input"]
agree, tested = [], {"h < 0": 0, "h > 2/γ": 0, "between": 0}
for network in range(5):
    params, part = little_descent.initial(network), little_descent.reference(network, 1).part(0)
    found, gradient = batch_hessian.spectrum(part, params), gradients.of(part)
    values, vectors = found.values, found.embed(found.basis.T)  # (m,), (m, P)
    images = (gradient(params + 1e-6 * vectors) - gradient(params - 1e-6 * vectors)) / 2e-6
    right = []
    for gamma in (rate, 4 / values.max()):
        clear = np.abs(np.log(np.abs(1 - gamma * values))) > 1e-6  # from what is neutral
        grown = (vectors - gamma * images).norm(dim=1).numpy() > 1
        kinds = {"h < 0": values < 0, "h > 2/γ": values > 2 / gamma}
        chaotic = np.logical_or(*kinds.values())
        right += (grown == chaotic)[clear].tolist()
        for name, of_kind in (kinds | {"between": ~chaotic}).items():
            tested[name] += int(of_kind[clear].sum())
    agree.append(np.mean(right))

# %% tags=["nbval-ignore-output"]
print(f"{np.mean(agree):.2%} of {sum(tested.values())} directions as the theorem says: {tested}")

# %% [markdown]
# ## Theorem 2.2: the derivative of pruned descent
#
# As printed, the theorem's tangent map is $Y \leftarrow (I - \gamma P)\,Y$, with $P$ the projector
# on what is left. The Hessian is missing from it, and so are the units of curvature. With the
# Hessian put in, $I - \gamma P H$ has no eigenvalue beyond 1 in magnitude, it is symmetric, and no
# product of such maps grows. But that is not the derivative of pruned descent, for the projector
# turns with the weights:
#
# $$
# J\,\delta = \delta - \gamma\,\big[P H\,\delta + (\partial P[\delta])\,g\big],
# \qquad
# \partial P[\delta] = -\sum_{i\ \text{pruned},\ j\ \text{left}}
# \frac{v_j^{\mathsf T}\,\partial H[\delta]\,v_i}{h_i - h_j}
# \,\big(v_j v_i^{\mathsf T} + v_i v_j^{\mathsf T}\big)
# $$
#
# {cite:p}`kato1995`. The second term does not vanish unless the loss is quadratic or the gradient
# is zero. It is not symmetric, and it can expand: where $L = \varphi(|W|)$ with
# $\varphi' < 0 < \varphi''$, the tangential directions are the chaotic ones, the gradient has no
# part along them, so pruning changes nothing, and neighbours part at the rate
# $1 - \gamma\varphi'/|W| > 1$, as without it. With mini-batches that take turns such a factor
# repeats.
#
# That is the case in the network of two weights of {numref}`fig-two-weights`. Of its first sample
# $\varphi(r) = (r^2 - 1)^2/2$, chaotic across $w$ where $1/3 < r^2 < 1$; the second has no curvature
# along $w_2$, and pulls $w_1$ back. From $w_2 = 0$ descent settles on a cycle of the two samples,
# where $w_1^2 = a^2$ before the first. Pruning takes nothing from its gradients, and $w_2$ grows by
# the factor $1 + 2\gamma(1 - a^2)$ an epoch, for ever as far as first order goes:

# %%
print(f"ln d grows by {parting.min():.4f} to {parting.max():.4f} an epoch, as {expected:.4f}")
print(f"distance after 150 epochs: {between[-1] / between[0]:.2g} times the first")

# %% [markdown]
# The guarantee holds with the projector held fixed, which is another map. Whether it matters where
# a network learns is another question. Here is $\ln\sigma_1$ of the product of derivatives, from
# the same starts, on the digits with four hidden units. Exponential growth would be a straight line
# from the origin.

# %% tags=["hide-input"]
few_units = networks.MLP((64, 4, 10), "relu")
digits = tasks.custom(
    "digits, 64-4-10", few_units, little.loss, little.x, little.y, initialisation="pytorch"
)
digits_descent = sgd_spectra.MiniBatchDescent(digits, rate, samples, seed)
growth = pruning_exponents.compare(digits_descent, size.map_networks, size.map_times)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-pruned-growth
# | fig-cap: >-
# |   Largest growth of a perturbation, ln σ₁ of the product of derivatives, along plain descent and
# |   along pruned descent by its true derivative; digits, 64-4-10, five networks, 360 steps: mean
# |   and range. With the projector held fixed it is zero to rounding.
# | fig-alt: >-
# |   Two rising curves on a logarithmic axis; that of pruned descent lies about a decade below that
# |   of plain descent, and both stay below two tenths.
draw.maps(growth)

# %% tags=["hide-input", "nbval-ignore-output"]
end = growth.growth.isel(time=-1)  # ln σ₁ (map, network)
middle = growth.growth.sel(time=growth.time[-1] / 2, method="nearest")
halves = {"first half": middle, "second half": end - middle}
pd.DataFrame({name: of.mean("network").to_series() for name, of in halves.items()})

# %% [markdown]
# By the true derivative perturbations of pruned descent grow in every network followed here, in the
# second half of these steps about as much as in the first, and far less than along plain descent. A
# pace that lasts is what exponential growth would have, but so little in so few steps proves none:
# at this pace it would take longer than the 40 epochs of training to grow by a factor of $e$.
#
# ## Exponents over training
#
# Finite-time exponents over $[0, t]$ are $\lambda_i = \ln\sigma_i(Y)/t$, $Y = J(t-1)\cdots J(0)$.
# {cite:t}`herrmann2022` take them from the eigenvalues of $Y^{\mathsf T} Y$, which in double
# precision loses all that is below $10^{-8}$ of the largest. Nor does Benettin's method help in so
# short a time: at $\gamma = 10^{-3}$ one vector drawn at random among 5,000 neutral directions
# hardly turns towards those that grow. Here a small network has its whole spectrum, from
# $Y = Q D T$ kept to full relative accuracy, and the paper's network its leading exponents, from
# block Krylov passes forwards and backwards with bounds on their error.

# %%
count, times = size.spectrum_networks, size.spectrum_times
spectrum = sgd_spectra.over_time(little_descent, count, times, interval=size.interval)
whole = sgd_spectra.published().get("digits-small", spectrum)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-spectra
# | fig-cap: >-
# |   Digits, 64-8-10, stored runs: (a) all 610 exponents over [0, t], and (b) the largest and the
# |   smallest over time, mean over networks and range; 40 epochs of 180 steps.
# | fig-alt: >-
# |   Left, spectra against the index: a few positive at the left end, a long plateau at zero,
# |   negative at the right end. Right, the largest exponent stays above zero and falls a little;
# |   the smallest stays below.
provenance.shown(draw.exponents(whole), whole)

# %% tags=["hide-input", "nbval-ignore-output"]
print(f"{whole.sizes['network']} networks, exponents over [0, t] per step")
sgd_spectra.extremes(whole)

# %% [markdown]
# The same of the network computed with this page, and the leading exponents of the network of this
# chapter:

# %% tags=["hide-input", "nbval-ignore-output"]
count, times = size.leading_networks, size.leading_times
leading = sgd_spectra.over_time(descent, count, times, size.leading)
both = {"64-8-10, computed here": spectrum, "256-20-10, leading": leading}
pd.concat({name: sgd_spectra.extremes(data) for name, data in both.items()})

# %% [markdown]
# An exponent over $[0, t]$ falls as $1/t$ once growth has ended: that it converges to zero says no
# more than that the growth is finite. The largest exponent of a *stretch* says whether there is
# still growth then. And the largest of thousands of exponents cannot be negative while most
# directions are neutral.
#
# ### Do the subspaces stand still?
#
# The overlap of subspaces of the Lyapunov matrix at one time with those at twice that time, beside
# what random subspaces of these dimensions have:

# %% tags=["hide-input", "nbval-ignore-output"]
spans = sgd_spectra.overlaps(little_descent, 0, size.span_times, size.span, size.interval)
spans[["later", "k", "overlap", "chance"]].groupby(level="subspace", sort=False).last().round(3)

# %% [markdown]
# And of the negative and positive directions of one and the same batch's Hessian, before and after
# some steps of training:

# %% tags=["hide-input", "nbval-ignore-output"]
of_batch = sgd_spectra.of_hessian(little_descent, 0, size.lag_times, size.lag)
of_batch[["overlap", "chance in range"]].round(3)

# %% [markdown]
# ## Perturbed copies: directions, bounds, laws and sizes
#
# The directions are eigenvectors of the Lyapunov matrix $\ln(Y^{\mathsf T}Y)/2T$ of a first run.
# They are *initial* directions, right singular vectors of $Y$; QR carried forwards gives those at
# the end, so passes go backwards and forwards. Of the 5,350 directions the leading and the
# contracting few are computed; combinations are of these. Contracting directions shrink by factors
# whose squares, over many steps, lie further apart than double precision can tell: of these only
# the first is known well, and the lower bound with it. The data say which sets have converged
# (`converged_top`, `converged_bottom`).

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-twin-bounds
# | fig-cap: >-
# |   Herrmann et al., Fig. 3b: distances, and the bounds from the largest and the smallest
# |   exponent, over the ten epochs for which directions were found; means over networks and ranges.
# |   The lower bound soon leaves the picture and says nothing.
# | fig-alt: >-
# |   Distances on a logarithmic axis. Of two dashed curves that part from the value 0.1 the upper
# |   one rises to about one, and the lower one falls out of the picture.
provenance.shown(draw.bounds(apart), apart)

# %% [markdown]
# The bounds hold for infinitesimal perturbations, and there they are theorems. Where a distance at
# $\varepsilon = 0.1$ is above the upper one, the perturbation has left the range in which the map
# between copies is linear.
#
# Which law do distances follow? The paper's $\sqrt{\alpha t^2 + \beta t}$ starts at 0 where the
# perturbation starts at $\varepsilon$; so $d^2 = \varepsilon^2 + \alpha t^2 + \beta t$ is fitted.
# Its rivals are a pure walk, a pure drift, a straight line, a power law and an exponential; and,
# since all curves bend over, two that end: a walk in a bowl,
# $d^2 = \varepsilon^2 + s(1 - e^{-t/\tau})$, and a drift that relaxes, the *bounded drift*. A good
# $R^2$ decides nothing, so laws are compared by a corrected information criterion (AICc) with
# correlated noise, and on the last third of the time, held out. A law *stands* where the criterion
# cannot tell it from the best. Number of curves for which each stands, and for which it is the best
# on the held-out time:

# %% tags=["hide-input", "nbval-ignore-output"]
laws = distances.laws(apart)
counts = {
    "stands": laws.standing.str.split(", ").explode().value_counts(),
    "best, held out": laws["held out"].value_counts(),
}
print(f"{len(laws)} curves; R² of the paper's law {laws['R²'].min():.2f} to {laws['R²'].max():.2f}")
pd.DataFrame(counts).fillna(0).astype(int).sort_values("stands", ascending=False)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-twin-sizes
# | fig-cap: >-
# |   Test accuracy after 40 epochs against the length of a perturbation in a random direction, with
# |   95% intervals over networks; grey, the original networks.
# | fig-alt: >-
# |   Accuracy against the length of the perturbation on a logarithmic axis: level with the original
# |   up to a length of about one, lower at the right end.
provenance.shown(draw.sizes(known_lengths), known_lengths)

# %% [markdown]
# How far $d/\varepsilon$ departs from its curve at $\varepsilon = 10^{-10}$, relative, median over
# time and mean over networks:

# %% tags=["hide-input", "nbval-ignore-output"]
departures = {name: distances.linear_range(data, size.linear) for name, data in by_units.items()}
pd.DataFrame({name: table.departure for name, table in departures.items()}).loc[:0.11].round(5)

# %% [markdown]
# ### How far apart are two networks?
#
# {cite:t}`herrmann2022` give 6.38 as the expected distance of two networks that are drawn
# independently. Each parameter is uniform in $(-a, a)$ with $a^2 = 1/\text{fan in}$, so that
# $\mathbb E|\Delta W|^2 = \sum 2a^2/3$.

# %%
scale = independent(tasks.recipe("usps").architecture())
of_text = independent(networks.MLP((784, 20, 10)))
print(f"256-20-10: {scale:.3f}")
print(f"784-20-10: {of_text:.3f}; √2 times that: {2**0.5 * of_text:.2f}")

# %% [markdown]
# The network of the text, 784-20-10, has nearly the same distance as 256-20-10, and $\sqrt 2$ times
# that is the number printed: as if each difference had four times the variance of a parameter, and
# not twice.
#
# ## Stored runs, recomputed

# %% tags=["hide-input", "nbval-ignore-output"]
checks = published.check_all(provenance.commit(), size.checked)
print(*checks or ["NOTE: no run is stored, so none was recomputed"], sep="\n")
assert all(check.agrees for check in published.made(checks))

# %% [markdown]
# Rules of the paper profile of which fewer networks are stored than are planned;
# `python -m netdyn_lib.experiments run NAME --profile paper` computes what is missing.

# %% tags=["hide-input", "nbval-ignore-output"]
lacking = results.unpublished(papers)
print(f"{len(lacking)} rules lack networks")
lacking.head(10)

# %% tags=["hide-input"]
# What the alt texts and captions say
if "negative-at-0.1" in known.arm:
    end, mean = ablation.final(known).mean("seed"), known.test_accuracy.mean("seed")
    accuracy = end.to_series()
    assert accuracy["none"] > 0.85 and 0.7 < accuracy["positive"] < accuracy["none"]
    assert accuracy["negative"] < 0.2 < 0.25 < float(mean.sel(arm="negative").max())
    lost_loss = 1 - known.test_loss.sel(arm="negative").isel(step=[0, -1]).mean("seed").values / 2.3
    assert abs(lost_loss).max() < 0.1
    hurts = {"negative", "negative-norm"}
    assert set(list(costs)[:2]) == hurts and all(costs[one].estimate > 0.6 for one in hurts)
    assert all(cost.estimate < 0.1 for label, cost in costs.items() if label not in hurts)
    slow = [label for rate, label in tried["negative"].items() if rate <= 0.01]
    assert float(known.test_accuracy.sel(arm=slow).max()) < 0.45
    assert abs(accuracy["negative-at-0.1"] - accuracy["none-at-0.1"]) < 0.02
    assert abs(accuracy["chaotic-at-0.1"] - accuracy["none-at-0.1"]) < 0.02
    assert max(tried["negative"]) == 100 * size.learning_rate
    for label in ("negative-top-10", "negative-random-10", "random-same-norm", "none-full-batch"):
        assert abs(accuracy[label] - accuracy["none"]) < 0.02
    assert accuracy["none-momentum"] > accuracy["none"] and accuracy["negative-momentum"] < 0.4
    left = known.kept.sel(step=known.step > 0.75 * known.step.max()).mean(["seed", "step"])
    assert float(left.sel(arm="positive")) < 0.2 < 0.5 < float(left.sel(arm="random-same"))
    slower = (best["steps to 0.9", "negative"] / best["steps to 0.9", "none"]).mean()
    higher = (best["loss", "negative"] / best["loss", "none"]).mean()
    assert 5 < slower < 30 and 5 < higher < 30
if here.attrs["task"] == "usps":
    middle = parts[size.middle]
    assert middle.shares()["negative"].estimate > 0.6 > 0.5 > middle.lengths()["negative"].estimate
    last = list(parts.values())[-1]
    assert last.shares()["negative"].estimate < middle.shares()["negative"].estimate
    assert last.lengths()["negative"].estimate < middle.lengths()["negative"].estimate
assert between[-1] > 1e6 * between[0]
far = apart.distance.where(np.isfinite(apart.distance)).mean("network")  # (direction, step)
apart_at = far.isel(step=-1).to_series()
assert apart_at[["top", "chaotic"]].min() > apart_at[["random", "non-chaotic", "bottom"]].max()
fits = [
    [growth_laws.least_squares(far.step, one, size.epsilon, law)[1] for one in far.values]
    for law in ("bounded drift", "drift and walk")
]
assert np.mean(fits[0]) > np.mean(fits[1])
assert departures["sigmoid"].departure.max() < 0.01
assert (
    departures["ReLU"].departure.loc[:1.1e-8].max() < 0.01 < 1 < departures["ReLU"].departure.max()
)
assert float(growth.growth.sel(map="fixed").max()) < 1e-10 and float(growth.growth.max()) < 0.2
assert float(whole.exponent.isel(index=0).min()) > 0 > float(whole.exponent.isel(index=-1).max())

# %% tags=["remove-cell", "nbval-ignore-output"]
labels = "none negative positive random-same random-same-positive negative-norm"
labels += " negative-at-0.1 none-at-0.1 chaotic-at-0.1 negative-at-0.01"
labels += " none-momentum negative-momentum none-full-batch"
ends = ablation.final(known).mean("seed").to_series()  # rule → test accuracy
most_frequent, middle = task.y.bincount().argmax(), parts[size.middle]
beyond = ablation.beyond_edge(known, "negative-at-0.1") if "negative-at-0.1" in ends else np.nan
several = sorted({int(count) for count in known.present.sum("seed") if count})
glue_all(
    "hessian",
    **ends.reindex(labels.split()).to_dict(),
    majority=float((task.y_test == most_frequent).double().mean()),
    edge=100 * getattr(beyond, "estimate", beyond),
    middle=size.middle,
    length=middle.lengths()["negative"],
    descent=middle.shares()["negative"],
    random=middle.random(),
    relaxing=distances.share_of(apart, ("bounded drift",)),
    networks=" to ".join(f"{count}" for count in dict.fromkeys((several[0], several[-1]))),
    copies=apart.sizes["network"],
)

# %% [markdown]
# ## The papers' claims
#
# Ranges were written before any network had been followed for more than 1,500 steps, and before any
# copy had been followed, except where a row says otherwise. Intervals are Student's t over
# networks; where there are few they are wide. Claims are judged on stored runs where there are any.

# %% tags=["hide-input"]
card = claims.Scorecard("07_hessian_chaos", changed=size.changed)
labels = "none", "negative", "positive", "random-same", "negative-norm", "random-same-positive"
labels += ("negative-top-10",)
followed = known.reindex(arm=list(labels))  # NaN where an arm is not there
end, test_loss, loss = (
    dict(zip(labels, ablation.final(followed, what).transpose("arm", "seed").values))
    for what in ("test_accuracy", "test_loss", "loss")
)  # arm → (seed,)

# %% tags=["hide-input"]
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

# %% tags=["hide-input"]
saw = ", ".join(f"{draw.named(arm)} {np.nanmean(values):.3f}" for arm, values in end.items())
untested = "A rule that it needs is neither stored nor computed here, or diverged."
takes = " Five networks of each rule would decide, 20 minutes of a core for each network."


def decides(values):
    """What it would take, where there are too few networks for a verdict."""
    return takes * int(np.isfinite(np.asarray(values, dtype=float)).sum() < 5)


for id, values in measured.items():
    words = dict(saw=f"Final test accuracy: {saw}.{decides(values)}", untested=untested)
    card.measure(id, student(values), **words, source=known)

# %% tags=["hide-input"]
plain, last = followed.sel(arm="none"), float(known.step.max())
shares = {
    "H-negative-always": plain.negative > 0,
    "H-no-edge": plain.chaotic > plain.negative,
    "H-overlap": plain.overlap_positive - plain.overlap_negative,
}
measured = {
    id: values.where(plain.negative.notnull()).mean("step") for id, values in shares.items()
}

# %% tags=["hide-input"]
for sign in ("negative", "positive"):
    early = plain[sign].where(plain.step <= last / 4).mean("step")
    late = plain[sign].where(plain.step >= 3 * last / 4).mean("step")
    measured[f"H-counts-{sign}"] = late / early - 1

# %% tags=["hide-input"]
mean = plain.mean()
saw = (
    f"On average {mean.negative:.0f} negative and {mean.positive:.0f} positive eigenvalues, with"
    f" shares of {mean.overlap_negative:.2f} and {mean.overlap_positive:.2f} of the squared"
    f" gradient; the largest ever observed is {plain.largest.max() * size.learning_rate:.2g}/γ."
)
for id, values in measured.items():
    card.measure(id, student(values), saw=saw, untested=untested, source=known)

# %% tags=["hide-input"]
lead, mine, theirs = ablation.retuned(known, "negative")
saw = ""
if np.isfinite(lead.estimate):
    label, rates = ablation.by_rate(known, "negative")[mine], ablation.by_rate(known, "none")
    above = ablation.beyond_edge(known, label).estimate
    saw = (
        f"Best γ: {theirs:g} without pruning and {mine:g} with negative directions pruned, of"
        f" {', '.join(f'{rate:g}' for rate in rates)}; where the largest is the best, a larger one"
        f" may do better. There, at {above:.1%} of the steps observed, an eigenvalue was above 2/γ,"
        " in a direction that is not pruned."
    )
    if (chaotic := f"chaotic-at-{mine:g}") in known.arm:
        lost = ablation.lost(known, chaotic, label).estimate
        saw += f" With all chaotic directions pruned there, networks end lower by {lost:.3f}."
    saw += takes * (lead.count < 5)
card.measure("H-inevitable", lead, saw=saw, untested=untested, source=known)

# %% tags=["hide-input"]
worse = best["loss", "negative"] - best["loss", "none"]
slower = best["steps to 0.9", "negative"] / best["steps to 0.9", "none"]
words = dict(untested=untested, source=known)
for id, what, values in (("loss", "loss", worse), ("steps", "steps to 0.9", slower)):
    saw = []
    for rule in ("negative", "none"):
        found = best[what, rule].dropna("seed")
        each = ", ".join(f"{value:.4g}" for value in found.values)
        saw.append(f"{draw.named(found.arm.item())}, by network, {each}")
    words["saw"] = f"The {what}: {'; '.join(saw)}.{decides(values)}"
    card.measure(f"H-inevitable-{id}", student(values.values), **words)

# %% tags=["hide-input"]
paces = [ablation.pace_after(sigmoid, label) for label in onsets] or [student([np.nan])]
slowest = max(paces, key=lambda interval: interval.estimate)
ends = ablation.final(sigmoid).mean("seed").to_series()
saw = ", ".join(f"{draw.named(label)} {value:.3f}" for label, value in ends.items())
words = dict(saw=f"Final test accuracy: {saw}.", untested=untested)
card.measure("H-onset", slowest, **words, source=sigmoid)

# %% tags=["hide-input"]
saw = ", ".join(f"{count} with {name}" for name, count in tested.items())
card.measure("H-local", student(agree), saw=f"Eigenvectors tested: {saw}.")
saw = f"Each epoch it grows by {parting.min():.4f} to {parting.max():.4f}; expected {expected:.4f}."
card.measure("H-theorem", parting.min(), saw=saw)

# %% tags=["hide-input"]
first, second = halves.values()
expands = second.sel(map="pruned") / second.sel(map="plain")
saw = "; ".join(
    f"{name} {first.sel(map=name).mean():.2g}, then {second.sel(map=name).mean():.2g}"
    for name in growth["map"].values
)
saw = f"ln σ₁ grows by, in the first and the second half of {int(growth.time[-1])} steps: {saw}."
card.measure("H-theorem-networks", student(expands.values), saw=saw)

# %% tags=["hide-input"]
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

# %% tags=["hide-input"]
words = dict(saw=saw, source=whole)
card.measure("H-exponents-start", student(largest.isel(time=0)), **words)
card.measure("H-exponents-decay", student(largest.isel(time=-1) / largest.isel(time=0)), **words)
card.measure("H-exponents-sign", student(grows.mean("time")), **words)

# %% tags=["hide-input"]
bound = np.exp(whole.exponent.isel(index=-1, time=-1) * float(whole.time[-1]))  # in units of ε
of_copies = ", ".join(f"{one:.2g}" for one in np.exp(apart.log_bottom.isel(mark=-1).values))
saw = (
    f"After {int(whole.time[-1]):,} steps: {', '.join(f'{one:.2g}' for one in bound.values)}."
    f" Of the copies' network, 256-20-10, after {int(apart.mark[-1]):,} steps: {of_copies}."
)
card.measure("H-lower-bound", student(bound.values), saw=saw, source=(whole, apart))

# %% tags=["hide-input"]
last = spans.groupby(level="subspace", sort=False).last()  # of the last two times
overlaps = [f"{name} {row.overlap:.2f} (chance {row.chance:.2f})" for name, row in last.iterrows()]
saw = f"Overlap of the last two times: {', '.join(overlaps)}. It takes four more networks."
card.measure("H-stabilise", student([last.overlap["chaotic"]]), saw=saw)

# %% tags=["hide-input"]
far = apart.distance.where(np.isfinite(apart.distance))  # (network, direction, step)
last = far.isel(step=-1).mean("network").to_series()
standing = [law for *_, found in distances.compared(apart) if found for law in found.standing]
upper = distances.within(apart, lower=False).estimate
lower = distances.within(apart, upper=False).estimate
saw = (
    f"Distance at the end: {', '.join(f'{way} {last[way]:.2f}' for way in experiment.EXPECTED)}."
    f" Laws that stand, by number of curves: {pd.Series(standing).value_counts().to_dict()}. The"
    f" upper bound holds at {upper:.0%} of the observed times, the lower at {lower:.0%}."
)

# %% tags=["hide-input"]
mean, steps = far.mean("direction"), apart.step
middle = mean.sel(step=0.75 * float(steps[-1]), method="nearest")
before = (middle - mean.isel(step=0)) / (middle.step - steps[0])
after = (mean.isel(step=-1) - middle) / (steps[-1] - middle.step)
late = (after / before).where(before > 0)  # 1 where distances keep their pace
expected = np.arange(len(experiment.EXPECTED), 0, -1)
ends = far.isel(step=-1).sel(direction=list(experiment.EXPECTED)).values
order = [stats.kendalltau(expected, row).statistic for row in ends]
largest = far.max(["direction", "step"]) / (apart.attrs["independent"] or np.nan)

# %% tags=["hide-input"]
words = dict(saw=saw, source=apart)
few = "The directions computed here are of too few steps for twelve observations."
together = "The copies followed here had not parted by three quarters of the time."
card.measure("H-exponential-first", distances.early_exponential(apart), untested=few, **words)
card.measure("H-fig3-law", distances.share_of(apart), **words)
card.measure("H-fig3-unsaturated", student(late), untested=together, **words)
card.measure("H-fig3-bounds", distances.within(apart), **words)
card.measure("H-fig3-order", student(order), **words)
card.measure("H-fig3-range", student(largest), **words)

# %% tags=["hide-input"]
saw = "The square root of twice it, for 784-20-10, is the paper's number."
card.measure("H-expected", scale, saw=saw)
harm = {e: distances.harm(known_lengths, e) for e in known_lengths.epsilon.values if e >= 1}
saw = ", ".join(f"{lost.estimate:.3f} at {e:g}" for e, lost in harm.items())
words = dict(saw=f"Accuracy lost at the end: {saw}.", source=known_lengths)
card.measure("H-size-harmless", distances.harm(known_lengths, 7.5), **words)
card.measure("H-size-harmful", distances.harm(known_lengths, 10.0), **words)

# %% tags=["hide-input"]
small = departures["ReLU"].loc[0.99e-8:1.01e-2]
worst = small.loc[small.departure.idxmax()]
told = ", ".join(f"{row[1]:.2g} ({row[2]:.2g} to {row[3]:.2g})" for row in small.itertuples())
saw = f"At ε of {', '.join(f'{e:g}' for e in small.index)}: {told}."
saw += " With sigmoid units all small perturbations behave alike: what departs are kinks of ReLU."
count = known_lengths.sizes["network"]
card.measure("H-small-sizes", *worst, n=count, saw=saw, source=known_lengths)

# %% tags=["nbval-ignore-output", "hide-output"]
card

# %%
print("verdicts that hold over the whole interval:", card.verdicts(decisive=True), sep="\n")
