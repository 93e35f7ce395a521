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
# In a direction of negative curvature, one step of gradient descent drives neighbouring networks apart. {cite:t}`herrmann2022` (H) call such directions *locally chaotic*,
# take them out of the gradient at every step of training, and find that the network hardly learns; without the directions of positive curvature it learns nearly as well as ever.
# They conclude that chaos is intrinsic to training. Then they perturb networks at the start and watch them part, for 40 epochs.
#
# This chapter repeats both, with the controls on which the conclusion depends: as many random directions taken out, the gradient's lost length restored, the learning rate tuned anew;
# the full batch beside the mini-batch; several networks, and intervals. It also examines H's two theorems, and the law and the bounds that they give for the parting of twins.
#
# The network has 256 inputs (USPS digits of 16×16 pixels), 20 hidden units with ReLU and 10 outputs, 5,350 parameters in all, drawn as PyTorch draws them; batches of 8, $\gamma = 10^{-3}$, no momentum.
# H's text says 784-20-10, which does not fit its images.

# %%
from myst_nb import glue

from netdyn_lib.curvature import batch_hessian, batch_noise
from netdyn_lib.experiments import perturbation_growth, pruning_exponents, sgd_spectra, sizes
from netdyn_lib.experiments.perturbation_growth import experiment, measures
from netdyn_lib.experiments.pruning_ablation import judging, published, results
from netdyn_lib.figures import arms as draw
from netdyn_lib.figures import hessian as draw_hessian
from netdyn_lib.figures import twins as draw_twins
from netdyn_lib.results import claims, provenance
from netdyn_lib.tasks import networks, tasks

# %% tags=["parameters"]
profile = "laptop"
device = "auto"
seed = 0

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
# which is H's theorem 2.1. Directions with $\lambda = 0$ are neutral. H's *chaotic* directions are those of both kinds; here $2/\gamma$ is 2,000, far above any eigenvalue.
# An eigenvalue counts as zero where it is below $10^{-12}$ of the largest; rounding leaves $10^{-15}$. The count matters: a dense eigensolver returns some 5,000 numerical zeros for this network, with random signs.
#
# ### The exact spectrum of a mini-batch
#
# H computed the whole Hessian at every step. For a perceptron nearly all of it is zero. The loss of $B$ samples sees the first layer's weights $W_1$ (bias included) only through $W_1 \tilde x_b$.
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
# Here for a network as H's convolutional one, on the digits:

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
# *Negative*, *positive* and *chaotic* are H's; at this $\gamma$ no eigenvalue comes near $2/\gamma$, so *chaotic* and *negative* prune the same, and with ReLU only *negative* is followed. *random-same* takes out a random subspace of as many dimensions as there are negative eigenvectors, uniform in the span of all eigenvectors that are not neutral;
# *random-same-positive* of as many as are positive. *-norm* arms restore the length of the whole gradient.
# Curves are means over networks, bands go from the lowest to the highest.

# %%
size = sizes.sizes("07_hessian_chaos", profile)
here = results.live("usps", profile, seed)
papers = results.paper()
known = results.judged(here, papers)
sigmoid = papers.get("usps-sigmoid")

# %% tags=["nbval-ignore-output"]
print(results.notes(here, papers))

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
# And over the 40 epochs of H's Fig. 1, published. Arms that are missing here and in the figures below are not published yet; the end of the chapter lists them.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-sets
# | fig-cap: >-
# |   H's Fig. 1: test accuracy and test loss over 40 epochs without pruning and with each set of
# |   directions pruned from the start. Published arms where there are any, else those computed
# |   here.
# | fig-alt: >-
# |   Two panels. Without pruning accuracy rises at once to above nine tenths. The other arms lie
# |   below it, the one without negative directions lowest.
provenance.shown(
    draw.curves(known, results.there(known, ("none", "negative", "positive", "chaotic"))), known
)

# %% tags=["nbval-ignore-output"]
results.summary(known)

# %% tags=["remove-cell", "nbval-ignore-output"]
task = tasks.get(results.live_task("usps"))
glue("hessian-majority", results.majority(task), display=False)
for name, arm in (
    ("negative", "negative"),
    ("random-end", "random-same"),
    ("none", "none"),
    ("positive", "positive"),
    ("random-positive", "random-same-positive"),
    ("negative-norm", "negative-norm"),
    ("random-same-norm", "random-same-norm"),
):
    glue(f"hessian-{name}", results.end(known, arm), display=False)

