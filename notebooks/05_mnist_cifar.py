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
# {cite:t}`jimenez2025` train networks on MNIST at learning rates from 0.0005 to 20. Near $\eta = 7.5$, they report, three things
# come together: nearby networks begin to part exponentially from every initial condition, sharpness approaches $2/\eta$,
# and training to 90% test accuracy takes the fewest epochs. They call it a sweet spot between exploitation and exploration,
# find it again with other activations, depths, penalties and data, and propose to search it by bisection before training.
#
# This chapter repeats their Figures 1 to 5 and 8 to 14, and D's remark that MNIST behaves like Iris {cite:p}`danovski2024`.
# Training is full batch in float64, so a sweep at the papers' size is work for a GPU.
# Three kinds of numbers stand side by side here, and each says what it is:
# the whole sweep on the handwritten digits that come with scikit-learn, run live on any machine;
# MNIST and CIFAR-10 at smaller sizes, run live where the data are at hand; and published results with all of MNIST's 60,000 images.
# How to run, resume and spread a sweep is in {doc}`../book/sweeps`, and where data come from in {doc}`../book/data`.

# %%
import json

import pandas as pd
from myst_nb import glue

from netdyn_lib import torch_utils
from netdyn_lib.experiments import sizes, sweet_spot
from netdyn_lib.experiments.learning_rate_sweep import (
    comparisons,
    published,
    responses,
    results,
    tangents,
)
from netdyn_lib.figures import sweeps as draw
from netdyn_lib.figures import sweeps as draw_search
from netdyn_lib.figures import sweeps as overview
from netdyn_lib.results import claims, provenance
from netdyn_lib.statistics import intervals
from netdyn_lib.tasks import tasks
from netdyn_lib.training import judgements, observables

# %% tags=["parameters"]
profile = "laptop"
device = "auto"
seed = 0

# %%
size = sizes.sizes("05_mnist_cifar", profile)
digits = results.live("digits", profile, device, seed)
digits_paper = results.paper("digits")

# %% tags=["nbval-ignore-output"]
print(results.notes(digits, digits_paper))

# %% [markdown]
# ## Handwritten digits, the whole sweep
#
# The network is the paper's in small: 64 pixels, 32 tanh units, 10 classes; weights $\mathcal N(0, 1)$, biases zero.
# Each initial condition has perturbed copies within $\epsilon = 10^{-8}$. $\Lambda$ is, where nothing else is said, the slope of $\ln\bar d(t)$
# in the window of best exponential fit of at least 20 epochs (other readings of the papers' words follow below); $\lambda_{nMLE}$ is the mean of the kept ($R^2 > 0.9$, $\Lambda > 0.05$) and $p$ their share.
# $\tau$ is the first epoch with 90% test accuracy. A network that does not arrive within the cap is *censored*: it arrives later, or never.
# A mean over arrivals alone forgets it, so the share that never arrives stands beside each mean, and comparisons use the mean of $\min(\tau, \text{cap})$.

# %%
exponents = responses.exponents(digits.data, seed=seed)
first = responses.arrivals(digits.data)
shown = results.datasets({"here": digits, "published": digits_paper})
by_size = {label: responses.exponents(d, seed=seed) for label, d in shown.items()}
firsts = {label: responses.arrivals(d, seed=seed) for label, d in shown.items()}
settled = {label: responses.arrivals(d, sustained=True, seed=seed) for label, d in shown.items()}

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-digits-exponents
# | fig-cap: >-
# |   Handwritten digits. Mean of the kept exponents against the learning rate, with 95% intervals;
# |   bands are ± one standard deviation. (As J, Fig. 4.)
# | fig-alt: >-
# |   No exponents at learning rates up to 1; they set in between 2.5 and 5, where they are largest,
# |   and are smaller and more scattered beyond.
provenance.shown(draw.exponent_by_rate(by_size), shown)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-digits-arrivals
# | fig-cap: >-
# |   Handwritten digits. Above, the share p of sensitive initial conditions; middle, the mean
# |   number of epochs to 90% test accuracy over the networks that arrive, by first hit and
# |   sustained over 20 epochs; below, the share that never arrives within the cap. (As J, Fig. 5.)
# | fig-alt: >-
# |   The share p rises from zero to one around 2.5 to 5. Arrival takes fewer and fewer epochs up to
# |   2.5; from 5 on hardly any network arrives.
provenance.shown(draw.share_and_arrival(by_size, firsts, settled), shown)

# %%
best_size = results.best(digits_paper, digits)
best_exponents, best_first = (
    responses.exponents(best_size.data, seed=seed),
    responses.arrivals(best_size.data),
)
digits_fastest = comparisons.fastest(best_first, seed=seed)
digits_onset = comparisons.onset(best_exponents, 0.5, seed=seed)
digits_share = comparisons.share_at_fastest(best_exponents, best_first)
digits_readings = responses.multiverse(best_size.data, seed=seed)
digits_shares = {
    name: comparisons.share_at_fastest(found, best_first).estimate
    for name, found in digits_readings.items()
}

