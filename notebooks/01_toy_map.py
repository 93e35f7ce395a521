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
# - {cite:t}`jimenez2025` train a single weight on a loss with two minima. At low learning rates
#   it settles in one of them: {verdict}`J-fig6-minima`
# - As the learning rate grows, its cycle doubles its period again and again, at Feigenbaum's
#   universal ratio, and chaos follows: {verdict}`J-fig6-cascade`
# - Chaos means a positive Lyapunov exponent, and needs a large learning rate:
#   {verdict}`J-fig7-positive` {verdict}`J-appA-large-rate`
# - Windows of periodic motion lie everywhere within it {verdict}`J-fig6-intertwined`, and each is
#   the whole picture in small: {verdict}`J-fig6-self-affine`
#
# The figure to see is {numref}`fig-toy-bifurcation`. To move the learning rate yourself, open
# {doc}`../book/explore_map`.
# :::

# %% [markdown]
# ## What was claimed
#
# Appendix A of Jiménez-González 2025 shows, with a bifurcation diagram and a Lyapunov exponent
# from orbits, that gradient descent can be chaotic in one dimension. In one dimension nearly
# everything in these two figures is the root of an equation. We repeat the figures, solve the
# equations, and judge six statements:
#
# - at low learning rates the weight converges to one of the two minima,
# - at larger ones a cascade of period doublings leads to chaos,
# - chaos is intertwined with periodic windows,
# - the windows are self-affine: each repeats the whole diagram,
# - there are ranges of learning rates with a positive exponent,
# - and chaos needs a sufficiently large learning rate.

# %% tags=["hide-input"]
import numpy as np

from netdyn_lib.experiments import sizes
from netdyn_lib.figures import maps as figures
from netdyn_lib.maps import bifurcations, cascades, one_dimensional, windows
from netdyn_lib.results import claims
from netdyn_lib.results.glue import glue_all

# %% tags=["parameters", "hide-input"]
profile = "laptop"
device = "auto"  # every chapter has it; nothing here runs on an accelerator
seed = 0
learning_rates = None  # values of η across the diagram; None: the profile's, as for all that follow
initial_conditions = None
transient = None  # iterations discarded
keep = None  # iterations drawn
longest_period = None  # of the windows that are searched

# %% tags=["hide-input"]
chapter = "01_toy_map"
changed = dict(learning_rates=learning_rates, initial_conditions=initial_conditions)
changed |= dict(transient=transient, keep=keep, longest_period=longest_period)
size = sizes.sizes(chapter, profile, **changed)
cubic = one_dimensional.CUBIC
w0 = np.random.default_rng(seed).normal(0, 0.1, size.initial_conditions)

# %% [markdown]
# ## The map
#
# The loss is the double well $V(w) = \tfrac14 w^4 - \tfrac12 w^2$ of a weight $w$. Its minima are
# $w = \pm 1$, and 0 is a maximum. Gradient descent with learning rate $\eta$ is the cubic map
#
# ```{math}
# :label: eq-toy-cubic
# f(w) = w - \eta V'(w) = w\,[1 - \eta\,(w^2 - 1)], \qquad f'(w) = 1 + \eta - 3\eta w^2 .
# ```
#
# A small difference is multiplied by $f'(w)$ in one step. At the maximum this multiplier is
# $1 + \eta > 1$: unstable at every learning rate. At the minima it is $1 - 2\eta$. They attract
# while $\eta < 1 = 2/V''(\pm 1)$, the condition {eq}`eq-stable` for networks.

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
# |   Orbits from w = 0.1 (blue dot) at six learning rates η. Black: the graph of f. Light blue: the
# |   first steps. Orange: forty steps after a long transient. Each step goes vertically to the
# |   graph and horizontally to the diagonal.
# | fig-alt: >-
# |   Six cobweb diagrams. The orbit converges to 1 at the two lowest rates, settles on a square and
# |   a double square at the next two, and never closes at the two highest, of which the last visits
# |   both signs.
figures.cobwebs(cubic, size.cobweb_rates, early, late)

