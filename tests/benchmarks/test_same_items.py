"""The same bench in every process, whatever order Python gives to sets there."""

import os
import subprocess
import sys

CODE = """
import numpy as np
from pseudogd.benchmarks.selection import Candidate, choose
rng = np.random.default_rng(0)
names = [f"{c} {k}" for c in ("red", "blue", "green", "pink") for k in ("chair", "table", "box", "lamp")]
pool = []
for n in range(600):
    options = [str(name) for name in rng.permutation(names)[:3]]
    question = f"Which of these is nearest to the {rng.choice(names)} in space?"
    pool.append(Candidate(photo=f"p{n // 4}", sub_task="Localization", form="f", question=question, options=options,
                          answer=int(rng.integers(3)), about=("chair", "table"), shortcut=bool(n % 2), row={}))
print([c.key for c in choose(pool, 300, 3, np.random.default_rng(1))])
"""


def test_the_order_of_sets_chooses_no_item():
    said = {
        subprocess.run(
            [sys.executable, "-c", CODE],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(said) == 1 and len(said.pop()) > 1000
