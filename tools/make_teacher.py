"""Train the embedded teacher: a tiny metric `DepthAnythingForDepthEstimation` with a canonical focal length.

    python tools/make_teacher.py --pool runs/pool --out src/pseudogd/world/checkpoints/teacher --minutes 60

The pool is a rendered `train` folder (made if it is missing) whose photos no other stage ever reads. The network learns
z * F / f (canonical depth, F = 128 px at its own input), so that metres = output * f / F for whoever knows f.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as coco
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

from pseudogd.world import render_folder

CANONICAL_FOCAL = 128.0
SMALL = 330  # pixels: 2 % of a picture of 128 px
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def network(size: int) -> DepthAnythingForDepthEstimation:
    backbone = Dinov2Config(
        image_size=size, patch_size=8, hidden_size=128, num_hidden_layers=6, num_attention_heads=4, mlp_ratio=3,
        out_indices=[2, 3, 5, 6], reshape_hidden_states=False, apply_layernorm=True, layerscale_value=1.0,
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, patch_size=8, reassemble_hidden_size=128, reassemble_factors=[2, 1, 1, 0.5],
        neck_hidden_sizes=[24, 32, 48, 64], fusion_hidden_size=24, head_hidden_size=16,
        depth_estimation_type="metric", max_depth=16,
    )  # fmt: skip
    config.canonical_focal_px = CANONICAL_FOCAL
    return DepthAnythingForDepthEstimation._from_config(
        config, attn_implementation="eager"
    )  # faster than SDPA in bf16 on CPU


def load(folder: Path) -> DepthAnythingForDepthEstimation:
    return DepthAnythingForDepthEstimation.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")


class Optimizers:
    """Muon (Jordan et al. 2024) for the matrices of the backbone's blocks, AdamW for everything else.

    Muon's updates are scaled to the size of AdamW's (`match_rms_adamw`), so that one rate serves both.
    """

    def __init__(self, model: DepthAnythingForDepthEstimation, lr: float) -> None:
        blocks = {id(p) for p in model.backbone.encoder.parameters() if p.ndim == 2}
        matrices = [p for p in model.parameters() if id(p) in blocks]
        others = [p for p in model.parameters() if id(p) not in blocks]
        self.each = (
            torch.optim.Muon(matrices, lr=lr, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=lr, weight_decay=0.02, betas=(0.9, 0.98)),
        )

    def step(self, lr: float) -> None:
        for optimizer in self.each:
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.step()
            optimizer.zero_grad()


def load_pool(folder: Path, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Photos (n, 3, H, W) uint8, canonical depth (n, H, W) float16 and weights of pixels (n, H, W) uint8."""
    if not (folder / "annotations.json").is_file():
        render_folder(folder, n, "train", seed=seed, workers=2)
    cameras = json.loads((folder / "cameras.json").read_text())
    annotations = json.loads((folder / "annotations.json").read_text())
    names = {image["id"]: Path(image["file_name"]).stem for image in annotations["images"]}
    things: dict[str, list] = {}
    for row in annotations["annotations"]:
        things.setdefault(names[row["image_id"]], []).append(row["segmentation"])
    images, depths, weights = [], [], []
    for name in sorted(cameras)[:n]:
        images.append(np.asarray(Image.open(folder / "images" / f"{name}.png")).transpose(2, 0, 1))
        z = np.asarray(Image.open(folder / "depth" / f"{name}.png")).astype(np.float32) / 1000
        depths.append((z * CANONICAL_FOCAL / cameras[name]["fx"]).astype(np.float16))
        weights.append(weights_of(things.get(name, []), z.shape))
    return np.stack(images), np.stack(depths), np.stack(weights)


