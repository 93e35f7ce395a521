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
# # A toy map
#
# :::{admonition} In short
# :class: tip
# - One weight and a loss with two minima are enough for gradient descent to become chaotic.
# - At low learning rates the weight settles in one of the two minima: {verdict}`J-fig6-minima`
# - As the learning rate grows, period doublings at the universal ratio lead to chaos:
#   {verdict}`J-fig6-cascade`
# - Periodic windows lie everywhere in it and repeat the whole picture:
#   {verdict}`J-fig6-intertwined` {verdict}`J-fig6-self-affine`
# - Chaos has a positive exponent, and needs a large learning rate: {verdict}`J-fig7-positive`
#   {verdict}`J-appA-large-rate`
#
# The figure to see is {numref}`fig-toy-bifurcation`.
# :::
#
# One weight and a loss with two minima are enough for gradient descent to become chaotic.
# {cite:t}`jimenez2025` (J) show this in their appendix A with a bifurcation diagram and a Lyapunov exponent, computed from orbits.
# In one dimension nearly everything in those two figures is the root of an equation.
# This chapter repeats the figures, solves the equations, and tests six statements of the paper:
#
# - at low learning rates the weight converges to one of the two minima,
# - at larger ones a period-doubling cascade leads to chaos,
# - chaos is intertwined with periodic windows,
# - the windows are self-affine,
# - there are regions of learning rates with a positive exponent,
# - and chaos needs a sufficiently large learning rate.

# %% tags=["hide-input"]
import numpy as np

from netdyn_lib.experiments import sizes
from netdyn_lib.figures import maps as figures
from netdyn_lib.maps import bifurcations, cascades, one_dimensional, windows
from netdyn_lib.results import claims
from netdyn_lib.results.glue import glue_all

# %% [markdown]
# The parameters of a run: `None` leaves a size to the profile, and a run with another value judges no claim.
# `device` is there because every chapter has it; nothing here runs on an accelerator.

# %% tags=["parameters", "hide-input"]
profile = "laptop"
device = "auto"
seed = 0
learning_rates = None  # values of η across the bifurcation diagram
initial_conditions = None
transient = None  # iterations discarded
keep = None  # iterations drawn
longest_period = None  # of the windows that are searched

# %%
chapter = "01_toy_map"
changed = dict(learning_rates=learning_rates, initial_conditions=initial_conditions)
changed |= dict(transient=transient, keep=keep, longest_period=longest_period)
size = sizes.sizes(chapter, profile, **changed)
cubic = one_dimensional.CUBIC
w0 = np.random.default_rng(seed).normal(0, 0.1, size.initial_conditions)

# %% [markdown]
# ## The map
#
# The loss is the double well $V(w) = \tfrac14 w^4 - \tfrac12 w^2$, with minima at $w = \pm 1$ and a maximum at 0.
# Gradient descent with learning rate $\eta$ is the cubic map
#
# ```{math}
# :label: eq-toy-cubic
# f(w) = w - \eta V'(w) = w\,[1 - \eta\,(w^2 - 1)], \qquad f'(w) = 1 + \eta - 3\eta w^2 .
# ```
#
# It has three fixed points, the critical points of the loss.
# At the maximum the multiplier is $f'(0) = 1 + \eta > 1$: unstable at every learning rate.
# At the minima it is $f'(\pm 1) = 1 - 2\eta$.
# They attract while $\eta < 1 = 2/V''(\pm 1)$, the same condition as in {eq}`eq-stable`,
# and fastest at $\eta = 1/V''(\pm 1) = 1/2$, where the multiplier is 0.
# The critical point of the map, $c = \sqrt{(1 + \eta)/(3\eta)}$, where $f'(c) = 0$, organises all that follows.
#
# The paper draws $w_0$ from $\mathcal{N}(0, 0.1)$ without saying whether 0.1 is the variance or the standard deviation.
# We take it as the standard deviation. It makes no difference here: almost every orbit that starts between $\pm\sqrt{1 + 2/\eta}$
# forgets everything about its start, except which of at most two mirror-image attractors it went to.
# (Every attractor attracts a critical point, and there are only $c$ and $-c$.)