# %% [markdown]
# In {numref}`fig-toy-cobwebs` the weight creeps up to 1 (a), or hops over 1 from side to side while
# it converges (b). Then the minimum is unstable, and the weight alternates between two (c) and four
# values (d) around it. In (e) it never repeats, but stays positive. In (f) the valley of the graph
# reaches below the axis, and the orbit wanders over both minima.

# %% [markdown]
# ## The bifurcation diagram
#
# The paper iterates the map, discards a transient and draws 200 steps (its Fig. 6). We compute in
# addition where the landmarks of that diagram lie.

# %%
rates = one_dimensional.grid(0.0, 2.1, size.learning_rates)
diagram = one_dimensional.bifurcation_diagram(cubic, rates, w0, size.transient, size.keep)
cascade = cascades.cascade(cubic, size.cascade, low=0.1, high=2.0)
onset = cascades.accumulation(cascade.doubling, cascade.doubling_error)
merging = bifurcations.merging(cubic, low=1.0, high=2.0)
escape = bifurcations.escape(cubic, low=merging, high=3.0)

# %% tags=["hide-input"]
# | label: fig-toy-bifurcation
# | fig-cap: >-
# |   Where orbits settle, at 2,000 learning rates from 20 starts each: blue from w > 0, orange from
# |   w < 0, grey where both go. Dashed: the minima lose stability, the cascade ends, the two
# |   attractors merge, orbits escape.
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
# {numref}`fig-toy-bifurcation` has the features of the paper's figure, and one that a single colour
# hides: up to the merging there are two attractors, and the sign of the start decides between them.
# From left to right:
#
# - At $\eta = 1$ the minima lose stability to a cycle of period 2. At
#   $\eta =$ {glue:text}`toy-second:.6f` this gives way to one of period 4, and so on.
# - At $\eta_\infty =$ {glue:text}`toy-onset:.10f` the cascade ends. Below it there is no chaos: it
#   is the sufficiently large learning rate of the paper.
# - At $\eta = \tfrac32\sqrt 3 - 1 =$ {glue:text}`toy-merging:.6f` the two attractors merge. The
#   highest point that an orbit can reach is then mapped to the maximum of the loss.
# - Beyond $\eta = 2$ orbits escape to infinity.

# %% [markdown]
# ## The Lyapunov exponent
#
# Small differences grow as $e^{\lambda t}$, where the exponent $\lambda$ is a mean over the orbit
# (the paper's Fig. 7):
#
# ```{math}
# :label: eq-toy-exponent
# \lambda = \lim_{t \to \infty} \frac1t \sum_{k=0}^{t-1} \ln |f'(w_k)| .
# ```

# %%
exponents = one_dimensional.lyapunov_exponent(
    cubic, rates, w0[0], size.transient, size.exponent_steps
)
surely = exponents.value - 2 * exponents.error > 0  # by two standard errors
possibly = exponents.value + 2 * exponents.error > 0
chaotic = surely[(rates > onset.value) & (rates < escape)].mean()
assert not surely[rates < onset.value].any()

# %% tags=["hide-input"]
# | label: fig-toy-exponent
# | fig-cap: >-
# |   (a) The bifurcation diagram from a learning rate of 0.4. (b) The Lyapunov exponent of one
# |   orbit at each learning rate, blue where negative and orange where positive. Dot: the exact
# |   value at the edge of escape. Dips below −1.6 are cut off.
# | fig-alt: >-
# |   The bifurcation diagram above the Lyapunov exponent. The exponent dips between zeros that
# |   coincide with the forks, is positive from 1.30 on, rises to 1.1 at 2, and is interrupted by
# |   narrow negative notches below the gaps of the diagram.
figures.exponent(diagram, exponents, marks, known=cubic.exact)

