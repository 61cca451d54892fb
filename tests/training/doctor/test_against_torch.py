"""Operations and bytes of a real step as torch counts them, beside what is estimated of the same batch."""

from contextlib import nullcontext

import pytest
import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils.flop_counter import FlopCounterMode

from pseudogd.student.load import load_student
from pseudogd.training.attention import attention_for
from pseudogd.training.doctor.estimate import Estimate
from pseudogd.training.recipe import changed
from pseudogd.training.setup import assemble
from pseudogd.training.sharding import shard

FAMILIES = ["llava", "qwen2_5_vl", "smolvlm"]
LORA = {"tower": {"r": 8}, "llm": {"r": 8}}
HALF = {"optim__precision": "bf16"}
WAYS = {
    "full": {},
    "full, bf16": HALF,
    "LoRA": {"lora": LORA},
    "LoRA over bf16": {"lora": LORA, "model__dtype": "bfloat16", **HALF},
    "frozen language model": {"optim__lr": {"tower": 1e-3, "projector": 1e-3, "llm": 0.0, "head": 1e-3}},
    "recomputed": {"optim__gradient_checkpointing": True},
}


class Real:
    """The batch that the case's estimate is of, and the model with its weights, ready for a step."""

    def __init__(self, case):
        self.case = case
        student = load_student(case.recipe.model.path, dtype=case.recipe.model.dtype)
        self.setup = assemble(case.recipe, student, case.rows, case.photos)
        self.joint = self.setup.joint.train()
        self.batch = self.setup.collator([self.setup.rows[index] for index in case.heaviest])
        self.half = case.recipe.optim.precision == "bf16"

    def loss(self):
        with torch.autocast("cpu", torch.bfloat16) if self.half else nullcontext():
            return self.joint(self.batch["inputs"], self.batch["geometry"], lam=0.3).loss

    def operations(self):
        self.joint.plain_model().set_attn_implementation("eager")  # the counter does not know fused kernels of a CPU
        with FlopCounterMode(display=False) as counter:
            self.loss().backward()
        return counter.get_total_flops()

    def kept(self):
        """Bytes that wait for the backward pass, but for the parameters themselves."""
        frozen = [p for module in self.joint._frozen for p in (*module.parameters(), *module.buffers())]
        own = {t.untyped_storage().data_ptr() for t in (*self.joint.parameters(), *self.joint.buffers(), *frozen)}
        waiting = {}

        def pack(tensor):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                waiting[storage.data_ptr()] = tensor  # which keeps another from getting its place
            return tensor

        with (
            torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
            attention_for(self.joint.plain_model(), self.half and self.setup.isolated),
        ):
            loss = self.loss()
        assert loss.requires_grad
        return sum(tensor.untyped_storage().nbytes() for tensor in waiting.values())


@pytest.mark.slow
@pytest.mark.parametrize("way", ["full", "LoRA", "frozen language model", "recomputed"])
@pytest.mark.parametrize("family", FAMILIES)
def test_operations_are_those_that_torch_counts(family, way, case_of, medium):
    case = case_of(**medium(family), **WAYS[way])
    work = case.estimate.work
    assert work.linear + work.full + work.attention == pytest.approx(Real(case).operations(), rel=0.035)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["full", "full, bf16", "LoRA over bf16", "frozen language model"])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_waits_for_the_backward_pass_is_what_autograd_keeps(family, way, case_of, medium):
    case = case_of(**medium(family), **WAYS[way])
    need = case.estimate.memory
    assert need.activations + need.logits == pytest.approx(Real(case).kept(), rel=0.07)


def held(joint):
    """Bytes of one process's weights, the frozen copy's too, whoever shares them: each storage once."""
    weights = [p for module in (joint, *joint._frozen) for p in module.parameters()]
    local = [p.to_local() if isinstance(p, DTensor) else p for p in weights]
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in local}.values())


@pytest.mark.slow
@pytest.mark.parametrize("way", ["full, bf16", "LoRA over bf16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_under_fsdp_the_anchor_adds_to_each_process_what_it_adds_to_the_weights_torch_holds(
    family, way, case_of, medium, monkeypatch
):
    """Torch shards as for two processes; the other one does not exist, and nothing is sent to it."""
    added, estimated = {}, {}
    monkeypatch.setenv("WORLD_SIZE", "2")
    for weight in (0.0, 0.1):
        case = case_of(**medium(family), **WAYS[way], geometry__weights={"anchor": weight})
        recipe = changed(case.recipe, {"optim.fsdp": True})
        estimate = Estimate(case.model, case.student.family, case.head, recipe, case.found.batch, world=2)
        joint = Real(case).joint
        dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
        try:
            shard(joint, torch.device("cpu"))
            added[weight], estimated[weight] = held(joint), estimate.memory.weights
        finally:
            dist.destroy_process_group()
    assert estimated[0.1] - estimated[0.0] == pytest.approx(added[0.1] - added[0.0], rel=0.005)
