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
# # Images: sweeps over the learning rate
#
# :::{admonition} In short
# :class: tip
# - Jiménez-González 2025 claim that training on images is fastest at the learning rate where
#   nearby networks begin to part exponentially, and call it a sweet spot.
# - On handwritten digits, with the paper's 50 initial conditions, the answer depends on the length
#   of the record and the reading of the rule: at the fastest rate a fit over 200 epochs finds no
#   network sensitive, a ramp nearly all, and over 40 epochs the fit does, too: {verdict}`J-fig5-coincide-digits` {verdict}`J-fig5-coincide-short`
# - On Iris, with 500, the two rates agree: {verdict}`J-fig8-iris`
# - On MNIST, at a learning rate of 10, distances grow and saturate as the paper says, at about its
#   exponent: {verdict}`J-fig2-saturation` {verdict}`J-fig3-lambda`
# - Most other claims need more networks than we have run: {verdict}`J-fig5-coincide`
#   {verdict}`J-fig10-coincide` {verdict}`J-fig13-cifar`
#
# The figures to see are {numref}`fig-images-overview` and {numref}`fig-images-length`.
# :::
#
# {cite:t}`jimenez2025` train networks on MNIST at learning rates from 0.0005 to 20. Near
# $\eta = 7.5$, they report, three things come together: nearby networks begin to part
# exponentially from every initial condition, sharpness approaches $2/\eta$, and training to 90%
# test accuracy takes the fewest epochs. They call it a sweet spot between exploitation and
# exploration, find it again with other activations, depths, penalties and data, and propose to
# search it by bisection before training.
#
# This chapter repeats their Figures 1 to 5 and 8 to 14, and the remark that MNIST behaves like
# Iris {cite:p}`danovski2024`. Training is full batch in float64, so a sweep at the papers' size is
# work for a GPU. Three kinds of numbers stand side by side here, and each says what it is: the
# whole sweep on the handwritten digits that come with scikit-learn, run live on any machine; MNIST
# and CIFAR-10 at smaller sizes, run live where the data are at hand; and published results with
# all of MNIST's 60,000 images. How to run, resume and spread a sweep is in {doc}`../book/sweeps`,
# and where data come from in {doc}`../book/data`.

# %% tags=["hide-input"]
import json
from operator import attrgetter

import numpy as np
import pandas as pd
import torch

from netdyn_lib import torch_utils
from netdyn_lib.experiments import sizes, sweet_spot
from netdyn_lib.experiments.learning_rate_sweep import published, responses, results
from netdyn_lib.figures import sweeps as draw
from netdyn_lib.lyapunov import growth_fits
from netdyn_lib.results import claims, provenance
from netdyn_lib.results.glue import glue_all
from netdyn_lib.statistics.intervals import bootstrap_interval, share_interval
from netdyn_lib.tasks import networks, tasks
from netdyn_lib.training import gradient_descent, observables

pd.set_option("display.max_colwidth", None)

# %% tags=["parameters", "hide-input"]
profile = "laptop"
device = "auto"
seed = 0
rates = None  # of the sweep on the digits; None: the profile's, as for all that follow
conditions = None
copies = None
epochs = None
cap = None
search_conditions = None  # of the search for the sweet spot
races = None  # initial conditions on which the rates found are tried

# %% tags=["hide-input"]
sweep = dict(rates=rates, conditions=conditions, copies=copies, epochs=epochs, cap=cap)
searched = dict(search_conditions=search_conditions, races=races)
size = sizes.sizes("05_mnist_cifar", profile, **sweep, **searched)
digits = results.live("digits", profile, device, seed, **sweep)
digits_paper = results.paper("digits")

# %% tags=["nbval-ignore-output"]
print(digits.note, digits_paper.note, sep="\n")

# %% [markdown]
# ## Handwritten digits, the whole sweep
#
# The network is the paper's in small: 64 pixels, 32 tanh units, 10 classes; weights
# $\mathcal N(0, 1)$, biases zero. Each initial condition has perturbed copies within
# $\epsilon = 10^{-8}$. $\Lambda$ is, where nothing else is said, the slope of $\ln\bar d(t)$ in
# the window of best exponential fit of at least 20 epochs (other readings of the papers' words
# follow below); $\lambda_{nMLE}$ is the mean of the kept ($R^2 > 0.9$, $\Lambda > 0.05$) and $p$
# their share. $\tau$ is the first epoch with 90% test accuracy. A network that does not arrive
# within the cap is *censored*: it arrives later, or never. A mean over arrivals alone forgets it,
# so the share that never arrives stands beside each mean, and comparisons use the mean of
# $\min(\tau, \text{cap})$. Where training is chaotic $\tau$ of a single network is not
# reproducible to the epoch, on another processor for instance; its distribution is, as the end of
# this chapter shows.

# %%
shown = {"here": digits, "published": digits_paper}
shown = {label: found.data for label, found in shown.items() if found.there}
exponents, first, settled = {}, {}, {}
for label, data in shown.items():
    exponents[label] = responses.exponents(data, seed=seed)
    first[label] = responses.arrivals(data, seed=seed)
    settled[label] = responses.arrivals(data, sustained=True, seed=seed)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-digits-exponents
# | fig-cap: >-
# |   Handwritten digits. Mean of the kept exponents against the learning rate, with 95% intervals;
# |   bands are ± one standard deviation. (As Jiménez-González 2025, Fig. 4.)
# | fig-alt: >-
# |   No exponents at learning rates up to 1; they set in between 2.5 and 5, where they are largest,
# |   and are smaller and more scattered beyond.
provenance.shown(draw.exponent_by_rate(exponents), shown)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-digits-arrivals
# | fig-cap: >-
# |   Handwritten digits. Above, the share p of sensitive initial conditions; middle, the mean
# |   number of epochs to 90% test accuracy over the networks that arrive, by first hit and
# |   sustained over 20 epochs; below, the share that never arrives within the cap. (As
# |   Jiménez-González 2025, Fig. 5.)
# | fig-alt: >-
# |   The share p rises from zero to one around 2.5 to 5. Arrival takes fewer and fewer epochs up to
# |   2.5; from 5 on hardly any network arrives.
provenance.shown(draw.share_and_arrival(exponents, first, settled), shown)