# %% [markdown]
# Over 40 epochs networks without negative directions end at a test accuracy of {glue:text}`hessian-negative:.3f`. On USPS that is what guessing the most frequent class gives: such a network has learned how frequent the classes are, and nothing of the images.
# (Guessing gives {glue:text}`hessian-majority:.3f` with the images that this page was computed on; without those of USPS they are digits.)
# A random subspace of as many dimensions, drawn anew at each step, leaves {glue:text}`hessian-random-end:.3f`, beside {glue:text}`hessian-none:.3f` without pruning: it delays learning, and hardly more.
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
provenance.shown(
    draw.kept(
        known, results.there(known, ("negative", "positive", "random-same", "random-same-positive"))
    ),
    known,
)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-controls
# | fig-cap: >-
# |   The controls: arms that prune negative directions, as many random ones, and each with the
# |   gradient's length restored.
# | fig-alt: >-
# |   Two panels, test accuracy and test loss over training, of up to six arms.
provenance.shown(
    draw.curves(
        known,
        results.there(
            known, ("none", "negative", "random-same", "negative-norm", "random-same-norm")
        ),
    ),
    known,
)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-differences
# | fig-cap: >-
# |   Test accuracy at the end that each arm costs, in pairs: the same networks, the same batches;
# |   mean and 95% interval over networks (Student's t).
# | fig-alt: >-
# |   A row for each arm with a point and a bar; the zero line is training without pruning.
provenance.shown(draw.differences(results.costs(known)), known)

# %% [markdown]
# The length is not what is missing: with it restored at each step, networks without negative directions end at {glue:text}`hessian-negative-norm:.3f`, those without as many random ones at {glue:text}`hessian-random-same-norm:.3f` ({numref}`fig-arms-controls`).
#
# Positive directions pruned, networks end at {glue:text}`hessian-positive:.3f`; as many random ones pruned, at {glue:text}`hessian-random-positive:.3f`. Training does without the positive directions far better than without the negative ones, but not better than
# without as many others: measured against this control they do not hold less.
#
# ## With a learning rate of its own
#
# The length that is restored at one step does not restore the way that a network would have come with longer steps from the start. So each rule gets the best learning rate of those tried.
# Rates were added at the upper end while accuracy still rose there; where a curve below still rises at its largest rate, a larger one may do better, and the row of the scorecard says so.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-rates
# | fig-cap: >-
# |   Test accuracy at the end against the learning rate; dashed, H's. Published arms where there
# |   are any.
# | fig-alt: >-
# |   Test accuracy against learning rate on a logarithmic axis, without pruning and with negative
# |   or positive directions pruned, with intervals.
provenance.shown(draw.rates(results.rates(known), mark=size.learning_rate), known)

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
provenance.shown(
    draw.curves(
        known,
        results.there(
            known,
            (
                "none",
                "none-at-0.1",
                "negative",
                "negative-at-0.01",
                "negative-at-0.03",
                "negative-at-0.1",
                "chaotic-at-0.1",
            ),
        ),
    ),
    known,
)

# %% tags=["remove-cell", "nbval-ignore-output"]
for name, arm in (
    ("negative", "negative-at-0.1"),
    ("none", "none-at-0.1"),
    ("chaotic", "chaotic-at-0.1"),
):
    glue(f"hessian-retuned-{name}", results.end(known, arm), display=False)
glue("hessian-retuned-edge", 100 * results.above_edge(known, "negative-at-0.1"), display=False)

# %% [markdown]
# {numref}`fig-arms-retuned`: without its negative directions a network is slow to leave the plateaus on which it knows how frequent the classes are and little else, and the sooner it leaves them the larger $\gamma$ is.
# At $\gamma = 0.1$, a hundred times H's, it has left them after half of the 40 epochs, and ends at {glue:text}`hessian-retuned-negative:.3f`, beside {glue:text}`hessian-retuned-none:.3f` with all directions at the same rate and {glue:text}`hessian-none:.3f` at H's.
# So negative directions make training fast, and at H's rate 40 epochs are too few without them; but a network can learn without them as well as with them. H concludes that locally chaotic directions cannot be taken out *without hurting performance*; with the rate tuned, those of negative curvature can.
# H's chaotic set has eigenvalues above $2/\gamma$ too, which pruning of negative directions leaves in. At so large a rate there are some, at {glue:text}`hessian-retuned-edge:.1f`% of the steps observed.
# With these pruned as well, so that no locally chaotic direction of the batch is left, networks end at {glue:text}`hessian-retuned-chaotic:.3f`.

