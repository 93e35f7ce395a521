# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,mystnb,-all
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
# # Iris, the edge of stability
#
# A hundred times faster, at $\eta = 1$, the same network still learns, but on the way its loss goes up and down
# and nearby networks part exponentially. Section 4.1 of {cite:t}`danovski2024` reads this as sensitive dependence on
# initial conditions, with a network maximal Lyapunov exponent of about 0.33 per epoch.
# This chapter repeats its Figures 7 and 8, checks its footnote on the sharpness,
# and asks two things the paper does not: how far the number depends on the rule that picks the window of growth,
# and how much of the chaos outlives the first epochs.

# %%
import numpy as np
from myst_nb import glue

from netdyn_lib import (
    claims, curvature, descent, devices, lyapunov, networks, phases, profiles, relaxation, resampling, tangent, tasks,
)
from netdyn_lib.figures import exponents as draw

# %% tags=["parameters"]
profile = "laptop"
device = "auto"
seed = 0

# %%
size = profiles.sizes("03_edge_of_stability", profile)
task = tasks.get("iris", device=devices.resolve(device))
edge = descent.GradientDescent(task, size.learning_rate)
slow = descent.GradientDescent(task, size.slow_rate)
start = task.initial(size.ensemble, seed=seed, device=device)

# %% [markdown]
# ## Four trajectories
#
# As in the chapter before, each reference network has copies from its ε-ball, $\epsilon = 10^{-8}$, five of them here.

# %%
balls = networks.perturbed(start, size.radius, size.copies, seed=seed)
long = descent.run(edge, balls[: size.long_ensemble], size.epochs, observe=("distance", "mean_distance", "loss", "test_accuracy"))
examples = slice(0, size.examples)
fit = lyapunov.best_fit(long["mean_distance"][: size.exponent_epochs + 1, examples], min_length=20)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Four initial conditions at η = 1, one in each row. Distance of five perturbed copies (grey; mean in black) over all epochs, over the first 200 on a logarithmic axis with the window of best exponential fit (orange); their mean over the last 50; and the training loss. (D, Fig. 7.)", "name": "fig-edge-trajectories"}, "image": {"alt": "Four rows of four panels. Distances jump from 1e-7 to order ten within the first hundred epochs along a straight line on the logarithmic axis; the last epochs zigzag with period two; losses are irregular at first and then fall."}}
draw.growth_panels(long.epochs, long["distance"][:, examples], long["loss"][:, examples, 0], fit, zoom=size.exponent_epochs)

# %%
loss = long["loss"][..., 0]
settles = resampling.share_interval((loss[-1] < 0.1) & ~relaxation.non_increasing(loss))
late = phases.classify(long["mean_distance"][-60:], block=60, tolerance=0.05, longest=12)[0]
oscillating = resampling.share_interval(late > 1)
glue("edge-settles", settles.estimate, display=False)
glue("edge-oscillating", oscillating.estimate, display=False)
glue("edge-long", size.long_ensemble, display=False)

# %%
fast = relaxation.first_hit(long.epochs, long["test_accuracy"][..., 0], task.target_accuracy, sustained=20)
crawl = descent.run(slow, start[: size.long_ensemble], size.epochs, observe=("test_accuracy",))
tardy = relaxation.first_hit(crawl.epochs, crawl["test_accuracy"], task.target_accuracy, sustained=20)
both = ~np.isnan(fast) & ~np.isnan(tardy)
speedup = resampling.bootstrap_interval((tardy / fast)[both], np.median, seed=seed)
glue("edge-speedup", speedup.estimate, display=False)
glue("edge-fast-censored", float(np.isnan(fast).mean()), display=False)
glue("edge-slow-censored", float(np.isnan(tardy).mean()), display=False)

# %%
first = descent.run(edge, balls, size.exponent_epochs, observe=("mean_distance",))
gentle = descent.run(slow, balls[: size.long_ensemble], size.exponent_epochs, observe=("mean_distance",))
ratio = first["mean_distance"][:, : size.long_ensemble].max(0) / gentle["mean_distance"].max(0)
orders = resampling.bootstrap_interval(np.log10(ratio), np.median, seed=seed)
glue("edge-orders", orders.estimate, display=False)

