"""Fits against scikit-learn's, and what the choice of strength and temperature does."""

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp
from sklearn.linear_model import LogisticRegression as Sklearn

from mmal.adapters.frozen_head.logistic_regression import (
    L2_GRID,
    fit,
    fit_by_cross_validation,
    fit_by_reference,
    fit_path,
    grid,
    sample_losses,
)


def problem(n=60, d=7, classes=4, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=(classes, d))
    labels = rng.integers(0, classes, n)
    return centers[labels] + noise * rng.normal(size=(n, d)), np.eye(classes)[labels]


def test_the_fit_is_that_of_scikit_learn():
    x, y = problem()
    layer = fit(x, y, 0.7)
    # Its C is one over the strength beside the sum. With the constant as a feature it penalises the bias, too.
    with_bias = np.c_[x, np.ones(len(x))]
    other = Sklearn(C=1 / 0.7, fit_intercept=False, tol=1e-10, max_iter=5000).fit(with_bias, y.argmax(1))
    assert np.allclose(np.c_[layer.weight, layer.bias], other.coef_, atol=1e-4)
    assert np.allclose(layer.probabilities(x), other.predict_proba(with_bias), atol=1e-5)


def test_one_regression_a_class_is_that_of_scikit_learn():
    x, _ = problem()
    y = (np.random.default_rng(1).random((len(x), 3)) < 0.4).astype(float)
    layer = fit(x, y, 2.0, several_labels=True)
    with_bias = np.c_[x, np.ones(len(x))]
    for k in range(3):
        other = Sklearn(C=0.5, fit_intercept=False, tol=1e-10, max_iter=5000).fit(with_bias, y[:, k])
        assert np.allclose(np.r_[layer.weight[k], layer.bias[k]], other.coef_[0], atol=1e-4)
        assert np.allclose(layer.probabilities(x)[:, k], other.predict_proba(with_bias)[:, 1], atol=1e-5)


def test_the_gradient_of_the_regularised_sum_is_zero_and_said():
    x, y = problem()
    layer = fit(x, y, 0.3)
    with_bias = np.c_[x, np.ones(len(x))]
    gradient = (layer.probabilities(x) - y).T @ with_bias + 0.3 * np.c_[layer.weight, layer.bias]
    assert np.abs(gradient).max() / len(x) == pytest.approx(layer.gradient, abs=1e-9)
    assert layer.gradient <= 1e-6


def test_a_class_without_a_label_has_finite_parameters():
    x, y = problem()
    y[y[:, 2] == 1] = [1, 0, 0, 0]
    layer = fit(x, y, 0.1)
    assert np.isfinite(layer.weight).all()
    assert layer.gradient <= 1e-6
    assert layer.probabilities(x)[:, 2].max() < 0.2


def test_losses_are_cross_entropies():
    outputs = np.array([[1.0, -2.0, 0.5]])
    assert sample_losses(outputs, np.eye(3)[[1]], False)[0] == pytest.approx(-log_softmax(outputs, axis=1)[0, 1])
    binary = [np.log1p(np.exp(-1.0)), np.log1p(np.exp(-2.0)), np.log1p(np.exp(0.5))]
    assert sample_losses(outputs, np.array([[1.0, 0, 0]]), True)[0] == pytest.approx(sum(binary))
    assert logsumexp(outputs) > 0  # the rows are no log-probabilities


def test_where_a_fit_begins_changes_nothing():
    x, y = problem()
    path = fit_path(x, y, [10.0, 1.0, 0.1])
    for l2, layer in zip([10.0, 1.0, 0.1], path, strict=True):
        assert np.allclose(layer.weight, fit(x, y, l2).weight, atol=2e-3)


def test_the_strength_is_that_of_the_least_reference_loss():
    x, y = problem(n=25, noise=2.0)
    reference = problem(n=400, seed=5, noise=2.0)
    layer = fit_by_reference(x, y, *reference)
    losses = {}
    for l2 in grid(x):
        losses[l2] = sample_losses(fit(x, y, l2).outputs(reference[0]), reference[1], False).mean()
    assert layer.l2 == min(losses, key=losses.get)
    assert L2_GRID[0] > L2_GRID[-1]
    tempered = sample_losses(layer.outputs(reference[0]) / layer.temperature, reference[1], False).mean()
    assert tempered <= losses[layer.l2] + 1e-9


def test_no_weaker_strength_is_tried_after_two_that_were_worse(monkeypatch):
    from mmal.adapters.frozen_head import logistic_regression
    tried = []

    def recorded(x, y, l2, *rest):
        tried.append(l2)
        return fit(x, y, l2, *rest)

    monkeypatch.setattr(logistic_regression, 'fit', recorded)
    x, y = problem(n=25, noise=2.0)
    layer = fit_by_reference(x, y, *problem(n=400, seed=5, noise=2.0))
    assert tried == grid(x)[:len(tried)]
    assert tried.index(layer.l2) == len(tried) - 3


def test_scaled_features_give_the_same_probabilities():
    x, y = problem(n=40, noise=2.0)
    reference = problem(n=200, seed=5, noise=2.0)
    layer = fit_by_reference(x, y, *reference)
    scaled = fit_by_reference(100 * x, y, 100 * reference[0], reference[1])
    assert scaled.l2 == pytest.approx(1e4 * layer.l2)
    # The bias is penalised alike only where features keep their scale; it hardly shows here.
    assert np.abs(scaled.probabilities(100 * x) - layer.probabilities(x)).max() < 0.1


def test_a_sure_head_is_tempered_down():
    """Labels of the reference set that are drawn at random leave no confidence."""
    x, y = problem(n=30)
    rng = np.random.default_rng(3)
    reference = problem(n=300, seed=5)[0]
    layer = fit_by_reference(x, y, reference, np.eye(4)[rng.integers(0, 4, 300)])
    assert layer.probabilities(reference).max() < 0.6


def test_cross_validation_leaves_each_sample_out_once():
    x, y = problem(n=30, noise=2.0)
    layer = fit_by_cross_validation(x, y, seed=4)
    again = fit_by_cross_validation(x, y, seed=4)
    assert layer.l2 == again.l2
    assert np.array_equal(layer.weight, again.weight)
    assert layer.l2 in grid(x)
    assert np.allclose(layer.weight, fit(x, y, layer.l2).weight)


def test_a_single_sample_and_what_cannot_be_fitted():
    x, y = problem(n=1)
    layer = fit_by_cross_validation(x, y)
    assert layer.temperature == 1
    assert layer.l2 == grid(x)[0]
    with pytest.raises(ValueError, match='at least one sample'):
        fit(x[:0], y[:0], 1.0)
    with pytest.raises(ValueError, match='l2 above 0'):
        fit(x, y, 0.0)