# %% tags=["remove-cell", "nbval-ignore-output"]
for name, value in (("fastest", digits_fastest), ("onset", digits_onset), ("share", digits_share)):
    glue(f"images-digits-{name}", value.estimate, display=False)
for name in ("printed(best_fit(20))", "ramp"):
    glue(f"images-digits-share-{name}", digits_shares[name], display=False)
glue("images-digits-arrived", comparisons.arrived(best_first, 10.0).estimate, display=False)
glue("images-digits-count", float(best_size.data.sizes["init"]), display=False)
glue("images-digits-length", float(best_size.data.epoch.max()), display=False)

# %% [markdown]
# On the digits, over {glue:text}`images-digits-count:.0f` initial conditions, training is fastest at $\eta =$ {glue:text}`images-digits-fastest:g`, and over records of {glue:text}`images-digits-length:.0f` epochs half of the initial conditions
# are sensitive from $\eta =$ {glue:text}`images-digits-onset:g` on. At the fastest rate itself $p$ is then {glue:text}`images-digits-share:.2f`, and at $\eta = 10$ a share {glue:text}`images-digits-arrived:.2f` of the networks arrives within the cap.
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
provenance.shown(overview.regimes(best_exponents, best_first, digits_fastest.estimate), best_size)

# %% [markdown]
# ### How long a record?
#
# The papers follow copies for 201 epochs, and the rule looks for the best exponential fit in all of them. That makes $p$ a matter of the record's length: where distances rise for a while and then level off or shrink slowly,
# a long flat stretch fits better than the rise, and the initial condition no longer counts as sensitive. {numref}`fig-images-length` shortens the same published records.

# %%
records = {
    "MNIST": results.paper("mnist-few-200"),
    "MNIST, 6,000 images": results.paper("mnist-sharpness"),
}
by_length = {"digits": responses.by_length(best_size.data, (40, 60, 80, 100), seed=seed)}
if digits_paper.there:
    by_length = {
        "digits": responses.by_length(digits_paper.data, (40, 60, 80, 100, 140, 200), seed=seed)
    }
for label, lengths in (
    ("MNIST", (40, 60, 100, 140, 200)),
    ("MNIST, 6,000 images", (40, 60, 100, 200, 300)),
):
    by_length |= {
        label: responses.by_length(d, lengths, seed=seed)
        for d in results.datasets({label: records[label]}).values()
    }

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

# %%
lengths = by_length["digits"].set_index(["rate", "epochs"]).loc[digits_fastest.estimate]
short, whole = lengths.index[0], lengths.index[-1]

# %% tags=["remove-cell", "nbval-ignore-output"]
glue("images-digits-short", int(short), display=False)
glue("images-digits-whole", int(whole), display=False)
glue("images-digits-share-short", float(lengths["share"][short]), display=False)
glue("images-digits-share-whole", float(lengths["share"][whole]), display=False)

# %% [markdown]
# On the digits, at the rate at which they are learned fastest, $p$ is {glue:text}`images-digits-share-short:.2f` over {glue:text}`images-digits-short` epochs
# and {glue:text}`images-digits-share-whole:.2f` over {glue:text}`images-digits-whole`. This is a matter of the rule: over the whole record the slope of a ramp gives
# $p$ = {glue:text}`images-digits-share-ramp:.2f`, and the exponent as the papers print it (below) {glue:text}`images-digits-share-printed(best_fit(20)):.2f`.
#
# With all 60,000 images of MNIST and three initial conditions $p$ at $\eta = 7.5$ is one over 60 and over 200 epochs alike; with 6,000 images it falls to zero.
# So whether the fastest rate lies at the onset of sensitivity or before it may depend on a length that has no meaning of its own. Where this chapter gives $p$ it says over how many epochs;
# MNIST's is mostly from records of 60.

# %% [markdown]
# ## MNIST
#
# The paper's network has 784 inputs, 64 tanh units and 10 outputs, 50,890 parameters. Published numbers are from all 60,000 images
# where nothing else is said; what runs live takes the first 6,000.

# %% tags=["nbval-ignore-output", "remove-output"]
mnist = results.live("mnist", profile, device, seed)
scale = results.paper("mnist-few")
# J's own size, where enough of it is published.
growth = results.best(
    results.paper("mnist-eta10"), results.paper("mnist-6000-eta10"), least=results.ENOUGH
)

# %% tags=["nbval-ignore-output"]
print(results.notes(mnist, scale, growth))

# %% [markdown]
# ### The loss at three learning rates

# %% tags=["hide-input"]
# | label: fig-images-losses
# | fig-cap: >-
# |   MNIST, all 60,000 images. Training loss at three learning rates; one line for each initial
# |   condition, the first one bold. (J, Fig. 1.)
# | fig-alt: >-
# |   Three panels on a common logarithmic axis. At 0.01 losses fall slowly and smoothly; at 7.5
# |   they rise severalfold and then fall irregularly below their start; at 20 they rise by far
# |   more, and most do not come down.
provenance.shown(draw.losses(scale.data, size.losses), scale)

# %% [markdown]
# D's second supplement looks at MNIST at the learning rates of its regimes on Iris. {numref}`fig-images-regimes` shows how copies part there.

