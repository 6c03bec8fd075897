"""Influence in the first round by guessed and by true labels: python true_labels.py PLAN_WORK_DIR OUT

It reads the plan's runs of ISAL, prints a line a seed, and writes the 200 images that the truth would choose to
OUT/seed_N.json, for given.py to train on. For the last layer both are exact: the influence of an image labeled y is
t[y] - p . t, where p are its probabilities and t is what s_test, taken for a layer, makes of its features.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmpretrain.registry import DATASETS, MODELS
from mmpretrain.utils import register_all_modules
from scipy.stats import spearmanr

from mmal.fileio.tensors import load_tensors
from mmal.fileio.text import read_json, write_json

HERE = Path(__file__).parent


def influences(run: Path, cfg: Config) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Ids of the pool; whether the guess is right; influence by the guess; by the true label."""
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor)).eval()
    model.load_state_dict(torch.load(run / 'round_00' / 'checkpoint.pth', weights_only=True)['state_dict'])
    s_test = load_tensors(run / 'round_00' / 's_test.pth', torch.device('cpu'))
    dataset = DATASETS.build(dict(cfg.train_dataloader.dataset, pipeline=cfg.test_pipeline))
    items = [dataset[i] for i in range(len(dataset))]
    with torch.no_grad():
        feats = torch.cat([model.extract_feat(model.data_preprocessor(pseudo_collate(items[i:i + 64]))['inputs'])[-1]
                           for i in range(0, len(items), 64)])
        p = model.head.fc(feats).softmax(1).numpy()
        t = (feats @ s_test['head.fc.weight'].T + s_test['head.fc.bias']).numpy()
    true = np.array([int(item['data_samples'].gt_label) for item in items])
    by_label, guess = t - (p * t).sum(1, keepdims=True), p.argmax(1)
    names = [line.split()[0] for line in (Path(cfg.data_root) / 'pool.txt').read_text().splitlines()]
    labeled = {image['id'] for image in read_json(run / 'initial.json')}
    pool = [i for i, name in enumerate(names) if name not in labeled]
    return ([names[i] for i in pool], (guess == true)[pool], by_label[pool, guess[pool]], by_label[pool, true[pool]])


def main() -> None:
    runs, out = Path(sys.argv[1]), Path(sys.argv[2])
    register_all_modules(init_default_scope=True)
    cfg = Config.fromfile(HERE / 'config.py')
    out.mkdir(parents=True, exist_ok=True)
    for run in sorted((runs / 'isal').glob('seed_*')):
        names, right, guessed, true = influences(run, cfg)
        isal, best = np.argsort(guessed)[:200], np.argsort(true)[:200]
        write_json(out / f'{run.name}.json', [names[i] for i in best])
        print(f'{run.name}: guesses right {right.mean():.2f}, rank correlation {spearmanr(guessed, true)[0]:.2f}, '
              f'of 200 chosen by both {len({*isal} & {*best})}; mean true influence of ISAL {true[isal].mean():.0f}, '
              f'the pool {true.mean():.0f}, the truth {true[best].mean():.0f}')


if __name__ == '__main__':
    main()