# %% [markdown]
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
provenance.shown(
    draw.curves(
        known,
        results.there(
            known,
            (
                "none",
                "negative",
                "negative-top-10",
                "negative-random-10",
                "none-momentum",
                "negative-momentum",
            ),
        ),
    ),
    known,
)

# %% tags=["remove-cell", "nbval-ignore-output"]
for name in (
    "negative-top-10",
    "negative-random-10",
    "none-momentum",
    "negative-momentum",
    "none-at-0.01",
    "negative-at-0.01",
):
    glue(f"hessian-{name}", results.end(known, name), display=False)

# %% [markdown]
# {numref}`fig-arms-fewer`: any ten of the negative directions can be spared, and so can the ten largest. Networks end at {glue:text}`hessian-negative-random-10:.3f` and {glue:text}`hessian-negative-top-10:.3f`, without pruning at {glue:text}`hessian-none:.3f`.
# With momentum $\mu = 0.9$ at H's rate they end at {glue:text}`hessian-none-momentum:.3f`, and at {glue:text}`hessian-negative-momentum:.3f` with negative directions pruned. At ten times H's rate and without momentum it was {glue:text}`hessian-none-at-0.01:.3f` and {glue:text}`hessian-negative-at-0.01:.3f`:
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
provenance.shown(
    draw.curves(known, results.there(known, ("none", "none-full-batch", "negative"))), known
)

# %% tags=["remove-cell", "nbval-ignore-output"]
glue("hessian-full-batch", results.end(known, "none-full-batch"), display=False)
small_network = papers["usps-cnn"]
for name in ("none", "negative"):
    glue(f"hessian-convolutional-{name}", results.end(small_network, name), display=False)

# %% [markdown]
# With all samples at every step networks end at a test accuracy of {glue:text}`hessian-full-batch:.3f`, with batches at {glue:text}`hessian-none:.3f` ({numref}`fig-arms-full-batch`). At H's learning rate descent without any noise of batches ends where descent with it does, so that noise is not what pruning takes away to such effect.
#
# H's second network is convolutional: here four kernels of 3×3 pixels with padding and ReLU (40 parameters), 3×3 max-pooling, and a linear layer (1,010). H's code has some 1,160 parameters, and the paper does not list them layer by layer.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-convolutional
# | fig-cap: >-
# |   The convolutional network over 40 epochs, without pruning and with each set pruned. Published.
# | fig-alt: >-
# |   Two panels, test accuracy and test loss of the convolutional network over training, a curve
# |   for each set of directions pruned.
provenance.shown(draw.curves(small_network), small_network)

# %% [markdown]
# Without negative directions it ends at {glue:text}`hessian-convolutional-negative:.3f`, without pruning at {glue:text}`hessian-convolutional-none:.3f`, at H's learning rate; the perceptron at {glue:text}`hessian-negative:.3f` and {glue:text}`hessian-none:.3f`.
#
# All other tasks at the paper profile, as far as they are published: sigmoid units, the digits of scikit-learn, and the convolutional network.

# %% tags=["nbval-ignore-output"]
results.elsewhere(papers)