def weights_of(masks: list, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8: 1 for the room, 2-9 for things, the more the smaller: questions are about things."""
    weights = np.ones(shape, np.uint8)
    for mask in masks:
        inside = coco.decode(mask).astype(bool)
        weights[inside] = 1 + np.clip(SMALL / max(1, inside.sum()), 1, 8)
    return weights


def augment(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """(B, 3, H, W) in [0, 1]: gain per channel, gamma, saturation, noise. The held-out world has other colours."""
    b = len(x)

    def draw(lo, hi, *shape):
        return torch.from_numpy(rng.uniform(lo, hi, (b, *shape)).astype(np.float32))

    x = x.clamp(1e-3, 1) ** draw(0.75, 1.3, 1, 1, 1)
    gray = x.mean(1, keepdim=True)
    x = gray + (x - gray) * draw(0.2, 1.3, 1, 1, 1)
    x = x * draw(0.8, 1.2, 3, 1, 1)
    return (x + torch.randn_like(x) * 0.02).clamp(0, 1)


def loss_of(pred: torch.Tensor, true: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted mean |log ratio|, plus the plain mean of the same of differences between pixels 1 and 4 apart."""
    e = pred.clamp_min(1e-2).log() - true.log()
    loss = (e.abs() * weights).sum() / weights.sum()
    for step in (1, 4):
        dx, dy = e[..., step:] - e[..., :-step], e[..., step:, :] - e[..., :-step, :]
        loss = loss + 0.25 * (dx.abs().mean() + dy.abs().mean())
    return loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=14000)
    parser.add_argument("--pool-seed", type=int, default=1000)
    parser.add_argument(
        "--minutes", type=float, default=60, help="the schedule is written for this much wall-clock time"
    )
    parser.add_argument("--steps", type=int, help="instead of --minutes: exactly reproducible")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--start", type=Path, help="go on from the weights of this checkpoint")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    images, depths, weights = load_pool(args.pool, args.photos, args.pool_seed)
    model = load(args.start) if args.start else network(images.shape[-1])
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, {len(images)} photos", flush=True)
    optimizers = Optimizers(model, args.lr)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    start, step, average = time.time(), 0, None
    model.train()
    while True:
        done = step / args.steps if args.steps else (time.time() - start) / (60 * args.minutes)
        if done >= 1:
            break
        rate = args.lr * min(1, (step + 1) / 200) * (0.5 * (1 + np.cos(np.pi * done)) + 0.005)
        pick = rng.integers(len(images), size=args.batch)
        x = torch.from_numpy(images[pick]).float() / 255
        y, w = (torch.from_numpy(values[pick]).float() for values in (depths, weights))
        if rng.random() < 0.5:
            x, y, w = (values.flip(-1) for values in (x, y, w))
        x = (augment(x, rng) - mean) / std
        with torch.autocast("cpu", torch.bfloat16):
            pred = model(pixel_values=x).predicted_depth
        loss = loss_of(pred.float(), y, w)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizers.step(rate)
        average = loss.item() if average is None else 0.99 * average + 0.01 * loss.item()
        step += 1
        if step % 100 == 0:
            print(f"step {step} loss {average:.4f} {(time.time() - start) / step:.3f} s/step", flush=True)
        if step % 1000 == 0:
            save(model, args.out)
    save(model, args.out)
    earlier = json.loads((args.start / "training.json").read_text())["runs"] if args.start else []
    this = {"seed": args.seed, "steps": step, "batch": args.batch, "lr": args.lr, "photos": len(images),
            "pool_seed": args.pool_seed, "threads": args.threads, "seconds": round(time.time() - start)}  # fmt: skip
    record = {"command": "tools/make_teacher.py", "runs": [*earlier, this]}
    (args.out / "training.json").write_text(json.dumps(record, indent=1) + "\n")
    print(record)


def save(model: DepthAnythingForDepthEstimation, out: Path) -> None:
    """Half-precision weights, and the image processor's settings in its own file format."""
    out.mkdir(parents=True, exist_ok=True)
    state = {k: v.detach().to(torch.float16) for k, v in model.state_dict().items()}
    model.save_pretrained(out, state_dict=state)
    size = model.config.backbone_config.image_size
    size = size[0] if isinstance(size, (list, tuple)) else size
    processor = {
        "image_processor_type": "DPTImageProcessor", "do_resize": True, "size": {"height": size, "width": size},
        "keep_aspect_ratio": True, "ensure_multiple_of": 8, "resample": 3, "do_rescale": True,
        "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": list(MEAN), "image_std": list(STD),
    }  # fmt: skip
    (out / "preprocessor_config.json").write_text(json.dumps(processor, indent=1) + "\n")


if __name__ == "__main__":
    main()
