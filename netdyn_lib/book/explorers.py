"""Numbers of the interactive pages, computed by the library and written as scripts.

A page opened from the file system may not fetch files, so each explorer's
numbers are a script of one statement, ``window.netdynData.NAME = {…};``.  Long
series are packed, see :func:`packed`.
"""

import base64
import io
import json

import numpy as np

from ..experiments import sizes
from ..results import reading
from . import forms
from .project import PipelineError

# Whole numbers of 16 bits with a meaning of their own.
MISSING, MINUS_INFINITY = -32768, -32767
_LARGEST = 32766
_LOG_STEP = 1e-3  # of logarithms
_SHARE_STEP = 1e-4  # of accuracies
_START = 0.1  # w₀ of the orbits, as in chapter 1
_FINE, _ZERO = 20, 64  # published steps in a grey level of the map of exponents, and its level 0
_LEVELS = 15  # of grey in the bifurcation diagram


def packed(values, step):
    """An array as whole multiples of ``step``, 16 bits each, in base64; a dict for JSON.

    ``{"shape": […], "step": step, "data": "…"}``, row by row, little-endian.
    NaN and −∞ have numbers of their own, :data:`MISSING` and
    :data:`MINUS_INFINITY`.

    Raises
    ------
    ValueError
        For a value beyond ±32766 steps.

    >>> np.frombuffer(base64.b64decode(packed([0.25, np.nan, -np.inf], 0.01)["data"]), "<i2")
    array([    25, -32768, -32767], dtype=int16)
    """
    values = np.asarray(values, dtype=float)
    finite = np.isfinite(values)
    if (np.abs(values[finite]) > step * _LARGEST).any():
        worst = values[finite][np.abs(values[finite]).argmax()]
        raise ValueError(f"{worst} is more than {_LARGEST} steps of {step}: take a larger step")
    if np.isposinf(values).any():
        raise ValueError("inf has no place in 16 bits: was something divided by zero?")
    whole = np.where(np.isneginf(values), MINUS_INFINITY, MISSING).astype("<i2")
    whole[finite] = np.round(values[finite] / step)
    return dict(
        shape=list(values.shape), step=step, data=base64.b64encode(whole.tobytes()).decode("ascii")
    )


def toy_map():
    """The cubic map of chapter 1: its bifurcation diagram, exponents, marked learning rates, and
    the sizes of an orbit.
    """
    from ..maps import bifurcations, cascades, one_dimensional

    size, chapter = sizes.sizes("explorers"), sizes.sizes("01_toy_map")
    low, high, cubic = 0.0, 2.1, one_dimensional.CUBIC
    rates = one_dimensional.grid(low, high, size.columns)
    diagram = one_dimensional.bifurcation_diagram(
        cubic, rates, [_START], chapter.transient, size.keep
    )
    exponents = one_dimensional.lyapunov_exponent(
        cubic, rates, _START, chapter.transient, chapter.exponent_steps
    )
    cascade = cascades.cascade(cubic, size.cascade, low=0.1, high=2.0)
    merging = bifurcations.merging(cubic, low=1.0, high=2.0)
    onset = cascades.accumulation(cascade.doubling, cascade.doubling_error).value
    escape = bifurcations.escape(cubic, low=merging, high=3.0)
    marks = {"η = 1": cascade.doubling[0], "η∞": onset, "merging": merging, "escape": escape}
    return dict(
        range=[low, high],
        start=_START,
        transient=chapter.transient,
        steps=chapter.exponent_steps,
        shown=chapter.cobweb_steps,
        presets=[*chapter.cobweb_rates, cubic.exact[0]],
        marks=[dict(name=name, eta=float(eta)) for name, eta in marks.items()],
        diagram=_ink(diagram.states[:, :, 0], size.bins),
        exponent=packed(exponents.value, _LOG_STEP),
    )


