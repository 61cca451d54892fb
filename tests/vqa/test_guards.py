"""Facts of several streams in turn."""

import numpy as np

from pseudogd.vqa.guards import blend


def test_every_stream_has_its_share_however_few_facts_are_taken():
    first = [
        next(blend(np.random.default_rng(seed), (2, iter(["pair"] * 3)), (1, iter(["group"] * 3))))
        for seed in range(600)
    ]
    assert 0.25 < first.count("group") / len(first) < 0.42


def test_streams_go_on_when_one_has_ended():
    for seed in range(5):
        streams = (2, iter("ab")), (1, iter("xyz"))
        got = list(blend(np.random.default_rng(seed), *streams))
        assert sorted(got) == sorted("abxyz") and [c for c in got if c in "xyz"] == list("xyz")
