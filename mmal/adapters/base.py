"""The contract between mmal and a kind of model: what a data adapter and a model adapter offer.

The rest of mmal speaks to detectors and classifiers through these protocols alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypedDict, runtime_checkable

from torch import Tensor, nn

from mmal.annotation.parsed import ParsedSet
from mmal.annotation.records import CocoAnnotation, ImageLabel, Prediction

ImageId: TypeAlias = Hashable
"""Identifies an image for good: the number in a COCO file, or the file's name below its folder."""

Item: TypeAlias = dict[str, Any]
"""What a dataset of either host returns: ``inputs`` (C, H, W) and ``data_samples``."""

Annotation: TypeAlias = CocoAnnotation | ImageLabel
"""One annotation of either task."""

Size: TypeAlias = tuple[int, int]
"""Width and height in pixels."""


class PoolImage(TypedDict, total=False):
    """An image of the pool. A COCO file's own keys come on top.

    Attributes:
        id: Id of the image; always there.
        file_name: Name of its file below the image root.
        width: Width in pixels, if known.
        height: Height in pixels, if known.
    """

    id: ImageId
    file_name: str
    width: int
    height: int


@dataclass(frozen=True)
class PseudoLabels:
    """Which of a model's own predictions stand for the labels of an unlabeled image.

    Attributes:
        score_thr: Detection: lowest score of a prediction that counts. Defaults to 0.1.
        top_k: Classification: K of the paper's equation 3, the number of classes whose gradients
            are weighted by their confidence. Defaults to 1: the most confident class, unweighted.
    """

    score_thr: float = 0.1
    top_k: int = 1