# %%
early = [one_dimensional.cobweb(cubic, rate, 0.1, size.cobweb_steps) for rate in size.cobweb_rates]
settled = one_dimensional.orbit(cubic, size.cobweb_rates, 0.1, size.transient)[-1]
late = [
    one_dimensional.cobweb(cubic, *pair, size.cobweb_steps)
    for pair in zip(size.cobweb_rates, settled, strict=True)
]

# %% tags=["hide-input"]
# | label: fig-toy-cobwebs
# | fig-cap: >-
# |   Orbits of the map from w = 0.1 (blue dot) at six learning rates: the graph of f (black), the
# |   first steps (light blue) and forty steps after a long transient (orange, ending at the orange
# |   dot).
# | fig-alt: >-
# |   Six cobweb diagrams. The orbit climbs to 1 at the two lowest rates, settles on a square and a
# |   double square at the next two, and never closes at the two highest, of which the last visits
# |   both signs.
figures.cobwebs(cubic, size.cobweb_rates, early, late)

# %% [markdown]
# Each step of {numref}`fig-toy-cobwebs` goes vertically to the graph and horizontally to the diagonal.
# At the lowest rate the weight creeps up to 1; at the second it hops over 1 from side to side while it converges.
# In the third and fourth panel the minimum has become unstable, and the weight alternates between two and then four values around it.
# In the fifth it never repeats, but stays positive.
# In the last the valley of the graph reaches below the horizontal axis and the orbit wanders over both minima.
#
# ## The bifurcation diagram
#
# The paper iterates the map, discards a transient and draws 200 steps (its Fig. 6).
# It does not give the length of the transient, nor the number of initial conditions.
# Beside the diagram we compute where its landmarks lie, by root finding:
# the loss of stability of the minima, the end $\eta_\infty$ of the cascade, the merging of the two attractors, and the escape to infinity.

# %%
rates = one_dimensional.grid(0.0, 2.1, size.learning_rates)
diagram = one_dimensional.bifurcation_diagram(cubic, rates, w0, size.transient, size.keep)
cascade = cascades.cascade(cubic, size.cascade, low=0.1, high=2.0)
onset = cascades.accumulation(cascade.doubling, cascade.doubling_error)
merging = bifurcations.merging(cubic, low=1.0, high=2.0)
escape = bifurcations.escape(cubic, low=merging, high=3.0)
known = (1, 1.5 * 3**0.5 - 1, 2)  # derived below
np.testing.assert_allclose((cascade.doubling[0], merging, escape), known, atol=1e-9)

# %% tags=["hide-input"]
# | label: fig-toy-bifurcation
# | fig-cap: >-
# |   Bifurcation diagram of the cubic map. Blue: orbits that start at w > 0, orange: at w < 0;
# |   where both go the colours add up to grey. Dashed: the minima lose stability, the cascade ends,
# |   the attractors merge, orbits escape.
# | fig-alt: >-
# |   Two mirror-image trees. Each is a line at plus or minus 1 that forks at learning rate 1, forks
# |   again and again until 1.30, and becomes a band with gaps that widens until both bands meet at
# |   1.6 and fill one wedge up to 2.
marks = {
    r"$\eta = 1$": cascade.doubling[0],
    r"$\eta_\infty$": onset.value,
    "merging": merging,
    "escape": escape,
}
figures.bifurcation(diagram, marks)

# %% [markdown]
# {numref}`fig-toy-bifurcation` has the features of the paper's figure, and one that a single colour hides:
# up to the middle of the chaotic range there are two attractors, and with $w_0$ this close to 0 its sign alone decides between them.
# From left to right:
#
# - The minima lose stability at $\eta = 1$. The cycle of period 2 that follows lasts until $\eta =$ {glue:text}`toy-second:.6f`, the one of period 4 is shorter, and so on.
# - The cascade ends at $\eta_\infty =$ {glue:text}`toy-onset:.10f` (error {glue:text}`toy-onset-error:.0e`). This is the sufficiently large learning rate of the paper: below it there is no chaos.
# - The two attractors merge at $\eta =$ {glue:text}`toy-merging:.6f`, where the highest point that an orbit can reach is mapped to the maximum of the loss, $f(f(c)) = 0$. With $f(c) = \tfrac23 (1 + \eta)\,c$ this is $(1 + \eta)^2 = 27/4$, or $\eta = \tfrac32\sqrt 3 - 1$.
# - Orbits escape beyond $\eta =$ {glue:text}`toy-escape:.6f`, where $f(c)$ reaches the unstable cycle $\pm\sqrt{1 + 2/\eta}$, which bounds all bounded orbits.

