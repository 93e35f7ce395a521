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
# # Tangent space: can the outcome be told early?
#
# :::{admonition} In short
# :class: tip
# - Sharafi 2024 claim that Lyapunov exponents and covariant vectors tell early which networks will
#   fail. Their task is not published, so ours stands in for it.
# - Fifteen steps into training exponents and vectors tell failed runs better than chance, and
#   never with certainty: {verdict}`S-exponents-tanh-normal` {verdict}`S-vectors-relu-normal`
# - From then on the loss itself soon knows as much, and the weights often know more.
# - The signs of exponents are as the paper says for ReLU at most, the tangencies of vectors nowhere:
#   {verdict}`S-positive-relu-glorot` {verdict}`S-positive-tanh-normal`
#   {verdict}`S-tangencies-relu-normal`
# - They save no training beside a look at the loss a little later.
#
# The figure to see is {numref}`fig-prediction-auc`.
# :::
#
# Of many small networks that learn the same thing some end well and some badly. {cite:t}`sharafi2024` ask whether their
# *tangent dynamics* tells which, long before the end: finite-time Lyapunov exponents, and covariant Lyapunov vectors,
# the directions along which perturbations grow and shrink. They report that both do, as early as $t = 0.015$ of a training that lasts until $t = 10$.
# In the journal's version of the paper {cite:p}`sharafi2025` the abstract no longer mentions the vectors.
#
# This chapter repeats the experiment and adds what decides its meaning: the obvious rivals at the same time
# (the loss itself, the curvature at that moment, the weights), a held-out half, vectors that know the future beside vectors that do not, and what stopping early would save.
# The same tools then look at the networks of the chapters before: how many directions of weight space are neutral, and what they are.

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
import xarray as xr

from netdyn_lib.experiments import neutral_directions, sizes, spectra
from netdyn_lib.experiments.outcome_prediction import predicting, published, results
from netdyn_lib.figures import prediction as draw
from netdyn_lib.results import claims, provenance
from netdyn_lib.results.glue import glue_all
from netdyn_lib.statistics import classification
from netdyn_lib.statistics.intervals import student
from netdyn_lib.tasks import tasks
from netdyn_lib.training.gradient_descent import GradientDescent

# %% tags=["parameters", "hide-input"]
profile = "laptop"
device = "auto"
seed = 0
# None means the profile's
early = None  # time at which one predicts
group = None  # networks of which the best is wanted
risk = None  # share of groups whose best may be missed
iris_rates = None  # learning rates of whole spectra
iris_networks = None
iris_epochs = None  # before "late" begins
phase_networks = None  # followed through phases
phase_epochs = None
leading_rates = None  # learning rates of leading exponents
leading_networks = None
leading_epochs = None

# %% [markdown]
# ## The map and its derivative
#
# Gradient descent is the map $F(W) = W - \eta\,\nabla L(W)$, and a perturbation $v$ of its weights obeys $v(t+1) = J(t)\,v(t)$ with the
# Jacobian $J = 1 - \eta H(W(t))$, $H$ the Hessian of the loss. Sharafi 2024 derive it for three layers; here it is for one hidden layer of any width and activation $\varphi$.
# Let $\tilde x = (x, 1)$, $z_j = w_j\cdot\tilde x$ and $a_j = \varphi(z_j)$ for the hidden units, $\tilde a = (a, 1)$, and $f_c = u_c\cdot\tilde a$ for the outputs.
# With $r_c = \partial L/\partial f_c$ and $G_{cd} = \partial^2 L/\partial f_c\,\partial f_d$ for one sample, the chain rule gives three blocks, to be summed over samples:
#
# $$
# \frac{\partial^2 L}{\partial u_c\,\partial u_d} = G_{cd}\,\tilde a\,\tilde a^{\mathsf T},
# \qquad
# \frac{\partial^2 L}{\partial w_j\,\partial u_c} = \varphi'(z_j)\,\tilde x\,\Big[\Big(\sum_d u_{dj} G_{dc}\Big)\tilde a + r_c\,e_j\Big]^{\mathsf T},
# $$
#
# $$
# \frac{\partial^2 L}{\partial w_j\,\partial w_k} = \Big[\varphi'(z_j)\,\varphi'(z_k)\sum_{c,d} u_{cj}\,G_{cd}\,u_{dk} + \delta_{jk}\,\varphi''(z_j)\sum_c u_{cj}\,r_c\Big]\,\tilde x\,\tilde x^{\mathsf T},
# $$
#
# $e_j$ the unit vector of unit $j$. For half the squared error $G$ is the identity and $r$ the residual. With ReLU $\varphi'' = 0$ but at the kink, where it does not exist.
# The library sums these for whole ensembles at once ({mod}`netdyn_lib.curvature.closed_form`); the tests hold them against automatic differentiation, to $10^{-12}$.
#
# ## 8,000 networks with nine weights
#
# Two inputs, two hidden units, one output. Sharafi 2024 leave open what the networks learn; here they learn $y \propto (x_1 + x_2)^2$ at 100 random points,
# scaled such that the best constant has a loss $C = \frac12\sum (f - y)^2$ of 200, with $\eta = dt = 0.001$ until $t = 10$. As in Sharafi 2024 a run is *ideal* when it ends with $C < 4$ and has *failed* when $C > 100$;
# one that overflows has failed. Four ensembles: tanh and ReLU, with weights and biases from $\mathcal N(0, 1)$ or Glorot's uniform weights.