# %% tags=["hide-input"]
# | label: fig-images-regimes
# | fig-cap: >-
# |   MNIST, all 60,000 images. Mean distance of perturbed copies from their reference at the
# |   learning rates of D's three regimes; one line for each initial condition. (D, supplement S2.)
# | fig-alt: >-
# |   Three panels on a common logarithmic axis. At 0.01 and at 1 distances stay as they are; at 5
# |   they grow, in one network about fiftyfold within 60 epochs.
provenance.shown(draw.distances(scale.data, size.regimes), scale)

# %%
slow, middle, large = [responses.losses_at(scale.data, rate) for rate in size.losses]
falls = intervals.share_interval(observables.non_increasing(slow))
converges = intervals.share_interval(judgements.converges_erratically(middle))
learns = comparisons.arrived(responses.arrivals(scale.data), max(size.losses))

# %% [markdown]
# ### Growth at η = 10
#
# {numref}`fig-images-growth` is the paper's Figures 2 and 3: copies of one network part exponentially until they are as far apart as weights are large.

# %%
fit = responses.fit_at(growth.data, size.growth)
at_ten = responses.exponents(growth.data, seed=seed)
lam = comparisons.at(at_ten, size.growth)
saturation = responses.saturation_epochs(growth.data, size.growth, seed=seed)
readings = {
    name: comparisons.at(found, size.growth)
    for name, found in responses.multiverse(growth.data, seed=seed).items()
}
start = growth.data.sel(epoch=slice(0, size.short_record))
at_start = {
    name: comparisons.at(found, size.growth).estimate
    for name, found in responses.multiverse(start, seed=seed).items()
}
about = json.loads(growth.data.attrs["sweep"])
grown = f"{at_ten.count[0]} initial conditions, {about['samples'] or 60_000:,} images, records of {about['epochs']} epochs"

# %% tags=["hide-input"]
# | label: fig-images-growth
# | fig-cap: >-
# |   MNIST, η = 10: all images where enough of that sweep is published, else the first 6,000; the
# |   note above says which. Left, distance of perturbed copies of one initial condition from their
# |   reference, with the window of best exponential fit; middle, the mean distance for every
# |   initial condition; right, their exponents, with the paper's mean dashed. (J, Figs. 2 and 3.)
# | fig-alt: >-
# |   Distances climb along straight lines on a logarithmic axis, from below 1e-3 to several
# |   thousand within some tens of epochs, and level off. Slopes scatter around 0.8 per epoch, most
# |   of them above the paper's mean.
provenance.shown(draw.divergence(growth.data, size.growth, fit), growth)

# %% tags=["remove-cell", "nbval-ignore-output"]
for name, value in zip(("lambda", "lambda-low", "lambda-high"), lam):
    glue(f"images-{name}", value, display=False)
glue("images-ends", saturation.corner_median.estimate, display=False)
for name, value in readings.items():
    glue(f"images-{name}", value.estimate, display=False)
for name in ("best_fit(20)", "printed(best_fit(20))"):
    glue(f"images-start-{name}", at_start[name], display=False)
glue("images-start", size.short_record, display=False)
glue("images-grown", grown, display=False)
glue("images-initial", len(scale.data.init), display=False)
glue(
    "images-lambda-all",
    comparisons.at(responses.exponents(scale.data, seed=seed), size.growth).estimate,
    display=False,
)
glue("images-kept", int(at_ten.kept[0]), display=False)

# %% [markdown]
# The growth shown is of {glue:text}`images-grown`, of which {glue:text}`images-kept` initial conditions are kept. The mean slope is
# {glue:text}`images-lambda:.2f` per epoch (95%: {glue:text}`images-lambda-low:.2f` to {glue:text}`images-lambda-high:.2f`; the paper, with all images: 0.68)
# in windows of at least 20 epochs, {glue:text}`images-best_fit(10):.2f` with at least 10, and {glue:text}`images-best_fit(30):.2f` with at least 30.
# The paper prints another quantity, $\Lambda = \ln(\bar d(\tau)/\bar d(0))/\tau$: {glue:text}`images-printed(best_fit(20)):.2f` with $\tau$ at the end of the best window,
# {glue:text}`images-printed(ramp):.2f` with $\tau$ at the corner of a ramp. A longer record offers the rule more windows; from the first {glue:text}`images-start` epochs alone
# the slope is {glue:text}`images-start-best_fit(20):.2f` and the printed exponent {glue:text}`images-start-printed(best_fit(20)):.2f`.
# With all 60,000 images and only {glue:text}`images-initial` initial conditions, over 60 epochs, the slope is {glue:text}`images-lambda-all:.2f`.
# Distances saturate, by the corner of a ramp between two plateaus, at epoch {glue:text}`images-ends:.0f` in the median network.

# %% [markdown]
# ### Exponents, their share, and arrivals against the learning rate

