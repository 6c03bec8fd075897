"""Classifiers: per-image losses, pseudo-labels, directional derivatives."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmpretrain.models.heads import ClsHead, MultiLabelClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmal.adapters.base import PseudoLabels
from mmal.adapters.features import Features
from mmal.adapters.model_modes import (
    eval_mode,
    group_by_shape,
    loss_evaluation_mode,
    stub_method,
    to_channels_last_on_cpu,
    unbatch,
)
from mmal.adapters.predictions import top_labels
from mmal.errors import InputError
from mmal.influence.directional_derivative import agree, output_derivative, outputs_and_tangents
from mmal.influence.last_layers import find_last_layers
from mmal.influence.parameters import gradient, unflatten

FORWARD_MATH_ATTENTION = 'forward, attention not fused'

MAX_CHECKED_BATCHES = 5
"""Batches that a way is compared with plain autograd on, at most."""


class ClassificationAdapter:
    """Model side of classification; see :class:`~mmal.adapters.base.ModelAdapter`.

    Directional derivatives go one of two ways, chosen on the first image, where ``forward`` is compared with plain
    autograd: ``forward`` runs the model once a batch by forward-mode AD, which costs next to nothing more than
    inference if the parameters are the last layer's; ``backward`` makes a backward pass an image.

    With K = 1 the pseudo-label is the most confident class (paper, Algorithm 1). With K > 1 the gradients of the K most
    confident classes are weighted by their confidence (equation 3). Heads for several labels (sigmoid) take what the
    head itself predicts.

    Args:
        model: The classifier, wrapped (DDP) or not.
        log: Told which way was chosen. Defaults to mmengine's current logger.

    Raises:
        InputError: If the model has no head, or one with several outputs.
    """

    def __init__(self, model: nn.Module, log: Callable[[str], None] | None = None) -> None:
        self.model = model.module if is_model_wrapper(model) else model
        head = getattr(self.model, 'head', None)
        if head is None:
            raise InputError(
                f'{type(self.model).__name__} has no `head`: expected an ImageClassifier of mmpretrain.'
            )
        self.multi_label = isinstance(head, MultiLabelClsHead)
        # the head's loss is a function of its scores, so that these can be computed once
        self.from_scores = type(head).loss in (ClsHead.loss, MultiLabelClsHead.loss)
        self.soft = getattr(
            getattr(head, 'loss_module', None), 'use_soft', False
        )  # wants scores, not an index
        self.method: str | None = None
        self._checks = MAX_CHECKED_BATCHES
        self._mean_over_samples: bool | None = None
        self._features = Features(self.model, self._prepare, together=True)
        self._log = log or (lambda text: print_log(text, logger='current'))

    def loss_mode(self):
        return loss_evaluation_mode(self.model)

    def last_layers(self, items: list[dict]) -> list[str]:
        with self.loss_mode():
            return find_last_layers(self.model, lambda: self.losses(items).sum())

    def losses(self, items: list[dict]) -> Tensor:
        """Loss of each item, shape (N,). Call inside :meth:`loss_mode`."""
        losses: list[Tensor] = [None] * len(items)
        for group in group_by_shape(items):
            inputs, samples = self._prepare([items[i] for i in group])
            feats = self.model.extract_feat(inputs)
            if self.from_scores:
                found = self._losses_from(self._scores(feats), samples)
            else:
                found = [
                    self._head_loss(f, [s])
                    for f, s in zip(unbatch(feats, len(samples)), samples, strict=True)
                ]
            for i, loss in zip(group, found, strict=True):
                losses[i] = loss
        return torch.stack(losses)

    def pseudo_derivative(
        self,
        items: list[dict],
        image_ids: list,
        params: dict[str, nn.Parameter],
        direction: Tensor,
        rule: PseudoLabels,
    ) -> tuple[Tensor, list[int]]:
        """Direction . G_z and the number of pseudo-labels of each item. Call inside :meth:`loss_mode`.

        Args:
            items: Dataset items without annotations.
            image_ids: Not used: nothing is random here.
            params: The parameters, P values in all.
            direction: s, shape (P,).
            rule: ``top_k`` counts.
        """
        values, counts = torch.zeros(len(items), device=direction.device), [0] * len(items)
        for group in group_by_shape(items):
            inputs, _ = self._prepare([items[i] for i in group])
            if self._checks:
                self._select_method(inputs[:2], params, direction, rule)
            value, count = self._methods[self.method](inputs, params, direction, rule)
            values[group] = value.to(values)
            for i, n in zip(group, count, strict=True):
                counts[i] = n
        return values, counts

    def pseudo_gradients(
        self,
        items: list[dict],
        image_ids: list,
        params: dict[str, nn.Parameter],
        rule: PseudoLabels,
    ) -> Tensor:
        """G_z of each item, shape (N, P). Call inside :meth:`loss_mode`."""
        found: list[Tensor] = [None] * len(items)
        for group in group_by_shape(items):
            feats = self.model.extract_feat(self._prepare([items[i] for i in group])[0])
            for i, feat in zip(group, unbatch(feats, len(group)), strict=True):
                found[i] = sum(
                    w * gradient(loss, params, retain_graph=True)
                    for w, loss in self._weighted(feat, rule)
                )
        return torch.stack(found)

    # --- what other samplers look at ---------------------------------------------------------------------------------

    def probabilities(self, items: list[dict], score_thr: float = 0.05) -> list[Tensor]:
        """Of each item: softmax over the classes, shape (1, C); of several labels, (C, 2): there, or not."""
        found: list[Tensor] = [None] * len(items)
        with torch.no_grad(), eval_mode(self.model):
            for group in group_by_shape(items):
                scores = self.model(self._prepare([items[i] for i in group])[0], mode='tensor')
                for i, sample in zip(group, self._predictions(scores), strict=True):
                    p = sample.pred_score
                    found[i] = torch.stack([p, 1 - p], 1) if self.multi_label else p[None]
        return found

    def predictions(self, items: list[dict], score_thr: float = 0.3) -> list[list[dict]]:
        return [
            top_labels(p[:, 0] if self.multi_label else p[0]) for p in self.probabilities(items)
        ]

    def features(self, items: list[dict], layers: list[str] | None = None) -> Tensor:
        return self._features.extract(items, layers)

    def output_layers(self, items: list[dict]) -> list[str]:
        return self._features.output_layers(items)

    # --- two ways to a derivative -----------------------------------------------------------------------------------

    def _select_method(self, inputs, params, direction, rule) -> None:
        """Take the first way that gives what plain autograd gives for two images; 'backward' is plain autograd.

        Repeated on the next batch, a few times at most, while the images tell nothing (no finite slope).
        """
        reasons = [] if self.from_scores else ['the head has a loss of its own']
        slow = self._by_backward(inputs, params, direction, rule)[0]
        slopes = [
            sum(
                w * gradient(loss, params, retain_graph=True)
                for w, loss in self._weighted(self.model.extract_feat(image[None]), rule)
            )
            for image in inputs
        ]
        for name in ('forward', FORWARD_MATH_ATTENTION) if self.from_scores else ():
            try:
                fast = self._methods[name](inputs, params, direction, rule)[0]
            except (NotImplementedError, RuntimeError) as e:
                reasons.append(f'not {name}: {str(e).splitlines()[0]}')
                continue
            if all(
                agree(f, s, direction, float(g.norm()))
                for f, s, g in zip(fast, slow, slopes, strict=True)
            ):
                break
            reasons.append(
                f'not {name}: {fast.tolist()}, where plain autograd gives {slow.tolist()}'
            )
        else:
            name = 'backward'
        told = all(bool(g.isfinite().all() and g.any()) for g in slopes)
        self._checks = 0 if told else self._checks - 1
        if name != self.method:
            self._log(
                f'Directional derivative: {name}' + (f' ({"; ".join(reasons)})' if reasons else '')
            )
        self.method = name

    @property
    def _methods(self) -> dict[str, Callable]:
        return {
            'forward': self._by_forward,
            FORWARD_MATH_ATTENTION: partial(self._by_forward, plain_attention=True),
            'backward': self._by_backward,
        }

    def _by_forward(self, inputs, params, direction, rule, plain_attention=False):
        tangents = unflatten(direction, params)
        scores, tangent = outputs_and_tangents(
            self.model, (to_channels_last_on_cpu(inputs),), tangents, plain_attention
        )
        total = torch.zeros(len(inputs)).to(direction)
        choices = self._pseudo_samples(scores, rule)
        for weights, samples in choices:
            total += weights * output_derivative(
                lambda z, s=samples: self._summed_loss(z, s), scores, tangent
            )
        return total, self._counts(choices)

    def _by_backward(self, inputs, params, direction, rule):
        values, counts = [], []
        for i in range(len(inputs)):
            pairs = self._weighted(self.model.extract_feat(inputs[i : i + 1]), rule)
            values.append(
                sum(
                    w * (gradient(loss, params, retain_graph=True) @ direction) for w, loss in pairs
                )
            )
            counts.append(len(pairs))
        return torch.stack(values), counts

    def _weighted(self, feats, rule: PseudoLabels) -> list[tuple[Tensor, Tensor]]:
        """Weight and loss, with a graph, of each pseudo-label of one image, from its features."""
        with torch.no_grad(), eval_mode(self.model.head):
            choices = self._pseudo_samples(self._scores(feats), rule)
        return [(weights[0], self._head_loss(feats, samples)) for weights, samples in choices]

    # --- pseudo-labels and losses -----------------------------------------------------------------------------------

    def _pseudo_samples(
        self, scores: Tensor, rule: PseudoLabels
    ) -> list[tuple[Tensor, list[DataSample]]]:
        """For each of K choices: weights of shape (N,), and N samples with that choice as their label."""
        found = self._predictions(scores)
        p = torch.stack([f.pred_score for f in found])
        one = torch.ones(len(scores)).to(p)
        if self.multi_label:
            labels = [
                torch.zeros_like(f.pred_score).index_fill_(0, f.pred_label, 1.0) for f in found
            ]
            return [(one, [DataSample().set_gt_score(label) for label in labels])]
        top, classes = p.topk(min(rule.top_k, p.shape[1]), 1)
        weights = [one] if rule.top_k == 1 else top.unbind(1)
        return [
            (w, [self._softened(DataSample().set_gt_label(c), p.shape[1]) for c in column])
            for w, column in zip(weights, classes.unbind(1), strict=True)
        ]

    def _predictions(self, scores: Tensor) -> list[DataSample]:
        """What the head makes of its scores."""
        with torch.no_grad(), stub_method(self.model.head, 'forward', scores.detach()):
            return self.model.head.predict(None, [DataSample() for _ in range(len(scores))])

    def _scores(self, feats) -> Tensor:
        scores = self.model.head(feats)
        if not isinstance(scores, Tensor):
            raise InputError(
                f'{type(self.model.head).__name__} has several outputs; influence needs a head with one.'
            )
        return scores

    def _softened(self, sample: DataSample, num_classes: int) -> DataSample:
        """With its label also as scores, for losses of soft labels."""
        if self.soft and 'gt_score' not in sample:
            sample.set_gt_score(F.one_hot(sample.gt_label, num_classes)[0].float())
        return sample

    def _counts(self, choices) -> list[int]:
        if self.multi_label:
            return [int(s.gt_score.sum()) for s in choices[0][1]]
        return [len(choices)] * len(choices[0][1])

    def _summed_loss(self, scores: Tensor, samples: list[DataSample]) -> Tensor:
        """Sum of the per-sample losses: at once if the batch's loss is their mean, which the first batch shows."""
        n = len(samples)
        with stub_method(self.model.head, 'forward', scores):
            together = n * self._head_loss(None, samples)
        if n > 1 and self._mean_over_samples is None:
            apart = sum(self._losses_from(scores, samples))
            if not bool(apart.isfinite()):  # shows nothing
                return together
            self._mean_over_samples = torch.allclose(together, apart, rtol=1e-4)
        return (
            together
            if n == 1 or self._mean_over_samples
            else sum(self._losses_from(scores, samples))
        )

    def _losses_from(self, scores: Tensor, samples: list[DataSample]) -> list[Tensor]:
        losses = []
        for row, sample in zip(unbatch(scores, len(samples)), samples, strict=True):
            with stub_method(self.model.head, 'forward', row):
                losses.append(self._head_loss(None, [sample]))
        return losses

    def _head_loss(self, feats, samples: list[DataSample]) -> Tensor:
        return self.model.parse_losses(self.model.head.loss(feats, samples))[0]

    def _prepare(self, items: list[dict]) -> tuple[Tensor, list[DataSample]]:
        data = self.model.data_preprocessor(pseudo_collate(items), False)
        samples = data['data_samples']
        if self.soft:
            samples = [
                self._softened(s, self.model.head.num_classes) if 'gt_label' in s else s
                for s in samples
            ]
        return data['inputs'], samples