# %% tags=["hide-input"]
size = sizes.sizes(
    "06_prediction",
    profile,
    early=early,
    group=group,
    risk=risk,
    iris_rates=iris_rates,
    iris_networks=iris_networks,
    iris_epochs=iris_epochs,
    phase_networks=phase_networks,
    phase_epochs=phase_epochs,
    leading_rates=leading_rates,
    leading_networks=leading_networks,
    leading_epochs=leading_epochs,
)

# %%
here = results.live(profile, seed)  # ensemble → dataset, computed here
papers = results.paper()  # ensemble → dataset, areas under ROC curves, savings; published
known = {name: papers[name][0] if name in papers else data for name, data in here.items()}
outcomes = {name: predicting.outcomes(data) for name, data in known.items()}

# %% tags=["nbval-ignore-output"]
for name, data in here.items():
    print(f"{name}: {data.sizes['network']:,} networks computed here")
for name in here:
    if name in papers:
        count, source = known[name].sizes["network"], known[name].attrs["provenance"]
        print(f"{name}: {count:,} networks published ({source})")
    else:
        command = published.command(name)
        print(f"NOTE: nothing is published of the campaign {name!r}; compute it: {command}")

# %% tags=["hide-input"]
# | label: fig-prediction-outcomes
# | fig-cap: >-
# |   Final loss of the networks of each ensemble, computed here, by outcome; shares above.
# | fig-alt: >-
# |   Four histograms on a logarithmic axis of final loss. With tanh the losses form two groups,
# |   one below one and one between 100 and 200, with nothing between; with ReLU there are narrow
# |   peaks near 3 and near 20 and a group above 100.
draw.outcomes(
    {name: (data.final_loss.values, predicting.outcomes(data)) for name, data in here.items()}
)

# %% [markdown]
# Gradient descent in this network has a handful of endings: both hidden units in use, one, or none.
# With tanh there is almost no middle; with ReLU a unit that is off for every point has no gradient and stays off.
#
# ## Exponents of ideal and of failed runs
#
# Benettin's exponents $\lambda_1, \dots, \lambda_9$ over $[0, t]$, per unit of time, come from the QR decomposition of $J(t-1)\cdots J(0)\,Q_0$ {cite:p}`benettin1980`.
# $Q_0$ is one random orthogonal matrix, the same for all: the identity would be no generic choice, for ReLU units that are off keep apart from the others.
# Over times as short as these they remember $Q_0$, and are not in descending order; $\lambda_1$ is the growth of its first column.
# Exponents from singular values need no $Q_0$ and stand beside them in what follows; signs are judged on them.

# %% tags=["hide-input"]
# | label: fig-prediction-exponents
# | fig-cap: >-
# |   Exponents 1, 2, 5 and 9 over [0, t]: median and middle half of ideal (blue) and failed runs
# |   (orange, dashed).
# | fig-alt: >-
# |   Sixteen panels, four exponents by four ensembles, over logarithmic time. At the earliest
# |   times medians are scattered from plus to minus ten and more; later the first is near zero,
# |   and the last far below it. With ReLU failed runs end higher in all four rows, with tanh ideal
# |   runs in the first.
draw.courses(
    {
        name: (data.time.values, data.exponents.values, predicting.outcomes(data))
        for name, data in here.items()
    }
)

# %%
positive = {name: predicting.positive(data, 0.2, seed=seed) for name, data in known.items()}
stability = {name: predicting.less_stable(data, 0.2, seed=seed) for name, data in known.items()}
tangency = {name: predicting.tangency(data, 0.2, seed=seed) for name, data in known.items()}

# %% [markdown]
# Whether high final losses go with positive exponents and a loss of stability depends on the activation. Over $[0, 0.2]$,
# with tanh it is the other way round: a run that gets somewhere passes a saddle, and there perturbations grow more than on the plateau on which others stay.
# With ReLU, from either initialisation, failed runs are less stable in all nine directions, as the paper says.
# The claims at the end have each ensemble by itself, all 8,000 networks of it, at $t = 0.2$: at $t = 0.015$ nearly every run has a positive exponent, whatever becomes of it, and the sign tells nothing.
# And *less stable* is not *unstable*: hardly any of the nine medians of failed runs is positive by then.


# %%
def signs(data, outcome, time):
    """Signs and order of nine exponents: by QR, and from singular values."""
    now, row = predicting.at(data, time)[["exponents", "singular"]], {}
    # without those that have diverged by then
    failed, ideal = (
        now.isel(network=of).dropna("network") for of in (outcome.failed, outcome.ideal)
    )
    row["largest positive, failed"] = float((failed.singular[:, 0] > 0).mean())
    row["largest positive, ideal"] = float((ideal.singular[:, 0] > 0).mean())
    middle, other = failed.median("network"), ideal.median("network")
    for name, kind in (("QR", "exponents"), ("singular values", "singular")):
        row[f"larger in failed, {name}"] = int((middle[kind] > other[kind]).sum())
        row[f"positive in failed, {name}"] = int((middle[kind] > 0).sum())
    return row