# %% [markdown]
# ## The Lyapunov exponent
#
# The paper defines the exponent as the time average of $\ln(f'(w_k))$ (its eq. A3, as the text we have prints it).
# On every attractor beyond $\eta = 1/2$ the derivative is negative at some or all points, so the absolute value is meant:
#
# ```{math}
# :label: eq-toy-exponent
# \lambda = \lim_{t \to \infty} \frac1t \sum_{k=0}^{t-1} \ln |f'(w_k)| .
# ```
#
# Its standard error comes from the means of twenty consecutive stretches of the orbit.

# %%
exponents = one_dimensional.lyapunov_exponent(
    cubic, rates, w0[0], size.transient, size.exponent_steps
)
at_escape = one_dimensional.lyapunov_exponent(
    cubic, cubic.exact[0], w0[0], size.transient, size.exponent_steps
)
at_saddle = one_dimensional.lyapunov_exponent(cubic, cascade.superstable[0], 0.0, 0, 20)
assert abs(at_escape.value - cubic.exact[1]) < 5 * at_escape.error + 1e-6
assert np.array_equal(exponents.escaped, rates > escape)

# %% [markdown]
# An exponent is *surely* positive if it exceeds 0 by two standard errors, and *possibly* if it lies no further than two below.

# %%
surely = exponents.value - 2 * exponents.error > 0
possibly = exponents.value + 2 * exponents.error > 0
chaotic = surely[(rates > onset.value) & (rates < escape)].mean()
assert not surely[rates < onset.value].any()

# %% tags=["hide-input"]
# | label: fig-toy-exponent
# | fig-cap: >-
# |   a The bifurcation diagram from a learning rate of 0.4. b The Lyapunov exponent at the same
# |   learning rates, blue where negative and orange where positive. Dot: the exact value at the
# |   edge of escape. The dips to minus infinity are cut off.
# | fig-alt: >-
# |   The bifurcation diagram above the Lyapunov exponent. The exponent dips between zeros that
# |   coincide with the forks, is positive from 1.30 on, rises to 1.1 at 2, and is interrupted by
# |   narrow negative notches below the gaps of the diagram.
figures.exponent(diagram, exponents, marks, known=cubic.exact)

# %% [markdown]
# In {numref}`fig-toy-exponent` the exponent touches zero at each fork and dips to $-\infty$ in between, where the cycle contains $c$ and small errors vanish to first order.
# Beyond $\eta_\infty$ it is positive at {glue:text}`toy-chaotic-share:.1f` % of the learning rates, up to the escape; the notches are the periodic windows.
#
# At $\eta = 2$ there is an exact answer. With $w = \sqrt2 \sin\theta$ the map is $\sqrt2 \sin\theta \mapsto \sqrt2 \sin 3\theta$:
# it triples an angle, so it is chaotic in the sense of Devaney, and $\lambda = \ln 3 = 1.0986\ldots$
# From the orbit we measure {glue:text}`toy-exponent:.4f` ± {glue:text}`toy-exponent-error:.4f`.
# At other learning rates a positive exponent is evidence of sensitive dependence along one orbit, not a proof of chaos in that sense.
#
# One more number matters for the chapters on networks. At $\eta = 1/2$, where convergence is fastest and the exponent of the attractor is $-\infty$,
# two orbits that start next to each other at $w = 0$ separate at the rate $\ln(1 + \eta) =$ {glue:text}`toy-saddle:.4f` per step until they feel the minima.
# An exponent measured over a finite time can be positive on the way to a stable minimum.

# %% [markdown]
# ## The cascade
#
# Every fork of the diagram is the solution of two equations: the orbit closes after $2^k$ steps, and its multiplier is $-1$.
# We start from the superstable cycle of each period, where the critical point returns to itself, $f^{2^k}(c) = c$,
# find it by bisection on the order of visits and Newton's method, and follow it to its fork by continuation in the multiplier.
# If the cascade is the classical one, the distances between successive points shrink by the ratio of {cite:t}`feigenbaum1978`,
# $\delta = 4.6692\ldots$, the same for every map with a quadratic maximum.