# %%
best_size = results.best(digits_paper, digits)
best_exponents = responses.exponents(best_size.data, seed=seed)
best_first = responses.arrivals(best_size.data)
digits_onset = responses.onset(best_exponents, 0.5, seed=seed)
digits_fastest = responses.fastest(best_first, seed=seed)

# %%
at_fastest = best_first.spent.mean(axis=1).argmin()  # of min(τ, cap), over initial conditions
digits_share = best_exponents.share[at_fastest]
by_reading = responses.multiverse(best_size.data, seed=seed)
digits_shares = {name: found.share[at_fastest].estimate for name, found in by_reading.items()}

# %% [markdown]
# On the digits training is fastest at $\eta =$ {glue:text}`images-digits-fastest:g`, and over the
# whole record half of the initial conditions are sensitive from $\eta =$
# {glue:text}`images-digits-onset:g` on. At the fastest rate itself $p$ is then
# {glue:text}`images-digits-share:.2f`, and at $\eta = 10$ no network arrives within the cap.
#
# {numref}`fig-images-overview` puts this in one picture. Where there is no exponent, this is why:

# %% tags=["nbval-ignore-output"]
print(best_exponents.without())

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-overview
# | fig-cap: >-
# |   The regimes of training over the learning rate (handwritten digits). Above, the share of
# |   initial conditions from which nearby trajectories separate exponentially, and the share of
# |   networks that reach 90% test accuracy; below, the mean exponent of those that separate.
# |   Behind, hardly any (below a tenth), some, and nearly all (nine tenths and more) of the
# |   networks are sensitive; the dashed line is the learning rate at which training takes the
# |   fewest epochs.
# | fig-alt: >-
# |   Two panels over a logarithmic axis of learning rates with coloured regimes behind them. At low
# |   rates no network is sensitive and the share that learns grows with the rate; around the
# |   fastest rate sensitivity sets in; beyond it nearly all networks are sensitive and hardly any
# |   learns.
provenance.shown(draw.regimes(best_exponents, best_first, digits_fastest.estimate), best_size)

# %% [markdown]
# ### How long a record?
#
# The papers follow copies for 201 epochs, and the rule looks for the best exponential fit in all
# of them. That makes $p$ a matter of the record's length: where distances rise for a while and
# then level off or shrink slowly, a long flat stretch fits better than the rise, and the initial
# condition no longer counts as sensitive. {numref}`fig-images-length` shortens the same published
# records.

# %%
records = {
    "MNIST": results.paper("mnist-few-200"),
    "MNIST, 6,000 images": results.paper("mnist-sharpness"),
}
lengths = {"MNIST": (40, 60, 100, 140, 200), "MNIST, 6,000 images": (40, 60, 100, 200, 300)}
whole = int(best_size.data.epoch[-1])
cuts = [length for length in (40, 60, 80, 100, 140, 200) if length <= whole] or [whole]
by_length = {"digits": responses.by_length(best_size.data, cuts, seed=seed)}
for label, record in records.items():
    if record.there:
        by_length[label] = responses.by_length(record.data, lengths[label], seed=seed)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-length
# | fig-cap: >-
# |   The share p of sensitive initial conditions against the number of epochs that copies are
# |   followed, the same records shortened; the learning rates whose p changes most.
# | fig-alt: >-
# |   On the digits p falls with the length of the record at a learning rate of 2.5, from nearly one
# |   to zero, and rises at the largest rates. On 6,000 images of MNIST it falls from one to zero at
# |   7.5 and stays high at 10.
provenance.shown(draw.by_length(by_length), best_size, records)

# %% tags=["nbval-ignore-output"]
table = by_length["digits"]
table = table[table["rate"] == digits_fastest.estimate].set_index("epochs")
short_share, whole_share = table["share"].iloc[[0, -1]]
short = table[["share", "share_low", "share_high"]].iloc[0]
table[["share", "share_low", "share_high", "exponent"]].round(2)

# %% [markdown]
# On the digits, at the rate at which they are learned fastest, $p$ is
# {glue:text}`images-share-short:.2f` over the shortest of these records and
# {glue:text}`images-share-whole:.2f` over the whole. This is a matter of the rule: over the whole
# record the slope of a ramp gives $p$ = {glue:text}`images-share-ramp:.2f`, and the exponent as
# the papers print it (below) nearly as much.
#
# With all 60,000 images of MNIST and three initial conditions $p$ at $\eta = 7.5$ is one over 60
# and over 200 epochs alike; with 6,000 images it falls to zero. So whether the fastest rate lies
# at the onset of sensitivity or before it may depend on a length that has no meaning of its own.
# Where this chapter gives $p$ it says over how many epochs; MNIST's is mostly from records of 60.

# %% [markdown]
# ## MNIST
#
# The paper's network has 784 inputs, 64 tanh units and 10 outputs, 50,890 parameters. Published
# numbers are from all 60,000 images where nothing else is said; what runs live takes the first
# 6,000.

# %% tags=["nbval-ignore-output", "remove-output"]
mnist = results.live("mnist", profile, device, seed)
scale = results.paper("mnist-few")
# Growth at the paper's own size, where enough of it is published.
whole_size, fewer = results.paper("mnist-eta10"), results.paper("mnist-6000-eta10")
growth = results.best(whole_size, fewer, least=results.ENOUGH)

# %% tags=["nbval-ignore-output"]
print(mnist.note, scale.note, growth.note, sep="\n")

# %% [markdown]
# ### The loss at three learning rates

# %% tags=["hide-input"]
# | label: fig-images-losses
# | fig-cap: >-
# |   MNIST, all 60,000 images. Training loss at three learning rates; one line for each initial
# |   condition, the first one bold. (Jiménez-González 2025, Fig. 1.)
# | fig-alt: >-
# |   Three panels on a common logarithmic axis. At 0.01 losses fall slowly and smoothly; at 7.5
# |   they rise severalfold and then fall irregularly below their start; at 20 they rise by far
# |   more, and most do not come down.
provenance.shown(draw.losses(scale.data, size.losses), scale)

# %% [markdown]
# The second supplement of {cite:t}`danovski2024` looks at MNIST at the learning rates of its
# regimes on Iris. {numref}`fig-images-regimes` shows how copies part there.