# %% tags=["nbval-ignore-output"]
moments = [(name, time) for name in known for time in (size.early, 0.2)]
rows = {(name, time): signs(known[name], outcomes[name], time) for name, time in moments}
table_of_signs = pd.DataFrame.from_dict(rows, orient="index")
table_of_signs.round(2)

# %% [markdown]
#
# ## Covariant vectors
#
# Vectors $v_i(t)$ that $J$ carries onto each other, $J(t)\,v_i(t) \parallel v_i(t+1)$, are determined by the past, which fixes the span of the first $i$,
# and by the future, which fixes that of $v_i$ and all after it. Ginelli's method {cite:p}`ginelli2013` goes forth by QR and back by $R^{-1}$; its vectors therefore *know the end of the run*, in part.
# What Sharafi 2024 do without a far future is not described in what we have. Our variant, the *frozen future*, takes $J$ to stay what it is at $t$:
#
# $$
# v_i = \operatorname{span}(q_1, \dots, q_i)\,\cap\,\operatorname{span}(e_i, \dots, e_9),
# $$
#
# with $q_i$ the columns of $Q(t)$ and $e_i$ the eigenvectors of $J(t)$ by descending $|$multiplier$|$. Where multipliers coincide single vectors are not determined; those are missing from the figures below. To the classifier a missing angle is a value of its own, and it tells something: with ReLU it means a unit that is off. *Degeneracy*, how many angles are missing, therefore stands among the rivals.

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-prediction-tangencies
# | fig-cap: >-
# |   Angle between pairs of far-future covariant vectors at t = 0.2, of ideal (blue) and failed
# |   runs (orange, dashed): the pairs in which Sharafi 2024 see tangencies. Published ensembles
# |   where there are any.
# | fig-alt: >-
# |   Twenty-four small histograms, six pairs by four ensembles, over angles from 0 to 90 degrees.
# |   Distributions are broad, some with spikes near 70 or 90 degrees; failed and ideal runs differ
# |   pair by pair, without a common direction.
provenance.shown(
    draw.tangencies(
        {name: (predicting.determined(data, 0.2), outcomes[name]) for name, data in known.items()},
        predicting.PAIRS,
    ),
    known,
)

# %% tags=["nbval-ignore-output"]
parts = {}
for name, data in known.items():
    degrees, columns = np.degrees(predicting.determined(data, 0.2)), {}
    for kind in ("failed", "ideal"):
        of_kind = degrees[getattr(outcomes[name], kind)]  # (network, pair)
        columns[f"{kind}, determined"] = count = np.isfinite(of_kind).sum(0)
        columns[f"{kind}, below 10°"] = (of_kind < 10).sum(0) / count
    parts[name] = pd.DataFrame(columns, index=predicting.PAIRS)
pd.concat(parts).round(3)

# %% [markdown]
# Angles near zero are tangencies; the table has the share of angles below ten degrees. $J$ is symmetric, so near a fixed point, whether good or bad, the vectors become its eigenvectors and orthogonal.
# In none of the ensembles do failed runs have the larger share in all six pairs; ideal runs have the larger one of (1,2) in all four.
#
# Have the vectors converged? The covariance defect, the distance between $J v_i(t)$ and $v_i(t+1)$, has a median of {glue:text}`prediction-residual:.1e`, but it does not tell:
# any triangular matrix pulled back has none. What tells is another length of future. The table has the share of these angles that are more than five degrees from the published ones, which know far more of it.

# %% tags=["nbval-ignore-output"]
rows = {}
for name, (long, *_) in papers.items():
    longer = predicting.at(long, 0.2).longer_angles.sel(pair=list(predicting.PAIRS)).values
    angles, future = predicting.determined(long, 0.2)[: len(longer)], predicting.future(long, 0.2)
    rows[name] = {
        "more than 5° apart": predicting.unconverged(here[name], long, 0.2),
        "future here": predicting.future(here[name], 0.2),
        "future published": future,
        "published, more than 5° from a longer future": predicting.apart(angles, longer, 5),
        "networks followed longer": len(longer),
        "longer future": future + long.attrs["longer"],
    }
pd.DataFrame.from_dict(rows, orient="index")

# %% [markdown]
# With the future that a run of the laptop profile affords most of these angles are still on their way, so tangencies are judged on the published ensembles.
# Of those a sample was followed for longer still; the last columns have the share of its angles that moved.
#
# How far are frozen-future vectors from those that know the future, at $t = 0.015$?

# %% tags=["nbval-ignore-output"]
rows = {}
for name, data in known.items():
    frozen, far = (
        predicting.determined(data, size.early, data.pair.values, kind)
        for kind in ("frozen", "far")
    )
    error = np.degrees(np.abs(frozen - far))
    rows[name] = {
        "median, degrees": np.nanmedian(error),
        "more than 10°": predicting.apart(frozen, far, 10),
        "angles": np.isfinite(error).sum(),
    }
pd.DataFrame.from_dict(rows, orient="index")

# %% [markdown]
# By five to nine degrees in the median angle, and by more than ten in a third or more of the angles: the frozen future is a stand-in, not an approximation.

# %% [markdown]
# ## What predicts, and when
#
# At each time a naive Bayes classifier (ten bins for each feature) is fitted to one half of an ensemble; the area under its ROC curve (AUC) is measured on the other half,
# with a bootstrap interval. One half is chance, 1 certainty.

