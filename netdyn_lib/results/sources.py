"""Where numbers come from: computed by the run that shows them, or published, and in which file.

A dataset that was read from the published results says so among its attributes.  What is made of it
does not, so a notebook names the data that a figure or a claim rests on.
"""

from dataclasses import replace

import xarray as xr

#: The source of what a run computed itself.
HERE = "computed here"
#: Under which a figure hands its sources to a notebook.
MIME = "application/vnd.netdyn.sources+json"
_ATTRIBUTE = "published_in"


def published_in(data, path):
    """Data that say that they were read from ``path``, by its place below the last folder
    ``results`` in it.

    Parameters
    ----------
    data : xarray.Dataset, or a dataclass with a field ``published_in`` such as
    netdyn_lib.experiments.benchmarks.Results path : pathlib.Path

    Returns
    -------
    A new one of the same kind.
    """
    parts = path.parts
    below = "/".join(
        parts[len(parts) - parts[::-1].index("results") :] if "results" in parts else parts[-2:]
    )
    return (
        data.assign_attrs({_ATTRIBUTE: below})
        if isinstance(data, xr.Dataset)
        else replace(data, **{_ATTRIBUTE: below})
    )


def of(*data):
    """The sources of some data, in order of appearance and each once.

    Parameters
    ----------
    data : xarray.Dataset, netdyn_lib.experiments.learning_rate_sweep.results.Result,
    netdyn_lib.experiments.benchmarks.Results, dict, list or tuple of such, or None
        None, as of a result that is missing, has no source.

    Returns
    -------
    tuple of str
        :data:`HERE`, or a file as ``"arms/usps.npz"``, within ``book/results``.  :data:`HERE` alone where there are no data.

    Raises
    ------
    TypeError
        For anything else, which cannot say where it comes from.
    """
    return tuple(dict.fromkeys(_each(data))) or (HERE,)


def _each(data):
    if data is None:
        return
    if isinstance(data, xr.Dataset):
        yield data.attrs.get(_ATTRIBUTE, HERE)
    elif isinstance(data, dict):
        yield from _each(list(data.values()))
    elif isinstance(data, list | tuple):
        for one in data:
            yield from _each(one)
    elif hasattr(data, "origin") and hasattr(data, "data"):
        yield from _each(data.data)
    elif hasattr(data, _ATTRIBUTE):
        yield getattr(data, _ATTRIBUTE) or HERE
    else:
        raise TypeError(
            f"{type(data).__name__} does not say where its numbers come from: give the datasets that it was made of"
        )


def shown(figure, *data):
    """Let a figure say that it shows ``data``, as in :func:`of`; the figure.

    One that says nothing shows what was computed here.
    """
    figure.netdyn_sources = of(*data)
    return figure


def of_figure(figure):
    """What :func:`shown` said of a figure."""
    return getattr(figure, "netdyn_sources", (HERE,))


def in_words(found):
    """Sources as words, one after another.

    >>> in_words(("computed here", "arms/usps.npz"))
    'computed here; published in arms/usps.npz'
    """
    return "; ".join(source if source == HERE else f"published in {source}" for source in found)