# %% [markdown]
# ## The onset of pruning
#
# H's Fig. 2 lets networks with sigmoid units, which learn more slowly, train for a while before pruning begins.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-onset
# | fig-cap: >-
# |   H's Fig. 2: sigmoid units, chaotic directions pruned from the step marked on. Published arms;
# |   without these, the arms computed here.
# | fig-alt: >-
# |   Two panels over 40 epochs: test accuracy and test loss without pruning, with pruning from the
# |   start, and from steps 2,000, 5,000 and 10,000, marked by dashed lines.
provenance.shown(
    draw.curves(
        results.judged(here, papers, "usps-sigmoid"),
        onsets=results.onsets(results.judged(here, papers, "usps-sigmoid")),
    ),
    results.judged(here, papers, "usps-sigmoid"),
)

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
# |   Panels for up to four arms; in each, counts of positive and negative eigenvalues, some hundred
# |   each, over training.
provenance.shown(
    draw.counts(known, results.there(known, ("none", "negative", "positive", "random-same"))), known
)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-arms-overlaps
# | fig-cap: >-
# |   Share of the squared gradient along positive and negative eigenvectors of the batch's Hessian.
# | fig-alt: >-
# |   Panels for up to four arms; in each, shares between zero and one of positive and negative
# |   directions over training.
provenance.shown(
    draw.overlaps(known, results.there(known, ("none", "negative", "positive", "random-same"))),
    known,
)

# %% [markdown]
# Within the range of a batch's Hessian both counts rise at first and then stay; H report that the negative ones become fewer. Without pruning nearly all of the gradient's length lies along positive eigenvectors once the network has learned something.
#
# H resolve the contradiction between the importance of negative directions and their small part of the gradient by supposing that negative curvature comes first in training. There is a simpler resolution, and it can be measured.
# A batch's gradient $g_b$ is a noisy copy of the whole gradient $g$. A step $-\gamma g_b$ changes the loss of *all* samples by $-\gamma\langle g, g_b\rangle$ to first order, and the part $P_c\,g_b$ of it that lies in a class of the batch's eigenvectors
# contributes $-\gamma\langle g, P_c\,g_b\rangle$. What counts is this share of the descent, not the share of $|g_b|^2$:

# %%
states = results.states(task, size.times, size.learning_rate, size.batch, seed)
parts = {
    step: batch_noise.measure(task, params, size.batch, size.batches, seed)
    for step, params in states.items()
}

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-contributions
# | fig-cap: >-
# |   What the negative directions of a batch's Hessian hold of the batch's gradient, what they
# |   contribute to the descent of the whole training loss, and what as many random directions would
# |   take; 95% intervals over batches.
# | fig-alt: >-
# |   Three series of shares over training steps, with intervals: of the squared gradient, of the
# |   descent, and of the number of directions.
draw.contributions(parts)

# %% tags=["nbval-ignore-output"]
batch_noise.contribution_table(parts)

# %% tags=["remove-cell", "nbval-ignore-output"]
middle = parts[size.middle]
glue("hessian-middle", float(size.middle), display=False)
for name, interval in (
    ("length", middle.lengths()["negative"]),
    ("descent", middle.shares()["negative"]),
    ("random", middle.random()),
):
    glue(f"hessian-{name}", float(interval.estimate), display=False)

# %% [markdown]
# At step {glue:text}`hessian-middle:,.0f` the negative directions of a batch hold {glue:text}`hessian-length:.0%` of its squared gradient, and contribute {glue:text}`hessian-descent:.0%` of the descent; as many random directions would take {glue:text}`hessian-random:.0%`.
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
        task, params, size.batch, size.noise_batches, seed, step
    )
    for step, params in states.items()
    if step in size.noise_times
}

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-batch-noise
# | fig-cap: >-
# |   Each negative eigenvalue of some batches' Hessians, and the full batch's curvature along the
# |   same eigenvector; on the dashed line the full batch curves as the batch does.
# | fig-alt: >-
# |   Scatter plots, one for each time. Points lie above the dashed diagonal: the full batch's
# |   curvature is less negative than the batch's, and for many directions positive.
draw_hessian.noise(noise)

# %% tags=["nbval-ignore-output"]
batch_noise.table(noise)

# %% [markdown]
# And a small network's full batch, whole, beside its mini-batches (digits, 64-8-10):

# %%
little = tasks.get("digits-small")
stages = results.states(little, size.small_times, size.learning_rate, size.batch, seed)

# %% tags=["nbval-ignore-output"]
batch_noise.along(little, stages, size.batch, size.noise_batches, seed).round(3)