# %%
tables = {
    name: predicting.table(data, resamples=size.resamples, seed=seed) for name, data in here.items()
}
scores = {name: papers[name][1] if name in papers else table for name, table in tables.items()}

# %%
ensembles = pd.Index(list(scores), name="ensemble")
areas = xr.concat(scores.values(), ensembles, combine_attrs="drop")  # (ensemble, outcome, …)
at_early = predicting.at(areas, size.early)

# %% tags=["hide-input"]
# | label: fig-prediction-auc
# | fig-cap: >-
# |   Computed here. Area under the ROC curve over the time at which one predicts, for ideal (top)
# |   and failed runs (bottom), with 95% intervals; dashed, the paper's t = 0.015.
# | fig-alt: >-
# |   Eight panels of curves that begin between 0.4 and 0.9 and rise, most steeply between 0.05 and
# |   0.2. At the earliest times the weights or the Hessian are among the highest, and the loss
# |   among the lowest.
draw.areas(
    tables,
    ("loss", "weights", "Hessian", "exponents", "vectors", "growth", "vectors 5 to 8"),
    size.early,
)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-prediction-auc-paper
# | fig-cap: >-
# |   As the figure before, for 8,000 networks each where they are published: with singular values
# |   and degeneracy in place of growth and vectors 5 to 8.
# | fig-alt: >-
# |   Eight panels with narrow intervals. With tanh the Hessian and singular values or the weights
# |   lead at first and the weights from 0.05 on; with ReLU weights, Hessian and vectors lie above
# |   exponents and loss at most times. All meet near one at t = 1.
provenance.shown(
    draw.areas(
        scores,
        ("loss", "degeneracy", "weights", "Hessian", "exponents", "singular values", "vectors"),
        size.early,
    ),
    scores,
)

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-prediction-auc-others
# | fig-cap: >-
# |   The indicators left out of the figure before, with the weights for comparison: the gradient's
# |   norm, the growth rates along frozen-future vectors, and vectors and rates 5 to 8, in which
# |   Sharafi 2024 see ideal runs.
# | fig-alt: >-
# |   Eight panels. With tanh the weights lie above all three others at most times; with ReLU
# |   growth rates and vectors 5 to 8 are close to them or above, and the gradient's norm below.
provenance.shown(
    draw.areas(scores, ("gradient", "weights", "growth", "vectors 5 to 8"), size.early), scores
)

# %% tags=["nbval-ignore-output"]
predicting.words(at_early.auc.sel(outcome="failed"), "ensemble")

# %% tags=["nbval-ignore-output"]
predicting.words(at_early.auc.sel(outcome="ideal"), "ensemble")

# %% [markdown]
# Sharafi 2024 see ideal runs in the *(marginally) stable* directions 5 to 8. Are these four marginal, and is it they that tell? Of ideal runs, the share of their growth rates that are negative, or less than a tenth of the run's largest in magnitude;
# and the area of rates and angles of vectors 5 to 8, less that of vectors 1 to 4, on the same test runs.


# %%
def four_vectors(data, first):
    """Growth rates of four frozen-future vectors and the angles between them, and who is left."""
    now, four = predicting.at(data, size.early), range(first, first + 4)
    pairs = [f"({i},{j})" for i in four for j in four if i < j]
    rates, apart = now.frozen_growth.sel(index=list(four)), now.frozen_angles.sel(pair=pairs)
    return np.concatenate([rates, apart], 1), np.isfinite(now.weights).all("parameter").values


# %%
marginal, small, leads = {}, {}, {}
how = classification.Evaluation(baselines=("1 to 4",), resamples=size.resamples, seed=seed)
for name, data in known.items():
    ideal, rates = outcomes[name].ideal, predicting.at(data, size.early).frozen_growth
    rates = rates.isel(network=ideal).dropna("network")  # (network, index)
    near_zero = np.abs(rates) < 0.1 * np.abs(rates).max("index")
    calm = (near_zero | (rates < 0)).sel(index=slice(5, 8))
    marginal[name] = student(calm.mean("index").values)
    small[name] = float(near_zero.sel(index=slice(5, 8)).mean())
    halves = classification.split(len(ideal), seed, strata=ideal)
    (first, left), (last, _) = four_vectors(data, 1), four_vectors(data, 5)
    features = {"1 to 4": first[None], "5 to 8": last[None]}  # at one time
    found = classification.over_time(ideal, features, halves, left[None], how)
    leads[name] = [float(values[0]) for values in found.difference["1 to 4"]["5 to 8"]]

# %% tags=["nbval-ignore-output"]
table = {"stable or small": {name: found.estimate for name, found in marginal.items()}}
table |= {"small": small, "area, more than of 1 to 4": {name: v[0] for name, v in leads.items()}}
pd.DataFrame(table).round(2)

# %% [markdown]
# They are stable in every ideal run, and so are the third, the fourth and the ninth; but few of their rates are small beside the largest, so that *marginal* says too much. They tell a little more than the first four where they tell more at all.