# %% [markdown]
# {numref}`fig-edge-trajectories` shows what the paper describes. Of {glue:text}`edge-long` networks a share {glue:text}`edge-settles:.2f`
# ends with a loss below 0.1 after a transient that is not monotonic.
# In the median network nearby trajectories part {glue:text}`edge-orders:.1f` orders of magnitude further than at $\eta = 0.01$.
# Late distances that oscillate with a small period, the paper's third column, are found in a share {glue:text}`edge-oscillating:.2f`.
# To 90% test accuracy, sustained for 20 epochs, the median network takes {glue:text}`edge-speedup:.2f` times as many epochs at $\eta = 0.01$
# as here: a hundredfold step buys far less than a hundredfold gain, because accuracy settles only once the erratic transient is over.
# The median is over networks that arrive at both rates; within 4,000 epochs a share {glue:text}`edge-fast-censored:.2f` does not
# arrive at $\eta = 1$, and {glue:text}`edge-slow-censored:.2f` at $\eta = 0.01$.

# %% [markdown]
# ## The distribution of exponents
#
# For 500 initial conditions, $\Lambda$ is the slope of $\ln \bar d(t)$ over the window, at least 20 epochs long, with the best exponential fit
# in the first 200 epochs. The paper keeps fits with $R^2 > 0.9$ and $\Lambda > 0.05$.

# %%
fit = lyapunov.best_fit(first["mean_distance"], min_length=20)
summary = lyapunov.summarise(fit, seed=seed)
modes = resampling.modality(fit.slope[fit.kept()], seed=seed)
glue("edge-lambda", summary.exponent.estimate, display=False)
glue("edge-lambda-low", summary.exponent.low, display=False)
glue("edge-lambda-high", summary.exponent.high, display=False)
glue("edge-kept", summary.share.estimate, display=False)
glue("edge-p-modes", modes.p, display=False)

# %%
by_radius = {size.radius: summary}
for radius in size.radii:
    if radius not in by_radius:
        ball = networks.perturbed(start, radius, size.copies, seed=seed)
        run = descent.run(edge, ball, size.exponent_epochs, observe=("mean_distance",))
        by_radius[radius] = lyapunov.summarise(lyapunov.best_fit(run["mean_distance"], min_length=20), seed=seed)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left: finite exponents of 500 initial conditions, kept (blue) and discarded (grey); mean of the kept in black, the paper's value dashed. Right: mean of the kept exponents with its 95% interval, and their standard deviation, against the radius ε. (D, Fig. 8.)", "name": "fig-edge-exponents"}, "image": {"alt": "Left, a histogram with one broad hump around 0.3 per epoch. Right, means near 0.3 for small radii that change at the largest."}}
draw.distribution(fit.slope, fit.kept(), size.radii, [by_radius[r] for r in size.radii])

# %%
small = [by_radius[r].exponent.estimate for r in size.radii if r <= 1e-6]
settled = lyapunov.largest_deviation(small, summary.exponent.estimate)
glue("edge-settled", settled, display=False)

# %% [markdown]
# The mean of the kept exponents is {glue:text}`edge-lambda:.3f`
# (95%: {glue:text}`edge-lambda-low:.3f` to {glue:text}`edge-lambda-high:.3f`); a share {glue:text}`edge-kept:.2f` is kept.
# {numref}`fig-edge-exponents` has one mode (Silverman's test: p = {glue:text}`edge-p-modes:.2f`),
# and the mean changes by at most {glue:text}`edge-settled:.3f` of its value over radii from $10^{-14}$ to $10^{-6}$.

# %% [markdown]
# ## One sentence, many numbers
#
# "The window yielding the best exponential fit" can be read in several ways. Those below all fit the sentence;
# `best_fit(m)` takes the window of at least m epochs with the largest $R^2$, `ramp` fits a plateau, a ramp and a plateau to the whole curve,
# and `tangent` uses no window at all: it follows an infinitesimal perturbation over the same 200 epochs.

