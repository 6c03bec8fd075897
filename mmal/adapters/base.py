"""What the rest of mmal needs from a kind of model (detector, classifier)."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn
from torch.utils.data import Dataset


@dataclass(frozen=True)
class PseudoLabels:
    """Which of a model's own predictions stand for the labels of an unlabeled image.

    Attributes:
        score_thr: Detection: predictions at least this confident.
        max_boxes: Detection: at most so many, the most confident. None: all.
        class_agnostic: Detection: of boxes on the same object, whatever their classes, the most confident one.
        top_k: Classification: K of the paper's equation 3, the classes whose gradients are weighted by confidence.
    """

    score_thr: float = 0.1
    max_boxes: int | None = None
    class_agnostic: bool = False
    top_k: int = 1


class DataAdapter(Protocol):
    """The data side: pool, ground truth and datasets, read from the config.

    Attributes:
        images: Pool images, dicts with at least ``id`` and ``file_name``; no annotations.
        classes: Class names in the config's order.
        has_boxes: Whether a budget may be in boxes.
        local: Whether the image files lie on a local file system.
        has_truth: Whether the training set holds any annotation.
        has_files: Whether the images are files, local or not, that people can be shown.
        categories: COCO categories, one a class; none where whole images have classes.
        several_labels: Whether an image may have several classes, where whole images have classes.
    """

    images: list[dict]
    classes: tuple[str, ...]
    has_boxes: bool
    local: bool
    has_truth: bool
    has_files: bool
    categories: list[dict]
    several_labels: bool

    def image_path(self, image_id) -> str:
        """Where the file of a pool image lies."""

    def file_info(self, image_id) -> dict:
        """Its ``file_name`` below :meth:`root`, and ``width`` and ``height`` where they are known."""

    def image_root(self) -> str:
        """The folder that file names are below."""

    def missing_files(self) -> list[str]:
        """Files of pool images that do not exist."""

    def size_mismatches(self, sizes: dict) -> dict:
        """Where the annotation file gives another (width, height) than the image has: the two of them by image id.

        Args:
            sizes: By image id, (width, height) as it lies in the file and as it is when EXIF turned it.
        """

    def files(self, dataset) -> list[str]:
        """Image files of a built reference or evaluation set, if they are local."""

    def check_dataset(self, dataset, name: str) -> None:
        """InputError if a reference or evaluation set lacks image files or has unknown categories."""

    def annotation_digest(self, dataset=None) -> str:
        """Checksum of what the annotations of a built dataset, or of the pool, are read from; '' if not local.

        Where images have classes, of the labels themselves.
        """

    def ground_truth(self, image_ids) -> list[dict]:
        """Hidden ground truth of these images, for a simulated oracle only."""

    def pool_contents(self) -> dict | list:
        """Contents of ``pool.json``: every image of the pool, no annotation."""

    def labeled_contents(self, image_ids, annotations: list[dict]) -> dict | list:
        """Contents of ``labeled.json``: these images with these annotations."""

    def read_labeled(self, path) -> tuple[list, list[dict]]:
        """Ids and annotations of a labeled file; none if it does not exist."""

    def row_index(self, dataset) -> dict:
        """Row of each image id in a pool dataset."""

    def set_training_set(self, cfg, path: str) -> None:
        """Change ``cfg`` so that its training reads only the labeled file ``path``."""

    def labeled_dataset(self, path: str | None) -> Dataset:
        """Images of a labeled file (None: of the whole training set) with annotations, as at test time (no flips)."""

    def reference_dataset(self, reference) -> Dataset:
        """The reference set R with annotations, as at test time."""

    def pool_dataset(self, path: str) -> Dataset:
        """Images of a file without annotations, as at test time."""


class ModelAdapter(Protocol):
    """The model side. ``items`` are what the datasets above return; images of different sizes may be mixed."""

    model: nn.Module

    def loss_mode(self) -> AbstractContextManager:
        """Running statistics, no dropout, heads as in training, losses of this process alone, float32."""

    def last_layers(self, items: list[Any]) -> list[str]:
        """Names of the parameters of the last layers, found from the loss of these annotated items."""

    def losses(self, items: list[Any]) -> Tensor:
        """Loss of each item on its own annotations, each normalised as if alone: shape (N,), with a graph."""

    def pseudo_derivative(
        self,
        items: list[Any],
        image_ids: list,
        params: dict[str, nn.Parameter],
        direction: Tensor,
        rule: PseudoLabels,
    ) -> tuple[Tensor, list[int]]:
        """Derivative along ``direction`` of each item's loss on the model's own predictions.

        Returns:
            direction . G_z of shape (N,), not finite where the loss or its slope is not, and the number of
            pseudo-labels of each item.
        """

    def probabilities(self, items: list[Any], score_thr: float = 0.05) -> list[Tensor]:
        """Distributions over outcomes that the model predicts for each item, shape (rows, outcomes).

        One row over the classes for a classifier of one label; for one of several labels, a row a class, and for a
        detector, a row a box with at least ``score_thr``, over two outcomes: the class is there, or not.
        """

    def predictions(self, items: list[Any], score_thr: float = 0.3) -> list[list[dict]]:
        """What the model sees in each item, to be shown to people, the most confident first.

        Detection: boxes with at least ``score_thr``, {bbox [x, y, w, h] in pixels of the image as it was loaded, label,
        score}. Classification: the five classes the model is surest of, {label, score}. Labels are class indices.
        """

    def features(self, items: list[Any], layers: list[str] | None = None) -> Tensor:
        """One vector an item, shape (N, D): what goes into the last layers, or comes out of ``layers``.

        Averaged over space, and over boxes or tokens. What goes into a last layer is averaged over pyramid levels, too;
        the maps that come out of ``layers`` are concatenated.
        """

    def output_layers(self, items: list[Any]) -> list[str]:
        """Names of the parameters of the layers that make the raw outputs; needs no annotation."""

    def pseudo_gradients(
        self, items: list[Any], image_ids: list, params: dict[str, nn.Parameter], rule: PseudoLabels
    ) -> Tensor:
        """Gradient of each item's loss on the model's own predictions, shape (N, P); inside :meth:`loss_mode`."""


@runtime_checkable
class DetectorAdapter(Protocol):
    """What the model side of detection offers beside."""

    def detect(
        self, items: list[Any], score_thr: float = 0.05, with_features: bool = False
    ) -> list[Any]:
        """Predicted instances of each item, in coordinates of the network's input.

        InstanceData with ``bboxes``, ``scores``, ``labels`` and, if asked, ``features`` of shape (n, C).
        """