# %% [markdown]
# The exponent ({numref}`fig-toy-exponent`b) touches zero at each fork and dips to $-\infty$ in
# between. Beyond $\eta_\infty$ it is positive at {glue:text}`toy-chaotic-share:.1f` % of the
# learning rates up to the escape. The notches are the periodic windows.
#
# At $\eta = 2$ there is an exact answer: the map triples an angle, and
# $\lambda = \ln 3 = 1.0986\ldots$ (exercise 2). From the orbit we measure
# {glue:text}`toy-exponent:.4f` ± {glue:text}`toy-exponent-error:.4f`.
#
# One more number matters for networks. At $\eta = 1/2$ convergence is fastest, and the exponent of
# the attractor is $-\infty$. Yet two orbits that start side by side near $w = 0$ separate at the
# rate $\ln(1 + \eta) =$ {glue:text}`toy-saddle:.4f` per step until they feel the minima. *An
# exponent measured over a finite time can be positive on the way to a stable minimum.*

# %% [markdown]
# ## The cascade
#
# Each fork is the solution of two equations: the orbit closes after $2^k$ steps, and its multiplier
# is $-1$. Between two forks lies the *superstable* cycle, whose multiplier is 0. If the cascade is
# the classical one, the distances between successive points shrink by the ratio of
# {cite:t}`feigenbaum1978`, $\delta = 4.6692\ldots$, the same for every map with a quadratic
# maximum.

# %%
points = {"superstable": cascade.superstable, "doubling": cascade.doubling}
rounding = {"superstable": cascade.superstable_error, "doubling": cascade.doubling_error}
ratios = {kind: cascades.feigenbaum(points[kind], rounding[kind]) for kind in points}

# %% tags=["hide-input"]
# | label: fig-toy-cascade
# | fig-cap: >-
# |   (a) Distance of the superstable and doubling points from the end of the cascade; k counts the
# |   doublings of the period. (b) Ratios of successive distances with their numerical errors. The
# |   inset shows the errors alone.
# | fig-alt: >-
# |   Left: two parallel straight lines on a logarithmic axis, falling from about 1 to below 1e-6
# |   over ten levels. Right: two curves that rise from 4.4 and 4.5 to a common value of 4.67 by
# |   level 6, with error bars that shrink to nothing.
figures.cascade(points, onset.value, ratios)

# %% [markdown]
# The straight lines of {numref}`fig-toy-cascade`a are this geometric approach. The
# doubling points give $\delta =$ {glue:text}`toy-delta:.5f` (error
# {glue:text}`toy-delta-error:.0e`), the superstable points {glue:text}`toy-delta-superstable:.5f`.

# %% [markdown]
# ## Periodic windows
#
# Within the chaotic range the diagram has gaps in which a cycle attracts. A grid would find only
# the wide ones. So we list them: the order in which an orbit visits the rising and falling parts of
# the graph names a cycle, combinatorics says which names occur, and each is passed once as $\eta$
# grows ({numref}`fig-toy-window-widths` has all of them).

# %%
found = windows.search(cubic, size.longest_period, low=onset.value, high=escape)
outer = found[found.outermost]
opening, closing = np.sort(outer.opening), np.sort(outer.closing)
gaps = np.append(opening, escape) - np.append(onset.value, closing)
gaps = gaps / (escape - onset.value)  # stretches without a window, as shares of the range
covered, gap = 1 - gaps.sum(), gaps.max()

# %% tags=["hide-input"]
zoom = dict(number=size.zoom_rates, transient=2 * size.transient, keep=size.zoom_keep)
zooms = [windows.magnify(cubic, found.opening[k], found.closing[k], **zoom) for k in (0, 1)]
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
# |   (a) The diagram around one minimum, from its superstable point to the merging. (b, c) One
# |   branch of the two widest windows, from superstable point to the end of the window; in (b) the
# |   weight decreases upwards. Blue and orange: orbits of the two critical points of the map, grey
# |   or black: of both.
# | fig-alt: >-
# |   Three panels with nearly the same tree: one line that forks near the middle, forks again and
# |   becomes a triangular band with a gap halfway along it. The second and third panel are small
# |   parts of the diagram: across they cover about a fiftieth of the first, and upwards about a
# |   tenth. The axis of weights of the second is upside down.
figures.self_affine(copies, ends, bands, ("one minimum", "period 3", "period 4"))

