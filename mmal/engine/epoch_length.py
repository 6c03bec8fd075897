"""How many batches an epoch has, as the host's own data loader counts them."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any

from mmengine.runner import Runner


def epoch_length(loader: Mapping[str, Any], dataset: Mapping[str, Any] | Sized) -> int:
    """The number of batches that each process gets in an epoch.

    Batch size, data sampler, batch sampler and ``drop_last`` count as the host has them. No worker
    is started, and nothing is loaded.

    Args:
        loader: A ``train_dataloader`` of a config. Its dataset is not looked at. The scope of the
            registries must be that of the config.
        dataset: Config of the dataset; or anything of its length, such as ``range(100)``, where
            there is no dataset yet.
    """
    cfg = dict(loader, dataset=dataset, num_workers=0, persistent_workers=False)
    cfg.pop('prefetch_factor', None)
    # A seed, which does not change the length, keeps processes from agreeing on one.
    return len(Runner.build_dataloader(cfg, seed=0))