# %%
points = {"superstable": cascade.superstable, "doubling": cascade.doubling}
rounding = {"superstable": cascade.superstable_error, "doubling": cascade.doubling_error}
ratios = {kind: cascades.feigenbaum(points[kind], rounding[kind]) for kind in points}

# %% tags=["hide-input"]
# | label: fig-toy-cascade
# | fig-cap: >-
# |   a Distance of the superstable and doubling points from the end of the cascade; k counts the
# |   doublings of the period. b Ratios of successive distances with their errors; the inset shows
# |   the errors alone.
# | fig-alt: >-
# |   Left: two parallel straight lines on a logarithmic axis, falling from 1 to 1e-7 over ten
# |   levels. Right: two curves that rise from 4.4 and 4.5 to a common value of 4.67 by level 6,
# |   with error bars that shrink to nothing.
figures.cascade(points, onset.value, ratios)

# %% [markdown]
# The straight lines of {numref}`fig-toy-cascade`a are the geometric approach.
# From the doubling points $\delta =$ {glue:text}`toy-delta:.5f` (error {glue:text}`toy-delta-error:.0e`),
# from the superstable points {glue:text}`toy-delta-superstable:.5f`.
# The error adds two parts: the change from one ratio to the next, which falls from level to level,
# and the rounding of the points, which grows because their distances shrink. The estimate with the least sum is reported.
#
# ## Periodic windows
#
# Inside the chaotic range the diagram has gaps in which a cycle attracts.
# Looking for them on a grid would find only the wide ones, so we list them.
# The order in which the critical orbit visits the rising and falling parts of the graph names a cycle,
# and the names that can occur are known by combinatorics; each name is passed once as $\eta$ grows.
# Because the map is odd, a cycle may close at $-c$ after $m$ steps instead of at $c$: it then has period $2m$ and is its own mirror image.
# Write $F = s f^m$ with $s = \pm1$ for the map that closes it.
# A window opens in a tangent bifurcation ($F' = +1$), its cycle is superstable ($F' = 0$) and doubles in $F$ ($F' = -1$),
# and it closes in an interior crisis, where the critical orbit hits the unstable cycle $w^*$ born together with the stable one: $F(F(c)) = w^*$.
# The merging of the two attractors above is the same event for $m = 1$ and $w^* = 0$.

# %% tags=["nbval-ignore-output"]
found = windows.search(cubic, size.longest_period, low=onset.value, high=escape)
outer = found[found.outermost]
columns = ["full_period", "word", "opening", "superstable", "doubling", "closing", "width"]
outer.head(10)[[*columns, "doubling_share"]].round(6)

# %% [markdown]
# How much of the chaotic range the windows cover, and the widest stretch without one:

# %%
opening, closing = np.sort(outer.opening), np.sort(outer.closing)
gaps = np.append(opening, escape) - np.append(onset.value, closing)
gaps = gaps / (escape - onset.value)
covered, gap = 1 - gaps.sum(), gaps.max()
assert abs(found.opening[1] - (8**0.5 - 1)) < 1e-9  # of the symmetric cycle of period 4

# %% tags=["hide-input"]
# | label: fig-toy-window-widths
# | fig-cap: >-
# |   Width of all windows with m up to 12 that are wider than one millionth, at the learning rate
# |   of their superstable cycle. Blue: windows of two mirror-image cycles, orange: of one symmetric
# |   cycle. Numbers: the periods of the ten widest that lie inside no other.
# | fig-alt: >-
# |   Vertical stems on a logarithmic axis, from learning rate 1.3 to 2. The tallest are a period-3
# |   window at 1.45 and a period-4 window at 1.83, both near 0.02 wide; most are below 0.0001. Up
# |   to the merging at 1.6 all belong to mirror-image pairs, above it the larger part to symmetric
# |   cycles, the widest among them.
figures.window_widths(found, onset.value - 0.01, escape + 0.005)

