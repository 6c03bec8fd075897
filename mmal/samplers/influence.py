from __future__ import annotations

import math

from mmengine import dist

from ..artifacts import load_tensors
from ..finite import require_few
from ..influence import flatten, restrict_grad
from ..progress import track
from ..registry import SAMPLERS
from ..tasks.base import PseudoLabels
from ..tasks.loading import Unreadable, batches
from .base import Query, Scores


@SAMPLERS.register_module()
class InfluenceSampler:
    """ISAL: label first what would lower the reference loss most (paper, Algorithms 1 and 2).

    The score is the influence I(z) = -s_test . G_z, where G_z is the gradient of the loss of image z against the
    model's own confident predictions. *More negative is more helpful*. An image without a confident prediction is
    scored as background. An image whose influence is not finite is named and ranked last. s_test is read from
    ``s_test.pth`` of the round, which :class:`~mmal.hooks.StestHook` wrote.

    Args:
        score_thr: Detection: predictions at least this confident are pseudo-boxes, after the detector's own
            ``test_cfg`` (its score threshold and NMS). Defaults to 0.1, the first authors' value.
        max_boxes: Detection: at most so many pseudo-boxes an image, the most confident. Defaults to None: all.
        class_agnostic: Detection: of overlapping predictions of different classes, only the most confident becomes a
            pseudo-box. Defaults to False.
        top_k: Classification: K of the paper's equation 3; the gradients of the K most confident classes are weighted
            by their confidence. With K = all classes and cross-entropy every influence is zero. Defaults to 1.
        batch_size: Images to a batch. Defaults to None: that of ``val_dataloader``. It changes influences by rounding
            errors only, but for assigners that amplify those (SimOTA).
        max_nonfinite: Share of images whose influence may be not finite; more stop the run. Defaults to 0.1.

    Raises:
        ValueError: If an argument is out of range.
    """

    needs_s_test = True
    column = 'influence'

    def __init__(self, score_thr: float = 0.1, max_boxes: int | None = None, class_agnostic: bool = False,
                 top_k: int = 1, batch_size: int | None = None, max_nonfinite: float = 0.1) -> None:
        if not 0 <= score_thr <= 1:
            raise ValueError(f'InfluenceSampler: expected 0 <= score_thr <= 1, got {score_thr}.')
        if (max_boxes is not None and max_boxes < 1) or top_k < 1:
            raise ValueError(f'InfluenceSampler: expected max_boxes >= 1 and top_k >= 1, got {max_boxes}, {top_k}.')
        self.rule = PseudoLabels(score_thr, max_boxes, class_agnostic, top_k)
        self.batch_size, self.max_nonfinite = batch_size, max_nonfinite

    def score(self, query: Query) -> Scores:
        """Score this process's share of the ids, then gather all of them."""
        share = self._score_share(query, query.ids[dist.get_rank()::dist.get_world_size()])
        merged = Scores({})
        for part in dist.all_gather_object(share):
            merged.value.update(part.value)
            merged.pseudo_boxes.update(part.pseudo_boxes)
            merged.unreadable.update(part.unreadable)
        merged.nonfinite = [i for i, value in merged.value.items() if not math.isfinite(value)]
        for i in merged.nonfinite:
            query.logger.warning(f'Image {i} is ranked last: its influence is not finite.')
        require_few(merged.nonfinite, len(merged.value), self.max_nonfinite, 'pool')
        return merged

    def _score_share(self, query: Query, ids: list) -> Scores:
        task, (dataset, rows) = query.task(), query.images()
        device = next(task.model.parameters()).device
        s_test = load_tensors(query.folder / 's_test.pth', device)
        parameters = dict(task.model.named_parameters())
        params = {name: parameters[name] for name in s_test}
        direction, scores, by_row = flatten(s_test), Scores({}), {rows[i]: i for i in ids}
        batch_size = self.batch_size or query.batch_size
        stream = batches(dataset, list(by_row), batch_size, query.num_workers)
        with task.loss_mode(), restrict_grad(task.model, params):
            for batch in track(stream, -(-len(ids) // batch_size), f'round {query.round}: scoring', query.logger):
                good = [(by_row[r], item) for r, item in batch if not isinstance(item, Unreadable)]
                scores.unreadable.update({by_row[r]: x.reason for r, x in batch if isinstance(x, Unreadable)})
                if not good:
                    continue
                keys, items = map(list, zip(*good, strict=True))
                derivative, counts = task.pseudo_derivative(items, keys, params, direction, self.rule)
                scores.value.update(zip(keys, (-derivative).tolist(), strict=True))
                scores.pseudo_boxes.update(zip(keys, counts, strict=True))
        if ids and len(scores.unreadable) == len(ids):
            raise RuntimeError(f'None of {len(ids)} images could be loaded; the first says: '
                               f'{next(iter(scores.unreadable.values()))}')
        return scores
