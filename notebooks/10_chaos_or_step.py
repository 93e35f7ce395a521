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
# # Chaos, or only a long step?
#
# {cite:t}`jimenez2025` find that training is fastest at the learning rate where chaos sets in, and
# say that chaos explores. A large learning rate does two things at once: each step is long, and
# nearby networks part. This chapter takes them apart: it follows the same networks, from the same
# initial conditions at the same learning rates, with the long step but without the expansion, and
# with expansion but without the long step.
#
# ## The protocol, written before the runs
#
# *Networks.* Iris as in chapter 3 (4-10-3, sigmoid, 83 parameters), 50 initial conditions, the 16
# learning rates of chapter 5, 250 epochs.
#
# *And the digits* as in chapter 5 (64-32-10, tanh, 2,410 parameters): 12 initial conditions, 150
# epochs, learning rates 1, 2.5 and 5, *descent*, *neutral*, *small* and *small isotropic*;
# $f(H)\nabla L$ from twelve Lanczos steps. Negative curvature is out of their reach: *neutral both*
# and *flow* are not tested on the digits, and MNIST is not tested.
#
# *Arms.* All start from the same weights, except where the central flow cannot.
#
# 1. **Descent**: gradient descent as it is.
# 2. **Flow**: the central flow of {cite:t}`cohen2025`,
#    $\dot W = -\eta[\nabla L + \tfrac12\nabla\langle H, \Sigma\rangle]$, four Euler steps per epoch,
#    100 epochs. $\Sigma \succeq 0$ lives on the eigenvectors at $2/\eta$ and keeps them there. Where
#    the initial sharpness exceeds $2/\eta$ the flow is not defined: it then starts at the nearest
#    weights that $\Sigma$ alone reaches, at no cost in epochs, and its distance from the initial
#    condition is reported. Once the sharpness exceeds $2/\eta$ by a tenth the network has left the
#    flow's domain, and counts as *not defined*, not as slow.
# 3. **Neutral**: at each step the part of the step along Hessian eigenvectors with
#    $\lambda > 2/\eta$ is scaled by $2/(\eta\lambda)$, so that it is multiplied by $-1$ and no longer
#    grows. **Neutral both** also limits growth along negative curvature, to 1% per step, by scaling
#    the part with $\eta|\lambda| > 0.01$. The rest of the step stays.
# 4. **Small**: gradient descent with $\eta/10$, at most 0.1; **small isotropic** and **small
#    unstable** add noise, the latter in the span of the eigenvectors above $2/\eta$. At each epoch
#    its length is that of the part of the step that *neutral* takes from *descent* in the same
#    network, along the orbit of descent.
# 5. **Ball**: the mean gradient of 8 copies within $U(-\rho, \rho)$ per parameter, fixed pairs
#    $\pm u$; $\rho$ = 0.1, 0.3, 1.
#
# *Measures.* $\tau$: epochs to 90% test accuracy, first hit, and sustained for 20 epochs. Networks
# that do not arrive count with the cap in the mean of $\min(\tau, \text{cap})$, and their share is
# shown. Loss, test loss and accuracy, distance and path length, sharpness/$(2/\eta)$. Exponents by a
# copy at distance $10^{-7}$ that is set back after every step, over the first 20, 50, 100 and 200
# epochs (neutral arms: 100; the flow: none).
#
# *Statistic.* At each learning rate, paired by initial condition: the difference of
# $\min(\tau, \text{cap})$ between an arm and *descent*, its mean with a 95% bootstrap interval; and
# the ratio of the two means. The rate that decides is the one at which *descent* is fastest; other
# rates are shown. Noise is compared with *small*.
#
# *What would count.*
#
# - **Chaos helps**: *neutral* is slower than *descent* by a tenth at least (ratio above 1.1, interval
#   of the difference above 0), and so is *flow* where it is defined.
# - **Only the step helps**: *neutral* is not slower by a tenth (upper end of the interval of the
#   ratio below 1.1), and *descent* is faster than *small* by a tenth at least.
# - **Undecided**: anything else; also if *neutral* keeps more than half of the exponent of *descent*
#   over 50 epochs, for then it is no control.
# - *Noise explores* if a noisy small step is faster than *small* by a tenth at least.
#
# *Doubts, named before.* *Neutral* changes which minima are stable: none is lost, and those that
# descent leaves stay. Its Jacobian contains third derivatives, so that suppressing expansion in the
# Hessian need not suppress chaos. *Neutral both* also takes away the descent along negative
# curvature, which is a help of its own. A ball of radius 0.3 and more also smooths the loss.
#
# *What was changed after that.* Before any result of 50 networks had been looked at: the digits were
# to have all 16 rates and a ball, and *flow*, noise and balls were to be followed on Iris at all
# rates. The time of the machine did not suffice; they are followed from 0.05 to 5 now. (Below, no
# network comes near $2/\eta$, and all are the same map.) The programs had been tried on ten of the
# networks for 60 epochs.