# %% [markdown]
# {numref}`fig-toy-window-widths` shows {glue:text}`toy-windows:d` windows, and the table lists the ten widest that do not lie inside another one.
# The *word* is the itinerary of $f(c), f^2(c), \dots$ by $|w|$: 0 where $f$ rises, 1 where it falls, 2 beyond its zero $\sqrt{1 + 1/\eta}$, C back at $\pm c$.
# The widest, of period 3, opens at $\eta =$ {glue:text}`toy-opening:.6f` and closes at {glue:text}`toy-closing:.6f`.
#
# The second is a symmetric cycle of period 4, which opens at $2\sqrt2 - 1$, by algebra.
# Up to the merging all of them belong to mirror-image pairs of cycles; beyond it most belong to symmetric ones.
# Together the windows cover {glue:text}`toy-covered:.1f` % of the range between $\eta_\infty$ and the escape, and the widest stretch without one measures {glue:text}`toy-gap:.4f` of it.
# In theory there is none: windows lie dense, and longer periods would fill that stretch as well.

# %%
zoom = dict(number=size.zoom_rates, transient=2 * size.transient, keep=size.zoom_keep)
zooms = [windows.magnify(cubic, found.opening[k], found.closing[k], **zoom) for k in (0, 1)]
names = {
    "$+1$": found.opening,
    "$0$": found.superstable,
    "$-1$": found.doubling,
    "crisis": found.closing,
}

# %% tags=["hide-input"]
# | label: fig-toy-window-zoom
# | fig-cap: >-
# |   The two widest windows, from orbits of c (blue) and −c (orange): a period 3, b period 4.
# |   Dashed: the multiplier of the cycle under F is +1 (opening), 0 and −1 (doubling in F), and the
# |   crisis that closes the window.
# | fig-alt: >-
# |   Two magnified windows. Left: three blue lines at positive and three orange ones at negative
# |   weights; at the mark −1 each forks into a small tree, the widest in the middle and the
# |   outermost hardly visible. Right: four lines shared by both colours until the mark −1, where
# |   the colours part, one above the other. They mix again about two thirds of the way from there
# |   to the crisis.
figures.window_zoom(zooms, [{name: edge[k] for name, edge in names.items()} for k in (0, 1)])

# %% [markdown]
# In the first window ({numref}`fig-toy-window-zoom`a) each of the two attractors has three lines, each of which grows a tree of its own.
# The second (b) has a twist that is invisible in a diagram of one colour.
# Its cycle is symmetric, so at the mark $-1$ the period does not double: the symmetry breaks.
# The two attractors that were merged become two again, a pair of mirror-image cycles of period 4 (blue and orange), which then double and merge once more.
#
# Is a window the whole diagram in small, as the paper says?

# %%
copies = [windows.magnify(cubic, cascade.superstable[0], merging, **zoom), *zooms]
ends = [
    (cascade.superstable[0], merging),
    *zip(found.superstable[:2], found.closing[:2], strict=True),
]
bands = [windows.critical_band(cubic, 1, 1, merging)]
bands += [
    windows.critical_band(cubic, found.period[k], found.sign[k], found.closing[k]) for k in (0, 1)
]

# %% tags=["hide-input"]
# | label: fig-toy-self-affine
# | fig-cap: >-
# |   a The diagram around one minimum, from its superstable point (left edge) to the merging (right
# |   edge). b, c The branch through c of the two widest windows, from superstable point to crisis.
# |   In b the weight decreases upwards. Blue: orbits of c, orange: of −c, grey or black: of both.
# | fig-alt: >-
# |   Three panels with nearly the same tree: one line that forks near the middle, forks again and
# |   becomes a triangular band with a gap halfway along it. The second and third panel are small
# |   parts of the diagram: across they cover about a fiftieth of the first, and upwards about a
# |   tenth. The axis of weights of the second is upside down.
figures.self_affine(copies, ends, bands, ("one minimum", "period 3", "period 4"))

# %%
widest = [int(lap) for lap in found.word[0].removesuffix("C")]
inside = cascades.cascade(cubic, size.window_cascade, found.opening[0], found.closing[0], widest)
copied = cascades.feigenbaum(inside.doubling, inside.doubling_error)
share_low, share_median, share_high = found.doubling_share.quantile([0, 0.5, 1])