# %%
mnist_labels = {"published, 60,000 images": scale, "here": mnist}
mnist_exponents = {
    label: responses.exponents(d, seed=seed) for label, d in results.datasets(mnist_labels).items()
}
all_images = mnist_exponents["published, 60,000 images"]
hits, lasting = responses.arrivals(scale.data), responses.arrivals(scale.data, sustained=True)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-exponents
# | fig-cap: >-
# |   MNIST. Mean of the kept exponents against the learning rate with 95% intervals (few initial
# |   conditions: wide or none), ± one standard deviation as bands; published results and, where the
# |   data are at hand, those computed here. (J, Fig. 4.)
# | fig-alt: >-
# |   No exponents up to a learning rate of 1, small ones of 0.1 to 0.2 at 2.5 and 5, and from 7.5
# |   on exponents between 0.5 and 0.9 per epoch.
provenance.shown(draw.exponent_by_rate(mnist_exponents), scale, mnist)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-arrivals
# | fig-cap: >-
# |   MNIST. Above, the share p of sensitive initial conditions, published and computed here; middle
# |   and below, with all 60,000 images, epochs to 90% test accuracy over the networks that arrive,
# |   and the share that does not within 200 epochs. The paper's minimum is marked. (J, Fig. 5.)
# | fig-alt: >-
# |   The share p rises from zero at 1 to one at 7.5. Within 200 epochs networks arrive at 7.5 and,
# |   some of them, at 10, and nowhere else.
provenance.shown(
    draw.share_and_arrival(mnist_exponents, hits, lasting, mark=size.fastest), scale, mnist
)

# %%
fastest = comparisons.fastest(hits, seed=seed)
fastest_share = comparisons.share_at_fastest(all_images, hits)
mnist_onset = comparisons.onset(all_images, 0.5, seed=seed)
none = comparisons.largest_share(all_images, 0, 1)
everyone = comparisons.least_share(all_images, size.fastest)
rises = comparisons.rise(hits, max(size.losses), seed=seed)
both = comparisons.sensitive_while_fast(all_images, hits)

# %% tags=["remove-cell", "nbval-ignore-output"]
glue("images-fastest", fastest.estimate, display=False)
glue("images-fastest-share", fastest_share.estimate, display=False)
glue("images-onset", mnist_onset.estimate, display=False)
glue("images-rise", rises.estimate, display=False)
glue("images-large-arrived", learns.estimate, display=False)

# %% [markdown]
# With all images, and only {glue:text}`images-initial` initial conditions, training is fastest at $\eta =$ {glue:text}`images-fastest:g`; $p$ there is {glue:text}`images-fastest-share:.2f`,
# and it reaches one half at $\eta =$ {glue:text}`images-onset:g`, over records of 60 epochs. At $\eta = 20$ a share {glue:text}`images-large-arrived:.2f` arrives within 200 epochs;
# were the others to arrive at once then, networks would take {glue:text}`images-rise:.1f` times as long as at the fastest rate, so that is a lower bound.
# The order of events is the paper's, and the question is how near to each other they lie, on a grid whose steps are factors of 1.3 to 2 from 0.5 on.

# %% [markdown]
# ## The window rule
#
# The papers take the window that yields the best exponential fit; how short it may be they do not say, and the exponent that they print is not its slope. {numref}`fig-images-rules` applies the rules of
# {doc}`03_edge_of_stability` to the digits' curves, {numref}`fig-images-rules-mnist` to MNIST's. The tangent rule follows vectors, not copies, on a few initial conditions, and needs no window.

# %%
task = tasks.get("digits", device=torch_utils.resolve(device))
rules, mnist_rules = (responses.multiverse(data, seed=seed) for data in (digits.data, scale.data))
for found in (rules, mnist_rules):
    del found[
        "between(best_fit(20))"
    ]  # its window is best_fit(20)'s, and so, nearly, are its values
rules |= {
    "tangent": tangents.exponents(
        task, size.tangent_rates, size.tangent_conditions, epochs=size.tangent_epochs, seed=seed
    )
}

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
# {cite:t}`danovski2024` print the same formula, and 0.33 for Iris at $\eta = 1$. The same readings of both, each with the verdict that it alone would have
# ({doc}`03_edge_of_stability` has the table with Iris at D's own size). They were added after their numbers had been seen.

# %% tags=["nbval-ignore-output"]
iris = results.best(
    results.paper("iris"), results.live("iris", profile, device, seed), least=results.ENOUGH
)
print(results.notes(growth, iris))

# %% tags=["nbval-ignore-output"]
paper_d, paper_j = (claims.load()[name] for name in ("D-fig8-lambda", "J-fig3-lambda"))
mnist_values = {name: value.estimate for name, value in readings.items()}
iris_values = {
    name: comparisons.at(found, size.iris_rate).estimate
    for name, found in responses.multiverse(iris.data.sel(eta=[size.iris_rate]), seed=seed).items()
}
both_papers = claims.fitting((paper_j, mnist_values), (paper_d, iris_values))
pd.DataFrame(
    {
        f"MNIST, {about['epochs']} epochs (J: {paper_j.paper_value})": mnist_values,
        "verdict on J": {name: paper_j.judge(value) for name, value in mnist_values.items()},
        f"first {size.short_record} epochs": at_start,
        f"Iris (D: {paper_d.paper_value})": iris_values,
        "verdict on D": {name: paper_d.judge(value) for name, value in iris_values.items()},
    }
).round(2)

