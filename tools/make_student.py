"""Train the embedded student base: a tiny LLaVA that knows what and where in the picture, and nothing about depth.

    python tools/make_student.py --pool runs/pool --out src/pseudogd/world/checkpoints/student --minutes 60

Two losses: answers to questions about the flat picture (`flat_questions.py`), and a per-patch alignment of visual
tokens with the words for their name, colour and place and of named things with their patches, which stands for the
image-text and grounded-caption pretraining of a large model.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from flat_questions import COLOR_NAMES, COLUMNS, KIND_NAMES, REGIONS, ROWS, TASKS, Thing, turns
from PIL import Image
from pycocotools import mask as coco
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessorPil,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
)

from pseudogd.vqa import phrasing
from pseudogd.world import render_folder

SIZE, PATCH = 120, 12
GRID = SIZE // PATCH
WIDTH = 160
WORD_LENGTH = 0.1 * WIDTH**0.5
USER, ASSISTANT, END, PAD, IMAGE = "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>", "<image>"
TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}<|assistant|>{% if m['content'] is string %}"
    "{{ m['content'] }}{% else %}{% for c in m['content'] if c['type'] == 'text' %}{{ c['text'] }}{% endfor %}"
    "{% endif %}<|end|>"
    "{% else %}{% if m['content'] is string %}<|user|>{{ m['content'] }}{% else %}"
    "{% for c in m['content'] if c['type'] == 'image' %}<image>{% endfor %}<|user|>"
    "{% for c in m['content'] if c['type'] == 'text' %}{{ c['text'] }}{% endfor %}{% endif %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
COMMON = (
    "object picture photo room house person man woman child dog cat bird horse car bus truck bicycle boat plane "
    "train television desk window door curtain floor wall ceiling carpet clock book bottle glass plate bowl "
    "spoon fork knife phone laptop keyboard mouse monitor bag backpack umbrella shoe hat toy flag helmet rocket "
    "tower armchair wardrobe drawer oven sink fridge toilet bath mirror picture pillow blanket basket bench tree "
    "flower grass road office lounge light dark big small long short round wooden metal plastic soft hard new "
    "old open closed empty full one two three four five six seven eight nine ten and of in on at by with from to "
    "for is are was it this that these those there here what which who where when how many much more less most "
    "least near far next under over inside outside beside cyan beige silver gold "
)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE in which each expected word and each number up to 99 is one token; others fall to pieces."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r" ?\d{1,2}|\n"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    words = {*phrasing.all_words(), *COMMON.split(), *KIND_NAMES, *COLOR_NAMES, *" ".join(REGIONS).split()}
    words |= {f"{k}s" for k in KIND_NAMES} | {"shelfes", "boxes"}
    rng = np.random.default_rng(0)
    names = [f"{c} {k}" for c in COLOR_NAMES for k in KIND_NAMES]
    things = [Thing(c, k, *rng.random(2), tuple(rng.random(2))) for c in COLOR_NAMES for k in KIND_NAMES]
    flat = [
        text for i in range(300) for _, q, a in turns(rng, list(rng.permutation(things)[:6]), 12) for text in (q, a)
    ]
    corpus = [*sorted(words), *(f" {w}" for w in sorted(words)), *phrasing.example_texts(names), *flat] * 3
    special = [PAD, END, USER, ASSISTANT, IMAGE]
    trainer = trainers.BpeTrainer(
        vocab_size=4000, min_frequency=1, special_tokens=special, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, additional_special_tokens=[USER, ASSISTANT, IMAGE],
        padding_side="left", chat_template=TEMPLATE, model_max_length=2048, clean_up_tokenization_spaces=False,
    )  # fmt: skip


def make_processor(tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    image_processor = CLIPImageProcessorPil(
        size={"shortest_edge": SIZE},
        crop_size={"height": SIZE, "width": SIZE},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return LlavaProcessor(
        image_processor, tokenizer, patch_size=PATCH, vision_feature_select_strategy="full", image_token=IMAGE,
        num_additional_image_tokens=0, chat_template=TEMPLATE,
    )  # fmt: skip


def sincos(grid: int, width: int) -> torch.Tensor:
    """(grid * grid, width) 2D sine-cosine positions (Vaswani et al. 2017, one half of the channels per axis)."""
    omega = 1 / 100 ** (torch.arange(width // 4) / (width // 4))
    y, x = (
        c.flatten().float()[:, None] * omega
        for c in torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    )
    return torch.cat([x.sin(), x.cos(), y.sin(), y.cos()], 1)


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    vision = SiglipVisionConfig(
        hidden_size=WIDTH, intermediate_size=3 * WIDTH, num_hidden_layers=5, num_attention_heads=4, image_size=SIZE,
        patch_size=PATCH, vision_use_head=False,
    )  # fmt: skip
    text = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=432, num_hidden_layers=5, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=2048, tie_word_embeddings=True, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_id=tokenizer.convert_tokens_to_ids(IMAGE),
        vision_feature_layer=-1, vision_feature_select_strategy="full", image_seq_length=GRID * GRID,
        tie_word_embeddings=True,
    )  # fmt: skip
    model = LlavaForConditionalGeneration._from_config(config, attn_implementation="eager")
    initialise(model)
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    model.generation_config = GenerationConfig(**ids, bos_token_id=None, do_sample=False, max_new_tokens=16)
    return model


@torch.no_grad()
def initialise(model: LlavaForConditionalGeneration) -> None:
    """Weights for a narrow model, after mimetic initialisation (Trockman & Kolter 2023).

    The usual 0.02 is made for widths of thousands: here words would drown in the first layer's noise. Keys start equal
    to queries, so that a word looks at what resembles it; the output map starts as the transpose of the value map, so
    that what it sees is added to it as it is.
    """
    core = model.model
    core.vision_tower.embeddings.position_embedding.weight.copy_(0.5 * sincos(GRID, WIDTH))
    core.get_input_embeddings().weight.normal_(std=0.1)
    for linear in (core.multi_modal_projector.linear_1, core.multi_modal_projector.linear_2):
        linear.weight.normal_(std=0.08)
    for layer in core.language_model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        scales = {
            attention.q_proj: 0.07,
            attention.v_proj: 0.04,
            mlp.gate_proj: 0.06,
            mlp.up_proj: 0.06,
            mlp.down_proj: 0.02,
        }
        for linear, std in scales.items():
            linear.weight.normal_(std=std)
        attention.k_proj.weight.copy_(attention.q_proj.weight)
        attention.o_proj.weight.copy_(attention.v_proj.weight.T)


class Pool:
    """Rendered photos in memory: pixels at the student's size, things, per-patch labels."""

    def __init__(self, folder: Path, n: int, seed: int) -> None:
        if not (folder / "annotations.json").is_file():
            render_folder(folder, n, "train", seed=seed, workers=2)
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
            self.shares.append(share[1:])
            names = [(0, 0), *((KIND_NAMES.index(t.kind) + 1, COLOR_NAMES.index(t.color) + 1) for t in self.things[-1])]
            self.labels[i] = np.array(names, np.uint8)[owner].T


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
    n = max(len(r[0]) for r in rows)
    out = [torch.tensor([r[j] + [fill] * (n - len(r[j])) for r in rows]) for j, fill in enumerate((pad, 0, -100, -1))]
    turn = out[3]
    see = (turn[:, :, None] == turn[:, None, :]) | (turn[:, None, :] == 0)
    see &= torch.ones(n, n, dtype=torch.bool).tril() & (turn[:, None, :] >= 0)
    see |= torch.eye(n, dtype=torch.bool)
    return (
        out[0],
        out[1],
        out[2],
        torch.where(see, 0.0, -1e4).to(torch.bfloat16)[:, None],
    )  # float32 would slow attention