class DataAdapter(Protocol):
    """The data side: pool, hidden ground truth and datasets, read from the config.

    All properties are fixed once the adapter is built and :meth:`leave_out` was called, if it is.
    """

    @property
    def images(self) -> list[PoolImage]:
        """All images of the pool in the dataset's order, without annotations."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the config's order."""

    @property
    def categories(self) -> list[dict[str, Any]]:
        """COCO categories, one per class; empty where whole images have classes."""

    @property
    def has_boxes(self) -> bool:
        """Whether annotations are boxes, so that a budget may be in boxes."""

    @property
    def several_labels(self) -> bool:
        """Whether an image may have several classes; False where annotations are boxes."""

    @property
    def has_truth(self) -> bool:
        """Whether the training set holds any annotation, which a simulated oracle could reveal, be
        it usable or not.
        """

    @property
    def annotated_ids(self) -> list[ImageId]:
        """Ids of the images that the training set holds a usable annotation of, in its order."""

    @property
    def has_files(self) -> bool:
        """Whether all images are files, local or not, that people can be shown."""

    @property
    def is_local(self) -> bool:
        """Whether the image files lie on a local file system."""

    def leave_out(self, image_ids: Iterable[ImageId]) -> None:
        """Take images out of the pool, as if the training set did not have them.

        Args:
            image_ids: Their ids.
        """

    def image_path(self, image_id: ImageId) -> str:
        """Return the path of an image's file.

        Args:
            image_id: Id of an image of the pool.
        """

    def pixel_digest(self, image_id: ImageId) -> str:
        """Return a checksum of the pixels of an image without a file; '' if it has one.

        Args:
            image_id: Id of an image of the pool.
        """

    def file_info(self, image_id: ImageId) -> dict[str, Any]:
        """Return ``file_name`` below :meth:`image_root`, with ``width`` and ``height`` if known.

        Args:
            image_id: Id of an image of the pool.
        """

    def image_root(self) -> str:
        """Return the folder that file names are relative to, absolute if it is local."""

    def missing_files(self) -> list[str]:
        """Return the paths of local image files that do not exist."""

    def size_mismatches(
        self, sizes: Mapping[ImageId, tuple[Size, Size]]
    ) -> dict[ImageId, tuple[Size, Size]]:
        """Compare the sizes of images with those in the annotation file.

        Args:
            sizes: Sizes by image id: the size stored in the file, and the size after it was turned
                as its EXIF orientation asks.

        Returns:
            Of each image that differs, by its id: the size in the annotation file, and the size
            that the pipeline will load.
        """

    def files(self, dataset: Any) -> list[str]:
        """Return the image files of a built reference or evaluation set; none if not local.

        Args:
            dataset: The built dataset.
        """

    def image_names(self, dataset: Any) -> list[str]:
        """Return what tells the images of a built reference or evaluation set apart: the path of a
        file, local or not; of an image in memory, a checksum of its pixels.

        Args:
            dataset: The built dataset.
        """

    def check_truth(self) -> list[str]:
        """Look for boxes that are none among the annotations of the training set.

        Returns:
            What the user should know, one sentence without a full stop each.

        Raises:
            InputError: If nothing can be learned from them.
        """

    def check_annotation_files(self, dataset_cfg: dict[str, Any]) -> None:
        """Refuse a dataset that could not be built, or would be read as something else.

        Args:
            dataset_cfg: Config of the dataset.

        Raises:
            InputError: If a file cannot be read, or a folder is not the class it would be taken
                for.
        """

    def check_dataset(self, dataset: Any, name: str) -> list[str]:
        """Check the files, annotations and classes of a built reference or evaluation set.

        Args:
            dataset: The built dataset.
            name: Name of the set in error messages.

        Returns:
            What the user should know, one sentence without a full stop each.

        Raises:
            InputError: If image files are missing, there is no annotation at all or none that can
                be used, or its classes are not those of the config.
        """

    def annotation_digest(self, dataset: Any = None) -> str:
        """Return a checksum of annotations.

        Args:
            dataset: A built dataset. Defaults to None: the pool.

        Returns:
            A checksum of the annotation files, '' if they are not local; where whole images have
            classes, a checksum of the labels themselves.
        """

    def ground_truth(self, image_ids: Iterable[ImageId]) -> list[Annotation]:
        """Return the hidden ground truth of some images, for a simulated oracle only.

        Args:
            image_ids: Ids of images of the pool.

        Raises:
            InputError: If an image that needs a label has none.
        """

    def parse_dataset(self, dataset_cfg: dict[str, Any]) -> ParsedSet:
        """Read the annotations of a dataset that is not the pool.

        Args:
            dataset_cfg: Config of the dataset.

        Raises:
            InputError: If a file is missing or malformed.
        """

    def pool_contents(self) -> dict[str, Any] | list[dict[str, Any]]:
        """Return the contents of ``pool.json``: every image of the pool and no annotation."""

    def labeled_contents(
        self, image_ids: Iterable[ImageId], annotations: Sequence[Annotation]
    ) -> dict[str, Any] | list[dict[str, Any]]:
        """Return the contents of a labeled file.

        Args:
            image_ids: Ids of the labeled images.
            annotations: Annotations of these images.
        """

    def read_labeled(self, path: str | Path) -> tuple[list[ImageId], list[Annotation]]:
        """Read a labeled file.

        Args:
            path: Path of the file.

        Returns:
            Ids of the images, and their annotations; both empty if the file does not exist.
        """

    def row_index(self, dataset: Any) -> dict[ImageId, int]:
        """Return the row of each image in a pool dataset, by image id.

        Args:
            dataset: A dataset of :meth:`pool_dataset`.
        """

    def set_training_set(self, cfg: Any, path: str | Path) -> None:
        """Change a config in place so that its training reads only a labeled file.

        Args:
            cfg: The whole config (``mmengine.Config``).
            path: Path of the labeled file.
        """

    def set_evaluation_files(self, cfg: Any) -> None:
        """Change a config in place so that its evaluation reads files that the host can read.

        Args:
            cfg: The whole config.

        Raises:
            InputError: If an annotation file cannot be read.
        """

    def labeled_dataset(self, path: str | None) -> Any:
        """Build a dataset of labeled images with annotations, as at test time (no augmentation).

        Args:
            path: Path of a labeled file; None for the whole training set.
        """

    def reference_dataset(self, reference: Any) -> Any:
        """Build the reference set R with annotations, as at test time.

        Args:
            reference: 'val' for the dataset of ``val_dataloader``, or a dataset config.

        Raises:
            InputError: If it is anything else, or a file is missing.
        """

    def pool_dataset(self, path: str) -> Any:
        """Build a dataset of the images of a file, without annotations, as at test time.

        Args:
            path: Path of a file with :meth:`pool_contents`.
        """