# %% [markdown]
# ## Other activations, depths, penalties and data
#
# The paper repeats its figure for sigmoid and ReLU, for a second hidden layer, for two strengths of an L2 penalty, for a convolutional network, for Iris and for CIFAR-10.
# Live, each runs on the digits with few initial conditions (Iris is published at the paper's size, or else runs live, too); published are most of the same tasks on the first 6,000 images of MNIST
# and 5,000 of CIFAR-10. With so few images no network reached 90% within caps of 200 to 600 epochs, so the published rows count epochs to 70%, within the 60 whose accuracies are there.

# %%
variants = {
    name: results.live(name, profile, device, seed)
    for name in (
        "digits-sigmoid",
        "digits-relu",
        "digits-deep",
        "digits-l2-1e-3",
        "digits-l2-1e-5",
        "digits-cnn",
    )
}
variants["iris"] = iris
variant_rows = {
    name: (responses.exponents(r.data, seed=seed), responses.arrivals(r.data))
    for name, r in variants.items()
}

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-variants
# | fig-cap: >-
# |   Variants on the digits, and Iris. Exponents, share p and epochs to the target accuracy (90%;
# |   80% for the convolutional network) against the learning rate, computed live, but for Iris
# |   where that is published. Stars mark the least mean of min(τ, cap). (As J, Figs. 8 to 12.)
# | fig-alt: >-
# |   Seven rows of three panels, at few learning rates each. Where networks arrive, the star of the
# |   fewest epochs lies mostly at or below the rates at which p rises; some rows have no star, for
# |   nothing arrives.
provenance.shown(draw.robustness(variant_rows), variants)

# %%
mnist_names = (
    "mnist-6000-few",
    "mnist-sigmoid-few",
    "mnist-relu-few",
    "mnist-deep-few",
    "mnist-l2-1e-3-few",
    "mnist-l2-1e-5-few",
    "cifar10-few",
)
at_scale = {name: results.paper(name) for name in mnist_names}
scale_rows = {
    name: (
        responses.exponents(d, seed=seed),
        responses.arrivals(d, target=size.small_target if name.startswith("mnist") else None),
    )
    for name, d in results.datasets(at_scale).items()
}
print(results.notes(*at_scale.values()))

# %% tags=["hide-input"]
# | label: fig-images-robustness
# | fig-cap: >-
# |   The paper's variants on MNIST (first 6,000 images) and on CIFAR-10 (first 5,000): published
# |   results of few initial conditions. τ is to 70% test accuracy on MNIST, 30% on CIFAR-10. Stars
# |   mark the least mean of min(τ, cap). (J, Figs. 9 to 11 and 13.)
# | fig-alt: >-
# |   Seven rows of three panels. In most rows p rises from zero to one between two neighbouring
# |   rates, and the star of the fewest epochs lies there or one step away; with ReLU it lies at the
# |   left end, far below the rise, and in the row of CIFAR-10 p is one from the first rate on and
# |   there is no star.
provenance.shown(draw.robustness(scale_rows), at_scale)

# %%
iris_steps = comparisons.coincidence(*variant_rows["iris"], seed=seed)
cnn_steps = comparisons.coincidence(*variant_rows["digits-cnn"], seed=seed)
steps = {name: comparisons.coincidence(*row, seed=seed) for name, row in scale_rows.items()}
broad = comparisons.rise(scale_rows["mnist-sigmoid-few"][1], 20.0, seed=seed)
slower = comparisons.slowdown(
    scale_rows["mnist-deep-few"][1], scale_rows["mnist-6000-few"][1], seed=seed
)
slower_limit, broad_limit = (
    comparisons.largest_ratio(scale_rows[name][1])
    for name in ("mnist-6000-few", "mnist-sigmoid-few")
)

# %% tags=["remove-cell", "nbval-ignore-output"]
glue(
    "images-iris-why",
    comparisons.uncounted(*variant_rows["iris"]) or f"{iris_steps.estimate:.0f} steps",
    display=False,
)
glue(
    "images-iris-share",
    comparisons.largest_share(variant_rows["iris"][0], 0).estimate,
    display=False,
)
for name, value in steps.items():
    glue(f"images-{name}-steps", value.estimate, display=False)
glue(
    "images-cnn-why",
    comparisons.uncounted(*variant_rows["digits-cnn"]) or f"{cnn_steps.estimate:.0f} steps",
    display=False,
)
glue(
    "images-cifar-why",
    comparisons.uncounted(*scale_rows["cifar10-few"])
    or f"{steps['cifar10-few'].estimate:.0f} steps",
    display=False,
)
for name, (_, reached) in scale_rows.items():
    glue(f"images-{name}-fastest", comparisons.fastest(reached).estimate, display=False)
glue("images-slower", slower.estimate, display=False)
glue("images-slower-limit", slower_limit, display=False)
glue("images-broad", broad.estimate, display=False)