# %% [markdown]
# ## Theorem 2.2: can pruned descent still diverge?
#
# H's second theorem says that descent without chaotic directions has no orbits that diverge exponentially. As printed, its tangent map is $Y \leftarrow (I - \gamma P)\,Y$, with $P$ the projector on what is kept. The Hessian is missing from it, and so are the units of curvature.
# With the Hessian put in, $I - \gamma P H$ has no eigenvalue beyond 1 in magnitude, it is symmetric, and no product of such maps grows. But that is not the derivative of pruned descent, for the projector turns with the weights:
#
# $$
# J\,\delta = \delta - \gamma\,\big[P H\,\delta + (\partial P[\delta])\,g\big],
# \qquad
# \partial P[\delta] = -\sum_{i\ \text{pruned},\ j\ \text{kept}} \frac{v_j^{\mathsf T}\,\partial H[\delta]\,v_i}{\lambda_i - \lambda_j}\,\big(v_j v_i^{\mathsf T} + v_i v_j^{\mathsf T}\big)
# $$
#
# {cite:p}`kato1995`. The second term does not vanish unless the loss is quadratic or the gradient is zero. It is not symmetric, and it can expand: where $L = \varphi(|W|)$ with $\varphi' < 0 < \varphi''$, the tangential directions are the chaotic ones, the gradient has no part along them,
# so pruning changes nothing, and neighbours part at the rate $1 - \gamma\varphi'/|W| > 1$, as without it. With mini-batches that take turns such a factor repeats, and distances grow exponentially; the tests of the library hold an example. In a network:

# %%
growth = pruning_exponents.compare(
    little,
    size.map_networks,
    size.learning_rate,
    size.batch,
    size.map_steps,
    size.map_times,
    seed=seed,
)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-pruned-growth
# | fig-cap: >-
# |   Largest growth of a perturbation, ln σ₁ of the product of derivatives, along plain descent,
# |   along pruned descent by its true derivative, and with the projector held fixed; digits,
# |   64-8-10. Mean over networks and their range.
# | fig-alt: >-
# |   Growth over steps for three maps. With the projector held fixed it stays at zero; plain
# |   descent and pruned descent with its true derivative both rise.
draw_hessian.maps(growth)

# %% [markdown]
# With the projector held fixed nothing grows, as the theorem says. By the true derivative perturbations of pruned descent grow: the guarantee does not follow from taking the chaotic directions out of the gradient.
#
# ## Exponents over training
#
# Finite-time exponents over $[0, t]$ are $\ln\sigma_i(Y)/t$, $Y = J(t-1)\cdots J(0)$. H take them from the eigenvalues of $Y^{\mathsf T} Y$, which in double precision loses all that is below $10^{-8}$ of the largest.
# Nor does Benettin's method help in so short a time: at $\gamma = 10^{-3}$ one vector drawn at random among 5,000 neutral directions hardly turns towards those that grow. Here a small network has its whole spectrum, from $Y = Q D T$ kept to full relative accuracy,
# and H's network its leading exponents, from block Krylov passes forwards and backwards with bounds on their error.

# %%
spectrum = sgd_spectra.over_time(
    little,
    size.spectrum_networks,
    size.learning_rate,
    size.batch,
    size.spectrum_steps,
    size.spectrum_times,
    interval=size.interval,
    seed=seed,
    progress=False,
)
whole = sgd_spectra.published().get("digits-small", spectrum)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-spectra
# | fig-cap: >-
# |   Digits, 64-8-10: all 610 exponents over [0, t] (left), and the extreme ones over time (right),
# |   mean over networks and range; published where there are any.
# | fig-alt: >-
# |   Left, spectra against the index: positive at the left end, a long plateau at zero, negative at
# |   the right end; the later, the closer to zero. Right, the largest and smallest exponents over
# |   time.
provenance.shown(draw_hessian.exponents(whole), whole)

# %% tags=["nbval-ignore-output"]
sgd_spectra.extremes(whole)

# %% tags=["nbval-ignore-output"]
print("computed here:", sgd_spectra.saw(spectrum))

# %% [markdown]
# And the leading exponents of the network of this chapter:

# %%
leading = sgd_spectra.over_time(
    task,
    size.leading_networks,
    size.learning_rate,
    size.batch,
    size.leading_steps,
    size.leading_times,
    size.leading,
    seed=seed,
    progress=False,
)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-leading
# | fig-cap: >-
# |   256-20-10 (or its stand-in): the leading exponents over [0, t], and the largest of [0, t] and
# |   of each stretch over time.
# | fig-alt: >-
# |   Left, leading exponents against the index at several times, all positive. Right, the largest
# |   over time.
draw_hessian.exponents(leading)

