"""What a classifier is shown at one time: tangent indicators, and their rivals."""

import numpy as np

#: Those that know the end of training, which no one has who predicts.
FROM_THE_FUTURE = ("vectors, far future", "growth, far future")


def by_name(data):
    """Features of every predictor, a dict of (T, n, f) arrays.

    ``exponents`` are Benettin's over [0, t], ``singular values`` their counterpart that needs no
    first frame; ``vectors`` the angles between frozen-future covariant vectors, all pairs and
    splittings, ``growth`` the rates along them, ``vectors 5 to 8`` rates and angles of those alone;
    ``degeneracy`` how many of the angles are undetermined; ``Hessian`` the eigenvalues at t.  Rates
    and exponents are per unit of time, angles in radians; ``loss`` and ``gradient`` are logarithms.
    NaN where a network has diverged.

    Raises
    ------
    ValueError
        For networks of fewer than 8 parameters, which have no vectors 5 to 8.
    """
    index = {pair: k for k, pair in enumerate(data["pair"].values.tolist())}
    if len(data["index"]) < 8:
        raise ValueError(
            f"networks of {len(data['index'])} parameters: the predictors look at covariant vectors 5 to 8"
        )
    late = [index[f"({i},{j})"] for i in range(5, 9) for j in range(i + 1, 9)]
    values = {name: data[name].values for name in data.data_vars}
    with np.errstate(divide="ignore"):  # a loss of zero
        logs = {name: np.log(values[name])[..., None] for name in ("loss", "gradient")}
    return {
        "loss": logs["loss"],
        "gradient": logs["gradient"],
        "weights": values["weights"],
        "Hessian": values["hessian"],
        "exponents": values["exponents"],
        "singular values": values["singular"],
        "vectors": np.concatenate([values["frozen_angles"], values["frozen_splitting"]], 2),
        "growth": values["frozen_growth"],
        "degeneracy": np.isnan(values["frozen_angles"]).sum(2, keepdims=True).astype(float),
        "vectors 5 to 8": np.concatenate(
            [values["frozen_growth"][..., 4:8], values["frozen_angles"][..., late]], 2
        ),
        "vectors, far future": np.concatenate([values["far_angles"], values["far_splitting"]], 2),
        "growth, far future": values["far_growth"],
    }


def undecided(data):
    """Which networks have not diverged by each time, (T, n) bool: the outcome of the others is
    known.
    """
    steps = np.rint(data["time"].values / data.attrs["duration"] * data.attrs["steps"])  # (T,)
    gone = data["diverged_at"].values
    return (gone < 0) | (gone[None] > steps[:, None])
