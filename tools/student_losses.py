"""What the embedded student is trained on beside its answers: losses that tie words, patches and options together.

They stand for what a large model brings along: an image-text pretrained tower, a trained projector, pretraining on
grounded captions, and a language model that can already answer by letter. None of them knows depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from flat_questions import COLOR_NAMES, COLUMNS, KIND_NAMES, ROWS, Thing
from student_model import GRID, WIDTH
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from pseudogd.training import attention

WORD_LENGTH = 0.1 * WIDTH**0.5
CELLS = GRID * GRID


def word_ids(tokenizer: PreTrainedTokenizerFast, words: list[str]) -> list[int]:
    """Ids of words as they stand inside a sentence; each is one token."""
    ids = [tokenizer(f" {word}", add_special_tokens=False).input_ids for word in words]
    assert all(len(i) == 1 for i in ids), "a word of the pictures is not one token"
    return [i[0] for i in ids]


@dataclass
class Marks:
    """Where in a batch of texts something is said that the picture or the options can be asked about.

    `said` (M, 2): row and position of the last token of a named thing or a point; `covers` (M, cells): its share of
    each patch, sums to 1; `kind`, `color` (M,): index into the word lists, 0 = the room itself.
    `pairs` (P, 2): indices into `said`: what a question names first, and something that it names later.
    `stands` (S, 6): of questions that name three things: row, where the answer is spoken from, indices into `said`
    of the three, and whether the back is to the second.
    `options` (O, 3): row, position of an option's letter, position of its last token.
    `chosen` (C, 3): row, position that the answer is spoken from, last token of the right option.
    """

    said: torch.Tensor
    covers: torch.Tensor
    kind: torch.Tensor
    color: torch.Tensor
    pairs: torch.Tensor
    stands: torch.Tensor
    options: torch.Tensor
    chosen: torch.Tensor


class Marker:
    """Finds `Marks` in token ids."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, user: int, assistant: int) -> None:
        spoken = {i: tokenizer.decode([i]) for i in tokenizer.get_vocab().values()}
        self.kinds = {i: k for k, i in enumerate(word_ids(tokenizer, KIND_NAMES), 1)}
        self.colors = {i: k for k, i in enumerate(word_ids(tokenizer, COLOR_NAMES), 1)}
        self.numbers = {i: int(t) for i, t in spoken.items() if t.strip().isdigit() and len(t.strip()) <= 2}
        self.closing = {i for i, t in spoken.items() if t.startswith(")")}
        self.newline = tokenizer("\n", add_special_tokens=False).input_ids[0]
        self.letters = [tokenizer(letter, add_special_tokens=False).input_ids[0] for letter in "ABCD"]
        self.comma = tokenizer(",", add_special_tokens=False).input_ids[0]
        self.turned = set(word_ids(tokenizer, ["away", "back"]))
        self.user, self.assistant = user, assistant

    def row(self, ids: list[int], things: list[Thing], shares: np.ndarray, labels: np.ndarray):
        """What a row says (position, covers, kind, colour), which of it in one question, where three things are named,
        options, and the right ones."""
        said, pairs, stands, options, chosen, lines, first, begin = [], [], [], [], [], [], 0, 0
        for p in range(CELLS, len(ids)):
            if ids[p] in self.kinds:
                named = list(self.named(ids, p, things, shares))
                if named and not lines and len(said) > first:
                    pairs.append((first, len(said)))
                said += named
            elif ids[p] in self.closing:
                said += self.pointed(ids, p, labels)
            elif ids[p] == self.user:
                lines, first, begin = [], len(said), p
            elif ids[p] == self.newline:
                lines.append(p + 1)
            if ids[p] == self.assistant and [b for _, b in pairs[-2:]] == [first + 1, first + 2]:
                stands.append((p, first, bool(self.turned.intersection(ids[begin:p]))))
            if ids[p] == self.assistant and lines:
                ends = [*(q - 2 for q in lines[1:]), p - 1]
                options += list(zip(lines, ends))
                if p + 1 < len(ids) and ids[p + 1] in self.letters:
                    chosen.append((p, ends[self.letters.index(ids[p + 1])]))
        return said, pairs, stands, options, chosen

    def named(self, ids: list[int], p: int, things: list[Thing], shares: np.ndarray):
        """The thing whose name ends at `p`: by colour and kind, or by a kind that is there once."""
        kind, color = self.kinds[ids[p]], self.colors.get(ids[p - 1])
        fitting = [n for n, t in enumerate(things) if kind_of(t) == kind and color in (None, color_of(t))]
        if len(fitting) == 1:
            n = fitting[0]
            yield p, shares[n] / shares[n].sum(), kind, color_of(things[n])

    def pointed(self, ids: list[int], p: int, labels: np.ndarray):
        """The patch of a point "(x, y)" that ends at `p`, and what that patch shows."""
        x, comma, y = ids[p - 3 : p]
        if x in self.numbers and comma == self.comma and y in self.numbers:
            row, column = (min(GRID - 1, self.numbers[n] * GRID // 100) for n in (y, x))
            cell = row * GRID + column
            yield p, np.eye(1, CELLS, cell, dtype=np.float32)[0], int(labels[0, cell]), int(labels[1, cell])

    def batch(self, rows: list[list[int]], things, shares, labels) -> Marks:
        said, covers, kind, color, pairs, stands, options, chosen = [], [], [], [], [], [], [], []
        for r, ids in enumerate(rows):
            found, together, stood, lines, right = self.row(ids, things[r], shares[r], labels[r])
            stands += [(r, p, *(len(said) + x + i for i in range(3)), turned) for p, x, turned in stood]
            pairs += [(len(said) + a, len(said) + b) for a, b in together]
            said += [(r, p) for p, *_ in found]
            covers += [c for _, c, *_ in found]
            kind += [k for *_, k, _ in found]
            color += [c for *_, c in found]
            options += [(r, *line) for line in lines]
            chosen += [(r, *line) for line in right]
        return Marks(
            torch.tensor(said).view(-1, 2),
            torch.from_numpy(np.array(covers, np.float32)).view(-1, CELLS),
            torch.tensor(kind),
            torch.tensor(color),
            torch.tensor(pairs).view(-1, 2),
            torch.tensor(stands).view(-1, 6),
            torch.tensor(options).view(-1, 3),
            torch.tensor(chosen).view(-1, 3),
        )


def kind_of(thing: Thing) -> int:
    return KIND_NAMES.index(thing.kind) + 1


def color_of(thing: Thing) -> int:
    return COLOR_NAMES.index(thing.color) + 1


class Base(torch.nn.Module):
    """The LLaVA with its training losses.

    Per patch: each visual token is to point at the words of what and where its patch is, by cosine similarity with
    the language model's own word embeddings.
    """

    SHARPNESS = 16.0
    BIND_LAYER, GROUND_LAYER, BEARING_LAYER, PICK_LAYER, GROUND_HEADS = 1, 2, 3, 5, 2
    SECTORS, NEAR = 8, 0.08

    def __init__(self, model: LlavaForConditionalGeneration, tokenizer) -> None:
        super().__init__()
        model.set_attn_implementation(attention.NAME)  # its weights come in bfloat16, the library's own in float32
        self.llava = model
        self.words = [
            torch.tensor(word_ids(tokenizer, w)) for w in (["room", *KIND_NAMES], ["room", *COLOR_NAMES], ROWS, COLUMNS)
        ]
        cell = torch.arange(CELLS)
        self.place = torch.stack([cell // GRID * 3 // GRID, cell % GRID * 3 // GRID])
        self.middle = torch.stack([cell % GRID + 0.5, cell // GRID + 0.5], 1) / GRID  # x, y
        self.sector, self.side = (torch.nn.Linear(WIDTH, self.SECTORS) for _ in range(2))  # not part of the checkpoint

    def word_table(self) -> torch.Tensor:
        return F.normalize(self.llava.model.get_input_embeddings().weight.float(), dim=-1)

    def dense(self, image: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
        table = self.word_table()
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

    def image_tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        core = self.llava.model
        states = core.vision_tower(pixel_values=pixels, output_hidden_states=True).hidden_states[-1]
        return core.multi_modal_projector(states)

    def see(self, pixels, patches):
        """The per-patch loss alone: the tower, the projector and the word embeddings learn to agree."""
        image = self.image_tokens(pixels)
        with torch.autocast("cpu", enabled=False):
            return self.dense(image, patches)

    def ground(self, hidden: torch.Tensor, marks: Marks) -> torch.Tensor:
        """What is said is to resemble the visual tokens that it covers, of all in the picture."""
        states = F.normalize(hidden.float(), dim=-1)
        image = states[:, :CELLS][marks.said[:, 0]]
        said = states[marks.said[:, 0], marks.said[:, 1]]
        return F.cross_entropy(self.SHARPNESS * torch.einsum("mnd,md->mn", image, said), marks.covers)

    def look(self, attention: torch.Tensor, marks: Marks) -> torch.Tensor:
        """Two heads of the layer above are to look from what is said at its patches."""
        row, at = marks.said.T
        there = attention[row, : self.GROUND_HEADS, at, :CELLS].float()
        inside = (marks.covers > 0.3 * marks.covers.amax(1, keepdim=True)).float()
        return -(there * inside[:, None]).sum(-1).clamp_min(1e-4).log().mean()

    def tell(self, hidden: torch.Tensor, marks: Marks) -> torch.Tensor:
        """One layer on, what is said is to hold the words of its kind, colour, row and column."""
        table = self.word_table()
        said = F.normalize(hidden[marks.said[:, 0], marks.said[:, 1]].float(), dim=-1)
        logits = [self.SHARPNESS * said @ table[words].T for words in self.words]
        total = F.cross_entropy(logits[0], marks.kind) + F.cross_entropy(logits[1], marks.color)
        for logit, place in zip(logits[2:], self.place):
            share = torch.zeros(len(marks.covers), 3).index_add_(1, place, marks.covers)
            total = total + F.cross_entropy(logit, share)
        return total

    def line(self, marks: Marks, start: torch.Tensor, end: torch.Tensor) -> torch.Tensor:
        """Complex numbers: the way in the picture between two of what is said, x to the right and iy up."""
        x, y = (marks.covers[end] @ self.middle - marks.covers[start] @ self.middle).T
        return torch.complex(x, -y)

    def told(self, layer: torch.nn.Linear, states: torch.Tensor, way: torch.Tensor) -> torch.Tensor:
        """Loss of telling in which of eight sectors a way lies, clockwise from straight up; short ways do not count."""
        far = way.abs() > self.NEAR
        sector = (-(way / 1j).angle() * self.SECTORS / (2 * torch.pi)).round().long() % self.SECTORS
        return F.cross_entropy(layer(states.float()[far]), sector[far])

    def bearing(self, hidden: torch.Tensor, marks: Marks) -> torch.Tensor:
        """Another layer on, a thing named later is to hold in which direction of the picture it lies from the first."""
        first, later = marks.pairs.T
        row, at = marks.said[later].T
        return self.told(self.sector, hidden[row, at], self.line(marks, first, later))

    def stand(self, hidden: torch.Tensor, marks: Marks) -> torch.Tensor:
        """And one more, where the answer is spoken from: where the third lies from the first, the second ahead."""
        row, at, x, y, z, turned = marks.stands.T
        ahead, way = self.line(marks, x, y), self.line(marks, x, z)
        seen = way / ahead * ahead.abs() * 1j * (1 - 2 * turned) * (ahead.abs() > self.NEAR)
        return self.told(self.side, hidden[row, at], seen)

    @staticmethod
    def attend(attention: torch.Tensor, where: torch.Tensor, backwards: bool = False) -> torch.Tensor:
        """One head is to look from position to position: (N, 3) row, from, to."""
        row, a, b = where.T
        if backwards:
            a, b = b, a
        return -attention[row, -1, a, b].float().clamp_min(1e-4).log().mean()

    def forward(self, pixels, ids, positions, labels, mask, patches, marks: Marks):
        core = self.llava.model
        image = self.image_tokens(pixels)
        embeds = core.get_input_embeddings()(ids)
        embeds = torch.cat([image.to(embeds.dtype), embeds[:, CELLS:]], 1)
        out = core.language_model(
            inputs_embeds=embeds, attention_mask=mask, position_ids=positions, output_hidden_states=True,
            output_attentions=True,
        )  # fmt: skip
        where = labels[:, 1:] != -100
        logits = self.llava.lm_head(out.last_hidden_state[:, :-1][where]).float()
        target = labels[:, 1:][where]
        with torch.autocast("cpu", enabled=False):
            losses = [
                F.cross_entropy(logits, target),
                0.5 * self.dense(image, patches),
                0.25 * self.ground(out.hidden_states[self.GROUND_LAYER], marks),
                0.25 * self.look(out.attentions[self.GROUND_LAYER], marks),
                0.15 * self.tell(out.hidden_states[self.GROUND_LAYER + 1], marks),
                0.2 * self.bearing(out.hidden_states[self.BEARING_LAYER + 1], marks),
                0.3 * self.stand(out.hidden_states[self.BEARING_LAYER + 2], marks),
            ]
            if len(marks.chosen):
                losses.append(0.1 * self.attend(out.attentions[self.BIND_LAYER], marks.options, backwards=True))
                losses.append(0.2 * self.attend(out.attentions[self.PICK_LAYER], marks.chosen))
        return losses, logits.argmax(-1) == target
