"""A detector that mmdet's own Runner trained for a moment, and a folder of photographs to choose from."""

import json
import shutil

from mmengine.runner import Runner

from mmal.cli.select import main
from tests.conftest import coco, make_dataset, tiny_cfg


def make_world(root):
    """A plain config, its checkpoint, and 20 new photographs with a labeled one and a copy of another among them."""
    root.mkdir(exist_ok=True)
    dataset = make_dataset(root / 'set')
    cfg = tiny_cfg(root / 'trained', dataset)
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2, val_interval=10)
    cfg.default_hooks.checkpoint.update(interval=2)
    cfg.pop('custom_hooks')
    cfg.experiment_name = 'plain'
    Runner.from_cfg(cfg).train()
    (root / 'photos').mkdir()
    (root / 'truth.json').write_text(json.dumps(coco(20, root / 'photos', seed=5)))
    shutil.copy(dataset / 'set_001.png', root / 'photos' / 'another_name.png')
    (root / 'photos' / 'set_002.png').symlink_to(dataset / 'set_002.png')
    for key in ('work_dir', 'launcher', 'experiment_name'):
        cfg.pop(key)
    cfg.dump(root / 'plain.py')
    return root


def call(root, *more, out='out', config='plain.py', images='photos', budget=5, checkpoint='trained/epoch_2.pth'):
    """Select; the folder of the selection, or the message it ends with."""
    argv = [root / config, root / checkpoint, '--images', root / images, '--budget', budget, '--out', root / out, *more]
    try:
        main([str(word) for word in argv])
    except SystemExit as end:
        return str(end.code)
    return root / out