def _ink(states, bins):
    """How often each of ``bins`` heights is visited, in 15 levels, two heights to a byte;
    ``states`` (keep, P).
    """
    span = 1.02 * float(np.nanmax(abs(states)))
    place = np.floor((states + span) / (2 * span) * bins)
    ink = np.zeros((states.shape[1], bins), dtype=np.uint8)
    for column, row in zip(ink, place.T):
        visited, visits = np.unique(row[np.isfinite(row)].astype(int), return_counts=True)
        # A power of the share, so that sparse bins still show; a visited bin has at least one
        # level.
        column[visited] = np.maximum(
            1, np.round(_LEVELS * np.minimum(1, (20 * visits / len(row)) ** 0.5))
        )
    # A cycle fills one height, which is thinner than a line: draw it three high.
    line = np.where(ink >= 0.9 * _LEVELS, (0.8 * ink).astype(np.uint8), 0)
    ink[:, 1:] = np.maximum(ink[:, 1:], line[:, :-1])
    ink[:, :-1] = np.maximum(ink[:, :-1], line[:, 1:])
    pairs = (ink[:, 0::2] << 4) | ink[:, 1::2]
    return dict(
        columns=ink.shape[0],
        bins=bins,
        span=span,
        ink=base64.b64encode(pairs.tobytes()).decode("ascii"),
    )


def sweeps(root):
    """Every published sweep in a folder: quantities over the learning rate with intervals and each
    network's value, and curves.
    """
    from ..experiments.learning_rate_sweep import published

    found = []
    for name in published.names(root):
        with forms.told(), reading.of_kind(published.path_of(name, root), "published sweep"):
            found.append(_sweep(name, published.load(name, root)))
    if not found:
        raise PipelineError(
            f"no sweep is published in {root}: the page explore_sweeps has nothing to show"
        )
    largest = max(found, key=lambda one: len(one["rates"]) * one["networks"])
    return dict(sweeps=found, first=largest["name"], home=sizes.sizes("05_mnist_cifar").fastest)


def _sweep(name, data):
    from ..experiments.learning_rate_sweep import published, responses

    sweep = json.loads(data.attrs["sweep"])
    shown = data.isel(init=slice(sizes.sizes("explorers").networks))
    quantities, every = _quantities(sweep, shown), _quantities(sweep, data)
    title, many = _title(sweep), shown.sizes["init"]
    if many < data.sizes["init"]:
        of_all = f"intervals of {data.sizes['init']} initial conditions"
        title += f" ({of_all}, the first {many} shown)"
    single = ("networks", "keeps", "curves")  # what is one network's; all else is of all of them
    quantities = {
        name: every[name] | {k: v for k, v in found.items() if k in single}
        for name, found in quantities.items()
    }
    return dict(
        name=name,
        title=title,
        summary=published.summary(data),
        rates=list(sweep["rates"]),
        networks=shown.sizes["init"],
        copies=sweep["copies"],
        epochs=sweep["epochs"],
        present=shown["present"].values.astype(int).tolist(),
        diverged=responses.exponents(shown).diverged.tolist(),
        quantities=quantities,
        curves=_curves(shown),
    )


def _quantities(sweep, data):
    """Exponents, shares, arrivals and sharpness by name."""
    from ..experiments.learning_rate_sweep import responses
    from ..tasks import tasks

    found = responses.exponents(data)
    keeps = [k.astype(int).tolist() for k in found.keeps]
    counts = dict(kept=found.kept.tolist(), count=found.count.tolist())
    # A network whose window was not kept has a Λ that does not enter the mean.
    slopes = [_rounded(each) for each in found.slopes]
    quantities = {
        "exponent": _quantity("exponent", found.exponent, slopes, keeps=keeps),
        "share": _quantity("share", found.share, keeps, keeps=keeps, **counts),
    }
    found = {}
    if "first_hit" in data:
        found[tasks.recipe(sweep["task"]).target_accuracy] = responses.arrivals(data)
    if sweep["task"].startswith("mnist"):  # chapter 5 counts its arrivals to the lower target, too
        small = sizes.sizes("05_mnist_cifar").small_target
        found[small] = responses.arrivals(data, target=small)
    for goal, one in found.items():
        times = [_rounded(times[there]) for times, there in zip(one.times, one.present)]
        more = dict(target=goal, cap=one.cap, never=[_rounded(i) for i in one.never])
        quantities[f"arrival {goal:g}"] = _quantity("arrival", one.mean, times, **more)
    if "sharpness" in data:
        quantities["sharpness"] = _sharpness(data)
    return quantities