# %% tags=["hide-input"]
# | label: fig-images-regimes
# | fig-cap: >-
# |   MNIST, all 60,000 images. Mean distance of perturbed copies from their reference at the
# |   learning rates of the three regimes on Iris; one line for each initial condition. (Danovski
# |   2024, supplement S2.)
# | fig-alt: >-
# |   Three panels on a common logarithmic axis. At 0.01 and at 1 distances stay as they are; at 5
# |   they grow, in one network about fiftyfold within 60 epochs.
provenance.shown(draw.distances(scale.data, size.regimes), scale)

# %%
losses = scale.data["loss"].where(scale.data["present"])
low, middle, high = size.losses
slow, fast = (losses.sel(eta=rate).dropna("init", how="all").values for rate in (low, middle))
falls = share_interval(observables.non_increasing(slow))  # of (epoch, network)


def converges(loss):
    """Share of losses, (epoch, network), that rise and stay below half their start at the end."""
    converged = (loss[-10:] < 0.5 * loss[0]).all(axis=0)
    return share_interval(converged & ~observables.non_increasing(loss))


early = converges(fast)
at_length = results.best(results.paper("mnist"), records["MNIST"], least=results.ENOUGH)
whole_loss = at_length.data["loss"].where(at_length.data["present"]).sel(eta=middle)
lately = converges(whole_loss.dropna("init", how="all").transpose("epoch", "init").values)

# %%
hits = responses.arrivals(scale.data)
at_high = responses.index(hits.rates, high)
learns = share_interval(~np.isnan(hits.times[at_high, hits.present[at_high]]))

# %% [markdown]
# ### Growth at η = 10
#
# {numref}`fig-images-growth` is the paper's Figures 2 and 3: copies of one network part
# exponentially until they are as far apart as weights are large.

# %%
at_ten = responses.exponents(growth.data, seed=seed)
lam = at_ten.at(size.growth)
logs = responses.log_mean_distance(growth.data)[responses.index(at_ten.rates, size.growth)]
fit = growth_fits.best_fit(np.exp(logs[:, np.isfinite(logs).all(axis=0)]))
corners = responses.saturation_epochs(growth.data, size.growth)
saturation = bootstrap_interval(corners, np.median, seed=seed)


# %%
def readings_of(data, rate):
    """Mean exponent at a learning rate under each reading of the papers' words."""
    found = responses.multiverse(data, seed=seed)
    return {name: one.at(rate).estimate for name, one in found.items()}


readings = readings_of(growth.data, size.growth)
at_start = readings_of(growth.data.sel(epoch=slice(0, size.short_record)), size.growth)

# %% tags=["nbval-ignore-output"]
about = json.loads(growth.data.attrs["sweep"])
grown = f"{at_ten.count[0]} initial conditions, {about['samples'] or 60_000:,} images, "
grown += f"records of {about['epochs']} epochs"
print(f"{grown}; {at_ten.kept[0]} initial conditions kept, exponent {lam}")

# %% tags=["hide-input"]
# | label: fig-images-growth
# | fig-cap: >-
# |   MNIST, η = 10: all images where enough of that sweep is published, else the first 6,000; the
# |   note above says which. Left, distance of perturbed copies of one initial condition from their
# |   reference, with the window of best exponential fit; middle, the mean distance for every
# |   initial condition; right, their exponents, with the paper's mean dashed. (Jiménez-González
# |   2025, Figs. 2 and 3.)
# | fig-alt: >-
# |   Distances climb along straight lines on a logarithmic axis, from below 1e-3 to several
# |   thousand within some tens of epochs, and level off. Slopes scatter around 0.7 per epoch, on
# |   both sides of the paper's mean.
provenance.shown(draw.divergence(growth.data, size.growth, fit), growth)

# %% [markdown]
# The mean slope is {glue:text}`images-lambda:.2f` per epoch (the paper, with all images: 0.68) in
# windows of at least 20 epochs. The paper prints another quantity,
# $\Lambda = \ln(\bar d(\tau)/\bar d(0))/\tau$; the table below has it, with $\tau$ at the end of
# the best window and at the corner of a ramp, and windows of at least 10 and 30 epochs. A longer
# record offers the rule more windows; from the first 60 epochs by themselves the slope is
# {glue:text}`images-start:.2f`. With all 60,000 images, over 60 epochs, but only three initial
# conditions, it is {glue:text}`images-lambda-all:.2f`.
#
# Distances stop growing at epoch {glue:text}`images-ends:.0f` (median of the initial conditions),
# where the fitted ramp ends.

# %% [markdown]
# Chaos, where there is any, should show in the first few dozen epochs. And below the onset the
# paper expects a negative exponent. No window rule can find one, for windows of growth are all that
# it looks for; the mean of $\ln(\bar d(T)/\bar d(0))/T$ over the whole record can.


# %%
def begins(data, rate, by=36):
    """Share of the initial conditions that grow whose ramp has begun by an epoch."""
    curves = responses.log_mean_distance(data)[responses.index(data.eta.values, rate)]
    fit = growth_fits.ramp(np.exp(curves[:, np.isfinite(curves).all(axis=0)]))
    return share_interval(fit.start[fit.kept()] <= by)


begun = begins(growth.data, size.growth)
sensitive = [p.estimate >= 0.5 for p in best_exponents.share]
begun_digits = {rate: begins(best_size.data, rate) for rate in best_exponents.rates[sensitive]}


# %%
def below_onset(data):
    """Mean of ln(d(T)/d(0))/T over initial conditions, by learning rate below the onset."""
    logs, found = responses.log_mean_distance(data), responses.exponents(data, seed=seed)
    speed = (logs[:, -1] - logs[:, 0]) / (logs.shape[1] - 1)  # (rate, init)
    below = found.rates < responses.onset(found, 0.1, seed=seed).estimate
    rows = zip(found.rates[below], speed[below])
    return {rate: bootstrap_interval(row[np.isfinite(row)], seed=seed) for rate, row in rows}


quiet = {"digits": below_onset(best_size.data)}

# %% [markdown]
# ### Exponents, their share, and arrivals against the learning rate

