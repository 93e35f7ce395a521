"""What is measured of each network: its losses, its curvature, its exponents and its covariant
vectors.
"""

import numpy as np
import torch

from ... import torch_utils
from ...curvature import closed_form, jacobian
from ...lyapunov import angles, covariant, singular_values
from ...training import gradient_descent

_TOGETHER = 125  # networks whose tangent dynamics are followed together: R of every step is held
_INTERVAL = 5  # steps between decompositions for singular values: J is near the identity


def measure(task, campaign, start, count, workers=None, stop=None):
    """Follow networks ``start`` … ``start`` + ``count`` − 1 of a campaign.

    Parameters
    ----------
    task : Task
        Of a network with one hidden layer.
    campaign : Campaign
    start, count : int
    workers : int, optional
        Threads; PyTorch's number by default.
    stop : callable, optional
        As in :func:`netdyn_lib.training.gradient_descent.run`.

    Returns
    -------
    dict of numpy.ndarray
        For n networks of P parameters at T times: ``final_loss`` (n,); ``diverged_at`` (n,), −1 for
        never; ``curve`` (C, n), the loss at ``campaign.curve``; and (T, n, …) ``loss``, ``weights``
        (P), ``gradient`` (norm), ``hessian`` (P eigenvalues, ascending), ``kinks``, the samples
        within 1e-9 of a kink; per unit of time ``exponents`` (P; Benettin's, from one random frame)
        and ``singular`` (P); of covariant vectors, frozen future (``frozen_``) and far future
        (``far_``), ``angles`` (P(P−1)/2, radians), ``splitting`` (P − 1, the angle between the
        first i vectors' span and the others') and ``growth`` (P, per unit of time);
        ``far_residual`` (P), the covariance defect.  NaN where a network has diverged.

    Raises
    ------
    netdyn_lib.torch_utils.Stopped
        Where ``stop`` answers true.
    """
    params = task.initial(count, campaign.seed, start)
    gd = gradient_descent.GradientDescent(task, campaign.learning_rate)
    seen = sorted({*campaign.curve, *campaign.times, campaign.steps})
    record = gradient_descent.run(
        gd, params, campaign.steps, ("loss",), at=seen, workers=workers, stop=stop
    )
    row = {t: k for k, t in enumerate(seen)}
    found = {
        "final_loss": record["loss"][-1],
        "diverged_at": record.diverged_at,
        "curve": record["loss"][[row[t] for t in campaign.curve]],
        "loss": record["loss"][[row[t] for t in campaign.times]],
    }
    workers = torch.get_num_threads() if workers is None else workers
    with torch_utils.pool(workers, alone=params.device.type == "cpu") as pool:
        parts = list(
            pool.map(lambda p: _tangent(task, gd, campaign, p, stop), params.split(_TOGETHER))
        )
    return found | {name: np.concatenate([p[name] for p in parts], axis=1) for name in parts[0]}


def _tangent(task, gd, campaign, params, stop):
    """Curvature, exponents and vectors of some networks, each (T, n, …)."""
    advance, dt = jacobian.of_descent(gd, closed=True), campaign.learning_rate
    times, last = campaign.times, campaign.times[-1]
    hessian = closed_form.OneHiddenLayerHessian(task)
    with torch.no_grad():
        sizes = singular_values.singular_exponents(
            advance, params, last, at=times, interval=_INTERVAL, progress=False, stop=stop
        )

        def look(moment):
            if stop is not None and stop():
                raise torch_utils.Stopped(f"stopped at step {moment.time}")
            return _look(moment, hessian, task, dt)

        vectors = covariant.vectors(
            advance, params, times, backward=campaign.backward, observe=look
        )
    found = _split(vectors.observed, params.shape[1])
    found["exponents"] = vectors.log_growth / (np.array(times)[:, None, None] * dt)
    found["singular"] = sizes.exponents(dt)[-len(times) :]
    found["far_growth"] = vectors.growth / dt
    found["far_residual"] = vectors.residuals
    return found


def _widths(size):
    """How many numbers of each kind one look gives, in order."""
    pairs = size * (size - 1) // 2
    return {
        "weights": size,
        "gradient": 1,
        "hessian": size,
        "kinks": 1,
        "frozen_angles": pairs,
        "frozen_splitting": size - 1,
        "frozen_growth": size,
        "far_angles": pairs,
        "far_splitting": size - 1,
    }


def _look(moment, hessian, task, dt):
    states = moment.states
    gradient, curved = hessian(states)
    alive = curved.isfinite().all(-1).all(-1)
    nan = torch.where(alive, 0.0, torch.nan)[:, None]
    eye = torch.eye(states.shape[1], dtype=states.dtype)
    safe = torch.where(alive[:, None, None], curved, eye)
    frozen = covariant.frozen_future(moment.frames, eye - dt * curved)
    unknown = torch.as_tensor(frozen.undetermined)
    past = torch.where(unknown[:, None, :], torch.nan, frozen.vectors)
    parts = (
        states + nan,
        torch.linalg.vector_norm(gradient, dim=1)[:, None] + nan,
        torch.linalg.eigvalsh(safe) + nan,
        closed_form.kinks(task, states, 1e-9)[:, None] + nan,
        angles.between_pairs(past),
        _splitting(past),
        torch.as_tensor(frozen.growth) / dt + torch.where(unknown, torch.nan, 0.0),
        angles.between_pairs(moment.vectors),
        _splitting(moment.vectors),
    )
    return torch.cat([torch.as_tensor(p, dtype=torch.float64) for p in parts], 1)


def _splitting(vectors):
    """Smallest angle between the span of the first i vectors and that of the others, for i = 1 … P
    − 1; (n, P − 1).
    """
    size = vectors.shape[2]
    return np.stack(
        [
            angles.between_subspaces(vectors[..., :i], vectors[..., i:])[:, 0]
            for i in range(1, size)
        ],
        1,
    )


def _split(observed, size):
    ends = np.cumsum(list(_widths(size).values()))
    return dict(zip(_widths(size), np.split(np.asarray(observed), ends[:-1], axis=2)))