def word_ids(tokenizer, words: list[str]) -> list[int]:
    """Ids of words as they stand inside a sentence; each is one token."""
    ids = [tokenizer(f" {word}", add_special_tokens=False).input_ids for word in words]
    assert all(len(i) == 1 for i in ids), "a word of the pictures is not one token"
    return [i[0] for i in ids]


class Base(torch.nn.Module):
    """The LLaVA with the per-patch loss: each visual token is to point at the words of what and where its patch is.

    Cosine similarity with the language model's own word embeddings: what an image-text pretrained tower and a trained
    projector bring along in a large model.
    """

    SHARPNESS = 16.0
    GROUND_LAYER, GROUND_HEADS = 2, 2

    def __init__(self, model: LlavaForConditionalGeneration, tokenizer) -> None:
        super().__init__()
        self.llava = model
        self.words = [
            torch.tensor(word_ids(tokenizer, w)) for w in (["room", *KIND_NAMES], ["room", *COLOR_NAMES], ROWS, COLUMNS)
        ]
        cell = torch.arange(GRID * GRID)
        self.place = torch.stack([cell // GRID * 3 // GRID, cell % GRID * 3 // GRID])

    def dense(self, image: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
        table = F.normalize(self.llava.model.get_input_embeddings().weight.float(), dim=-1)
        tokens = F.normalize(image.float(), dim=-1).flatten(0, 1)
        targets = [patches[:, 0], patches[:, 1], *(p.expand(len(patches), -1) for p in self.place)]
        total = 0.0
        for words, target, weight in zip(self.words, targets, (1.0, 1.0, 0.3, 0.3)):
            rare = torch.ones(len(words))
            rare[0] = 0.3 if weight == 1.0 else 1.0  # most patches show no thing
            total = total + weight * F.cross_entropy(self.SHARPNESS * tokens @ table[words].T, target.flatten(), rare)
        # Visual tokens as long as words: the language model reads both from one residual stream.
        length = (image.float().norm(dim=-1) / WORD_LENGTH).log()
        return total + 0.05 * length.square().mean()

    def see(self, pixels, patches):
        """The per-patch loss alone: the tower, the projector and the word embeddings learn to agree."""
        core = self.llava.model
        image = core.multi_modal_projector(
            core.vision_tower(pixel_values=pixels, output_hidden_states=True).hidden_states[-1]
        )
        with torch.autocast("cpu", enabled=False):
            return self.dense(image, patches)

    def ground(self, hidden: torch.Tensor, mentions: torch.Tensor, covers: torch.Tensor) -> torch.Tensor:
        """A named thing's last token is to resemble the visual tokens of that thing, of all in the picture."""
        states = F.normalize(hidden.float(), dim=-1)
        image = states[:, : GRID * GRID][mentions[:, 0]]
        said = states[mentions[:, 0], mentions[:, 1]]
        return F.cross_entropy(self.SHARPNESS * torch.einsum("mnd,md->mn", image, said), covers)

    def look(self, attention: torch.Tensor, mentions: torch.Tensor, covers: torch.Tensor) -> torch.Tensor:
        """Two heads of the layer above are to look from a named thing's last token at that thing."""
        there = attention[mentions[:, 0], : self.GROUND_HEADS, mentions[:, 1], : GRID * GRID].float()
        inside = (covers > 0.3 * covers.amax(1, keepdim=True)).float()
        return -(there * inside[:, None]).sum(-1).clamp_min(1e-4).log().mean()

    def tell(self, hidden: torch.Tensor, mentions: torch.Tensor, covers: torch.Tensor) -> torch.Tensor:
        """One layer on, a named thing's last token is to hold the words of the thing's row and column."""
        table = F.normalize(self.llava.model.get_input_embeddings().weight.float(), dim=-1)
        said = F.normalize(hidden[mentions[:, 0], mentions[:, 1]].float(), dim=-1)
        total = 0.0
        for words, place in zip(self.words[2:], self.place):
            share = torch.zeros(len(covers), 3).index_add_(1, place, covers)
            total = total + F.cross_entropy(self.SHARPNESS * said @ table[words].T, share)
        return total

    def forward(self, pixels, ids, positions, labels, mask, patches, mentions, covers):
        core = self.llava.model
        states = core.vision_tower(pixel_values=pixels, output_hidden_states=True).hidden_states[-1]
        image = core.multi_modal_projector(states)
        embeds = core.get_input_embeddings()(ids)
        embeds = torch.cat([image.to(embeds.dtype), embeds[:, GRID * GRID :]], 1)
        out = core.language_model(
            inputs_embeds=embeds, attention_mask=mask, position_ids=positions, output_hidden_states=True,
            output_attentions=True,
        )  # fmt: skip
        hidden = out.last_hidden_state
        where = labels[:, 1:] != -100
        logits = self.llava.lm_head(hidden[:, :-1][where]).float()
        target = labels[:, 1:][where]
        with torch.autocast("cpu", enabled=False):
            dense = self.dense(image, patches) + 0.5 * self.ground(
                out.hidden_states[self.GROUND_LAYER], mentions, covers
            )
            dense = dense + 0.5 * self.look(out.attentions[self.GROUND_LAYER], mentions, covers)
            dense = dense + 0.3 * self.tell(out.hidden_states[self.GROUND_LAYER + 1], mentions, covers)
        return F.cross_entropy(logits, target), dense, (logits.argmax(-1) == target)


def find_mentions(ids: torch.Tensor, picks, pool: Pool, base: Base) -> tuple[torch.Tensor, torch.Tensor]:
    """(row, position) of the last token of every named thing of the picture, and the patches that it covers."""
    kinds, colors = base.words[0][1:], base.words[1][1:]
    mentions, covers = [], []
    for row, i in enumerate(picks):
        for thing, share in zip(pool.things[i], pool.shares[i]):
            last = (ids[row, 1:] == kinds[KIND_NAMES.index(thing.kind)]) & (
                ids[row, :-1] == colors[COLOR_NAMES.index(thing.color)]
            )
            for position in last.nonzero()[:, 0].tolist():
                mentions.append((row, position + 1))
                covers.append(share / share.sum())
    return torch.tensor(mentions), torch.from_numpy(np.array(covers, np.float32))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=14000)
    parser.add_argument("--pool-seed", type=int, default=1000)
    parser.add_argument("--start", type=Path, help="go on from an earlier checkpoint of this tool")
    parser.add_argument("--fresh-language", action="store_true", help="take tower, projector and words alone from it")
    parser.add_argument("--see-minutes", type=float, default=8, help="of the per-patch loss alone, first")
    parser.add_argument(
        "--minutes", type=float, default=60, help="the schedule is written for this much wall-clock time"
    )
    parser.add_argument("--steps", type=int, help="instead of --minutes: exactly reproducible")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    tokenizer = make_tokenizer()
    model = make_model(tokenizer)
    if args.start:
        earlier = type(model).from_pretrained(args.start, dtype=torch.float32).state_dict()
        if args.fresh_language:
            earlier = {k: v for k, v in earlier.items() if "language_model.layers" not in k}
        model.load_state_dict(earlier, strict=not args.fresh_language)
    base = Base(model, tokenizer)
    count = sum(p.numel() for p in base.llava.parameters())
    print(f"{count / 1e6:.2f} M parameters, {len(tokenizer)} tokens", flush=True)
    pool = Pool(args.pool, args.photos, args.pool_seed)
    held = list(range(len(pool.things) - 300, len(pool.things)))
    print(f"{len(pool.things)} photos, the last 300 kept for the check", flush=True)
    prefix = [tokenizer.convert_tokens_to_ids(IMAGE)] * GRID * GRID
    user, assistant = tokenizer.convert_tokens_to_ids([USER, ASSISTANT])

    def row(rng, i, n, choices=1.0):
        qa = turns(rng, pool.things[i], n, choices)
        texts = tokenizer([t for _, q, a in qa for t in (q, a)], add_special_tokens=False).input_ids
        pairs = [([user, *q, assistant], [*a, tokenizer.eos_token_id]) for q, a in zip(texts[::2], texts[1::2])]
        return lay_out(prefix, pairs, 480), [t for t, _, _ in qa]

    def pixels(rng, picks, augment):
        x = torch.from_numpy(pool.pixels[picks]).permute(0, 3, 1, 2).float() / 255
        if augment:
            x = x.clamp(1e-3, 1) ** torch.from_numpy(rng.uniform(0.75, 1.3, (len(picks), 1, 1, 1)).astype(np.float32))
            x = x + torch.randn_like(x) * 0.02
        return x * 2 - 1

    def batch(rng, picks, augment, choices=1.0):
        rows = [row(rng, i, args.turns, choices) for i in picks]
        patches = torch.from_numpy(pool.labels[picks]).long()
        ids, positions, labels, mask = collate([r for r, _ in rows], tokenizer.pad_token_id)
        mentions, covers = find_mentions(ids, picks, pool, base)
        return (pixels(rng, picks, augment), ids, positions, labels, mask, patches, mentions, covers), rows

    start = time.time()

    def train(name: str, amount: float, batch_size: int, lr: float, loss_of) -> int:
        """AdamW with a cosine schedule, for `amount` minutes or, with --steps, that share of the steps."""
        optimizer = torch.optim.AdamW(base.parameters(), lr=lr, weight_decay=0.02, betas=(0.9, 0.98))
        begun, step, average = time.time(), 0, None
        limit = args.steps and round(args.steps * amount / (args.minutes + args.see_minutes))
        while (done := step / limit if limit else (time.time() - begun) / (60 * amount)) < 1:
            for group in optimizer.param_groups:
                group["lr"] = lr * min(1, (step + 1) / 150) * (0.5 * (1 + np.cos(np.pi * done)) + 0.005)
            picks = rng.integers(len(pool.things) - len(held), size=batch_size)
            with torch.autocast("cpu", torch.bfloat16):
                losses = loss_of(picks, done)
            optimizer.zero_grad()
            sum(losses).backward()
            torch.nn.utils.clip_grad_norm_(base.parameters(), 1.0)
            optimizer.step()
            now = np.array([loss.item() for loss in losses])
            average = now if average is None else 0.98 * average + 0.02 * now
            step += 1
            if step % 100 == 0:
                print(
                    f"{name} step {step} losses {average.round(4)} {(time.time() - begun) / step:.3f} s/step",
                    flush=True,
                )
            if step % 500 == 0 and name == "answer":
                print({k: round(v, 3) for k, v in check(base, batch, held, tokenizer).items()}, flush=True)
                save(base.llava, tokenizer, args.out)
        return step

    def see(picks, done):
        x, patches = pixels(rng, picks, True), torch.from_numpy(pool.labels[picks]).long()
        if rng.random() < 0.5:
            x, patches = x.flip(-1), patches.unflatten(-1, (GRID, GRID)).flip(-1).flatten(2)
        return [base.see(x, patches)]

    def answer(picks, done):
        # first in words, then by letters as well: to choose a letter one must know the answer
        early = done < 0.4 and (args.fresh_language or not args.start)
        lm, dense, _ = base(*batch(rng, picks, True, 0.15 if early else 1.0)[0])
        return [lm, 0.5 * dense]

    seen = 0 if args.start else train("see", args.see_minutes, 2 * args.batch, 2e-3, see)
    step = train("answer", args.minutes, args.batch, args.lr, answer)
    scores = check(base, batch, held, tokenizer)
    save(base.llava, tokenizer, args.out)
    record = {
        **{key: str(value) if isinstance(value, Path) else value for key, value in vars(args).items()},
        "see_steps": seen,
        "answer_steps": step,
        "pool_photos": len(pool.things),
        "seconds": round(time.time() - start),
        "accuracy": {k: round(v, 3) for k, v in scores.items()},
    }
    for key in ("pool", "out"):  # places, not choices
        del record[key]
    (args.out / "training.json").write_text(json.dumps(record, indent=1) + "\n")
    print(record)


@torch.no_grad()
def check(base: Base, batch, held: list[int], tokenizer) -> dict[str, float]:
    """Share of turns whose answer tokens are all right (teacher forced), by task, on photos that were kept out."""
    rng, right = np.random.default_rng(1), {task.__name__: [] for task, _ in TASKS}
    base.eval()
    for at in range(0, len(held), 30):
        inputs, rows = batch(rng, held[at : at + 30], False)
        with torch.autocast("cpu", torch.bfloat16):
            correct = base(*inputs)[2].numpy()
        at = 0
        for (_, _, labels, turn), tasks in rows:
            labels, turn = np.array(labels), np.array(turn)
            counts = np.bincount(turn[labels != -100], minlength=len(tasks) + 1)[1:]
            for task, n in zip(tasks, counts):
                if n:
                    right[task].append(bool(correct[at : at + n].all()))
                at += n
    base.train()
    scores = {task: float(np.mean(v)) for task, v in right.items()}
    return {**scores, "mean": float(np.mean(list(scores.values())))}


def save(model: LlavaForConditionalGeneration, tokenizer, out: Path) -> None:
    """An ordinary checkpoint in bfloat16: model, generation config, processor, tokenizer, chat template."""
    out.mkdir(parents=True, exist_ok=True)
    model.config.dtype = torch.bfloat16
    state = {k: v.detach().to(torch.bfloat16) for k, v in model.state_dict().items() if k != "lm_head.weight"}  # tied
    model.save_pretrained(out, state_dict=state)
    model.config.dtype = torch.float32
    make_processor(tokenizer).save_pretrained(out)


if __name__ == "__main__":
    main()