# %% [markdown]
# At $t = 0.015$, fifteen steps into training, Benettin's exponents tell failed runs apart with an area between {glue:text}`prediction-exponents-low:.2f` and {glue:text}`prediction-exponents-high:.2f`,
# depending on the ensemble; singular values, which no arbitrary first frame blurs, with {glue:text}`prediction-singular-low:.2f` to {glue:text}`prediction-singular-high:.2f`; frozen-future vectors with {glue:text}`prediction-vectors-low:.2f` to {glue:text}`prediction-vectors-high:.2f`.
# The loss itself has {glue:text}`prediction-loss-low:.2f` to {glue:text}`prediction-loss-high:.2f` by then: the paper's claim stands, moderately.
# Is it more than the weights and the curvature of that moment know? The nine weights reach {glue:text}`prediction-weights-low:.2f` to {glue:text}`prediction-weights-high:.2f`,
# and the eigenvalues of the Hessian {glue:text}`prediction-hessian-low:.2f` to {glue:text}`prediction-hessian-high:.2f`, without any product of Jacobians.
# The table has the differences of areas, failed runs, in pairs: indicator against rival on the same test runs. Intervals are over these, with one split and one classifier for all.

# %% tags=["nbval-ignore-output"]
lead = at_early.difference.sel(outcome="failed", predictor=list(predicting.TANGENT))
predicting.words(lead, "baseline", sign="+")

# %% [markdown]
# And at other times: by how much the best of exponents, singular values, vectors and growth rates exceeds the better of weights and Hessian, for failed and for ideal runs. The best and the better are chosen on the same runs, so small differences mean nothing.


# %% tags=["nbval-ignore-output"]
def beyond_rivals(outcome):
    """The best tangent indicator at each time, and its lead over the better of its rivals."""
    area = areas.auc.sel(outcome=outcome, bound="estimate", drop=True).fillna(0)
    best = area.sel(predictor=list(predicting.TANGENT)).idxmax("predictor")  # (ensemble, time)
    rival = area.sel(predictor=["weights", "Hessian"]).idxmax("predictor")
    lead = areas.difference.sel(outcome=outcome, predictor=best, baseline=rival)
    return best.to_pandas().T + " " + predicting.words(lead, "ensemble", sign="+")


beyond_rivals("failed")

# %% tags=["nbval-ignore-output"]
beyond_rivals("ideal")

# %% [markdown]
# By $t = 0.2$ the loss has {glue:text}`prediction-loss-late-low:.2f` to {glue:text}`prediction-loss-late-high:.2f`, Benettin's exponents {glue:text}`prediction-exponents-late-low:.2f` to {glue:text}`prediction-exponents-late-high:.2f`.
#
# ## What leaks

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-prediction-leak
# | fig-cap: >-
# |   Vectors and growth rates with a frozen future, beside those of Ginelli's method, which know
# |   the steps to come; published ensembles where there are any.
# | fig-alt: >-
# |   Eight panels. At early times the far-future vectors lie above the frozen-future ones in most
# |   panels, least with ReLU from N(0, 1).
provenance.shown(
    draw.areas(
        scores,
        ("vectors", "vectors, far future", "growth", "growth, far future", "loss"),
        size.early,
    ),
    scores,
)

# %% [markdown]
# With tanh, and with ReLU from Glorot's weights, far-future vectors know more than frozen-future ones, {glue:text}`prediction-far-low:.2f` to {glue:text}`prediction-far-high:.2f` at $t = 0.015$. They are no predictors: they were computed from the steps that follow.
# Where a study reports covariant vectors at an early time, what it knew of the future has to be said.
#
# ## Would it save training?
#
# Train ten networks for the sake of the best. At $t = 0.015$ a rule gives each a score, and those above a threshold are abandoned;
# the threshold is the lowest that misses the best network in at most 5% of groups, learned on one half and used on the other. Ideal runs count as equally good.
# A dense Hessian is charged as $2P$ epochs, and exponents as one Hessian at every step.

# %%
rule = size.group, size.risk, size.resamples, seed
saved = {name: predicting.savings(data, size.early, *rule) for name, data in here.items()}

# %% tags=["hide-input"]
# | label: fig-prediction-savings
# | fig-cap: >-
# |   Share of all epochs saved by stopping at t = 0.015 on each rule, its threshold learned for at
# |   most 5% of groups missed, with 95% intervals; computed here.
# | fig-alt: >-
# |   Four panels of points with bars. All rules save some share, with wide intervals that overlap;
# |   stopping by lot saves half and more with tanh and little with ReLU.
draw.savings(saved)

# %% tags=["nbval-ignore-output"]
rows = {}
for name, found in saved.items():
    for method, saving in found.rules.items():
        rows[name, method] = {
            "abandoned": saving.abandoned,
            "epochs saved": saving.saved,
            "best missed": saving.missed,
            "more than the loss saves": found.saved.get(method, ""),
        }
pd.DataFrame.from_dict(rows, orient="index").astype(str)

# %% [markdown]
# Stopping by lot is the baseline that counts: where several networks of ten end well, a rule that knows nothing already saves much.
# *Loss, fitted* is the loss as all other rules are, by a classifier: a small loss early on is no good sign by itself. The last column is beside the raw loss at the same time.
#
# And the loss need not be read so early. For the work of fifteen Hessians it can be read at $t = 0.285$.