# %%
directions = balls[:, 1:2] - balls[:, :1]  # the first copy's displacement
growth = tangent.growth(edge.product, start, directions, size.exponent_epochs, order=1)
fits = lyapunov.multiverse(first["mean_distance"], tangent.mean_growth(growth))
summaries = [lyapunov.summarise(f, seed=seed) for f in fits.values()]

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Where each rule puts its window on the mean distance of four initial conditions. Windows are shifted down so that they can be told apart.", "name": "fig-edge-windows"}, "image": {"alt": "Four logarithmic distance curves that rise and saturate; coloured segments below them, of different lengths and slopes, mark the windows chosen by best fit with 10, 20 and 30 epochs and by the ramp."}}
draw.window_choices(first.epochs, first["mean_distance"][:, examples], fits)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The multiverse of window rules: network maximal Lyapunov exponent and share kept under each rule, with 95% intervals, from the same 500 curves. Dashed: the paper's values. The tangent rule has no fit and keeps by Λ > 0.05 alone.", "name": "fig-edge-multiverse"}, "image": {"alt": "Two columns of points with error bars for five rules. Exponents spread well beyond their intervals, from the tangent rule at the low end to best fit with ten epochs at the high end; shares kept vary too."}}
draw.multiverse(summaries)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Density of the kept exponents under each rule, from the same 500 curves.", "name": "fig-edge-densities"}, "image": {"alt": "Five smooth density curves with different peaks and widths; the tangent rule's is narrow and near zero, those of short windows are broad."}}
draw.histograms(fits, {rule: f.kept() for rule, f in fits.items()})

# %%
lowest, highest = lyapunov.extremes(summaries)
glue("edge-lowest", lowest.exponent.estimate, display=False)
glue("edge-highest", highest.exponent.estimate, display=False)
glue("edge-window", summary.window, display=False)

# %% [markdown]
# The same curves give a mean exponent from {glue:text}`edge-lowest:.2f` to {glue:text}`edge-highest:.2f` per epoch
# ({numref}`fig-edge-multiverse`), a spread that no bootstrap interval shows. {numref}`fig-edge-windows` tells why: growth is not a clean exponential.
# It pauses and speeds up, so that a short window finds the steepest straight piece and a long one an average.
# It also decides what is discarded: the third network of {numref}`fig-edge-trajectories` parts from its copies like the others, but the straightest
# twenty epochs of its curve lie on the plateau before, and so it does not count.
# The paper's 0.33 lies among the rules that use a window; it is a number of a rule as much as of a network, and so is the share kept.

# %% [markdown]
# ## ε-ball and tangent space
#
# An ε-ball measures the tangent dynamics as long as distances are small. Over each fitted window, the tangent vector's growth
# should equal the slope of $\ln d$.

# %%
alone = descent.run(edge, balls[:, :2], size.exponent_epochs, observe=("mean_distance",))
same_copy = lyapunov.best_fit(alone["mean_distance"], min_length=20)
kept = same_copy.kept()
in_window = growth.exponent(same_copy.start, same_copy.stop)[:, 0]
error = np.log(alone["mean_distance"] / alone["mean_distance"][0]) - tangent.mean_growth(growth)
difference = resampling.bootstrap_interval(np.abs(same_copy.slope - in_window)[kept], np.median, seed=seed)
glue("edge-difference", difference.estimate, display=False)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left: exponent of the same window from the distance of one perturbed copy and from a tangent vector that starts in the same direction, one point for each kept initial condition. Right: how far the two growth curves are apart, over time.", "name": "fig-edge-agreement"}, "image": {"alt": "Left, points along the diagonal with some below it. Right, differences that start below 1e-5, grow with the distance and reach order one when the distance saturates."}}
draw.agreement(same_copy.slope[kept], in_window[kept], error)

# %% [markdown]
# In the median, the two exponents differ by {glue:text}`edge-difference:.4f` per epoch ({numref}`fig-edge-agreement`, left).
# They part where a window reaches into saturation: there the distance stops growing, and the tangent vector, which has no size, does not.

# %% [markdown]
# ## How long does the chaos last?

# %%
few = start[: size.tangent_ensemble]
whole = tangent.growth(edge.product, few, tangent.random_directions(few, seed=seed), size.epochs)
edges = [0, 50, 100, 200, 500, 1000, 2000, size.epochs]
rates = [resampling.bootstrap_interval(whole.exponent(a, b)[:, 0], seed=seed) for a, b in zip(edges, edges[1:])]
glue("edge-rate-first", rates[0].estimate, display=False)
glue("edge-rate-top", max(r.estimate for r in rates), display=False)
glue("edge-rate-last", rates[-1].estimate, display=False)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Mean growth rate of a tangent vector in successive stretches of training at η = 1, with 95% intervals.", "name": "fig-edge-transient"}, "image": {"alt": "Points with error bars for seven stretches: about 0.1 in the first fifty epochs, highest between epochs 50 and 200, then falling to zero after epoch 1,000."}}
draw.rates_over_time(edges, rates)