# %% tags=["nbval-ignore-output"]
sgd_spectra.extremes(leading)

# %% [markdown]
# An exponent over $[0, t]$ falls as $1/t$ once growth has ended: that it converges to zero says no more than that the growth is finite. The largest exponent of a *stretch* says whether there is still growth then.
# And the largest of thousands of exponents cannot be negative while most directions are neutral.
#
# ### Do the subspaces stand still?

# %%
spans = sgd_spectra.overlaps(
    little,
    0,
    size.learning_rate,
    size.batch,
    size.span_times,
    size.span,
    seed,
    interval=size.interval,
)
of_batch = sgd_spectra.of_hessian(
    little, 0, size.learning_rate, size.batch, size.lag_times, size.lag, seed
)

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
draw_hessian.stabilising(spans, of_batch)

# %% tags=["nbval-ignore-output"]
spans

# %% [markdown]
# ## Twins
#
# H perturb a network at its start by $\varepsilon = 0.1$ and let both learn from the same batches. The directions are eigenvectors of the Lyapunov matrix $\ln(Y^{\mathsf T}Y)/2T$ of a first run: the one that grows most and the one that shrinks most, random combinations of those that grow (*chaotic*) and of those that shrink (*non-chaotic*), and any.
# They are *initial* directions, right singular vectors of $Y$; QR carried forwards gives those at the end, so passes go backwards and forwards.
# Of the 5,350 directions the leading and the contracting few are computed; combinations are of these. Contracting directions shrink by factors whose squares, over many steps, lie further apart than double precision can tell:
# of these only the first is known well, and the lower bound with it. The data say which sets have converged (`converged_top`, `converged_bottom`).

# %%
pairs = experiment.along_strategies(
    task,
    size.twin_networks,
    size.learning_rate,
    size.batch,
    size.twin_steps,
    size.twin_every,
    size.horizon,
    size.epsilon,
    size.directions,
    size.sweeps,
    size.tolerance,
    seed=seed,
    progress=False,
)
published_twins = experiment.published()
apart = published_twins.get("usps", pairs)

# %% tags=["nbval-ignore-output"]
print(experiment.notes({"here": pairs} | published_twins))

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-twins
# | fig-cap: >-
# |   H's Fig. 3a: distance of twins to the reference, by the direction of the perturbation; mean
# |   over networks and range. Published where there are any.
# | fig-alt: >-
# |   Distance over 40 epochs for five directions. All rise from 0.1, quickly at first and then ever
# |   more slowly; top and chaotic lie highest.
provenance.shown(draw_twins.divergence(apart), apart)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-twin-bounds
# | fig-cap: >-
# |   H's Fig. 3b: distances between the bounds from the largest and the smallest exponent, up to
# |   the time for which directions were found.
# | fig-alt: >-
# |   Distances on a logarithmic axis between two grey curves that part from the value 0.1.
provenance.shown(draw_twins.bounds(apart), apart)

# %% [markdown]
# The bounds hold for infinitesimal perturbations, and there they are theorems. Where a distance at $\varepsilon = 0.1$ is above the upper one, the perturbation has left the range in which the map between twins is linear.
#
# ### Which law?
#
# H's $\sqrt{\alpha t^2 + \beta t}$ starts at 0 where the perturbation starts at $\varepsilon$; here $d^2 = \varepsilon^2 + \alpha t^2 + \beta t$. Its rivals are a pure walk, a pure drift, a straight line, a power law and an exponential;
# and, since all curves bend over, two that end: a walk in a bowl, $d^2 = \varepsilon^2 + s(1 - e^{-t/\tau})$, and a drift that relaxes, $d = \varepsilon + c(1 - e^{-t/\tau})$.
# A good $R^2$ decides nothing, so laws are compared by a corrected information criterion with correlated noise, and on the last third of the time, held out.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-twin-fits
# | fig-cap: >-
# |   One network's twins: distance, H's law as fitted by least squares and by likelihood, and the
# |   best of its rivals. The likelihood takes residuals to be correlated, so its curves may run
# |   beside the points.
# | fig-alt: >-
# |   Five panels, one for each direction, with a curve of distances and fitted laws.
provenance.shown(draw_twins.fits(apart), apart)

