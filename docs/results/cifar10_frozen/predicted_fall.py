"""Does the predicted fall of the reference loss come true? python predicted_fall.py FEATURES [SEEDS]

For a last layer that is fitted on n images of a feature cache, 40 batches of 20 more images are added with their true
labels, the layer is fitted again with the same strength, and the true fall of the reference loss is compared, by rank,
with what was predicted: by influence with true labels, by influence with the model's own (what ISAL can know), by the
Fisher term Delta (whatever the labels), and by their sums. "random" batches are drawn from all images, "mixed" ones
each from a fifth of the pool of its own by Delta, so that batches differ. "loose" is a layer with weight decay 5e-4.
"""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import torch
from scipy.special import softmax
from scipy.stats import spearmanr

from mmal.adapters.frozen_head.logistic_regression import fit, fit_by_reference, sample_losses
from mmal.benchmark.frozen_run import FrozenData
from mmal.run.feature_cache import FeatureCache
from mmal.samplers.algorithms.fisher import Candidates, Posterior

N_BATCHES, BATCH = 40, 20
WEIGHT_DECAY = 5e-4


def with_ones(x):
    return np.c_[x, np.ones(len(x))]


def solve(x, p, l2, v):
    """(H + l2 I)^-1 v, with H the sum of the curvatures of softmax cross-entropy."""
    n_classes, d = p.shape[1], x.shape[1]
    hessian = l2 * np.eye(n_classes * d)
    for a in range(n_classes):
        for b in range(n_classes):
            weight = p[:, a] * ((a == b) - p[:, b])
            hessian[a * d:(a + 1) * d, b * d:(b + 1) * d] += (x * weight[:, None]).T @ x
    return np.linalg.solve(hessian, v)


def curvature(p):
    top = p.max(1)
    return torch.from_numpy(top * (1 - top))[:, None]


def joint_gain(posterior, x, p):
    """Delta of a whole batch: each image given those before it."""
    changed = posterior.copy()
    candidates = Candidates(torch.from_numpy(x), curvature(p), changed)
    total = 0.0
    for row in range(len(x)):
        total += float(candidates.gains()[row])
        updates = changed.take(candidates.points[row], candidates.weights[row])
        for update, products in zip(updates, candidates.products(updates), strict=True):
            candidates.apply(update, products)
    return total


def correlations(data, seed, n, loose, mixed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(data.n_pool)
    labeled, rest = order[:n].tolist(), order[n:]
    x, y = data.arrays(labeled)
    reference_x, reference_y = data.arrays(data.reference_rows)
    layer = fit_by_reference(x, y, reference_x, reference_y)
    if loose:
        layer = dataclasses.replace(fit(x, y, WEIGHT_DECAY * n), temperature=layer.temperature)
    n_classes = y.shape[1]
    p, reference_p = (softmax(layer.outputs(part), axis=1) for part in (x, reference_x))
    v = (reference_p - reference_y).T @ with_ones(reference_x) / len(reference_x)
    s_test = solve(with_ones(x), p, layer.l2, v.ravel()).reshape(n_classes, -1)
    posterior = Posterior(torch.from_numpy(with_ones(x)), curvature(p), torch.from_numpy(with_ones(reference_x)),
                          curvature(reference_p) / len(reference_x), layer.l2)
    pool_x, _ = data.arrays(rest.tolist())
    pool_p = softmax(layer.outputs(pool_x), axis=1)
    gains = Candidates(torch.from_numpy(with_ones(pool_x)), curvature(pool_p), posterior).gains().numpy()
    fifths = np.array_split(rest[np.argsort(gains)], 5)

    def reference_loss(fitted):
        return sample_losses(fitted.outputs(reference_x) / fitted.temperature, reference_y, False).mean()

    before = reference_loss(layer)
    names = ('I, true labels', 'I, own labels', 'Delta', 'I, own labels + Delta', 'I, true labels + Delta')
    predicted, true = {name: [] for name in names}, []
    for number in range(N_BATCHES):
        source = fifths[number % 5] if mixed else rest
        batch = rng.choice(source, BATCH, replace=False).tolist()
        batch_x, batch_y = data.arrays(batch)
        batch_p = softmax(layer.outputs(batch_x), axis=1)
        tangents = with_ones(batch_x) @ s_test.T
        own = np.eye(n_classes)[batch_p.argmax(1)]
        by_truth, by_own = (((batch_p - labels) * tangents).sum() for labels in (batch_y, own))
        delta = joint_gain(posterior, with_ones(batch_x), batch_p)
        for name, value in zip(names, (by_truth, by_own, delta, by_own + delta, by_truth + delta), strict=True):
            predicted[name].append(value)
        l2 = WEIGHT_DECAY * (n + BATCH) if loose else layer.l2
        after = fit(np.r_[x, batch_x], np.r_[y, batch_y], l2, start=layer)
        true.append(before - reference_loss(dataclasses.replace(after, temperature=layer.temperature)))
    return [spearmanr(values, true)[0] for values in predicted.values()], names


def main():
    data = FrozenData(FeatureCache(Path(sys.argv[1])), 256)
    n_seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    header = None
    for n in (50, 200, 500):
        for loose in (False, True):
            for mixed in (False, True):
                runs = [correlations(data, seed, n, loose, mixed) for seed in range(n_seeds)]
                if header is None:
                    header = runs[0][1]
                    print('| labeled | layer | batches | ' + ' | '.join(header) + ' |')
                    print('|---' * (3 + len(header)) + '|')
                means = np.mean([values for values, _ in runs], axis=0)
                cells = ' | '.join(f'{mean:+.2f}' for mean in means)
                layer, batches = 'loose' if loose else 'refitted', 'mixed' if mixed else 'random'
                print(f'| {n} | {layer} | {batches} | {cells} |', flush=True)


if __name__ == '__main__':
    main()