# %% tags=["hide-input"]
widest = [int(lap) for lap in found.word[0].removesuffix("C")]
inside = cascades.cascade(cubic, size.window_cascade, found.opening[0], found.closing[0], widest)
copied = cascades.feigenbaum(inside.doubling, inside.doubling_error)
share_low, share_median, share_high = found.doubling_share.quantile([0, 0.5, 1])

# %% [markdown]
# The {glue:text}`toy-windows:d` windows that we find cover
# {glue:text}`toy-covered:.1f` % of the range between $\eta_\infty$ and the escape. The widest
# stretch without one measures {glue:text}`toy-gap:.4f` of that range. In theory there is none:
# windows lie dense, and longer periods would fill that stretch as well. A window ends with a
# chaotic part of its own, so that the share without a positive exponent is smaller than the share
# covered.
#
# Each window repeats the diagram ({numref}`fig-toy-self-affine`): a cycle doubles its period, and
# its cascade ends in a band. Inside the widest window, of period 3, the distances shrink by $\delta
# =$ {glue:text}`toy-inside:.4f` (error {glue:text}`toy-inside-error:.0e`), as in the large one.
# *Self-affine* is exact only in a limit, where a window is narrow beside what contains it; the
# appendix says how far each is from that.

# %% [markdown]
# ## Conclusion
#
# Jiménez-González 2025 claim that gradient descent on one weight becomes chaotic by the classical
# route. All six statements hold. We are sure: landmarks and windows are roots of equations, known
# to nine digits and more, and only the {glue:text}`toy-starts:d` starts are drawn at random. They
# make no difference, for an orbit forgets all of its start but which attractor it went to.
#
# Two limits remain. A positive exponent of one orbit is evidence of sensitive dependence, and a
# proof of chaos only at $\eta = 2$. And the list of windows ends at twelve steps; a longer one
# would narrow the widest gap further. What the map teaches for networks is that the learning rate
# alone can make a training chaotic, and that a positive finite-time exponent alone does not prove
# it.

# %% [markdown]
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

# %% [markdown]
# # Appendix: windows, landmarks and checks
#
# What the main line of {doc}`01_toy_map` leaves out: how the landmarks follow from the map, where
# all windows lie, and what happens inside the two widest.
#
# ## How the landmarks follow
#
# The critical point $c = \sqrt{(1 + \eta)/(3\eta)}$, where $f'(c) = 0$, organises the diagram.
# Every attractor attracts a critical point, and there are only $c$ and $-c$: so there are at most
# two attractors, mirror images of each other.
#
# - The minima attract fastest at $\eta = 1/V''(\pm 1) = 1/2$, where their multiplier is 0.
# - The attractors merge where $f(f(c)) = 0$. With $f(c) = \tfrac23 (1 + \eta)\,c$ this is
#   $(1 + \eta)^2 = 27/4$, or $\eta = \tfrac32\sqrt 3 - 1$.
# - Orbits escape where $f(c)$ reaches the unstable cycle $\pm\sqrt{1 + 2/\eta}$, which bounds all
#   bounded orbits: at $\eta = 2$.
# - The end of the cascade, $\eta_\infty$, has an error of {glue:text}`toy-onset-error:.0e`.
#
# The points of the cascade start from the superstable cycle of each period, where the critical
# point returns to itself, $f^{2^k}(c) = c$. It is found by bisection on the order of visits and
# Newton's method, and followed to its fork by continuation in the multiplier. The error of $\delta$
# adds two parts: the change from one ratio to the next, which falls from level to level, and the
# rounding of the points, which grows because their distances shrink. The estimate with the least
# sum is reported.

# %%
known = (1, 1.5 * 3**0.5 - 1, 2)  # derived above
np.testing.assert_allclose((cascade.doubling[0], merging, escape), known, atol=1e-9)
assert abs(found.opening[1] - (8**0.5 - 1)) < 1e-9  # of the symmetric cycle of period 4