# %%
mnist_labels = {"published, 60,000 images": scale, "here": mnist}
mnist_exponents = {
    label: responses.exponents(found.data, seed=seed)
    for label, found in mnist_labels.items()
    if found.there
}
all_images = mnist_exponents["published, 60,000 images"]
lasting = responses.arrivals(scale.data, sustained=True)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-exponents
# | fig-cap: >-
# |   MNIST. Mean of the kept exponents against the learning rate with 95% intervals (few initial
# |   conditions: wide or none), ± one standard deviation as bands; published results and, where the
# |   data are at hand, those computed here. (Jiménez-González 2025, Fig. 4.)
# | fig-alt: >-
# |   No exponents up to a learning rate of 1, small ones of 0.1 to 0.2 at 2.5 and 5, and from 7.5
# |   on exponents between 0.5 and 0.9 per epoch.
provenance.shown(draw.exponent_by_rate(mnist_exponents), scale, mnist)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-arrivals
# | fig-cap: >-
# |   MNIST. Above, the share p of sensitive initial conditions, published and computed here; middle
# |   and below, with all 60,000 images, epochs to 90% test accuracy over the networks that arrive,
# |   and the share that does not within 200 epochs. The paper's minimum is marked.
# |   (Jiménez-González 2025, Fig. 5.)
# | fig-alt: >-
# |   The share p rises from zero at 1 to one at 7.5. Within 200 epochs networks arrive at 7.5 and,
# |   some of them, at 10, and nowhere else.
provenance.shown(
    draw.share_and_arrival(mnist_exponents, hits, lasting, mark=size.fastest), scale, mnist
)

# %%
fastest = responses.fastest(hits, seed=seed)
mnist_onset = responses.onset(all_images, 0.5, seed=seed)
rises = responses.rise(hits, high, seed=seed)
spent = hits.spent.mean(axis=1)  # mean of min(τ, cap), by learning rate
fastest_share = all_images.share[spent.argmin()]

# %%
size_of, shares = attrgetter("estimate"), np.array(all_images.share, dtype=object)
none = max(shares[all_images.rates <= 1], key=size_of)
everyone = min(shares[all_images.rates >= size.fastest], key=size_of)
both = max(shares[spent <= 1.5 * spent.min()], key=size_of)  # where training is nearly fastest

# %% [markdown]
# With all images, and only three initial conditions, training is fastest at $\eta =$
# {glue:text}`images-fastest:g`; $p$ there is {glue:text}`images-fastest-share:.2f`, and it reaches
# one half at $\eta =$ {glue:text}`images-onset:g`, over records of 60 epochs.
#
# At $\eta = 20$ a share {glue:text}`images-large-arrived:.2f` arrives within 200 epochs; were the
# others to arrive at once then, networks would take {glue:text}`images-rise:.1f` times as long as
# at the fastest rate, so that is a lower bound. The order of events is the paper's, and the
# question is how near to each other they lie, on a grid whose steps are factors of 1.3 to 2 from
# 0.5 on.

# %% [markdown]
# ## The window rule
#
# The papers take the window that yields the best exponential fit; how short it may be they do not
# say, and the exponent that they print is not its slope. {numref}`fig-images-rules` applies the
# rules of {doc}`03_edge_of_stability` to the digits' curves, {numref}`fig-images-rules-mnist` to
# MNIST's. The tangent rule follows vectors, not copies, on a few initial conditions, and needs no
# window.

# %%
task = tasks.get("digits", device=torch_utils.resolve(device))
rules, mnist_rules = (responses.multiverse(found.data, seed=seed) for found in (digits, scale))
for found in (rules, mnist_rules):
    del found["between(best_fit(20))"]  # of the window of best_fit(20), and nearly its values
few = task.initial(size.tangent_conditions, seed, device=task.x.device)
balls = networks.perturbed(few, 1e-8, 1, seed)
tangent = dict(epochs=size.tangent_epochs, seed=seed)
rules["tangent"] = responses.tangent_exponents(task, size.tangent_rates, balls, **tangent)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-rules
# | fig-cap: >-
# |   Handwritten digits under all window rules: mean of the kept exponents (left) and share kept
# |   (right) against the learning rate.
# | fig-alt: >-
# |   All rules agree that exponents set in between 1 and 5. Beyond, shorter windows give larger
# |   exponents, and the printed exponents and the tangent rule the smallest.
draw.window_rules(rules)

# %% tags=["hide-input"]
# | label: fig-images-rules-mnist
# | fig-cap: >-
# |   MNIST, all 60,000 images, under the rules that need only the published curves: mean of the
# |   kept exponents and share kept against the learning rate.
# | fig-alt: >-
# |   Under all rules exponents and shares kept rise from zero between learning rates of 1 and 7.5;
# |   beyond, shorter windows give larger exponents, and the printed exponents are the smallest.
provenance.shown(draw.window_rules(mnist_rules), scale)

# %% [markdown]
# ### Which reading fits which paper?
#
# {cite:t}`danovski2024` print the same formula, and 0.33 for Iris at $\eta = 1$. The same readings
# of both, each with the verdict that it alone would have ({doc}`03_edge_of_stability` has the
# table with Iris at that paper's own size). They were added after their numbers had been seen.

# %% tags=["nbval-ignore-output"]
iris = results.paper("iris")
if not iris.there:
    iris = results.live("iris", profile, device, seed)
iris_values = readings_of(iris.data.sel(eta=[size.iris_rate]), size.iris_rate)
print(growth.note, iris.note, sep="\n")

# %% tags=["nbval-ignore-output"]
paper_d, paper_j = (claims.load()[name] for name in ("D-fig8-lambda", "J-fig3-lambda"))
start = f"first {size.short_record} epochs"
table = pd.DataFrame({"MNIST": readings, start: at_start, "Iris": iris_values})
table.insert(1, f"verdict ({paper_j.paper_value})", table["MNIST"].map(paper_j.judge))
table[f"verdict ({paper_d.paper_value})"] = table["Iris"].map(paper_d.judge)
table.round(2)

# %% tags=["nbval-ignore-output"]
quiet["Iris"] = below_onset(iris.data)
negative = {
    name: np.mean([mean.high < 0 for mean in found.values()]) for name, found in quiet.items()
}
table = {name: {rate: str(mean) for rate, mean in found.items()} for name, found in quiet.items()}
pd.DataFrame(table).rename_axis("η below the onset").rename_axis("mean of ln(d(T)/d(0))/T", axis=1)

# %% [markdown]
# So below the onset distances shrink at the smallest rates only. At the others they grow, most of
# them far too slowly for the papers' rule: no exponent is not a negative one.

