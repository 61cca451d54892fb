"""A small batch with its geometry targets, and a `Joint` over a tiny student."""

import numpy as np
import torch
from PIL import Image

from pseudogd.distill.targets import cell_targets
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.student.batch import GeometryBatch, PhotoTargets
from pseudogd.student.chat import chat_text, encode_chats, user_turn
from pseudogd.student.head import GeometryHead
from pseudogd.student.joint import Joint
from pseudogd.student.taps import resolve_taps

SIZE = (90, 60)


def photo(seed):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8))


def geometry(seed, scale=Scale.METRIC):
    rng = np.random.default_rng(seed)
    depth = np.kron(rng.uniform(1, 4, (4, 6)), np.ones((15, 15))).astype(np.float32)
    camera = Camera(80.0, 80.0, 45.0, 30.0, *SIZE)
    return Geometry(depth, camera, scale=scale, teacher=TeacherInfo("t", "r", "h", "l"))


def make_batch(student, n=3, place="encoder", labels=True, without=()):
    texts = ["how far is the red chair ?", "which is nearer , the table or the lamp ?", "is it left ?", "what ?"]
    turns = [[user_turn(t), {"role": "assistant", "content": [{"type": "text", "text": "yes"}]}] for t in texts[:n]]
    inputs = encode_chats(
        student.processor, [chat_text(student.processor, t) for t in turns], [photo(i) for i in range(n)], "right"
    )
    if labels:
        inputs["labels"] = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
        inputs["labels"] = inputs["labels"].masked_fill(
            inputs["input_ids"] == student.model.config.image_token_id, -100
        )
    views = []
    for i in range(n):
        own = [] if i in without else student.family.views(SIZE, inputs, i, place)
        targets = [(v, cell_targets(geometry(i), v.boxes, v.grid, v.cell, True)) for v in own]
        views.append(PhotoTargets(targets, student.family.token_count(SIZE, inputs, i, place)))
    return dict(inputs), GeometryBatch.collate(views)


def with_head(student, taps=None, seed=0, shape=None, **options):
    taps = resolve_taps(taps, student.family)
    torch.manual_seed(seed)
    head = GeometryHead.for_family(student.family, taps, width=16, **(shape or {}))
    with torch.no_grad():  # as after some steps: zero last layers let no gradient through to the encoder
        for p in (head.cell.weight, head.view[-1].weight):
            p.normal_(0, 0.1)
    return Joint(student.model, student.family, head, taps=taps, **options)


def gradients(joint):
    return {n: p.grad.clone() for n, p in joint.named_parameters() if p.grad is not None}
