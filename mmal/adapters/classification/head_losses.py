"""The head of a classifier: predictions, pseudo-labels and losses, from its scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dataset import pseudo_collate
from mmpretrain.models.heads import ClsHead, MultiLabelClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmal.adapters.base import Item, PseudoLabels
from mmal.adapters.batching import unbatch
from mmal.adapters.model_modes import eval_mode, stub_method
from mmal.errors import InputError
from mmal.influence.parameters import gradient


@dataclass(frozen=True)
class PseudoChoice:
    """One pseudo-label for each image of a batch.

    Attributes:
        weights: Weight of each image's loss, of shape (N,).
        samples: Data sample of each image, with its pseudo-label.
    """

    weights: Tensor
    samples: list[DataSample]


class ClassifierHead:
    """Computes predictions, pseudo-labels and losses of a classifier by its own head's methods.

    Attributes:
        model: The classifier, not wrapped.
        multi_label: Whether an image may have several labels.
        loss_of_scores: Whether the head's loss is a function of its scores, so that these can be
            computed once.
        soft_labels: Whether the loss takes a score per class and no class index.

    Args:
        model: The classifier, not wrapped.

    Raises:
        InputError: If the model has no head.
    """

    def __init__(self, model: Any) -> None:
        head = getattr(model, 'head', None)
        if head is None:
            raise InputError(
                f'{type(model).__name__} has no `head`: expected an ImageClassifier of mmpretrain.'
            )
        self.model = model
        self.multi_label = isinstance(head, MultiLabelClsHead)
        self.loss_of_scores = type(head).loss in (ClsHead.loss, MultiLabelClsHead.loss)
        loss_module = getattr(head, 'loss_module', None)
        self.soft_labels: bool = getattr(loss_module, 'use_soft', False)
        self._batch_loss_is_mean: bool | None = None

    def prepare(self, items: list[Item]) -> tuple[Tensor, list[DataSample]]:
        """Make inputs and data samples by the model's own preprocessor, without augmentation.

        Args:
            items: Dataset items of one shape.

        Returns:
            Inputs of shape (N, C, H, W), and a data sample per image.
        """
        # The preprocessor writes labels of its own device into the samples it gets.
        copies = [dict(item, data_samples=item['data_samples'].new()) for item in items]
        data = self.model.data_preprocessor(pseudo_collate(copies), False)
        samples = data['data_samples']
        if self.soft_labels:
            for sample in samples:
                if 'gt_label' in sample:
                    self._add_soft_label(sample, self.model.head.num_classes)
        return data['inputs'], samples

    def scores(self, feats: Any) -> Tensor:
        """Run the head.

        Args:
            feats: Features of N images.

        Returns:
            Scores of shape (N, C), before softmax or sigmoid.

        Raises:
            InputError: If the head has several outputs.
        """
        scores = self.model.head(feats)
        if not isinstance(scores, Tensor):
            raise InputError(
                f'{type(self.model.head).__name__} has several outputs; influence needs a head '
                'with one.'
            )
        return scores

    def predictions(self, scores: Tensor) -> list[DataSample]:
        """Let the head make predictions of its scores.

        Args:
            scores: Scores of shape (N, C).

        Returns:
            A sample per image, with ``pred_score`` and ``pred_label``.
        """
        empty_samples = [DataSample() for _ in range(len(scores))]
        with torch.no_grad(), stub_method(self.model.head, 'forward', scores.detach()):
            predictions: list[DataSample] = self.model.head.predict(None, empty_samples)
        return predictions

    # --- pseudo-labels ----------------------------------------------------------------------------

    def pseudo_choices(self, scores: Tensor, pseudo_labels: PseudoLabels) -> list[PseudoChoice]:
        """Choose the pseudo-labels whose losses make up G_z.

        With K = ``top_k`` = 1 the pseudo-label is the most confident class, without weight (paper,
        Algorithm 1). With K > 1 the K most confident classes are weighted by their confidence
        (equation 3). Heads for several labels take what the head itself predicts.

        Args:
            scores: Scores of shape (N, C).
            pseudo_labels: ``top_k`` counts.

        Returns:
            K choices; one if an image may have several labels.
        """
        predictions = self.predictions(scores)
        p = torch.stack([prediction.pred_score for prediction in predictions])
        unweighted = p.new_ones(len(scores))
        if self.multi_label:
            return [PseudoChoice(unweighted, _several_label_samples(predictions))]
        n_classes = p.shape[1]
        k = min(pseudo_labels.top_k, n_classes)
        top_p, top_classes = p.topk(k, 1)
        choices = []
        for weights, labels in zip(top_p.unbind(1), top_classes.unbind(1), strict=True):
            if pseudo_labels.top_k == 1:
                weights = unweighted
            samples = []
            # Of one dimension: mmpretrain brings a label without dimensions to the CPU.
            for label in torch.split(labels, 1):
                sample = DataSample().set_gt_label(label)
                samples.append(self._add_soft_label(sample, n_classes))
            choices.append(PseudoChoice(weights, samples))
        return choices

    def count_labels(self, choices: list[PseudoChoice]) -> list[int]:
        """Count the pseudo-labels of each image.

        Args:
            choices: Result of :meth:`pseudo_choices`.
        """
        samples = choices[0].samples
        if self.multi_label:
            labels = torch.stack([sample.gt_score for sample in samples])
            counts: list[int] = labels.sum(1).long().tolist()
            return counts
        return [len(choices)] * len(samples)

    def choices_from_features(self, feats: Any, pseudo_labels: PseudoLabels) -> list[PseudoChoice]:
        """Choose pseudo-labels like :meth:`pseudo_choices`, with the head in eval mode.

        Args:
            feats: Features of N images.
            pseudo_labels: ``top_k`` counts.
        """
        with torch.no_grad(), eval_mode(self.model.head):
            return self.pseudo_choices(self.scores(feats), pseudo_labels)

    def weighted_losses(
        self, feats: Any, choices: list[PseudoChoice]
    ) -> list[tuple[Tensor, Tensor]]:
        """Compute the loss of each choice of one image.

        Args:
            feats: Features of the image, with their graph.
            choices: Pseudo-labels of the image.

        Returns:
            Weight, and loss with a graph, of each choice.
        """
        weighted_losses = []
        for choice in choices:
            loss = self.loss(feats, choice.samples)
            weighted_losses.append((choice.weights[0], loss))
        return weighted_losses

    def weighted_gradient(
        self, feats: Any, choices: list[PseudoChoice], params: dict[str, nn.Parameter]
    ) -> Tensor:
        """Compute G_z of one image by plain autograd.

        Args:
            feats: Features of the image, with their graph.
            choices: Pseudo-labels of the image.
            params: The parameters by name, P values in all.

        Returns:
            Gradient of shape (P,).
        """
        weighted_losses = self.weighted_losses(feats, choices)
        return total(
            weight * gradient(loss, params, retain_graph=True) for weight, loss in weighted_losses
        )

    # --- losses -----------------------------------------------------------------------------------

    def loss(self, feats: Any, samples: list[DataSample]) -> Tensor:
        """Compute the head's own loss of a batch.

        Args:
            feats: Features of the images; not used where the head's ``forward`` is stubbed.
            samples: Data samples of the images, with labels.

        Returns:
            The loss, a scalar with a graph.
        """
        losses = self.model.head.loss(feats, samples)
        total: Tensor = self.model.parse_losses(losses)[0]
        return total

    def losses_from_scores(self, scores: Tensor, samples: list[DataSample]) -> list[Tensor]:
        """Compute the loss of each image by itself, from the head's scores.

        Args:
            scores: Scores of shape (N, C), with their graph.
            samples: Data samples of the images, with labels.
        """
        losses = []
        rows = unbatch(scores, len(samples))
        for row, sample in zip(rows, samples, strict=True):
            with stub_method(self.model.head, 'forward', row):
                losses.append(self.loss(None, [sample]))
        return losses

    def summed_loss(self, scores: Tensor, samples: list[DataSample]) -> Tensor:
        """Sum the losses of single images.

        They are computed at once if the loss of a batch is their mean. Whether it is, the first
        batch of several images with finite losses shows.

        Args:
            scores: Scores of shape (N, C), with their graph.
            samples: Data samples of the images, with labels.
        """
        n = len(samples)
        with stub_method(self.model.head, 'forward', scores):
            n_times_batch_loss = n * self.loss(None, samples)
        if n == 1:
            return n_times_batch_loss
        if self._batch_loss_is_mean is None:
            sum_of_losses = total(self.losses_from_scores(scores, samples))
            if not bool(sum_of_losses.isfinite()):
                return n_times_batch_loss
            self._batch_loss_is_mean = torch.allclose(n_times_batch_loss, sum_of_losses, rtol=1e-4)
        if self._batch_loss_is_mean:
            return n_times_batch_loss
        return total(self.losses_from_scores(scores, samples))

    def _add_soft_label(self, sample: DataSample, num_classes: int) -> DataSample:
        """Give a sample its label as scores, too, if the loss takes soft labels."""
        if self.soft_labels and 'gt_score' not in sample:
            one_hot = F.one_hot(sample.gt_label, num_classes)[0]
            sample.set_gt_score(one_hot.float())
        return sample


def total(terms: Iterable[Tensor]) -> Tensor:
    """Add up tensors, the first one to zero.

    Args:
        terms: At least one tensor; all of one shape.
    """
    result: Any = 0
    for term in terms:
        result = result + term
    tensor: Tensor = result
    return tensor


def _several_label_samples(predictions: list[DataSample]) -> list[DataSample]:
    """Samples whose labels are all those predicted."""
    samples = []
    for prediction in predictions:
        no_label = torch.zeros_like(prediction.pred_score)
        labels = no_label.index_fill_(0, prediction.pred_label, 1.0)
        samples.append(DataSample().set_gt_score(labels))
    return samples
