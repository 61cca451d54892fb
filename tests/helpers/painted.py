"""Where does each visual token look? A picture painted with its own coordinates, read by a tower that changes nothing.

worst, compared = worst_error(student, [(150, 97), (64, 64)])
"""

import numpy as np
import torch
from PIL import Image
from torch import nn


def painted(width, height):
    """Red tells x, green tells y, both 0..1 across the photo; blue = inside of the photo."""
    x = np.broadcast_to((np.arange(width) + 0.5) / width, (height, width))
    y = np.broadcast_to(((np.arange(height) + 0.5) / height)[:, None], (height, width))
    return Image.fromarray(np.round(255 * np.stack([x, y, np.ones((height, width))], -1)).astype(np.uint8))


def blocks_of(tower):
    """The tower's blocks, wherever its class keeps them."""
    for path in ("blocks", "encoder.layers", "encoder.layer", "layers"):
        try:
            return tower.get_submodule(path)
        except AttributeError:
            continue
    raise AttributeError(f"{type(tower).__name__} has no blocks that are known here")


def make_identity(student):
    """Every hidden state of the tower becomes the mean colour of its patch."""
    tower = student.family.tower(student.model)
    with torch.no_grad():
        for p in blocks_of(tower).parameters():
            p.zero_()
        for name, p in tower.named_parameters():
            if any(word in name for word in ("position_embedding", "pos_embed", "class_embedding", "cls_token")):
                p.zero_()
        conv = next(m for m in tower.modules() if isinstance(m, (nn.Conv2d, nn.Conv3d)))
        conv.weight.zero_()
        if conv.bias is not None:
            conv.bias.zero_()
        for c in range(3):
            conv.weight[c, c] = 1.0 / conv.weight[c, c].numel()
    if hasattr(tower, "pre_layrnorm"):
        tower.pre_layrnorm = nn.Identity()


def colours(student, hidden):
    """(all tokens, 3): the colour that each token says its patch has."""
    ip = student.processor.image_processor
    return hidden.reshape(-1, hidden.shape[-1])[:, :3] * torch.tensor(ip.image_std) + torch.tensor(ip.image_mean)


def batch_of(student, sizes, rows=None):
    """What the processor makes of painted pictures of these sizes: one a prompt, or `rows` of them a prompt."""
    images, mark = [painted(*s) for s in sizes], student.family.photo_text()
    rows = rows or [1] * len(images)
    groups, taken = [], 0
    for count in rows:
        groups.append(images[taken : taken + count])
        taken += count
    text = [" ".join([mark] * len(group)) + " which is nearer" for group in groups]
    return student.processor(images=groups, text=text, padding=True, return_tensors="pt")


def worst_error(student, sizes, encoding=None, read=colours, place="encoder"):
    """Largest distance, in cells, between where a view puts a cell and where its token says it is; cells compared.

    `student` must have been made an identity, and for place "projector" its projector too; `encoding` is what its
    processor made of painted pictures of `sizes`.
    """
    encoding = batch_of(student, sizes) if encoding is None else encoding
    with torch.no_grad():
        encoded = student.family.encode(student.model, encoding)
    offsets = student.family.token_offsets(sizes, encoding, place)
    total = int(offsets[-1]) + student.family.token_count(sizes[-1], encoding, len(sizes) - 1, place)
    worst, compared = 0.0, 0
    layers = [encoded.hidden_states[i] for i in (1, student.family.last_read)]
    for hidden in [encoded.tokens] if place == "projector" else layers:
        assert hidden.shape[:-1].numel() == total, "the photos' token counts do not add up to the tower's output"
        flat = read(student, hidden)
        for i, (w, h) in enumerate(sizes):
            for view in student.family.views((w, h), encoding, i, place):
                assert len(view.tokens) == len(view.boxes) == view.grid[0] * view.grid[1]
                rgb = flat[torch.from_numpy(view.tokens) + offsets[i]].numpy()
                x0, y0, x1, y1 = view.boxes.T
                inside = (x0 >= -0.5) & (y0 >= -0.5) & (x1 <= w + 0.5) & (y1 <= h + 0.5) & (rgb[:, 2] > 0.995)
                error = np.stack(
                    [
                        np.abs(rgb[:, 0] * w - (x0 + x1) / 2) / (x1 - x0),
                        np.abs(rgb[:, 1] * h - (y0 + y1) / 2) / (y1 - y0),
                    ]
                )
                worst = max(worst, error[:, inside].max(initial=0.0))
                compared += int(inside.sum())
    return worst, compared