# %% [markdown]
# The trees of {numref}`fig-toy-self-affine` are alike, and the cascade inside the period-3 window shrinks by
# $\delta =$ {glue:text}`toy-inside:.4f` (error {glue:text}`toy-inside-error:.0e`), as the large one does.
# *Self-affine* is exact only in a limit: where a window is narrow beside the band or the window that contains it, $F$ is close to a parabola, $x \mapsto x^2 + a$.
# That has its window at $-2 \le a \le 1/4$ and doubles at $-3/4$, after $4/9 = 0.444\ldots$ of it.
#
# The last column of the table above is this share for the map. Over all windows found it lies between {glue:text}`toy-share-low:.4f` and {glue:text}`toy-share-high:.4f`, half of them below {glue:text}`toy-share-median:.4f`.
# It is largest for the period-3 window and its copies nearer to $\eta_\infty$ (periods 6 and 12), which are wide for the band that they lie in.
# The tree of panel a is not an affine copy: its line is horizontal, because a minimum of the loss does not move with $\eta$.
#
# ## Exercises
#
# **1.** For which learning rates does the map have a cycle $w \leftrightarrow -w$ of period 2, and
# when is it stable?
#
# :::{dropdown} Solution
# From $f(w) = -w$ follows $w^2 = 1 + 2/\eta$, so there is one at every $\eta > 0$. Its multiplier
# is $f'(w)^2 = (2\eta + 5)^2 > 1$: it is never stable. It is the border beyond which orbits
# escape.
# :::
#
# **2.** Put $w = \sqrt 2\,\sin\theta$ at $\eta = 2$. What does the map do to $\theta$, and what is
# its exponent?
#
# :::{dropdown} Solution
# With $w = \sqrt 2\,\sin\theta$ the map gives $f(w) = w\,(3 - 2w^2)$, which is
# $\sqrt 2\,(3\sin\theta - 4\sin^3\theta)$, or $\sqrt 2\,\sin 3\theta$. The angle is tripled, so the
# exponent is $\ln 3 \approx 1.10$, the largest that {numref}`fig-toy-exponent` can reach.
# :::
#
# ## The paper's claims

# %%
card = claims.Scorecard(chapter, changed=size.changed)
delta = ratios["doubling"]
slow = (rates > 0.05) & (rates < 0.95)
near = (abs(abs(diagram.states[-1, slow]) - 1) <= 1e-6).mean()
positive, at_most = surely[rates < escape].mean(), possibly[rates < escape].mean()
early_chaos = surely[rates < cascade.doubling[0]].mean()

# %% tags=["nbval-ignore-output"]
card.measure("J-fig6-minima", near)
card.measure(
    "J-fig6-cascade",
    delta.value,
    delta.value - delta.error,
    delta.value + delta.error,
    interval="numerical",
)
card.measure(
    "J-fig6-intertwined",
    gap,
    saw="an upper bound, since periods beyond the longest searched are left out",
)
card.measure(
    "J-fig6-self-affine",
    copied.value,
    copied.value - copied.error,
    copied.value + copied.error,
    interval="numerical",
)
card.measure("J-fig7-positive", positive, positive, at_most, interval="numerical")
card.measure(
    "J-appA-large-rate",
    early_chaos,
    saw="the first positive exponents lie at the end of the cascade, beyond the loss of stability",
)
card

# %% tags=["remove-cell", "nbval-ignore-output"]
glue_all("toy", second=cascade.doubling[1], merging=merging, escape=escape)
glue_all("toy", onset=onset.value, onset_error=onset.error, saddle=at_saddle.value)
glue_all("toy", exponent=at_escape.value, exponent_error=at_escape.error)
glue_all("toy", chaotic_share=100 * chaotic, covered=100 * covered, gap=gap, windows=len(found))
glue_all("toy", delta=delta.value, delta_error=delta.error)
glue_all("toy", delta_superstable=ratios["superstable"].value)
glue_all("toy", opening=found.opening[0], closing=found.closing[0])
glue_all("toy", inside=copied.value, inside_error=copied.error)
glue_all("toy", share_low=share_low, share_median=share_median, share_high=share_high)

# %%
print("verdicts that hold over the whole interval:", card.verdicts(decisive=True), sep="\n")