# %% [markdown]
# ## Other activations, depths, penalties and data
#
# The paper repeats its figure for sigmoid and ReLU, for a second hidden layer, for two strengths
# of an L2 penalty, for a convolutional network, for Iris and for CIFAR-10. Live, each runs on the
# digits with few initial conditions (Iris is published at the paper's size, or else runs live,
# too); published are most of the same tasks on the first 6,000 images of MNIST and 5,000 of
# CIFAR-10. With so few images no network reached 90% within caps of 200 to 600 epochs, so the
# published rows count epochs to 70%, within the 60 whose accuracies are there.

# %%
names = ("sigmoid", "relu", "deep", "l2-1e-3", "l2-1e-5", "cnn")
names = [f"digits-{name}" for name in names]
variants = {name: results.live(name, profile, device, seed) for name in names} | {"iris": iris}
variant_rows = {
    name: (responses.exponents(found.data, seed=seed), responses.arrivals(found.data))
    for name, found in variants.items()
}

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-variants
# | fig-cap: >-
# |   Variants on the digits, and Iris. Exponents, share p and epochs to the target accuracy (90%;
# |   80% for the convolutional network) against the learning rate, computed live, but for Iris
# |   where that is published. Stars mark the least mean of min(τ, cap). (As Jiménez-González 2025,
# |   Figs. 8 to 12.)
# | fig-alt: >-
# |   Seven rows of three panels, at few learning rates each. Where networks arrive, the star of the
# |   fewest epochs lies mostly at or below the rates at which p rises; some rows have no star, for
# |   nothing arrives.
provenance.shown(draw.robustness(variant_rows), variants)

# %%
names = ("6000", "sigmoid", "relu", "deep", "l2-1e-3", "l2-1e-5")
targets = {f"mnist-{name}-few": size.small_target for name in names} | {"cifar10-few": None}
at_scale = {name: results.paper(name) for name in targets}
scale_rows = {}
for name, found in at_scale.items():
    if found.there:
        arrivals = responses.arrivals(found.data, target=targets[name])
        scale_rows[name] = responses.exponents(found.data, seed=seed), arrivals
print(*(found.note for found in at_scale.values()), sep="\n")

# %% tags=["hide-input"]
# | label: fig-images-robustness
# | fig-cap: >-
# |   The paper's variants on MNIST (first 6,000 images) and on CIFAR-10 (first 5,000): published
# |   results of few initial conditions. τ is to 70% test accuracy on MNIST, 30% on CIFAR-10. Stars
# |   mark the least mean of min(τ, cap). (Jiménez-González 2025, Figs. 9 to 11 and 13.)
# | fig-alt: >-
# |   Seven rows of three panels. In most rows p rises from zero to one between two neighbouring
# |   rates, and the star of the fewest epochs lies there or one step away; with ReLU it lies at the
# |   left end, far below the rise, and in the row of CIFAR-10 p is one from the first rate on and
# |   there is no star.
provenance.shown(draw.robustness(scale_rows), at_scale)

# %% tags=["nbval-ignore-output"]
rows = variant_rows | scale_rows
steps = {name: responses.coincidence(*row, seed=seed) for name, row in rows.items()}
table = {}
for name, (found, reached) in rows.items():
    best = reached.rates[reached.spent.mean(axis=1).argmin()]
    largest = max(p.estimate for p in found.share)
    counted, why = steps[name]
    table[name] = [best, counted.estimate, why, largest]
columns = ["fastest η", "steps to p ≥ 0.1", "why none are counted", "largest p"]
pd.DataFrame.from_dict(table, orient="index", columns=columns)

# %%
deep, shallow = (scale_rows[f"mnist-{name}-few"][1] for name in ("deep", "6000"))
sigmoid = scale_rows["mnist-sigmoid-few"][1]
slower = responses.slowdown(deep, shallow, seed=seed)
broad = responses.rise(sigmoid, 20.0, seed=seed)
# the cap over the least mean: no ratio to that mean can be larger
slower_limit, broad_limit = (a.cap / a.spent.mean(axis=1).min() for a in (shallow, sigmoid))

# %% [markdown]
# The table counts the steps on the grid between the fastest learning rate and the first with
# $p \ge 0.1$. With ReLU training is fastest far below the onset. On CIFAR-10 networks are
# sensitive at the smallest rate here already.
#
# To 70% the deep network needs {glue:text}`images-slower:.1f` times the epochs of the shallow one
# at the best rate of each, counting at most 60; the paper, to 90%: about 20. With that cap the
# ratio cannot exceed {glue:text}`images-slower-limit:.1f`, so this tests nothing.

# %% [markdown]
# ### CIFAR-10, live

# %% tags=["nbval-ignore-output", "remove-output"]
cifar = results.live("cifar10", profile, device, seed)
cifar_shown = results.best(cifar, at_scale["cifar10-few"])

# %% tags=["nbval-ignore-output"]
print(cifar.note)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-cifar
# | fig-cap: >-
# |   CIFAR-10, 3072-256-10: test accuracy of the references against epoch, with the target of 30%.
# |   Computed here where the data are at hand, else published; the note above says which.
# | fig-alt: >-
# |   Test accuracy against epoch at several learning rates. It stays below 30 percent.
figure = draw.accuracy(cifar_shown.data, cifar_shown.data.eta.values[:4], 0.3)
provenance.shown(figure, cifar_shown)

# %% [markdown]
# ## Sharpness
#
# Sharpness is the largest eigenvalue of the loss's Hessian; below $2/\eta$ descent is stable along
# every direction {cite:p}`cohen2021`. It is found by Lanczos on Hessian–vector products, each
# search started from the last eigenvector.

# %%
sharp = results.paper("sharpness")
if not sharp.there:
    sharp = results.live("sharpness", profile, device, seed)
all_images_sharp, few_sharp = map(results.paper, ("mnist-sharpness-all", "mnist-sharpness"))
sharp_mnist = results.best(all_images_sharp, few_sharp, least=results.ENOUGH)
print(sharp.note, sharp_mnist.note, sep="\n")

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-sharpness
# | fig-cap: >-
# |   Handwritten digits: sharpness in units of 2/η along training at four learning rates; 1 is the
# |   edge of stability. One line for each initial condition, their median bold. (As
# |   Jiménez-González 2025, Fig. 14.)
# | fig-alt: >-
# |   At 1 and 2.5 sharpness falls from above the edge to well below it; at 5 and 7.5 it jumps
# |   irregularly, by orders of magnitude.
provenance.shown(draw.sharpness(sharp.data), sharp)

