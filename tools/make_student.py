"""Train the embedded student base: a tiny LLaVA that knows what and where in the picture, and nothing about depth.

    torchrun --nproc-per-node 2 tools/make_student.py --pool runs/pool --out src/pseudogd/world/checkpoints/student

First the per-patch loss alone (`--see-minutes`), then answers to questions about the flat picture (`flat_questions.py`)
with the losses of `student_losses.py` beside them. Each process uses one thread and takes its own part of a batch.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from flat_questions import COLOR_NAMES, KIND_NAMES, TASKS, Thing, turns
from PIL import Image
from pycocotools import mask as coco
from student_losses import Base, Marker
from student_model import ASSISTANT, GRID, IMAGE, SIZE, USER, make_model, make_tokenizer, save
from transformers import AutoTokenizer

from pseudogd.training.memory import trim_heap
from pseudogd.world import render_folder

HELD = 300


class Pool:
    """Rendered photos in memory: pixels at the student's size, things, per-patch labels."""

    def __init__(self, folder: Path, n: int) -> None:
        data = json.loads((folder / "annotations.json").read_text())
        kinds = {c["id"]: c["name"] for c in data["categories"]}
        rows: dict[int, list] = {}
        for a in data["annotations"]:
            rows.setdefault(a["image_id"], []).append(a)
        images = [i for i in data["images"] if len(rows.get(i["id"], [])) >= 3][:n]
        self.pixels = np.empty((len(images), SIZE, SIZE, 3), np.uint8)
        self.labels = np.zeros((len(images), 2, GRID * GRID), np.uint8)  # kind and colour, 0 = neither
        self.things: list[list[Thing]] = []
        self.shares: list[np.ndarray] = []  # of each thing: how much of each patch it covers
        rng = np.random.default_rng(0)
        for i, image in enumerate(images):
            photo = Image.open(folder / "images" / image["file_name"])
            self.pixels[i] = np.asarray(photo.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
            self.things.append([])
            share = np.full((len(rows[image["id"]]) + 1, GRID * GRID), 0.25, np.float32)
            for k, a in enumerate(rows[image["id"]]):
                mask = coco.decode(a["segmentation"])
                h, w = mask.shape
                small = np.asarray(Image.fromarray(mask * 255).resize((GRID, GRID), Image.Resampling.BOX), np.float32)
                share[k + 1] = small.ravel() / 255
                ys, xs = np.nonzero(mask)
                at = rng.integers(len(ys))
                x, y, bw, bh = a["bbox"]
                inside = ((xs[at] + 0.5) / w, (ys[at] + 0.5) / h)
                self.things[-1].append(
                    Thing(a["color"], kinds[a["category_id"]], (x + bw / 2) / w, (y + bh / 2) / h, inside)
                )
            owner = share.argmax(0)
            self.shares.append(share[1:] + 1e-6)
            names = [(0, 0), *((KIND_NAMES.index(t.kind) + 1, COLOR_NAMES.index(t.color) + 1) for t in self.things[-1])]
            self.labels[i] = np.array(names, np.uint8)[owner].T

    def photo(self, i: int, mirror: bool):
        """(pixels, things, shares, labels) of one photo, or of its mirror image."""
        pixels, things, shares, labels = self.pixels[i], self.things[i], self.shares[i], self.labels[i]
        if not mirror:
            return pixels, things, shares, labels
        things = [replace(t, u=1 - t.u, inside=(1 - t.inside[0], t.inside[1])) for t in things]
        return pixels[:, ::-1], things, flip_cells(shares), flip_cells(labels)


def flip_cells(x: np.ndarray) -> np.ndarray:
    """(n, cells) of the mirrored picture."""
    return x.reshape(len(x), GRID, GRID)[:, :, ::-1].reshape(len(x), -1)


def lay_out(prefix: list[int], pairs: list[tuple[list[int], list[int]]], length: int):
    """Ids, positions, labels and turn numbers of one photo with many turns that cannot see each other."""
    ids, pos, labels, turn = list(prefix), list(range(len(prefix))), [-100] * len(prefix), [0] * len(prefix)
    for k, (question, answer) in enumerate(pairs, 1):
        row = question + answer
        if len(ids) + len(row) > length:
            break
        ids += row
        pos += range(len(prefix), len(prefix) + len(row))
        labels += [-100] * len(question) + answer
        turn += [k] * len(row)
    return ids, pos, labels, turn


def collate(rows, pad: int):
    """Ids, positions, labels (B, T), additive mask (B, 1, T, T): a turn sees the picture and itself."""
    n = max(len(r[0]) for r in rows)
    out = [torch.tensor([r[j] + [fill] * (n - len(r[j])) for r in rows]) for j, fill in enumerate((pad, 0, -100, -1))]
    turn = out[3]
    see = (turn[:, :, None] == turn[:, None, :]) | (turn[:, None, :] == 0)
    see &= torch.ones(n, n, dtype=torch.bool).tril() & (turn[:, None, :] >= 0)
    see |= torch.eye(n, dtype=torch.bool)
    mask = torch.where(see, 0.0, -1e4).to(torch.bfloat16)[:, None]  # float32 would slow attention
    return *out[:3], mask


def augment(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """(B, 3, H, W) in [0, 1]: gamma, gain per channel (little: colours have names), noise."""
    b = len(x)

    def draw(lo, hi, *shape):
        return torch.from_numpy(rng.uniform(lo, hi, (b, *shape)).astype(np.float32))

    x = x.clamp(1e-3, 1) ** draw(0.75, 1.3, 1, 1, 1) * draw(0.94, 1.06, 3, 1, 1)
    return x + torch.randn_like(x) * 0.02


class Batches:
    """Rows of questions about photos of the pool, ready for `Base`."""

    def __init__(self, pool: Pool, tokenizer, turns_per_row: int) -> None:
        self.pool, self.tokenizer, self.n = pool, tokenizer, turns_per_row
        self.prefix = [tokenizer.convert_tokens_to_ids(IMAGE)] * GRID * GRID
        self.user, self.assistant = tokenizer.convert_tokens_to_ids([USER, ASSISTANT])
        self.marker = Marker(tokenizer, self.user, self.assistant)

    def row(self, rng, things, choices: float):
        qa = turns(rng, things, self.n, choices)
        texts = self.tokenizer([t for _, q, a in qa for t in (q, a)], add_special_tokens=False).input_ids
        asked = [[self.user, *ids, self.assistant] for ids in texts[::2]]
        answered = [[*ids, self.tokenizer.eos_token_id] for ids in texts[1::2]]
        pairs = list(zip(asked, answered))
        return lay_out(self.prefix, pairs, 480), [(task, "\n" in q) for task, q, _ in qa]

    def photos(self, rng, picks, train: bool):
        photos = [self.pool.photo(i, train and rng.random() < 0.5) for i in picks]
        x = torch.from_numpy(np.stack([p[0] for p in photos])).permute(0, 3, 1, 2).float() / 255
        patches = torch.from_numpy(np.stack([p[3] for p in photos])).long()
        return (augment(x, rng) if train else x) * 2 - 1, patches, photos

    def __call__(self, rng, picks, train: bool, choices: float = 1.0):
        pixels, patches, photos = self.photos(rng, picks, train)
        rows = [self.row(rng, p[1], choices) for p in photos]
        _, things, shares, labels = zip(*photos)
        marks = self.marker.batch([r[0] for r, _ in rows], things, shares, labels)
        text = collate([r for r, _ in rows], self.tokenizer.pad_token_id)
        return (pixels, *text, patches, marks), rows


class Run:
    """Training loops over one model, the same in every process: gradients are averaged before each step."""

    def __init__(self, args: argparse.Namespace, base: Base, batches: Batches) -> None:
        self.args, self.base, self.batches = args, base, batches
        self.rank, self.world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        self.rng = np.random.default_rng([args.seed, self.rank])
        self.held = list(range(len(batches.pool.things) - HELD, len(batches.pool.things)))

    def shared(self, numbers: list[float]) -> np.ndarray:
        """Means over the processes of the gradients (in place) and of a few numbers."""
        if self.world == 1:
            return np.array(numbers)
        grads = [p.grad for p in self.base.parameters() if p.grad is not None]
        flat = torch.cat([g.flatten() for g in grads] + [torch.tensor(numbers)])
        dist.all_reduce(flat)
        flat /= self.world
        at = 0
        for g in grads:
            g.copy_(flat[at : at + g.numel()].view_as(g))
            at += g.numel()
        return flat[at:].numpy()

    def train(self, name: str, minutes: float, batch_size: int, lr: float, loss_of) -> int:
        """AdamW with a cosine schedule, for so many minutes or, with --steps, that share of the steps."""
        args = self.args
        optimizer = torch.optim.AdamW(self.base.parameters(), lr=lr, weight_decay=0.02, betas=(0.9, 0.98))
        begun, step, average, done = time.time(), 0, None, 0.0
        limit = args.steps and round(args.steps * minutes / (args.minutes + args.see_minutes))
        while done < 1:
            for group in optimizer.param_groups:
                group["lr"] = lr * min(1, (step + 1) / 150) * (0.5 * (1 + np.cos(np.pi * done)) + 0.005)
            picks = self.rng.integers(len(self.batches.pool.things) - HELD, size=batch_size)
            with torch.autocast("cpu", torch.bfloat16):
                losses = loss_of(picks, done)
            optimizer.zero_grad()
            sum(losses).backward()
            now = [loss.item() for loss in losses]
            clock = step / limit if limit else (time.time() - begun) / (60 * minutes)
            *now, done = self.shared([*(now + [0.0] * 9)[:9], clock])
            torch.nn.utils.clip_grad_norm_(self.base.parameters(), 1.0)
            optimizer.step()
            average = np.array(now) if average is None else 0.98 * average + 0.02 * np.array(now)
            step += 1
            if step % 200 == 0:
                trim_heap()
            if self.rank == 0 and step % 100 == 0:
                print(f"{name} {step} {average.round(3)} {(time.time() - begun) / step:.3f} s/step", flush=True)
            if self.rank == 0 and step % 500 == 0 and name == "answer":
                print({k: round(v, 3) for k, v in check(self.base, self.batches, self.held).items()}, flush=True)
                save(self.base.llava, self.batches.tokenizer, args.out)
        return step

    def see(self, picks, done):
        pixels, patches, _ = self.batches.photos(self.rng, picks, True)
        return [self.base.see(pixels, patches)]

    def answer(self, picks, done):
        # first in words, then by letters as well: to choose a letter one must know the answer
        early = done < self.args.words_first
        return self.base(*self.batches(self.rng, picks, True, 0.15 if early else 1.0)[0])[0]


@torch.no_grad()
def check(base: Base, batches: Batches, held: list[int]) -> dict[str, float]:
    """Share of turns whose answer tokens are all right (teacher forced), by task, on photos that were kept out."""
    rng, right = np.random.default_rng(1), {}
    base.eval()
    for at in range(0, len(held), 30):
        inputs, rows = batches(rng, held[at : at + 30], False)
        with torch.autocast("cpu", torch.bfloat16):
            correct = base(*inputs)[1].numpy()
        at = 0
        for (_, _, labels, turn), tasks in rows:
            labels, turn = np.array(labels), np.array(turn)
            counts = np.bincount(turn[labels != -100], minlength=len(tasks) + 1)[1:]
            for (task, choice), n in zip(tasks, counts):
                if n:
                    right.setdefault((task, choice), []).append(bool(correct[at : at + n].all()))
                at += n
    base.train()
    scores = {}
    for task, _ in TASKS:
        for choice, form in ((False, "words"), (True, "letters")):
            if (task.__name__, choice) in right:
                scores[f"{task.__name__}.{form}"] = float(np.mean(right[task.__name__, choice]))
    for form in ("words", "letters"):
        scores[form] = float(np.mean([v for k, v in scores.items() if k.endswith(form)]))
    return {**scores, "mean": float(np.mean([v for k, v in scores.items() if "." in k]))}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=14000)
    parser.add_argument("--pool-seed", type=int, default=1000)
    parser.add_argument("--from", dest="start", type=Path, help="go on from an earlier checkpoint of this tool")
    parser.add_argument("--see-minutes", type=float, default=12, help="of the per-patch loss alone, first")
    parser.add_argument("--minutes", type=float, default=90, help="the schedule is written for this wall-clock time")
    parser.add_argument("--words-first", type=float, default=0.3, help="share of it with few questions by letter")
    parser.add_argument("--steps", type=int, help="instead of minutes: exactly reproducible")
    parser.add_argument("--batch", type=int, default=16, help="photos per process")
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    torch.set_num_threads(1)
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        dist.init_process_group("gloo")
    torch.manual_seed(args.seed)
    tokenizer = AutoTokenizer.from_pretrained(args.start) if args.start else make_tokenizer()
    model = make_model(tokenizer)
    if args.start:
        model.load_state_dict(type(model).from_pretrained(args.start, dtype=torch.float32).state_dict())
    if not (args.pool / "annotations.json").is_file():
        if int(os.environ.get("RANK", 0)) == 0:
            render_folder(args.pool, args.photos, "train", seed=args.pool_seed, workers=2)
        if dist.is_initialized():
            dist.barrier()
    run = Run(args, Base(model, tokenizer), Batches(Pool(args.pool, args.photos), tokenizer, args.turns))
    torch.manual_seed(args.seed * 1000 + run.rank)
    start = time.time()
    if run.rank == 0:
        count = sum(p.numel() for p in model.parameters())
        print(f"{count / 1e6:.2f} M parameters, {len(tokenizer)} tokens, {len(run.held)} photos kept out", flush=True)
    seen = run.train("see", args.see_minutes, 2 * args.batch, 2e-3, run.see) if args.see_minutes else 0
    answered = run.train("answer", args.minutes, args.batch, args.lr, run.answer)
    if run.rank == 0:
        scores = check(run.base, run.batches, run.held)
        save(model, tokenizer, args.out)
        record = {key: value for key, value in vars(args).items() if key not in ("pool", "out")}  # places, not choices
        record |= {"start": str(args.start) if args.start else None, "processes": run.world, "see_steps": seen}
        record |= {"answer_steps": answered, "seconds": round(time.time() - start)}
        record["accuracy"] = {k: round(v, 3) for k, v in scores.items()}
        (args.out / "training.json").write_text(json.dumps(record, indent=1) + "\n")
        print(record)


if __name__ == "__main__":
    main()