# %%
stopping = {}  # ensemble → what is saved over time, published where it is of this group and risk
for name, data in here.items():
    found = papers[name][2] if name in papers else None
    if found is None or (found.attrs["group"], found.attrs["risk"]) != (size.group, size.risk):
        found = predicting.savings_over_time(data, *rule)
    stopping[name] = found

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-prediction-stopping
# | fig-cap: >-
# |   Share of all epochs saved against the time of the decision; bands are 95% intervals; dashed,
# |   t = 0.015. Published ensembles where there are any.
# | fig-alt: >-
# |   Four panels. With tanh most rules save between a half and three quarters at all early times,
# |   and the raw loss least with Glorot's weights; with ReLU the loss rises to 0.7 at t = 0.2,
# |   above all others. Exponents and vectors fall at late times, when their Hessians cost more
# |   than stopping saves.
provenance.shown(draw.savings_over_time(stopping, size.early), stopping)

# %% tags=["nbval-ignore-output"]
over_time = xr.concat(stopping.values(), ensembles, combine_attrs="drop")
now = predicting.at(over_time, size.early)
table = {"epochs saved": predicting.words(now.saved), "best missed": predicting.words(now.missed)}
more = predicting.words(now.difference.sel(baseline="loss, fitted"), sign="+")
pd.DataFrame(table | {"more than on the loss, fitted": more})

# %% tags=["nbval-ignore-output"]
best = over_time.saved.sel(bound="estimate", drop=True).fillna(-np.inf).idxmax("time")
then = over_time.sel(time=best)  # (ensemble, rule)
table = {"epochs saved": predicting.words(then.saved), "best missed": predicting.words(then.missed)}
pd.DataFrame({"best time": best.to_series()} | table)

# %% [markdown]
# At $t = 0.015$ exponents and vectors save more than the loss with ReLU; with tanh the loss, fitted, saves as much as they do. But nothing that exponents or vectors save at any time exceeds what the loss saves at $t = 0.2$:
# waiting until then costs little of the training and tells more. The one early rule that keeps up is the Hessian of the first steps, with tanh and Glorot's weights.
# The best time is chosen on the runs it is measured on, which favours every rule a little.
#
# ## How many directions are neutral?
#
# Danovski 2024 conjecture that many directions of weight space do not matter: perturbations along them neither grow nor shrink {cite:p}`danovski2024`.
# The whole spectrum of the Iris network answers: 83 exponents, late in training at each of their learning rates. Those below {glue:text}`prediction-within:g` per epoch in magnitude count as neutral.

# %%
iris = tasks.get("iris")
late = spectra.late_states(iris, size.iris_rates, size.iris_networks, size.iris_epochs, seed)
exponents = spectra.early_and_late(iris, late, size.iris_steps, seed)
turn = size.iris_turn  # epochs of past and of future
directions = {
    rate: neutral_directions.directions(
        GradientDescent(iris, rate), params, turn, turn, size.within
    )
    for rate, params in late.items()
}

# %% tags=["hide-input"]
# | label: fig-prediction-iris
# | fig-cap: >-
# |   Iris, whole spectra of 83 exponents. Left: over the first epochs; middle: late in training,
# |   one line for each network. Right: how much of each weight's axis lies in the span of the
# |   neutral covariant vectors.
# | fig-alt: >-
# |   Three rows for learning rates 0.01, 1 and 5. Late spectra are flat at zero but for a few
# |   exponents at the ends; most weights lie almost wholly in the neutral span.
draw.iris(exponents, directions)

# %% tags=["nbval-ignore-output"]
spectra.table(exponents, directions, size.within)

# %% [markdown]
# The conjecture holds, and more strongly than they say: late in training nearly all directions are neutral. At $\eta = 5$ what is left is two-dimensional, the map of the logits that chapter 4 finds.
# The bound is per epoch, and therefore lenient at $\eta = 0.01$, where an epoch is a small step: a rate just below it is still a factor of fifty in 4,000 epochs.
# The table also says how many weights effectively hold the few directions that are not neutral. At $\eta = 5$ they are few, so nearly every weight is wholly neutral there; at the lower rates they are many, and no weight is irrelevant by itself.
# These are two networks at each rate.
# A Kaplan–Yorke dimension is a property of an attractor. Where all but two exponents are zero it says only that the neutral directions are there; the table has it where it is defined.

# %% [markdown]
# ### Inside the phases at η = 5
#
# Late in training most networks at $\eta = 5$ have settled. Before, phases alternate (chapter 4), and the question is better put to one phase at a time. Blocks of 60 epochs are classified by their loss as there;
# an irregular block in which the hidden layer does not rest is a *burst*. Of each kind the middle blocks of the longest phases are taken, from the networks that show most kinds.
# Vectors are those at the start of a block and know {glue:text}`prediction-turn:.0f` epochs on either side of it; growth is that of the block.

# %%
rhythm = sizes.sizes("04_iris_eta5", profile)
blocks = neutral_directions.look(
    GradientDescent(iris, rhythm.learning_rate),
    iris.initial(size.phase_networks, seed),
    size.phase_epochs,
    neutral_directions.Window(size.phase_turn, rhythm.block, rhythm.tolerance),
    size.phase_blocks,
    size.within,
)