class ModelAdapter(Protocol):
    """The model side: losses, pseudo-labels, predictions and features.

    ``items`` are what the datasets of the :class:`DataAdapter` return; images of different sizes
    may be mixed. Losses and gradients are computed inside :meth:`loss_mode`.

    Attributes:
        model: The model, not wrapped.
    """

    model: nn.Module

    def loss_mode(self) -> AbstractContextManager[None]:
        """Put the model into the state in which losses have a meaning for influence.

        Running statistics, no dropout, heads as in training, losses of this process alone, float32;
        see :func:`~mmal.adapters.model_modes.loss_evaluation_mode`.
        """

    def last_layers(self, items: Sequence[Item]) -> list[str]:
        """Find the last layers by following the loss backwards. Call outside :meth:`loss_mode`.

        Args:
            items: Annotated dataset items, on which the loss is computed.

        Returns:
            Names of the layers' parameters.
        """

    def output_layers(self, items: Sequence[Item]) -> list[str]:
        """Find the layers that make the raw outputs; no annotation is needed.

        Args:
            items: Dataset items; the model runs on the first one.

        Returns:
            Names of the layers' parameters.
        """

    def losses(self, items: Sequence[Item]) -> Tensor:
        """Compute the loss of each item on its own annotations. Call inside :meth:`loss_mode`.

        Args:
            items: Annotated dataset items.

        Returns:
            Losses of shape (N,) with a graph, each normalised as if its image were alone.
        """

    def pseudo_derivative(
        self,
        items: Sequence[Item],
        image_ids: Sequence[ImageId],
        params: dict[str, nn.Parameter],
        direction: Tensor,
        pseudo_labels: PseudoLabels,
    ) -> tuple[Tensor, list[int]]:
        """Compute the derivative of each item's loss on the model's own predictions.

        This is Algorithm 1 of the paper without its sign. Call inside :meth:`loss_mode`.

        Args:
            items: Dataset items; their annotations are not used.
            image_ids: Ids of the items' images. They seed whatever a model draws at random.
            params: The parameters by name, P values in all; they must require gradients.
            direction: s, of shape (P,).
            pseudo_labels: Which predictions count.

        Returns:
            direction . G_z of shape (N,), not finite where the loss or its slope is not, and the
            number of pseudo-labels of each item.
        """

    def pseudo_gradients(
        self,
        items: Sequence[Item],
        image_ids: Sequence[ImageId],
        params: dict[str, nn.Parameter],
        pseudo_labels: PseudoLabels,
    ) -> Tensor:
        """Compute G_z, the gradient of each item's loss on the model's own predictions.

        Call inside :meth:`loss_mode`.

        Args:
            items: Dataset items; their annotations are not used.
            image_ids: Ids of the items' images. They seed whatever a model draws at random.
            params: The parameters by name, P values in all; they must require gradients.
            pseudo_labels: Which predictions count.

        Returns:
            Gradients of shape (N, P).
        """

    def probabilities(self, items: Sequence[Item], score_thr: float = 0.05) -> list[Tensor]:
        """Predict distributions over outcomes.

        Args:
            items: Dataset items.
            score_thr: Detection: lowest score of a box. Defaults to 0.05.

        Returns:
            One tensor per item, of shape (rows, outcomes), on the CPU. A classifier of one label
            has one row over the classes. A classifier of several labels has one row per class, and
            a detector one row per box, over two outcomes: the class is there, or not.
        """

    def predictions(self, items: Sequence[Item], score_thr: float = 0.3) -> list[list[Prediction]]:
        """Predict what people are shown, the most confident first.

        Args:
            items: Dataset items.
            score_thr: Detection: lowest score of a box. Defaults to 0.3.

        Returns:
            Predictions of each item. Detection: boxes in pixels of the image as it was loaded.
            Classification: the five classes the model is surest of.
        """

    def features(self, items: Sequence[Item], layers: list[str] | None = None) -> Tensor:
        """Compute one feature vector per item.

        Features are averaged over space, and over boxes or tokens. The inputs of a last layer are
        averaged over pyramid levels, too; outputs of ``layers`` are concatenated.

        Args:
            items: Dataset items.
            layers: Names of modules whose outputs are the features. Defaults to None: the inputs of
                the last layers.

        Returns:
            Features of shape (N, D).
        """


