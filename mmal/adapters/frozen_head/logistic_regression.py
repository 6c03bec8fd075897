"""Logistic regression with L2, fitted to convergence; its strength and its temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_expit, log_softmax, softmax

Array = NDArray[np.float64]

L2_GRID: tuple[float, ...] = tuple(10.0 ** (step / 2) for step in range(2, -7, -1))
"""Strengths to choose from, per dimension of the features: 10 to 0.001 in half powers of ten."""

TEMPERATURES = (0.5, 20.0)
"""Smallest and largest temperature."""

MAX_RISES = 2
"""Strengths in a row that may make the reference loss larger before no weaker one is tried."""

MAX_ITERATIONS = 1000

GRADIENT_TOLERANCE = 1e-6
"""Largest entry of the gradient, per sample, at which a fit has converged."""


@dataclass(frozen=True)
class LogisticRegression:
    r"""A linear layer of C outputs on d features, fitted with L2.

    With one class a sample it is multinomial: the loss of sample i is
    :math:`l_i = -\log \mathrm{softmax}(W x_i + b)_{y_i}`. With several classes a sample it is one
    regression a class, and the loss is the *sum* over classes of the binary cross-entropies. It
    minimises the *sum* over samples

    .. math:: \sum_i l_i(W, b) + \frac{\delta}{2} (|W|^2 + |b|^2).

    The bias is penalised as the weights are: without that, a class that no sample has would be sent
    to minus infinity, and there would be no minimum.

    Attributes:
        weight: W, shape (C, d).
        bias: b, shape (C,).
        l2: :math:`\delta`.
        several_labels: Whether it is one regression a class.
        temperature: T. Probabilities are those of the outputs divided by T. Defaults to 1.
        gradient: Largest entry of the gradient of the minimised sum, divided by the number of
            samples. Defaults to 0.
        iterations: Number of iterations of the last fit. Defaults to 0.
    """

    weight: Array
    bias: Array
    l2: float
    several_labels: bool = False
    temperature: float = 1.0
    gradient: float = 0.0
    iterations: int = 0

    def outputs(self, features: Array) -> Array:
        """Compute the outputs before softmax or sigmoid, not divided by the temperature.

        Args:
            features: Shape (N, d).

        Returns:
            Shape (N, C).
        """
        outputs: Array = features @ self.weight.T + self.bias
        return outputs

    def probabilities(self, features: Array) -> Array:
        """Compute the probability of each class at the temperature.

        Args:
            features: Shape (N, d).

        Returns:
            Shape (N, C); rows add up to 1 where a sample has one class.
        """
        return _probabilities(self.outputs(features) / self.temperature, self.several_labels)


def fit(
    features: Array,
    targets: Array,
    l2: float,
    several_labels: bool = False,
    start: LogisticRegression | None = None,
) -> LogisticRegression:
    """Fit by L-BFGS (scipy) until no entry of the gradient is above 1e-6 a sample.

    Args:
        features: Shape (N, d), N at least 1.
        targets: 1 where a sample has a class and 0 elsewhere, shape (N, C).
        l2: Strength of the penalty, above 0.
        several_labels: Whether a sample may have several classes. Defaults to False.
        start: Where to begin. Defaults to None: zero. The minimum is the same.

    Returns:
        The fitted layer, with temperature 1.

    Raises:
        ValueError: If there is no sample, or ``l2`` is not above 0.
    """
    n_samples, n_features = features.shape
    n_classes = targets.shape[1]
    if n_samples == 0 or not l2 > 0:
        raise ValueError(f'Expected at least one sample and l2 above 0, got {n_samples}, {l2}.')
    with_bias = np.hstack([features, np.ones((n_samples, 1))])

    def loss_and_gradient(flat: Array) -> tuple[float, Array]:
        parameters = flat.reshape(n_classes, n_features + 1)
        outputs = with_bias @ parameters.T
        losses, probabilities = _losses_and_probabilities(outputs, targets, several_labels)
        loss = losses.sum() + l2 / 2 * (flat @ flat)
        gradient = (probabilities - targets).T @ with_bias + l2 * parameters
        return float(loss), gradient.ravel()

    begin = np.zeros(n_classes * (n_features + 1))
    if start is not None:
        begin = np.hstack([start.weight, start.bias[:, None]]).ravel()
    result = minimize(
        loss_and_gradient,
        begin,
        jac=True,
        method='L-BFGS-B',
        options=dict(
            maxiter=MAX_ITERATIONS,
            maxfun=2 * MAX_ITERATIONS,
            gtol=GRADIENT_TOLERANCE * n_samples,
            ftol=0.0,
            maxcor=20,
        ),
    )
    parameters = result.x.reshape(n_classes, n_features + 1)
    return LogisticRegression(
        weight=parameters[:, :-1],
        bias=parameters[:, -1],
        l2=l2,
        several_labels=several_labels,
        gradient=float(np.abs(result.jac).max()) / n_samples,
        iterations=int(result.nit),
    )


def fit_path(
    features: Array,
    targets: Array,
    strengths: Sequence[float],
    several_labels: bool = False,
) -> list[LogisticRegression]:
    """Fit with one strength after the other, each from where the last one ended.

    Args:
        features: Shape (N, d), N at least 1.
        targets: 1 where a sample has a class and 0 elsewhere, shape (N, C).
        strengths: Strengths of the penalty; descending ones are fastest.
        several_labels: Whether a sample may have several classes. Defaults to False.

    Returns:
        A fitted layer for each strength.
    """
    fits: list[LogisticRegression] = []
    for l2 in strengths:
        start = fits[-1] if fits else None
        fits.append(fit(features, targets, l2, several_labels, start))
    return fits


def fit_by_reference(
    features: Array,
    targets: Array,
    reference_features: Array,
    reference_targets: Array,
    several_labels: bool = False,
) -> LogisticRegression:
    """Fit with the strength and the temperature of the least mean loss on a reference set.

    Strengths are tried from the greatest downwards, until two in a row have made the loss larger.

    Args:
        features: Features of the labeled samples, shape (N, d).
        targets: Their classes, shape (N, C).
        reference_features: Features of the reference set, shape (R, d), R at least 1.
        reference_targets: Their classes, shape (R, C).
        several_labels: Whether a sample may have several classes. Defaults to False.

    Returns:
        The fitted layer with its temperature.
    """
    best: LogisticRegression | None = None
    least = np.inf
    candidate: LogisticRegression | None = None
    n_risen = 0
    for l2 in grid(features):
        candidate = fit(features, targets, l2, several_labels, candidate)
        outputs = candidate.outputs(reference_features)
        loss = _mean_loss(outputs, reference_targets, several_labels)
        if loss < least:
            best, least, n_risen = candidate, loss, 0
            continue
        n_risen += 1
        if n_risen == MAX_RISES:
            break
    assert best is not None
    return tempered(best, best.outputs(reference_features), reference_targets)


def fit_by_cross_validation(
    features: Array,
    targets: Array,
    several_labels: bool = False,
    folds: int = 5,
    seed: int = 0,
) -> LogisticRegression:
    """Fit with the strength and the temperature of the least mean loss on left-out samples.

    Each sample is left out once. The final fit has all samples, with the strength chosen for fewer.

    Args:
        features: Features of the labeled samples, shape (N, d).
        targets: Their classes, shape (N, C).
        several_labels: Whether a sample may have several classes. Defaults to False.
        folds: Number of parts; N if there are fewer samples. Defaults to 5.
        seed: Seed of which sample is in which part. Defaults to 0.

    Returns:
        The fitted layer with its temperature. A single sample cannot be left out: it gets the
        greatest strength and the temperature 1.
    """
    n_samples = len(features)
    strengths = grid(features)
    folds = min(folds, n_samples)
    if folds < 2:
        return fit(features, targets, strengths[0], several_labels)
    fold_of = np.random.default_rng(seed).permutation(n_samples) % folds
    left_out = np.empty((len(strengths), *targets.shape))
    for fold in range(folds):
        out = fold_of == fold
        fits = fit_path(features[~out], targets[~out], strengths, several_labels)
        for row, candidate in enumerate(fits):
            left_out[row, out] = candidate.outputs(features[out])
    losses = [_mean_loss(outputs, targets, several_labels) for outputs in left_out]
    best = int(np.argmin(losses))
    layer = fit(features, targets, strengths[best], several_labels)
    return tempered(layer, left_out[best], targets)


def fit_layer(
    features: Array,
    targets: Array,
    reference: tuple[Array, Array] | None,
    several_labels: bool = False,
    weight_decay: float | None = None,
    seed: int = 0,
) -> LogisticRegression:
    """Fit with a given strength, with that of the reference set, or with that of cross-validation.

    Args:
        features: Features of the labeled samples, shape (N, d).
        targets: Their classes, shape (N, C).
        reference: Features and classes of the reference set; None if there is none.
        several_labels: Whether a sample may have several classes. Defaults to False.
        weight_decay: Strength beside the *mean* loss, N times of which is that beside the sum.
            Defaults to None: it is chosen.
        seed: Seed of the cross-validation. Defaults to 0.

    Returns:
        The fitted layer; with a given strength its temperature is 1.
    """
    if weight_decay is not None:
        return fit(features, targets, weight_decay * len(features), several_labels)
    if reference is None:
        return fit_by_cross_validation(features, targets, several_labels, seed=seed)
    return fit_by_reference(features, targets, *reference, several_labels)


def grid(features: Array) -> list[float]:
    """List the strengths to choose from, descending.

    They are those of :data:`L2_GRID` times d times the mean square of a feature, so that scaled
    features give the same choice.

    Args:
        features: Shape (N, d).
    """
    scale = features.shape[1] * max(float(np.square(features).mean()), 1e-12)
    return [share * scale for share in L2_GRID]


def tempered(layer: LogisticRegression, outputs: Array, targets: Array) -> LogisticRegression:
    """Give a layer the temperature at which some outputs have the least mean loss.

    Args:
        layer: The fitted layer.
        outputs: Outputs of samples that it was not fitted to, shape (N, C).
        targets: Their classes, shape (N, C).

    Returns:
        The layer with a temperature between 0.5 and 20.
    """
    temperature = best_temperature(outputs, targets, layer.several_labels)
    return replace(layer, temperature=temperature)


def best_temperature(outputs: Array, targets: Array, several_labels: bool) -> float:
    """Find the temperature at which some outputs have the least mean loss.

    Args:
        outputs: Before softmax or sigmoid, shape (N, C).
        targets: 1 where a sample has a class and 0 elsewhere, shape (N, C).
        several_labels: Whether a sample may have several classes.

    Returns:
        What outputs are to be divided by, from 0.5 to 20.
    """

    def loss(log_temperature: float) -> float:
        return _mean_loss(outputs / np.exp(log_temperature), targets, several_labels)

    lowest, highest = np.log(TEMPERATURES)
    found = minimize_scalar(
        loss, bounds=(lowest, highest), method='bounded', options=dict(xatol=1e-4)
    )
    return float(np.exp(found.x))


def sample_losses(outputs: Array, targets: Array, several_labels: bool) -> Array:
    """Compute the cross-entropy of each sample, for several classes the sum of the binary ones.

    Args:
        outputs: Before softmax or sigmoid, shape (N, C).
        targets: 1 where a sample has a class and 0 elsewhere, shape (N, C).
        several_labels: Whether a sample may have several classes.

    Returns:
        Shape (N,).
    """
    return _losses_and_probabilities(outputs, targets, several_labels)[0]


def _losses_and_probabilities(
    outputs: Array, targets: Array, several_labels: bool
) -> tuple[Array, Array]:
    """Losses of shape (N,), and probabilities of shape (N, C)."""
    if several_labels:
        log_p = log_expit(outputs)
        binary = targets * log_p + (1 - targets) * log_expit(-outputs)
        return -binary.sum(1), np.exp(log_p)
    log_p = log_softmax(outputs, axis=1)
    return -(targets * log_p).sum(1), np.exp(log_p)


def _mean_loss(outputs: Array, targets: Array, several_labels: bool) -> float:
    return float(sample_losses(outputs, targets, several_labels).mean())


def _probabilities(outputs: Array, several_labels: bool) -> Array:
    probabilities: Array = expit(outputs) if several_labels else softmax(outputs, axis=1)
    return probabilities