# %% [markdown]
# Count the steps on the grid between the fastest learning rate and the first with $p \ge 0.1$. On Iris: {glue:text}`images-iris-why`; its largest $p$ is {glue:text}`images-iris-share:.2f`. On MNIST:
# {glue:text}`images-mnist-sigmoid-few-steps:.0f` with sigmoid, {glue:text}`images-mnist-relu-few-steps:.0f` with ReLU,
# {glue:text}`images-mnist-deep-few-steps:.0f` with two hidden layers, {glue:text}`images-mnist-l2-1e-3-few-steps:.0f` and {glue:text}`images-mnist-l2-1e-5-few-steps:.0f` with a penalty
# of $10^{-3}$ and $10^{-5}$. For the convolutional network on digits: {glue:text}`images-cnn-why`. On CIFAR-10: {glue:text}`images-cifar-why`.
# To 70% the deep network needs {glue:text}`images-slower:.1f` times the epochs of the shallow one at the best rate of each, counting at most 60; the paper, to 90%: about 20.
# With that cap the ratio cannot exceed {glue:text}`images-slower-limit:.1f`, so this tests nothing.
# With ReLU training is fastest far below the onset. On CIFAR-10 networks are sensitive at the smallest rate here already.

# %% [markdown]
# ### CIFAR-10, live

# %% tags=["nbval-ignore-output", "remove-output"]
cifar = results.live("cifar10", profile, device, seed)
cifar_shown = results.best(cifar, at_scale["cifar10-few"])

# %% tags=["nbval-ignore-output"]
print(results.notes(cifar))

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-cifar
# | fig-cap: >-
# |   CIFAR-10, 3072-256-10: test accuracy of the references against epoch, with the target of 30%.
# |   Computed here where the data are at hand, else published; the note above says which.
# | fig-alt: >-
# |   Test accuracy against epoch at several learning rates. It stays below 30 percent.
provenance.shown(draw.accuracy(cifar_shown.data, cifar_shown.data.eta.values[:4], 0.3), cifar_shown)

# %% [markdown]
# ## Sharpness
#
# Sharpness is the largest eigenvalue of the loss's Hessian; below $2/\eta$ descent is stable along every direction {cite:p}`cohen2021`.
# It is found by Lanczos on Hessian–vector products, each search started from the last eigenvector.