# %% tags=["hide-input"]
# | label: fig-images-sharpness-mnist
# | fig-cap: >-
# |   MNIST, all images where enough of that is published, else the first 6,000; the note above says
# |   which: sharpness in units of 2/η along training at four learning rates.
# |   (Jiménez-González 2025, Fig. 14.)
# | fig-alt: >-
# |   From several times the edge sharpness falls. At 7.5 it levels off at the edge; at 2.5 and 5 it
# |   falls through it, to some 0.6 of it by epoch 300; at 10 it falls later and less evenly.
provenance.shown(draw.sharpness(sharp_mnist.data), sharp_mnist)


# %% tags=["nbval-ignore-output"]
def late_sharpness(data, target):
    """Fastest rate of these networks, and rate → sharpness·η/2, median of the second half."""
    late = {}
    for rate in data.eta.values:
        epochs, scaled = responses.sharpness_at(data, rate)
        late[rate] = np.median(scaled[epochs >= epochs[-1] // 2], axis=0)  # (network,)
    return responses.fastest(responses.arrivals(data, target=target)).estimate, late


few_images = json.loads(sharp_mnist.data.attrs["sweep"])["samples"]
own_fastest, late = late_sharpness(sharp_mnist.data, size.small_target if few_images else 0.9)
digits_own, late_digits = late_sharpness(sharp.data, task.target_accuracy)

# %% tags=["nbval-ignore-output"]
sides = {"MNIST": late, "digits": late_digits}
near = {name: {r: abs(s - 1) <= 0.2 for r, s in found.items()} for name, found in sides.items()}
table = [
    [name, rate, np.median(found[rate]).round(2), f"{near[name][rate].sum()} of {len(found[rate])}"]
    for name, found in sides.items()
    for rate in found
]
pd.DataFrame(table, columns=["", "η", "median", "near the edge"]).set_index(["", "η"])

# %%
at_edge, level = share_interval(near["MNIST"][own_fastest]), np.median(late[own_fastest])
at_edge_digits = share_interval(near["digits"][digits_own])

# %%
epochs, scaled = responses.sharpness_at(sharp.data, digits_own)
logs = responses.log_mean_distance(sharp.data)[responses.index(sharp.data.eta.values, digits_own)]
ramp = growth_fits.ramp(np.exp(logs[:201]))  # over the papers' record
parting = [np.median(scaled[epochs <= stop, k]) for k, stop in enumerate(ramp.stop)]
parts = ramp.kept() & (abs(np.array(parting) - 1) > 0.2)
precedes = share_interval(parts & near["digits"][digits_own])
by_300 = np.median(scaled[(epochs >= 150) & (epochs <= 300)], axis=0)

# %% [markdown]
# The table has the median over the second half of each record, and how many networks are within 20%
# of $2/\eta$ there. The networks of {numref}`fig-images-sharpness-mnist` train fastest at $\eta =$
# {glue:text}`images-small-fastest:g`; there sharpness is {glue:text}`images-edge-level:.2f` times
# $2/\eta$ in the median, and near it in a share {glue:text}`images-at-edge:.2f` of them. On the
# digits copies part in the first few dozen epochs, while sharpness is several times $2/\eta$; then
# it falls through that value, and goes on falling, as {cite:t}`danovski2024` expect of
# cross-entropy.

# %% [markdown]
# ## Does the search pay?
#
# The paper's last page proposes to find the sweet spot before training by bisection on $p(\eta)$:
# start where $p = 0$ and where $p \approx 1$, and halve. `netdyn_lib.experiments.sweet_spot.find`
# does that for any network and data. Every probe costs $(M + 1)$ networks for each initial
# condition, and the search pays only if the epochs that it saves exceed its own. Its rivals are
# one network at each rate of a logarithmic grid, the first to arrive winning, and
# $2/\text{sharpness}$ at initialisation.

# %%
search = sweet_spot.Search(
    low=size.search_low,
    high=size.search_high,
    level=size.level,
    conditions=size.search_conditions,
    epochs=size.search_epochs,
)
spot = sweet_spot.find(task, search=search, seed=seed)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-search
# | fig-cap: >-
# |   Bisection on p(η), digits: each probe with its interval, numbered in the order in which they
# |   were made; the final bracket shaded. Grey, p(η) of the sweep.
# | fig-alt: >-
# |   Probes close in on the steep rise of p between 3 and 4.
draw.search(spot, exponents["here"])

# %% tags=["nbval-ignore-output"]
print(spot.reason)

# %%
grid = sweet_spot.log_grid(task, cap=size.race_cap, seed=seed)
low_end = sweet_spot.Found(spot.low, spot.cost_epochs, "where p is still below 0.9")
candidates = {
    "no search": size.default,
    "bisection, p ≥ 0.9": spot,
    "bracket's lower end": low_end,
    "log grid": grid,
    "2/sharpness": sweet_spot.from_sharpness(task, seed=seed),
}
race = sweet_spot.compare(task, candidates, size.races, size.race_cap, seed=seed)

# %%
spent = [
    np.where(np.isnan(race.arrivals[method]), race.cap, race.arrivals[method])[None]
    for method in ("bisection, p ≥ 0.9", "log grid")
]
penalty = responses.resampled(lambda a, b: a.mean() / b.mean(), *spent, seed=seed)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-race
# | fig-cap: >-
# |   What a search costs and saves, digits, fresh initial conditions. Left, mean of min(τ, cap) at
# |   the learning rate each method found, and the share that never arrives; right, epochs spent in
# |   all, search included, against the number of trainings that follow.
# | fig-alt: >-
# |   The rate of the log grid trains fastest. 2/sharpness costs least; of the searches that find a
# |   fast rate the log grid costs least and pays first, the bisection much later.
draw.comparison(race)

# %% tags=["nbval-ignore-output"]
columns = {
    "learning rate": [row.learning_rate for row in race.rows],
    "cost (network-epochs)": [row.cost_epochs for row in race.rows],
    "mean of min(τ, cap)": [row.restricted.estimate for row in race.rows],
    "pays after (trainings)": [row.break_even for row in race.rows],
}
pd.DataFrame(columns, index=[row.method for row in race.rows]).round(2)

# %% [markdown]
# Bisection to $p \ge 0.9$ finds $\eta =$ {glue:text}`images-full-rate:.2f`, where networks then
# need {glue:text}`images-full-epochs:.0f` epochs on average; the default learning rate needs
# {glue:text}`images-default-epochs:.0f` and no search (where some do not arrive by the cap these
# are lower bounds). The table has the lower end of the last bracket, too, where fewer are
# sensitive.
#
# The log grid finds {glue:text}`images-grid-rate:.2f` for a small part of the cost, and pays
# soonest (`inf` would be never). So where bisection ends, training takes
# {glue:text}`images-worse:.1f` times as long as where the log grid ends, and the search itself
# costs far more.

# %% [markdown]
# ## Published numbers, recomputed
#
# Published results are only as good as what still recomputes. In each build one initial condition
# of some published sweeps, chosen by the commit (all of them at profile `paper`), is followed
# again for a few epochs.

# %% tags=["nbval-ignore-output"]
checks = published.check_all(provenance.commit(), size.checked, most=size.checks)
print(*checks, sep="\n")
assert published.verified(checks)

# %% [markdown]
# Training times do not recompute one by one. Where nearby trajectories part, rounding decides when
# a network arrives: one took 130 epochs and not 164, from the same seed. So $\tau$ has an ensemble,
# and what can be compared are distributions, by the two-sample Kolmogorov–Smirnov test of
# $\min(\tau, \text{cap})$; `python -m netdyn_lib.experiments check` does that with published
# training times. Single precision is a rounding as coarse as any, and costs half. The table trains
# the digits' first networks in both; its power is the probability with which the test (at the level
# 0.01) finds times that are longer by half.


# %%
def training_times(rate, dtype):
    """Epochs to the target, first hit, of the digits' networks in one precision."""
    start = task.initial(size.timed, seed, device=task.x.device).to(dtype)
    gd = gradient_descent.GradientDescent(task.to(dtype=dtype), rate)
    return gradient_descent.search(gd, start, task.target_accuracy, size.timed_cap, 1).first


# %% tags=["nbval-ignore-output"]
table = {}
for rate in (1.0, digits_fastest.estimate):  # regular, and where distances grow at first
    double, single = (training_times(rate, dtype) for dtype in (torch.float64, torch.float32))
    p, power = responses.same_arrivals(single, double, size.timed_cap)
    same = np.mean((single == double) | (np.isnan(single) & np.isnan(double)))
    table[rate] = [np.nanmedian(double), np.nanmedian(single), same, p, power]
columns = ["median τ, double", "single", "share the same to the epoch", "p", "power"]
pd.DataFrame.from_dict(table, "index", columns=columns).rename_axis("η").round(2)

# %% [markdown]
# The table lists what of the papers' own sizes is not published yet, or not whole, and what it
# would cost in floating-point operations. `python -m netdyn_lib.experiments run NAME --profile paper`
# computes what is missing, and `publish` in place of `run` adds it to what is published.

# %% tags=["nbval-ignore-output"]
published.unpublished()

# %% tags=["remove-cell", "nbval-ignore-output"]
glue_all("images", digits_fastest=digits_fastest, digits_onset=digits_onset)
glue_all("images", digits_share=digits_share, share_ramp=digits_shares["ramp"])
glue_all("images", share_short=short_share, share_whole=whole_share)
glue_all("images", **{"lambda": lam}, start=at_start["best_fit(20)"], ends=saturation)
glue_all("images", lambda_all=all_images.at(size.growth), large_arrived=learns)
glue_all("images", fastest=fastest, fastest_share=fastest_share, onset=mnist_onset, rise=rises)
glue_all("images", slower=slower, slower_limit=slower_limit)
glue_all("images", edge_level=level, at_edge=at_edge, small_fastest=own_fastest)
glue_all("images", full_rate=spot.learning_rate, grid_rate=grid.learning_rate, worse=penalty)
default, bisected = (row.restricted for row in race.rows[:2])
glue_all("images", full_epochs=bisected, default_epochs=default)

# %% [markdown]
# ## Exercises
#
# **1.** None of $n$ networks is sensitive. How large may $p$ still be, at 95% confidence, for
# $n = 3$ and for $n = 50$?
#
# :::{dropdown} Solution
# Solve $(1 - p)^n = 0.05$: $p = 0.63$ for three networks and 0.06 for fifty. Three networks cannot
# tell *none* from *most*, which is why this chapter gives no verdict on fewer than five.
# :::
#
# **2.** Three networks arrive after 10, after 20 and not within 100 epochs. What is the mean over
# those that arrive, and the restricted mean of $\min(\tau, 100)$?
#
# :::{dropdown} Solution
# 15 and 43. The first forgets whoever never arrives, and makes a rate at which most fail look
# fast.
# :::
#
# ## The papers' claims
#
# Claims on MNIST and CIFAR-10 are judged on published numbers, so that the verdict is the same on
# a machine without the images; so are those on Iris, which is published at the paper's size. Those
# on the search are judged live.

# %%
card = claims.Scorecard("05_mnist_cifar", changed=size.changed)
more = f"More: {published.command('mnist')}."
card.measure("J-fig1-small", *falls, saw=more, source=scale)
irregular = f"Within the first 60 epochs the share is {early.estimate:.2f}."
card.measure("J-fig1-middle", *lately, saw=f"{irregular} {more}", source=at_length)
card.measure("J-fig1-large", *learns, saw=more, source=scale)
ends = {
    "corner of the ramp": saturation.estimate,
    "end of best_fit(20)": float(np.median(fit.stop[fit.kept()])),
}
card.measure("J-fig2-saturation", *saturation, readings=ends, saw=f"{grown}.", source=growth)

# %%
both_papers = claims.fitting((paper_j, readings), (paper_d, iris_values))
count = variant_rows["iris"][0].count.min()
on_iris = f"Iris, {count} initial conditions (Danovski 2024: {paper_d.paper_value})"
card.measure(
    "J-fig3-lambda",
    *lam,
    readings=readings,
    untested=at_ten.without(),
    saw=f"{grown}. From their first {size.short_record} epochs: {paper_j.in_words(at_start)} "
    f"{on_iris}: {paper_d.in_words(iris_values)} Within the ranges of both papers: {both_papers}.",
    source=growth,
)

# %%
label, images = (
    ("MNIST", "") if "MNIST" in by_length else ("MNIST, 6,000 images", ", with 6,000 images,")
)
table = by_length[label]
table = table[table["epochs"] == 200]
shares = [f"{p:.2f} at η = {rate:g}" for rate, p in zip(table["rate"], table["share"])]
longer = f"Over records of 200 epochs p is{images} {', '.join(shares)}. {more}"
card.measure("J-fig4-onset", *mnist_onset, saw=longer, source=scale)
means = [
    f"{min(found.values(), key=size_of).estimate:.1e} to "
    f"{max(found.values(), key=size_of).estimate:.1e} ({name})"
    for name, found in quiet.items()
]
card.measure(
    "J-fig4-negative",
    negative["digits"],
    readings=negative,
    saw=f"The means are, per epoch, {' and '.join(means)}.",
    source=(best_size, iris),
)
card.measure("J-fig5-none", *none, saw=more, source=scale)
card.measure("J-fig5-all", *everyone, saw=longer, source=scale)
card.measure("J-fig5-minimum", *fastest, saw=more, source=scale)
card.measure("J-fig5-coincide", *fastest_share, saw=longer, source=scale)
card.measure("D-S2-mnist", *both, saw=longer, source=scale)

# %%
fastest_at = f"Fastest at η = {digits_fastest.estimate:g}."
card.measure(
    "J-fig5-coincide-digits",
    *digits_share,
    readings=digits_shares,
    saw=f"{fastest_at} Over records of {cuts[0]} epochs best_fit(20) gives {short_share:.2f}.",
    source=best_size,
)
card.measure(
    "J-fig5-coincide-short",
    *short,
    saw=f"Over {cuts[-1]} epochs it is {whole_share:.2f}.",
    source=best_size,
)
card.measure(
    "J-fig5-early",
    *begun,
    readings={"MNIST": begun.estimate}
    | {f"digits, η = {rate:g}": one.estimate for rate, one in begun_digits.items()},
    source=(growth, best_size),
)
bound = f"A lower bound: at η = 20 {hits.reached(high)}. {more}"
card.measure("J-fig5-rise", *rises, saw=bound, source=scale)

# %%
(iris_steps, iris_why), (found, reached) = steps["iris"], variant_rows["iris"]
iris_fastest = responses.fastest(reached).estimate
iris_largest = max(p.estimate for p in found.share)
card.measure(
    "J-fig8-iris",
    *iris_steps,
    untested=iris_why,
    saw=f"Fastest at η = {iris_fastest:g}, onset at {responses.onset(found, 0.1).estimate:g}; "
    f"p is at most {iris_largest:.2f}.",
    source=iris,
)


# %%
def worst(*names):
    """The largest number of steps, NaN where one is; with the data that it is from."""
    found = [steps[f"mnist-{name}-few"][0] for name in names]
    key = lambda one: np.inf if np.isnan(one.estimate) else one.estimate
    return max(found, key=key), tuple(at_scale[f"mnist-{name}-few"] for name in names)


takes = {
    name: f"At the paper's size: {published.command(f'mnist-{name}')}."
    for name in ("sigmoid", "relu", "deep", "l2-1e-3")
}

# %%
found, source = worst("sigmoid", "relu")
below = f"With ReLU training is fastest some steps below the onset. {takes['relu']}"
card.measure("J-fig9-activations", *found, saw=below, source=source)
found, source = worst("deep")
card.measure("J-fig10-coincide", *found, saw=takes["deep"], source=source)
found, source = worst("l2-1e-3", "l2-1e-5")
card.measure("J-fig11-l2", *found, saw=takes["l2-1e-3"], source=source)

# %%
cut = responses.cut_short(claims.load()["J-fig9-broad"], broad.estimate, broad_limit)
card.measure(
    "J-fig9-broad",
    *(broad if not cut else [float("nan")]),
    untested=f"{cut} {takes['sigmoid']}",
    saw=f"The mean rises earlier than the paper says. {takes['sigmoid']}",
    source=at_scale["mnist-sigmoid-few"],
)
cut = responses.cut_short(claims.load()["J-fig10-deep"], slower.estimate, slower_limit)
card.measure(
    "J-fig10-deep",
    *(slower if not cut else [float("nan")]),
    untested=f"{cut} {takes['deep']}",
    saw=f"To 70%, and counting at most 60 epochs. {takes['deep']}",
    source=(at_scale["mnist-deep-few"], at_scale["mnist-6000-few"]),
)

# %%
for claim, name, which, source, at_size in (
    ("J-fig12-cnn", "digits-cnn", "Convolutional network on few digits", None, "mnist-cnn"),
    ("J-fig13-cifar", "cifar10-few", "On 5,000 images", at_scale["cifar10-few"], "cifar10"),
):
    counted, why = steps[name]
    takes = f"At the paper's size: {published.command(at_size)}."
    saw = f"{which}: {rows[name][1].reached()}. {takes}"
    why = f"{why[:1].upper()}{why[1:]}. {takes}" if why else ""
    card.measure(claim, *counted, untested=why, saw=saw, source=source)
card.measure(
    "J-fig14-sharpness",
    *at_edge,
    saw=f"At η = {own_fastest:g} the median over networks is {level:.2f} times 2/η. "
    f"More: {published.command('mnist-sharpness-all')}.",
    source=sharp_mnist,
)
middle_level = np.median(late_digits[digits_own])
card.measure(
    "J-fig14-digits",
    *at_edge_digits,
    saw=f"At η = {digits_own:g} the median over networks is {middle_level:.2f} times 2/η, and "
    f"{np.median(by_300):.2f} times over the second half of the first 300 epochs.",
    source=sharp,
)
card.measure(
    "J-fig14-precedes",
    *precedes,
    saw=f"{ramp.kept().sum()} of {len(ramp.stop)} part exponentially, {parts.sum()} of these away "
    f"from 2/η; {near['digits'][digits_own].sum()} of all end near it.",
    source=sharp,
)
ends = f"Bisection ends at η = {spot.learning_rate:.2f}, the log grid at {grid.learning_rate:.2f}, "
ends += f"tried on {size.races} networks."
card.measure("J-end-bisection", *penalty, saw=ends)

# %% tags=["nbval-ignore-output"]
card

# %%
print("verdicts that hold over the whole interval:", card.verdicts(decisive=True), sep="\n")