# %% tags=["hide-input"]
# | label: fig-prediction-phases
# | fig-cap: >-
# |   Blocks of each kind of phase of Iris at η = 5. Left: all 83 growth rates over the block, one
# |   colour for each block; shaded, what counts as neutral. Middle: growth epoch by epoch, in the
# |   first of these blocks, along the vectors that grow most and least of those that are not
# |   neutral. Right: how much of each weight's axis lies in the span of what is not neutral;
# |   dashed, where the last layer begins.
# | fig-alt: >-
# |   A row for each kind of phase that occurs: fixed, period 3, other period, irregular, burst. In
# |   fixed blocks two rates lie far below a flat line at zero, and what is not neutral sits on a
# |   few weights beyond the dashed line; in bursts rates leave the line at both ends, and weights
# |   of both layers take part.
draw.phases(blocks)

# %% tags=["nbval-ignore-output"]
blocks.table()

# %% tags=["nbval-ignore-output"]
absent = [kind for k, kind in enumerate(neutral_directions.KINDS) if k not in blocks.kind]
print("kinds of which there is no block:", absent or "none")

# %% [markdown]
# Where the hidden layer rests, all but two of the 83 directions are neutral, whether the phase is fixed, of period 3 or irregular. The two are held by $3\kappa$ weights, all of the last layer:
# the outer biases, and the outer weights of the units that are on. They shrink in fixed and periodic phases; where an irregular phase lasts, both grow.
# In a burst more directions count, and about half of what counts is in the first layer: a direction that is irrelevant throughout a phase is not so when the phase ends.
# A hidden layer may also be saturated without being frozen: then more than two directions count inside a phase of one kind.
#
# How much of this is determined? The last two columns of the table halve past and future. Where two directions count their span moves by less than a degree; where more count it moves by tens,
# and there the number of directions, which needs the past alone, can be relied on, but not the vectors. These are few blocks of each kind.

# %% [markdown]
# ## The leading exponents of larger networks
#
# The largest exponents of the digits' network (2,410 weights) along training, by Hessian–vector products, below, at and above the fastest learning rate, beside sharpness in units of $2/\eta$; and those of MNIST's (50,890 weights), published.
# Were the top eigenvector of the Hessian to stay where it is, the first exponent would be $\ln|1 - \eta\,\lambda_{\max}|$.

# %%
rates, networks = size.leading_rates, size.leading_networks
digits = spectra.along_training(
    tasks.get("digits"), rates, networks, epochs=size.leading_epochs, seed=seed
)
mnist = spectra.published()

# %% tags=["nbval-ignore-output"]
for name, data in ({"digits": digits} | mnist).items():
    about = data.attrs
    print(f"{name}: {about['data']}; {about['conditions']} networks, {about['epochs']} epochs")
    print(f"    {about['provenance']}")

# %% tags=["hide-input", "nbval-ignore-output"]
# | label: fig-prediction-leading
# | fig-cap: >-
# |   Above: the three largest exponents in successive stretches of training, mean over networks
# |   (in the first stretch the frame still turns), and what the sharpness at the stretch's end
# |   would give if directions stood still (grey, dotted); below: sharpness times η/2. Digits,
# |   computed here; MNIST, its first 6,000 images, published, where there is any. The middle rates
# |   are those of fastest training in chapter 5.
# | fig-alt: >-
# |   At the lowest rate of either task exponents are near zero. At the middle rates the first
# |   starts near a half per epoch and falls with the sharpness. At the highest the first stays
# |   positive, and sharpness jumps about.
provenance.shown(draw.leading({"digits": digits} | mnist), digits, mnist)

# %% [markdown]
# Sharpness above $2/\eta$ does not by itself make the leading exponent positive: MNIST at $\eta = 2.5$ starts well above it, and its exponents are near zero.
# Where exponents are positive they stay far below the frozen value: directions turn, and a product of Jacobians grows less than the product of their norms.
#
# ## Answers
#
# *What do exponents and vectors know, and when?* Fifteen steps into training they tell failed runs from others: better than chance in every ensemble, never with certainty.
# *Is it more than the loss knows?* At that time mostly yes, and not everywhere: with ReLU and $\mathcal N(0, 1)$ Benettin's exponents know what the loss knows, with ReLU and Glorot's weights singular values do. From $t = 0.2$ on the loss knows as much as they do, or more.
# *Is it more than the weights or the Hessian know?* From $\mathcal N(0, 1)$ never by a visible amount. From Glorot's weights it is, for a while: singular values with tanh in the first fifteen steps, by up to 0.06 in area, and vectors there at $t = 0.05$, by as much; vectors with ReLU in the first ten steps, by up to 0.11.
# At $t = 0.015$ itself the lead is 0.03 at most. Vectors that know more than that owe it to their future.
# *Do they save training?* Not beside a look at the loss a little later.
#
# ## Published numbers, recomputed

# %% tags=["nbval-ignore-output"]
checks = [
    published.recompute(name, provenance.commit(), size.checked) for name in published.names()
]
print(*checks or ["NOTE: no campaign is published, so none was recomputed"], sep="\n")
assert all(check.agrees for check in checks)