# %%
sharp = results.live("sharpness", profile, device, seed)
sharp_mnist = results.paper("mnist-sharpness")
epochs, scaled = responses.sharpness_at(sharp_mnist.data, fastest.estimate)
at_edge = intervals.share_interval(
    judgements.near_edge(epochs, scaled, (epochs[-1] // 2, epochs[-1]))
)
level = intervals.median(judgements.late_level(epochs, scaled, (epochs[-1] // 2, epochs[-1])))

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-sharpness
# | fig-cap: >-
# |   Handwritten digits, computed here: sharpness in units of 2/η along training at four learning
# |   rates; 1 is the edge of stability. One line for each initial condition, their median bold. (As
# |   J, Fig. 14.)
# | fig-alt: >-
# |   At 1 and 2.5 sharpness falls from above the edge to about it or below; at 5 and 7.5 it jumps
# |   irregularly, by orders of magnitude.
draw.sharpness(sharp.data)

# %% tags=["hide-input"]
# | label: fig-images-sharpness-mnist
# | fig-cap: >-
# |   MNIST, the first 6,000 images, published: sharpness in units of 2/η along training at four
# |   learning rates. (J, Fig. 14.)
# | fig-alt: >-
# |   From several times the edge sharpness falls. At 7.5 it levels off at the edge; at 2.5 and 5 it
# |   falls through it, to some 0.6 of it by epoch 300; at 10 it falls later and less evenly.
provenance.shown(draw.sharpness(sharp_mnist.data), sharp_mnist)

# %% tags=["remove-cell", "nbval-ignore-output"]
glue("images-at-edge", at_edge.estimate, display=False)
glue(
    "images-small-fastest",
    comparisons.fastest(scale_rows["mnist-6000-few"][1]).estimate,
    display=False,
)
glue("images-edge-level", float(level), display=False)

# %% [markdown]
# On MNIST, at the rate of {numref}`fig-images-sharpness-mnist` nearest to where all 60,000 images are learned fastest, sharpness is {glue:text}`images-edge-level:.2f` times $2/\eta$ in the median over the second half of 300 epochs,
# and within 20% of it in a share {glue:text}`images-at-edge:.2f` of the networks. The rate matters: these networks see 6,000 images, which are learned fastest, to 70%, at $\eta =$ {glue:text}`images-small-fastest:g`.

# %% tags=["nbval-ignore-output"]
responses.late_sharpness(sharp_mnist.data)

# %% [markdown]
# ## Does the search pay?
#
# J's last page proposes to find the sweet spot before training by bisection on $p(\eta)$: start where $p = 0$ and where $p \approx 1$, and halve.
# `netdyn_lib.experiments.sweet_spot.find` does that for any network and data. Every probe costs $(M + 1)$ networks for each initial condition, and the search pays only if the epochs
# that it saves exceed its own. Its rivals are one network at each rate of a logarithmic grid, the first to arrive winning, and $2/\text{sharpness}$ at initialisation.

# %%
spot = sweet_spot.find(
    task,
    low=size.search_low,
    high=size.search_high,
    level=size.level,
    conditions=size.search_conditions,
    epochs=size.search_epochs,
    seed=seed,
)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-search
# | fig-cap: >-
# |   Bisection on p(η), digits: each probe with its interval, numbered in the order in which they
# |   were made; the final bracket shaded. Grey, p(η) of the sweep.
# | fig-alt: >-
# |   Probes close in on the steep rise of p between 2 and 3.
draw_search.search(spot, exponents)

# %% tags=["nbval-ignore-output"]
print(spot.reason)

# %%
grid = sweet_spot.log_grid(task, cap=size.race_cap, seed=seed)
edge = sweet_spot.from_sharpness(task, seed=seed)
candidates = {
    "no search": size.default,
    "bisection, p ≥ 0.9": spot,
    "bracket's lower end": sweet_spot.Found(
        spot.low, spot.cost_epochs, "where p is still below 0.9"
    ),
    "log grid": grid,
    "2/sharpness": edge,
}
race = sweet_spot.compare(
    task, candidates, "no search", conditions=size.races, cap=size.race_cap, seed=seed
)
rows = {row.method: row for row in race.rows}
penalty = comparisons.ratio(race, "bisection, p ≥ 0.9", "log grid", seed=seed)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-images-race
# | fig-cap: >-
# |   What a search costs and saves, digits, fresh initial conditions. Left, mean of min(τ, cap) at
# |   the learning rate each method found, and the share that never arrives; right, epochs spent in
# |   all, search included, against the number of trainings that follow.
# | fig-alt: >-
# |   The rates of the log grid and of the bracket's lower end train fastest. 2/sharpness costs
# |   least; of the searches that find a fast rate the log grid costs least and pays first, the
# |   bisection much later.
draw_search.comparison(race)

# %% tags=["remove-cell", "nbval-ignore-output"]
for name, method in (
    ("full", "bisection, p ≥ 0.9"),
    ("onset", "bracket's lower end"),
    ("grid", "log grid"),
    ("edge", "2/sharpness"),
    ("default", "no search"),
):
    glue(f"images-{name}-rate", float(rows[method].learning_rate), display=False)
    glue(f"images-{name}-cost", float(rows[method].cost_epochs), display=False)
    glue(f"images-{name}-epochs", rows[method].restricted.estimate, display=False)
    glue(f"images-{name}-even", float(rows[method].break_even), display=False)
glue("images-worse", penalty.estimate, display=False)
glue("images-default", size.default, display=False)
glue("images-race-cap", float(size.race_cap), display=False)

# %% [markdown]
# Bisection to $p \ge 0.9$ spends {glue:text}`images-full-cost:,.0f` network-epochs to find $\eta =$ {glue:text}`images-full-rate:.2f`,
# where networks then need {glue:text}`images-full-epochs:.0f` epochs on average; the default, $\eta =$ {glue:text}`images-default:g`, needs {glue:text}`images-default-epochs:.0f` and no search (where some do not arrive by the cap of {glue:text}`images-race-cap:.0f` epochs these are lower bounds).
# At the lower end of its last bracket, {glue:text}`images-onset-rate:.2f`, where fewer are sensitive, they need {glue:text}`images-onset-epochs:.0f`.
# The log grid finds {glue:text}`images-grid-rate:.2f` ({glue:text}`images-grid-epochs:.0f` epochs) for {glue:text}`images-grid-cost:,.0f` network-epochs and pays after {glue:text}`images-grid-even:.0f` trainings (`inf` would be never).
# So where bisection ends, training takes {glue:text}`images-worse:.1f` times as long as where the log grid ends, and the search itself costs far more.

# %% [markdown]
# ## Published numbers, recomputed
#
# Published results are only as good as what still recomputes. In each build one initial condition of some published sweeps, chosen by the commit (all of them at profile `paper`), is followed again for a few epochs.

# %% tags=["nbval-ignore-output"]
checks = published.check_all(provenance.commit(), size.checked, most=size.checks)
print(*checks, sep="\n")
assert published.verified(checks)

# %% [markdown]
# What of the papers' own sizes is not published yet, what it would cost in floating-point operations; `python -m netdyn_lib.experiments run NAME --profile paper` computes it, and `publish` in place of `run` publishes it:

# %% tags=["nbval-ignore-output"]
published.unpublished()

# %% [markdown]
# ## The papers' claims
#
# Claims on MNIST and CIFAR-10 are judged on published numbers, so that the verdict is the same on a machine without the images; so are those on Iris, which is published at the paper's size. Those on the search are judged live.

# %%
card = claims.Scorecard("05_mnist_cifar")
card.measure("J-fig1-small", *falls, source=scale)
card.measure(
    "J-fig1-middle",
    *converges,
    saw="The loss is irregular, and in some networks has not come down for good within 60 epochs.",
    source=scale,
)
card.measure("J-fig1-large", *learns, source=scale)
ends = {
    "corner of the ramp": saturation.corner_median.estimate,
    "end of best_fit(20)": float(intervals.median(fit.stop[fit.kept()])),
}
card.measure(
    "J-fig2-saturation", *saturation.corner_median, readings=ends, saw=f"{grown}.", source=growth
)
on_iris = f"Iris, {variant_rows['iris'][0].count.min()} initial conditions (D: {paper_d.paper_value}): {paper_d.in_words(iris_values)}"
card.measure(
    "J-fig3-lambda",
    *lam,
    readings=mnist_values,
    untested=at_ten.without(),
    saw=f"{grown}. From their first {size.short_record} epochs: {paper_j.in_words(at_start)} {on_iris} Within the ranges of both papers: {both_papers}.",
    source=growth,
)
longer = f"Over records of 200 epochs p is, with 6,000 images, {responses.shares_in_words(by_length['MNIST, 6,000 images'], 200)}."
if "MNIST" in by_length:
    longer = (
        f"Over records of 200 epochs p is {responses.shares_in_words(by_length['MNIST'], 200)}."
    )
card.measure("J-fig4-onset", *mnist_onset, saw=longer, source=scale)

# %%
card.measure("J-fig5-none", *none, source=scale)
card.measure("J-fig5-all", *everyone, saw=longer, source=scale)
card.measure("J-fig5-minimum", *fastest, source=scale)
card.measure("J-fig5-coincide", *fastest_share, saw=longer, source=scale)
card.measure(
    "J-fig5-coincide-digits",
    *digits_share,
    readings=digits_shares,
    saw=f"Fastest at η = {digits_fastest.estimate:g}. Over records of {short} epochs best_fit(20) gives {lengths['share'][short]:.2f}.",
    source=best_size,
)
card.measure(
    "J-fig5-rise",
    *rises,
    saw=f"A lower bound: at η = 20 {responses.reached(hits, max(size.losses))}.",
    source=scale,
)
card.measure("D-S2-mnist", *both, saw=longer, source=scale)

# %%
card.measure(
    "J-fig8-iris",
    *iris_steps,
    untested=comparisons.uncounted(*variant_rows["iris"]),
    saw=f"Fastest at η = {comparisons.fastest(variant_rows['iris'][1]).estimate:g}, onset at {comparisons.onset(variant_rows['iris'][0], 0.1).estimate:g}; p is at most {comparisons.largest_share(variant_rows['iris'][0], 0).estimate:.2f}.",
    source=iris,
)
takes = {
    name: f"At the paper's size: {published.command(f'mnist-{name}')}."
    for name in ("sigmoid", "relu", "deep", "l2-1e-3")
}
card.measure(
    "J-fig9-activations",
    *comparisons.worst(steps["mnist-sigmoid-few"], steps["mnist-relu-few"]),
    saw=f"With ReLU training is fastest some steps below the onset. {takes['relu']}",
    source=(at_scale["mnist-sigmoid-few"], at_scale["mnist-relu-few"]),
)
cut = comparisons.cut_short(claims.load()["J-fig9-broad"], broad.estimate, broad_limit)
card.measure(
    "J-fig9-broad",
    *(broad if not cut else [float("nan")]),
    untested=f"{cut} {takes['sigmoid']}",
    saw=f"The mean rises earlier than the paper says. {takes['sigmoid']}",
    source=at_scale["mnist-sigmoid-few"],
)
cut = comparisons.cut_short(claims.load()["J-fig10-deep"], slower.estimate, slower_limit)
card.measure(
    "J-fig10-deep",
    *(slower if not cut else [float("nan")]),
    untested=f"{cut} {takes['deep']}",
    saw=f"To 70%, and counting at most 60 epochs. {takes['deep']}",
    source=(at_scale["mnist-deep-few"], at_scale["mnist-6000-few"]),
)
card.measure(
    "J-fig10-coincide",
    *steps["mnist-deep-few"],
    saw=takes["deep"],
    source=at_scale["mnist-deep-few"],
)
card.measure(
    "J-fig11-l2",
    *comparisons.worst(steps["mnist-l2-1e-3-few"], steps["mnist-l2-1e-5-few"]),
    saw=takes["l2-1e-3"],
    source=(at_scale["mnist-l2-1e-3-few"], at_scale["mnist-l2-1e-5-few"]),
)

# %%
card.measure(
    "J-fig12-cnn",
    *cnn_steps,
    untested=comparisons.uncounted(*variant_rows["digits-cnn"]),
    saw=f"Convolutional network on few digits: {responses.reached(variant_rows['digits-cnn'][1])}.",
)
card.measure(
    "J-fig13-cifar",
    *steps["cifar10-few"],
    untested=comparisons.uncounted(*scale_rows["cifar10-few"]),
    saw=f"On 5,000 images: {responses.reached(scale_rows['cifar10-few'][1])}.",
    source=at_scale["cifar10-few"],
)
card.measure(
    "J-fig14-sharpness",
    *at_edge,
    saw=f"The median over networks is {level:.2f} times 2/η. At the other learning rates hardly any network is so near it; see the table.",
    source=(sharp_mnist, scale),
)
card.measure(
    "J-end-bisection",
    *penalty,
    saw=f"Bisection ends at η = {spot.learning_rate:.2f}, the log grid at {grid.learning_rate:.2f}.",
)

# %% tags=["nbval-ignore-output"]
card

# %%
print("verdicts that hold over the whole interval:", card.verdicts(decisive=True), sep="\n")