def _quantity(kind, intervals, networks, **more):
    return dict(kind=kind, interval=[_rounded(i) for i in intervals], networks=networks, **more)


def _title(sweep):
    from ..tasks import datasets, tasks

    recipe = tasks.recipe(sweep["task"])
    known = {"digits": "Digits", "iris": "Iris"}  # these come with scikit-learn
    data = known.get(recipe.data) or datasets.about(recipe.data).title
    samples = f", {sweep['samples']:,} images" if sweep["samples"] else ""
    network = recipe.architecture()
    layers = (
        f"{'-'.join(map(str, network.sizes))} {network.activation.name}"
        if hasattr(network, "sizes")
        else "convolutional"
    )
    decay = f", L2 penalty {recipe.weight_decay:g}" if recipe.weight_decay else ""
    return f"{data}{samples}: {layers}{decay}"


def _sharpness(data):
    """In units of 2/η: each network's median over the second half of its record; their median."""
    from ..experiments.learning_rate_sweep import responses

    levels, curves = [], []
    for rate in data["eta"].values.tolist():
        epochs, scaled = responses.sharpness_at(data, rate)
        levels.append(np.median(scaled[epochs >= epochs[-1] // 2], axis=0))
        curves.append([_rounded(c) for c in scaled.T])
    middle = [[_number(np.median(level)) if len(level) else None, None, None] for level in levels]
    networks = [_rounded(level) for level in levels]
    return dict(
        kind="sharpness", interval=middle, networks=networks, epochs=epochs.tolist(), curves=curves
    )


def _curves(data):
    """ln d̄(t), ln loss and test accuracy of every initial condition, (rate, initial condition,
    epoch), thinned.
    """
    from ..experiments.learning_rate_sweep import responses

    epochs = data["epoch"].values
    every = -(-(len(epochs) - 1) // (sizes.sizes("explorers").points - 1))
    there = data["present"].values[:, :, None]

    def cut(values):
        return np.where(there, values.transpose(0, 2, 1)[:, :, ::every], np.nan)

    with np.errstate(divide="ignore"):
        loss = np.log(data["loss"].transpose("eta", "epoch", "init").values.astype(float))
    accuracy = data["test_accuracy"].transpose("eta", "epoch", "init").values.astype(float)
    logs = dict(distance=responses.log_mean_distance(data), loss=loss)
    return dict(
        epochs=epochs[::every].tolist(),
        every=every,
        test_accuracy=packed(cut(accuracy), _SHARE_STEP),
    ) | {name: packed(cut(values), _LOG_STEP) for name, values in logs.items()}


def exponents(root):
    """Return the published map of exponents in a folder of results: a PNG whose grey levels are
    values, rows from the smallest scale, one level a hundredth, rounded down.
    """
    from PIL import Image

    from ..experiments.exponent_map import grid, published

    folder = root / published.SHELF.folder
    # the large map, or the first of the smaller ones
    there = [n for n in ("exponent-map", "exponent-map-draws") if n in published.names(folder)]
    if not there:
        raise PipelineError(
            f"no map of exponents is published in {folder}: the page explore_exponents has nothing "
            "to show"
        )
    name = there[0]
    data = published.load(name, folder)
    one = published.experiment(data)
    fine = np.rint(data["exponent"].values[0] * published.STEPS["exponent"][1]).astype(int)
    levels = np.clip(fine // _FINE + _ZERO, 0, 255).astype(np.uint8)
    picture = io.BytesIO()
    Image.fromarray(levels).save(picture, "PNG", optimize=True)
    return dict(
        side=one.side,
        rates=list(one.rates),
        scales=list(one.scales),
        epochs=one.epochs,
        zero=_ZERO,
        step=_FINE / published.STEPS["exponent"][1],
        threshold=grid.CHAOS,
        provenance=data.attrs["provenance"],
        png=base64.b64encode(picture.getvalue()).decode("ascii"),
    )


def iris_runs():
    """Train networks on Iris, with copies from their ε-ball, at the learning rates of chapters 2
    to 4; return the sizes, the task and the record.
    """
    from ..tasks import networks, tasks
    from ..training import gradient_descent

    size = sizes.sizes("explorers")
    task = tasks.get("iris")
    balls = networks.perturbed(
        task.initial(size.conditions), radius=size.radius, copies=size.copies
    )
    epochs = [
        *range(size.every_epoch + 1),
        *range(size.every_epoch + size.apart, size.epochs + 1, size.apart),
    ]
    everyone, rates = gradient_descent.each_rate(balls, size.rates)
    observe = ("distance", "mean_distance", "loss", "weights")
    descent = gradient_descent.GradientDescent(task, rates)
    return size, task, gradient_descent.run(descent, everyone, size.epochs, observe, at=epochs)


def trajectories(size, record):
    """Return projections, distances and losses of :func:`iris_runs`."""
    weights = record["weights"]  # (T, rates × conditions, 1 + M, P)
    found = [_condition(record, k, size.exponent_epochs) for k in range(weights.shape[1])]
    runs = [
        dict(rate=rate, conditions=found[i * size.conditions : (i + 1) * size.conditions])
        for i, rate in enumerate(size.rates)
    ]
    return dict(
        epochs=record.epochs.tolist(),
        radius=size.radius,
        copies=size.copies,
        parameters=int(weights.shape[-1]),
        exponent_epochs=size.exponent_epochs,
        runs=runs,
    )


def regimes(size, task, record):
    """Return four pictures (name → Figure) of the regimes over η, each an orbit in its principal
    plane and a series that tells the regime: the first initial condition of :func:`iris_runs`.
    """
    from ..curvature import hessian
    from ..figures.style import GOAL, PALETTE, figure

    epochs, weights = record.epochs, record["weights"][:, :: size.conditions, 0]  # (T, rates, P)
    distance = record["mean_distance"][:, :: size.conditions]  # (T, rates)
    early, apart = epochs <= size.exponent_epochs, np.arange(0, len(epochs), 8)
    sharp = hessian.along(task.objective, weights[apart, 1:2])[:, 0] * size.rates[1] / 2
    every = np.arange(len(epochs))
    late = np.flatnonzero((epochs > 200) & (epochs <= size.every_epoch))
    series = {  # name → (rate, epochs of the orbit, epochs of the series, its values, label, log)
        "drift": (0, every, every, distance[:, 0], "distance of a copy", True),
        "transient": (1, early, early, distance[early, 1], "distance of a copy", True),
        "edge": (1, every, apart, sharp, "sharpness / (2/η)", False),
        "intermittency": (
            2,
            late,
            late,
            record["loss"][late, 2 * size.conditions, 0],
            "loss",
            False,
        ),
    }
    found = {}
    for name, (rate, orbit, shown, values, label, log) in series.items():
        places = principal(weights[orbit, rate : rate + 1])[0][:, 0]
        with figure(1, 2, height=1.5, width=4.2) as (fig, axes):
            left, right = axes[0]
            left.plot(*places.T, color=PALETTE[0], lw=0.6, marker=".", ms=2)
            left.plot(*places[0], "o", color=PALETTE[1], ms=4)
            left.set(xticks=[], yticks=[], xlabel="orbit, principal plane")
            right.plot(epochs[shown], values, color=PALETTE[0], lw=0.9)
            right.set(xlabel="epoch", title=label)
            if log:
                right.set(yscale="log", ylim=(1e-8, 1e2))  # the same for both regimes
            if name == "edge":
                right.axhline(1, **GOAL)
        found[name] = fig
    return found


def _condition(record, k, last):
    """One initial condition: its network and copies over the observed epochs."""
    from ..lyapunov import growth_fits

    places, shares = principal(record["weights"][:, k])
    fit = growth_fits.best_fit(record["mean_distance"][: last + 1, k])
    growth = dict(exponent=fit.slope[0], r2=fit.r2[0], intercept=fit.intercept[0])
    with np.errstate(divide="ignore"):
        log_distance = np.log(record["distance"][:, k])
    return dict(
        # (network, component, epoch)
        projection=packed(
            places.transpose(1, 2, 0), float(abs(places).max()) / _LARGEST * (1 + 1e-9)
        ),
        shares=_rounded(shares),
        distance=packed(log_distance.T, _LOG_STEP),
        loss=packed(np.log(record["loss"][:, k]).T, _LOG_STEP),
        fit=dict(
            {name: _number(v) for name, v in growth.items()},
            start=int(fit.start[0]),
            stop=int(fit.stop[0]),
            kept=bool(fit.kept()[0]),
        ),
    )


def principal(weights, components=2):
    """Projection of trajectories (T, networks, P) on their principal components, and the shares of
    variance.

    All networks and epochs are taken together.  The sign of a component is
    such that the last epoch of the first network lies at its positive side.

    Returns
    -------
    places : array, shape (T, networks, components)
    shares : array, shape (components,)

    >>> line = np.arange(3.0)[:, None, None] * np.array([3.0, 4.0])
    >>> places, shares = principal(line)
    >>> places[:, 0, 0].round(6).tolist(), shares.round(6).tolist()
    ([-5.0, 0.0, 5.0], [1.0, 0.0])
    """
    weights = np.asarray(weights, dtype=float)
    if not np.isfinite(weights).all():
        raise ValueError(
            "weights are not finite: a network diverged, and has no place in a projection"
        )
    centred = weights.reshape(-1, weights.shape[-1])
    centred = centred - centred.mean(0)
    variances, directions = np.linalg.eigh(centred.T @ centred)  # in increasing order
    places = (centred @ directions[:, ::-1][:, :components]).reshape(*weights.shape[:2], components)
    places = places * np.where(places[-1, 0] < 0, -1, 1)
    return places, (variances[::-1] / variances.sum())[:components]


def _number(value, digits=6):
    """A float of six significant digits, None for what is not finite."""
    return float(f"{value:.{digits}g}") if np.isfinite(value) else None


def _rounded(values):
    return [_number(v) for v in np.asarray(tuple(values), dtype=float)]


def script(name, data):
    """The script that hands an explorer its numbers."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"window.netdynData = window.netdynData || {{}};\nwindow.netdynData.{name} = {text};\n"


def write(book, results):
    """Write what pages of the folder ``book`` of the staged sources show, from published
    ``results``: the scripts of the explorers, and the pictures of the front page.

    The page ``explore_NAME.md`` loads ``_static/explore_NAME_data.js``.
    """
    size, task, record = iris_runs()
    makers = {"map": toy_map, "sweeps": lambda: sweeps(results)}
    makers["exponents"] = lambda: exponents(results)
    makers["trajectories"] = lambda: trajectories(size, record)
    for name, make in makers.items():
        if (book / f"explore_{name}.md").exists():
            (book / "_static" / f"explore_{name}_data.js").write_text(
                script(name, make()), encoding="utf-8"
            )
    for name, fig in regimes(size, task, record).items():
        fig.savefig(book / "_generated" / f"regime-{name}.png")
