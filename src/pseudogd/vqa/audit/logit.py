"""A conditional logit on hashed features: of each question's candidate answers, which one is right.

The model of D. McFadden (1974): every candidate has a score that is linear in its features, and the candidates of a
question share one softmax. Features are hashed (Weinberger et al. 2009), photos are split into folds, and what is
answered is never of a photo that was learnt from.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.audit.items import Item

FEATURES = 1 << 15
FOLDS = 5
PENALTY = 1.0
STEPS = 60
Cues = Iterable[tuple[str, float]]


class Logit:
    """Questions with their features, counted once; answered as often as is asked, all of them or some.

    ``cues``: the named features of an item's k-th candidate, with values.
    """

    def __init__(self, items: Sequence[Item], cues: Callable[[Item, int], Cues]) -> None:
        from scipy.sparse import csr_matrix

        self.starts = np.concatenate([[0], np.cumsum([len(item.candidates) for item in items])]).astype(np.int64)
        self.rights = np.array([item.right for item in items], np.int64)
        self.folds = np.array([zlib.crc32(f"fold {item.image_id}".encode()) % FOLDS for item in items], np.int64)
        rows, columns, values = [], [], []
        for start, item in zip(self.starts, items):
            for k in range(len(item.candidates)):
                named = list(cues(item, k))
                norm = math.sqrt(sum(value * value for _, value in named)) or 1.0
                rows += [int(start) + k] * len(named)
                columns += [zlib.crc32(name.encode()) % FEATURES for name, _ in named]
                values += [value / norm for _, value in named]
        self.x = csr_matrix((values, (rows, columns)), shape=(int(self.starts[-1]), FEATURES))

    def answered(self, chosen: NDArray[np.int64] | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of the chosen questions (all by default), learnt from one another: how right, and by which lead.

        Returns two arrays (n,): 1 where the candidate with the best score is the right one (a share where several are
        best), and the right one's score less the best of the others.
        """
        chosen = np.arange(len(self.rights)) if chosen is None else chosen
        scores = np.zeros(self.x.shape[0])
        for fold in range(FOLDS):
            train, test = chosen[self.folds[chosen] != fold], chosen[self.folds[chosen] == fold]
            if len(train) and len(test):
                counts = (self.starts[1:] - self.starts[:-1])[train]
                weights = _fitted(self.x[_spans(self.starts, train)], counts, self.rights[train])
                places = _spans(self.starts, test)
                scores[places] = self.x[places] @ weights
        each = [scores[self.starts[k] : self.starts[k + 1]] for k in chosen]
        shares = [_share_right(mine, int(self.rights[k])) for mine, k in zip(each, chosen)]
        leads = [_lead(mine, int(self.rights[k])) for mine, k in zip(each, chosen)]
        return np.array(shares, np.float64), np.array(leads, np.float64)


def _spans(starts: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.arange(starts[i], starts[i + 1]) for i in chosen])


def _fitted(x, counts: NDArray[np.int64], rights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weights of least penalised negative log likelihood, by L-BFGS."""
    from scipy.optimize import minimize

    begin = np.concatenate([[0], np.cumsum(counts)[:-1]])
    hit, owner = begin + rights, np.repeat(np.arange(len(counts)), counts)
    used = np.unique(x.indices)
    x = x[:, used]
    xt = x.T.tocsr()

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        s = x @ w
        s = s - np.maximum.reduceat(s, begin)[owner]
        e = np.exp(s)
        total = np.add.reduceat(e, begin)
        p = e / total[owner]
        p[hit] -= 1.0
        value = float(np.log(total).sum() - s[hit].sum() + 0.5 * PENALTY * w @ w)
        return value, xt @ p + PENALTY * w

    found = minimize(loss, np.zeros(len(used)), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    weights = np.zeros(FEATURES)
    weights[used] = found.x
    return weights


def _share_right(scores: NDArray[np.float64], right: int) -> float:
    best = np.flatnonzero(scores >= scores.max() - 1e-9)
    return float(right in best) / len(best)


def _lead(scores: NDArray[np.float64], right: int) -> float:
    return float(scores[right] - np.delete(scores, right).max())