# %% [markdown]
# ## What the paper leaves open
#
# The paper draws $w_0$ from $\mathcal{N}(0, 0.1)$ without saying whether 0.1 is the variance or the
# standard deviation; we take the latter. It gives neither the length of the transient nor the
# number of initial conditions. It makes no difference: almost every orbit that starts between
# $\pm\sqrt{1 + 2/\eta}$ forgets all but its attractor.
#
# It defines the exponent as the time average of $\ln(f'(w_k))$ (its eq. A3, as the text we have
# prints it). On every attractor beyond $\eta = 1/2$ the derivative is negative at some or all
# points, so the absolute value is meant. The standard error of the exponent comes from the means of
# twenty consecutive stretches of the orbit. At $\eta = 2$ the map is chaotic in the sense of
# Devaney; at other rates a positive exponent proves no such thing.

# %%
at_escape = one_dimensional.lyapunov_exponent(
    cubic, cubic.exact[0], w0[0], size.transient, size.exponent_steps
)
at_saddle = one_dimensional.lyapunov_exponent(cubic, cascade.superstable[0], 0.0, 0, 20)
assert abs(at_escape.value - cubic.exact[1]) < 5 * at_escape.error + 1e-6
assert np.array_equal(exponents.escaped, rates > escape)

# %% [markdown]
# ## Where the windows lie
#
# Because the map is odd, a cycle may close at $-c$ after $m$ steps instead of at $c$: it then has
# period $2m$ and is its own mirror image. Write $F = s f^m$ with $s = \pm1$ for the map that closes
# it. A window opens in a tangent bifurcation ($F' = +1$), its cycle is superstable ($F' = 0$) and
# doubles in $F$ ($F' = -1$). It closes in an interior crisis, where the critical orbit hits the
# unstable cycle $w^*$ born together with the stable one: $F(F(c)) = w^*$. The merging of the two
# attractors is the same event for $m = 1$ and $w^* = 0$.

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

# %% tags=["hide-input", "nbval-ignore-output", "hide-output"]
table = outer.head(10)[["full_period", "word", "opening", "closing", "doubling_share"]]
table.columns = ["period", "itinerary", "opens at η", "closes at η", "doubles after"]
table.round(6).set_index("period")

# %% [markdown]
# The table has the ten widest windows that lie inside no other. The *itinerary* is that of
# $f(c), f^2(c), \dots$ by $|w|$: 0 where $f$ rises, 1 where it falls, 2 beyond its zero
# $\sqrt{1 + 1/\eta}$, C back at $\pm c$. The second window, a symmetric cycle of period 4, opens at
# $2\sqrt2 - 1$, by algebra.
#
# The last column says after which share of the window the cycle doubles, from opening to closing.
# In the limit of a narrow window $F$ is close to a parabola, $x \mapsto x^2 + a$. That has its
# window at $-2 \le a \le 1/4$ and doubles at $-3/4$, after $4/9 = 0.444\ldots$ of it. Over all
# windows the share lies between {glue:text}`toy-share-low:.4f` and {glue:text}`toy-share-high:.4f`,
# half of them below {glue:text}`toy-share-median:.4f`. It is largest for the period-3 window and
# its copies nearer to $\eta_\infty$ (periods 6 and 12), which are wide for the band that they lie
# in.

# %% [markdown]
# ## Inside the two widest windows

# %% tags=["hide-input"]
# | label: fig-toy-window-zoom
# | fig-cap: >-
# |   The two widest windows, from orbits of c (blue) and −c (orange): (a) period 3, (b) period 4.
# |   Dashed: the multiplier of the cycle under F is +1 (opening), 0 and −1 (doubling in F), and the
# |   crisis that closes the window.
# | fig-alt: >-
# |   Two magnified windows. Left: three blue lines at positive and three orange ones at negative
# |   weights; at the mark −1 each forks into a small tree, the widest in the middle and the
# |   outermost hardly visible. Right: four lines shared by both colours until the mark −1, where
# |   the colours part, one above the other. They mix again about two thirds of the way from there
# |   to the crisis.
names = {
    "$+1$": found.opening,
    "$0$": found.superstable,
    "$-1$": found.doubling,
    "crisis": found.closing,
}
figures.window_zoom(zooms, [{name: edge[k] for name, edge in names.items()} for k in (0, 1)])