# %% [markdown]
# ## Exercises
#
# **1.** A predictor has an area of 0.75 over 50 failed and 50 other runs. About how uncertain is
# it?
#
# :::{dropdown} Solution
# By Hanley and McNeil's formula the standard error is 0.05. Two predictors whose areas differ by
# 0.03 cannot be told apart by so few runs; the published ensembles have 8,000.
# :::
#
# **2.** Why may a covariant vector at time $t$ not be used to predict from time $t$?
#
# :::{dropdown} Solution
# Its method goes back from the future: the vector is what is left of a random one after many steps
# backwards, and depends on the orbit *after* $t$. Singular values and exponents over $[0, t]$ know
# the past alone.
# :::
#
# ## The paper's claims
#
# Sharafi 2024 do not say what their networks learn, so that every verdict here holds for *our task*, and the scorecard says so. One claim for each ensemble. Their ranges were written before any of these ensembles was looked at, though after a pilot had been: its areas at $t = 0.015$ lay between 0.65 and 0.88. Areas are judged on the published ensembles,
# so that verdicts do not hang on the fewer networks computed here, and so are signs, orders and angles.

# %% tags=["remove-cell", "nbval-ignore-output"]
tells = {"exponents": "exponents", "singular": "singular values", "vectors": "vectors"}
tells |= {"hessian": "Hessian", "weights": "weights", "loss": "loss", "far": "vectors, far future"}
numbers = {}
for when, moment in (("", at_early), ("_late", predicting.at(areas, 0.2))):
    for label, predictor in tells.items():
        if not when or label in ("exponents", "loss"):
            area = moment.auc.sel(outcome="failed", bound="estimate", predictor=predictor)
            numbers |= {f"{label}{when}_low": float(area.min())}
            numbers |= {f"{label}{when}_high": float(area.max())}
residuals = [data.far_residual.max(["time", "index"]) for data in here.values()]
numbers["residual"] = float(np.nanmedian(np.concatenate(residuals)))
glue_all("prediction", within=size.within, turn=float(size.phase_turn), **numbers)


# %%
def reached(name, outcome):
    """What the rivals of an indicator reach at the same time, in words."""
    names = ["loss", "weights", "Hessian", "exponents", "vectors"]
    area = at_early.auc.sel(ensemble=name, outcome=outcome, bound="estimate", predictor=names)
    words = ", ".join(f"{one} {value:.2f}" for one, value in area.to_series().items())
    return f"Areas at that time, {outcome} runs: {words}."


# %%
card = claims.Scorecard("06_prediction", changed=size.changed)
looked_at = {"exponents": ("failed", "exponents"), "vectors": ("failed", "vectors")}
looked_at["ideal"] = "ideal", "vectors 5 to 8"
for name, table in scores.items():
    for claim, (outcome, predictor) in looked_at.items():
        area = at_early.auc.sel(ensemble=name, outcome=outcome, predictor=predictor)
        id = f"S-{claim}-{name.removeprefix('ridge-')}"
        card.measure(id, *area.values.tolist(), saw=reached(name, outcome), source=table)

# %%
for name, data in known.items():
    kind, row = name.removeprefix("ridge-"), table_of_signs.loc[(name, 0.2)]
    shares = [f"{row[f'largest positive, {kind}']:.2f}" for kind in ("failed", "ideal")]
    saw = "Of failed runs {} have a positive largest exponent, of ideal ones {}.".format(*shares)
    card.measure(f"S-positive-{kind}", *positive[name], saw=saw, source=data)
    count = int(row["larger in failed, QR"])
    saw = f"{count} of the nine exponents are larger in failed runs, by their medians."
    card.measure(f"S-directions-{kind}", *stability[name], saw=saw, source=data)

# %%
for name, data in known.items():
    found = tangency[name]  # pair → 95% interval, and a wider one
    more = ", ".join(pair for pair, (i, _) in found.items() if i.low > 0) or "none"
    less = ", ".join(pair for pair, (i, _) in found.items() if i.high < 0) or "none"
    saw = f"Angles below 10° are more frequent in failed runs: {more}; less frequent: {less}."
    id = f"S-tangencies-{name.removeprefix('ridge-')}"
    card.measure(id, *predicting.nearer_tangency(found), saw=saw, source=data)

# %%
area = at_early.auc.sel(outcome="failed", predictor=["exponents", "vectors", "growth"])
area = area.stack(case=("ensemble", "predictor"))
least = area.isel(case=int(area.sel(bound="estimate").argmin("case")))
saw = "The least of all areas of exponents, vectors and growth; see the tables above."
card.measure("S-very-high", *least.values.tolist(), saw=saw, source=scores)


# %%
name = min(marginal, key=lambda one: marginal[one].estimate)
each = ", ".join(f"{value:.2f}" for value in small.values())
saw = f"In all runs or nearly all they are negative; small beside the largest are {each} of them."
card.measure("S-marginal", *marginal[name], saw=saw, source=known)
readings = {name.removeprefix("ridge-"): lead[0] for name, lead in leads.items()}
words = dict(saw="Areas, more than those of vectors 1 to 4.", readings=readings, source=known)
card.measure("S-marginal-best", *min(leads.values()), **words)

# %%
most = over_time.saved.sel(bound="estimate").max("time")  # (ensemble, rule)
more = most.sel(rule=["exponents", "vectors"]).max("rule")
more = more - most.sel(rule=["loss", "loss, fitted"]).max("rule")
saw = "Shares of all epochs; each best time is chosen on the runs that it is measured on."
readings = {name.removeprefix("ridge-"): value for name, value in more.to_series().items()}
card.measure("S-early-stopping", more.mean(), saw=saw, source=stopping, readings=readings)

# %% tags=["nbval-ignore-output"]
card

# %%
print("verdicts that hold over the whole interval:", card.verdicts(decisive=True), sep="\n")