# %% [markdown]
# Sensitive dependence is a transient ({numref}`fig-edge-transient`). Tangent vectors grow by {glue:text}`edge-rate-first:.2f` per epoch in the first
# 50 epochs, by up to {glue:text}`edge-rate-top:.2f` in the stretch where growth is fastest, and by {glue:text}`edge-rate-last:.4f` after epoch 2,000. A Lyapunov exponent in the strict sense, the limit of long times,
# would describe the last value; what the paper measures, and this chapter with it, is the finite-time exponent of the beginning.

# %% [markdown]
# ## Sharpness
#
# Gradient descent on a quadratic diverges where the largest eigenvalue of the Hessian, the *sharpness*, exceeds $2/\eta$.
# {cite:t}`cohen2021` found that training settles there. The paper's second footnote adds that, with cross-entropy, sharpness should fall late in training.
# Beyond the edge many networks end in a cycle of two epochs that jump across a valley, one side steeper than the other;
# sharpness is therefore taken as the mean of two successive epochs.

# %%
watched = descent.run(edge, start[: size.sharp_networks], size.sharp_epochs, observe=("weights", "loss"))
times = relaxation.log_epochs(size.sharp_epochs - 1, size.sharp_times, include=(size.epochs,))
pairs = [curvature.along(task.objective, watched["weights"][times + k], device=task.x.device) for k in (0, 1)]
sharp = np.mean(pairs, axis=0)  # (times, networks)
scaled = sharp * size.learning_rate / 2
trained = np.searchsorted(times, size.epochs)  # the row of epoch 4,000
reaches = resampling.share_interval(scaled[1 : trained + 1].max(0) >= 1)
falls = resampling.share_interval(sharp[trained] < 0.5 * sharp[: trained + 1].max(0))
falls_later = resampling.share_interval(sharp[-1] < 0.5 * sharp.max(0))
glue("edge-reaches", reaches.estimate, display=False)
glue("edge-falls", falls.estimate, display=False)
glue("edge-falls-later", falls_later.estimate, display=False)
glue("edge-sharp-epochs", size.sharp_epochs, display=False)
glue("edge-trained-sharpness", float(np.median(scaled[trained])), display=False)
glue("edge-last-sharpness", float(np.median(scaled[-1])), display=False)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Sharpness times η/2, mean of two successive epochs, over training at η = 1, continued beyond the 4,000 epochs of the other figures (top; 1, dashed, is the edge of stability), and the training loss (bottom); each network in grey, the median in black.", "name": "fig-edge-sharpness"}, "image": {"alt": "Top, sharpness that starts above the dashed line, swings around it in the first five hundred epochs and settles close to it. Bottom, losses that stay erratic for some hundred epochs and then fall."}}
draw.sharpness(times, scaled, watched["loss"][times])

# %% [markdown]
# {numref}`fig-edge-sharpness`: sharpness reaches $2/\eta$ in a share {glue:text}`edge-reaches:.2f` of the networks.
# After the paper's 4,000 epochs the median still stands at {glue:text}`edge-trained-sharpness:.2f` times $2/\eta$, and it has fallen below half of its maximum
# in a share {glue:text}`edge-falls:.2f`. Followed for {glue:text}`edge-sharp-epochs:,` epochs, the median comes to
# {glue:text}`edge-last-sharpness:.2f` times $2/\eta$ and the share to {glue:text}`edge-falls-later:.2f`.
# Beyond the edge the loss goes up along one direction, which is what makes nearby networks part.

# %% [markdown]
# ## The paper's claims

# %%
card = claims.Scorecard("03_edge_of_stability")
card.measure("D-fig7-loss", *settles)
card.measure("D-sec4-faster", *speedup)
card.measure("D-fig7-larger", *orders)
card.measure("D-fig7-oscillate", *oscillating)
card.measure("D-fig8-lambda", *summary.exponent, saw=f"Other rules on the same curves give {lowest.exponent.estimate:.2f} to {highest.exponent.estimate:.2f}.")
card.measure("D-fig8-kept", *summary.share, saw="The share depends on the window rule.")

# %%
card.measure("D-fig8-unimodal", modes.p)
card.measure("D-fig8-radius", settled)
card.measure("D-fn2-reaches", *reaches)
card.measure("D-fn2-falls", *falls, saw=f"After {size.sharp_epochs:,} epochs: a share {falls_later.estimate:.2f}.")

# %% tags=["nbval-ignore-output"]
card

# %%
print(card.verdicts())