# %% [markdown]
# In the first window ({numref}`fig-toy-window-zoom`a) each of the two attractors has
# three lines, each of which grows a tree of its own. The second (b) has a twist that a diagram of
# one colour hides. Its cycle is symmetric, so at the mark $-1$ the period does not double: the
# symmetry breaks. The two attractors that were merged become two again, a pair of mirror-image
# cycles of period 4, which then double and merge once more.
#
# The tree of {numref}`fig-toy-self-affine`a is not an affine copy: its line is horizontal, because
# a minimum of the loss does not move with $\eta$.

# %% [markdown]
# ## The papers' claims

# %% tags=["hide-input"]
card = claims.Scorecard(chapter, changed=size.changed)
delta = ratios["doubling"]
slow = (rates > 0.05) & (rates < 0.95)
near = (abs(abs(diagram.states[-1, slow]) - 1) <= 1e-6).mean()
positive, at_most = surely[rates < escape].mean(), possibly[rates < escape].mean()
early_chaos = surely[rates < cascade.doubling[0]].mean()

# %% tags=["hide-input", "nbval-ignore-output"]
card.measure("J-fig6-minima", near, n=len(w0))
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

# %% tags=["hide-input"]
# What the alt texts and captions say
if (profile, seed) == ("laptop", 0) and not size.changed:  # they describe this run
    values = [np.unique(points[:, 0].round(6)) for points in late]  # where each orbit settles
    assert [len(v) for v in values[:4]] == [1, 1, 2, 4] and values[0] == values[1] == 1
    assert min(len(v) for v in values[4:]) > 30 and min(values[4]) > 0 > min(values[5])
    assert (len(rates), len(w0)) == (2000, 20) or size.changed
    forks = cascade.doubling[:3]
    at_forks = np.interp(forks, rates, exponents.value)
    assert (np.diff(forks) > 0).all() and forks[1] < onset.value and abs(onset.value - 1.30) < 0.005
    assert (abs(at_forks) < 0.05).all() and abs(exponents.value[rates < 2][-1] - 1.1) < 0.1
    assert (exponents.value[rates > onset.value] < 0).sum() > 5 and abs(merging - 1.6) < 0.005
    apart = onset.value - cascade.doubling
    assert 0.1 < apart[0] < 1 and max(apart[-1], (onset.value - cascade.superstable)[-1]) < 1e-6
    assert sorted(round(r.estimates[0], 1) for r in ratios.values()) == [4.4, 4.5]
    assert all(abs(r.estimates[4:] - delta.value).max() < 0.005 for r in ratios.values())
    assert (found.width[:2] > 0.02).all() and (found.width < 1e-4).mean() > 0.5
    assert set(found.sign[found.superstable < merging]) == {1}
    above_merging = found[found.superstable > merging]
    assert (above_merging.sign == -1).mean() > 0.5 and above_merging.sign.iloc[0] == -1
    assert list(found.full_period[:2]) == [3, 4] and 1.45 < found.opening[0] < 1.46
    tall = [abs(high - low) for low, high in bands]
    wide = [last - first for first, last in ends]
    assert all(40 < wide[0] / w < 70 for w in wide[1:]) and all(
        7 < tall[0] / t < 14 for t in tall[1:]
    )
    assert bands[1][0] > bands[1][1]

# %% tags=["remove-cell", "nbval-ignore-output"]
glue_all("toy", second=cascade.doubling[1], merging=merging, starts=len(w0))
glue_all("toy", onset=onset.value, onset_error=onset.error, saddle=at_saddle.value)
glue_all("toy", exponent=at_escape.value, exponent_error=at_escape.error)
glue_all("toy", chaotic_share=100 * chaotic, covered=100 * covered, gap=gap, windows=len(found))
glue_all("toy", delta=delta.value, delta_error=delta.error)
glue_all("toy", delta_superstable=ratios["superstable"].value)
glue_all("toy", inside=copied.value, inside_error=copied.error)
glue_all("toy", share_low=share_low, share_median=share_median, share_high=share_high)

# %%
print("verdicts that hold over the whole interval:", card.verdicts(decisive=True), sep="\n")