# %% tags=["nbval-ignore-output"]
measures.laws(apart).round(3)

# %% tags=["remove-cell", "nbval-ignore-output"]
glue(
    "hessian-relaxing", float(measures.share_of(apart, ("bounded drift",)).estimate), display=False
)

# %% [markdown]
# The drift that relaxes stands for {glue:text}`hessian-relaxing:.0%` of the curves. It has as many parameters as H's law, and an end: the push that parts two networks is the gradient's, and it fades as both settle.

# %% [markdown]
# ### The size of the perturbation, and why small ones behave at random
#
# H find performance unharmed up to $\varepsilon = 7.5$, and that below 0.1 twins behave the more randomly the smaller the perturbation; they suspect a numerical error.
# In double precision, rounding cannot be seen above $\varepsilon = 10^{-12}$ or so. But ReLU has a kink. Where one of the two networks has a unit on for a sample and the other has it off, their gradients differ by an amount that $\varepsilon$ does not decide, and so does the jump in their distance: about $\gamma|g|$.
# The smaller $\varepsilon$, the rarer such a jump and the larger beside $\varepsilon$. Sigmoid units have no kink, and tell the two explanations apart.

# %%
lengths = experiment.over_sizes(
    task,
    size.twin_networks,
    size.learning_rate,
    size.batch,
    size.size_steps,
    size.size_every,
    size.epsilons,
    seed,
    progress=False,
)
smooth = experiment.over_sizes(
    tasks.get(results.live_task("usps-sigmoid")),
    size.twin_networks,
    size.learning_rate,
    size.batch,
    size.size_steps,
    size.size_every,
    size.epsilons[: size.small_epsilons],
    seed,
    progress=False,
)
known_lengths, known_smooth = (
    published_twins.get("usps-sizes", lengths),
    published_twins.get("usps-sigmoid-sizes", smooth),
)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-twin-shape
# | fig-cap: >-
# |   ReLU: distance in units of the perturbation, for perturbations of several lengths in one
# |   direction, mean over networks.
# | fig-alt: >-
# |   Curves of d over epsilon on a logarithmic axis. The smallest perturbations share one curve
# |   near 1; some of those between jump up by orders of magnitude, in steps.
provenance.shown(draw_twins.shape(known_lengths), known_lengths)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-twin-shape-sigmoid
# | fig-cap: >-
# |   The same with sigmoid units.
# | fig-alt: >-
# |   Curves of d over epsilon for all perturbations lie on each other.
provenance.shown(draw_twins.shape(known_smooth), known_smooth)

# %% tags=["nbval-ignore-output"]
measures.departures({"ReLU": known_lengths, "sigmoid": known_smooth}, size.linear)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-twin-sizes
# | fig-cap: >-
# |   Test accuracy at the end against the length of the perturbation; grey, the reference.
# | fig-alt: >-
# |   Accuracy against the length of the perturbation on a logarithmic axis: level with the
# |   reference up to lengths of several units, lower at the right end.
provenance.shown(draw_twins.sizes(known_lengths), known_lengths)

# %% [markdown]
# ### How far apart are two networks?
#
# H give 6.38 as the expected distance of two networks that are drawn independently. Each parameter is uniform in $(-a, a)$ with $a^2 = 1/\text{fan in}$, so that $\mathbb E|\Delta W|^2 = \sum 2a^2/3$.

# %%
scale = perturbation_growth.independent(tasks.recipe("usps").architecture())

# %% tags=["remove-cell", "nbval-ignore-output"]
glue("hessian-independent", float(scale.rms), display=False)
glue(
    "hessian-independent-root",
    float(2**0.5 * perturbation_growth.independent(networks.MLP((784, 20, 10))).rms),
    display=False,
)

# %% [markdown]
# That is {glue:text}`hessian-independent:.3f` for 256-20-10. The network of H's text, 784-20-10, has nearly the same, and $\sqrt 2$ times that is {glue:text}`hessian-independent-root:.2f`: as if each difference had four times the variance of a parameter, and not twice.