@runtime_checkable
class ClassifierData(Protocol):
    """What the data side of classification offers beside :class:`DataAdapter`.

    ``isinstance(data, ClassifierData)`` tells classification from detection.
    """

    def image_labels(self, dataset: Any) -> list[int | list[int] | None]:
        """Read the class index of each image of a built dataset, or the list of them where an image
        may have several; None where it has no label.

        Args:
            dataset: The built dataset.
        """


@runtime_checkable
class FittedHead(Protocol):
    """What the model side of a last layer offers that was fitted to convergence.

    ``isinstance(adapter, FittedHead)`` tells it from a trained network.

    Attributes:
        l2: Strength of the penalty. The layer minimises the *sum* over the labeled images of their
            losses plus l2 / 2 times the squared length of all its parameters, biases included. Its
            unit is that of what ``features`` returns.
        temperature: What outputs were divided by for ``probabilities``, which are calibrated.
    """

    l2: float
    temperature: float


@runtime_checkable
class ClassifierAdapter(Protocol):
    """What the model side of classification offers beside :class:`ModelAdapter`.

    Attributes:
        multi_label: Whether an image may have several labels.
    """

    @property
    def multi_label(self) -> bool:
        """Whether an image may have several labels."""

    def targets(self, items: Sequence[Item]) -> Tensor:
        """Read the classes of annotated items.

        Args:
            items: Annotated dataset items.

        Returns:
            1 where an item has a class and 0 elsewhere, shape (N, C), on the CPU.
        """

    def pseudo_gradient_factors(
        self,
        items: Sequence[Item],
        params: dict[str, nn.Parameter],
        pseudo_labels: PseudoLabels,
    ) -> tuple[Tensor, Tensor] | None:
        """Compute G_z of :meth:`ModelAdapter.pseudo_gradients` as the outer product of two vectors.

        Such products are the gradients in the weight and bias of one linear layer that is used once
        an image: the slope of the loss in its outputs, and its inputs with a 1 for the bias. Call
        inside :meth:`ModelAdapter.loss_mode`.

        Args:
            items: Dataset items; their annotations are not used.
            params: The parameters by name; they must require gradients.
            pseudo_labels: Which predictions count.

        Returns:
            Slopes of shape (N, A) and inputs of shape (N, B), on the CPU; None if the parameters
            are not those of such a layer.
        """


@runtime_checkable
class DetectorAdapter(Protocol):
    """What the model side of detection offers beside :class:`ModelAdapter`.

    ``isinstance(adapter, DetectorAdapter)`` tells detectors from classifiers.
    """

    def detect(
        self, items: Sequence[Item], score_thr: float = 0.05, with_features: bool = False
    ) -> list[Any]:
        """Predict instances, in coordinates of the network's input.

        Args:
            items: Dataset items.
            score_thr: Lowest score of an instance. Defaults to 0.05.
            with_features: Whether to add ``features`` of shape (n, C). Defaults to False.

        Returns:
            InstanceData of each item with ``bboxes`` (n, 4), ``scores`` (n,) and ``labels`` (n,),
            on the CPU.
        """

    def nms_settings(
        self, nms_pre: int | None, iou_threshold: float | None, max_per_img: int | None
    ) -> AbstractContextManager[None]:
        """Change, inside of the context, what is kept of the boxes where the detector has NMS.

        Args:
            nms_pre: Boxes a level before NMS; None leaves the detector's own.
            iou_threshold: Overlap above which NMS drops a box; None leaves the detector's own.
            max_per_img: Boxes an image after NMS; None leaves the detector's own.
        """
