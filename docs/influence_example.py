"""Which unlabeled digits should be labeled next? Influence on its own: torch, scikit-learn, a few seconds."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

from mmal.influence.api import Influence

LABELED, REFERENCE, POOL, QUERY, SEEDS = 100, 200, 1000, 50, 5
images, labels = (torch.tensor(a) for a in load_digits(return_X_y=True))
images = (images / 16).float()


def losses(model, batch):
    """The loss of each sample, shape (N,)."""
    return F.cross_entropy(model(batch[0]), batch[1], reduction='none')


def train(ids, seed):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=1e-3)
    for _ in range(150):
        optimizer.zero_grad()
        losses(model, (images[ids], labels[ids])).mean().backward()
        optimizer.step()
    return model.eval()


@torch.no_grad()
def measure(model, reference, test):
    right = model(images[test]).argmax(1) == labels[test]
    return [losses(model, (images[reference], labels[reference])).mean(), right.float().mean()]


results = {f'{LABELED} labels': [], f'+ {QUERY} most helpful': [], f'+ {QUERY} at random': []}
for seed in range(SEEDS):
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    labeled, reference, pool, test = order.tensor_split([LABELED, LABELED + REFERENCE, LABELED + REFERENCE + POOL])
    model = train(labeled, seed)

    influence = Influence(model, losses, log=lambda text, seed=seed: seed or print(text))
    influence.fit([(images[labeled], labels[labeled])], [(images[reference], labels[reference])])
    guesses = model(images[pool]).argmax(1)  # nobody has labeled the pool: the model's own labels
    scores = influence.scores((images[pool], guesses))

    best = scores.argsort()
    if seed == 0:
        print('The 5 most helpful:')
        for i in best[:5]:
            print(f'digit {pool[i]:4d}  I = {scores[i]:8.3f}  model: {guesses[i]}  truth: {labels[pool[i]]}')
    for name, more in zip(results, (pool[:0], pool[best[:QUERY]], pool[:QUERY]), strict=True):
        results[name].append(measure(train(torch.cat([labeled, more]), seed), reference, test))
print(f'Mean and standard deviation of {SEEDS} seeds:')
for name, rows in results.items():
    (loss, right), (loss_std, right_std) = torch.tensor(rows).mean(0), torch.tensor(rows).std(0)
    print(f'{name:18}  reference loss {loss:.3f} +- {loss_std:.3f}   test accuracy {right:.3f} +- {right_std:.3f}')