# %% [markdown]
# ## In short
#
# *Does a network learn without its negative directions?* At H's learning rate it does not, and it is not for the number of directions: as many random ones can be spared. This is H's finding, and it stands with the control. With a rate a hundred times
# larger it does, as well as with them: what they give is speed, and that they are indispensable does not stand. The few directions above $2/\gamma$ were left in.
# *Why speed?* Because the negative directions of a batch, small as their part of its gradient is, hold much of what the batch has in common with all samples: of the descent of the whole loss they contribute more than their share, while the loss still falls.
# *Is it chaos that is needed?* Nothing here says so. What is taken out with the chaotic directions is the signal; and pruned descent is not free of growth either, for the projector turns.
# *Do twins part by drift and a random walk?* The law that the curves follow best relaxes towards an end, which drift and walk have not. A perturbation of 0.1 is not small: units with a kink part by jumps. With sigmoid units, or with ReLU below the size at which a kink is met, all perturbations grow alike.
#
# ## Published numbers, recomputed

# %% tags=["nbval-ignore-output"]
checks = published.check_all(provenance.commit(), size.checked)
print(*checks or ["NOTE: no arm is published, so none was recomputed"], sep="\n")
assert all(check.agrees for check in published.made(checks))

# %% [markdown]
# Arms of the paper profile that are not published yet, or not with all their networks; `python -m netdyn_lib.experiments.pruning_ablation run NAME --profile paper` computes what is missing.

# %% tags=["nbval-ignore-output"]
results.unpublished(papers)

# %% [markdown]
# ## The paper's claims
#
# Ranges were written before any arm had been followed for more than 1,500 steps, and before any twin had been followed, except where a row says otherwise. Intervals are Student's t over networks; where there are few they are wide. Claims are judged on published numbers where there are any.

# %%
card = claims.Scorecard("07_hessian_chaos")
for row in judging.rows(known, sigmoid):
    card.measure(row.id, *row.interval, saw=row.saw, untested=row.untested, source=row.data)

# %%
seen = sgd_spectra.saw(whole)
card.measure("H-theorem", *pruning_exponents.expands(growth), saw=pruning_exponents.saw(growth))
card.measure("H-exponents-start", *sgd_spectra.largest_early(whole), saw=seen, source=whole)
card.measure("H-exponents-decay", *sgd_spectra.decay(whole), saw=seen, source=whole)
card.measure("H-exponents-sign", *sgd_spectra.never_below_zero(whole), saw=seen, source=whole)
card.measure(
    "H-stabilise", sgd_spectra.last(spans, "chaotic"), saw=sgd_spectra.saw_subspaces(spans)
)

# %%
followed = measures.saw(apart)
card.measure(
    "H-exponential-first",
    *measures.early_exponential(apart),
    saw=followed,
    untested="The directions computed here are of too few steps for twelve observations.",
    source=apart,
)
card.measure("H-fig3-law", *measures.share_of(apart), saw=followed, source=apart)
card.measure(
    "H-fig3-unsaturated",
    *measures.late_growth(apart),
    saw=followed,
    untested="The twins followed here had not parted by three quarters of the time.",
    source=apart,
)
card.measure("H-fig3-bounds", *measures.within(apart), saw=followed, source=apart)
card.measure("H-fig3-order", *measures.ordered(apart), saw=followed, source=apart)
card.measure("H-fig3-range", *measures.largest(apart), saw=followed, source=apart)
card.measure(
    "H-expected",
    scale.rms,
    saw="The square root of twice it, for 784-20-10, is the paper's number.",
)
card.measure(
    "H-size-harmless",
    *measures.harm(known_lengths, 7.5),
    saw=measures.saw_sizes(known_lengths),
    source=known_lengths,
)
card.measure(
    "H-size-harmful",
    *measures.harm(known_lengths, 10.0),
    saw=measures.saw_sizes(known_lengths),
    source=known_lengths,
)
card.measure(
    "H-small-sizes",
    *measures.departure(known_lengths, size.linear),
    saw="With sigmoid units all small perturbations behave alike: the departures are kinks of ReLU, not rounding.",
    source=known_lengths,
)

# %% tags=["nbval-ignore-output"]
card

# %%
print("verdicts that hold over the whole interval:", card.verdicts(decisive=True), sep="\n")
