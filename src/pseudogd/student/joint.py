"""One forward pass for language and geometry: the tower runs once and both losses share its graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.utils import ModelOutput

from pseudogd.distill.balance import GradientBalance
from pseudogd.distill.kinds import JointWeights
from pseudogd.distill.losses import Prediction, anchor_loss, geometry_loss, gram_loss, view_losses
from pseudogd.errors import InputError, PseudoGDError
from pseudogd.student.batch import GeometryBatch, PhotoTargets, ViewGroup
from pseudogd.student.families.base import Encoded, FamilyAdapter
from pseudogd.student.frozen import frozen_encoder
from pseudogd.student.head import GeometryHead
from pseudogd.student.items import IGNORED, Items
from pseudogd.student.taps import Taps, resolve_taps

__all__ = [
    "GeometryBatch",
    "Items",
    "Joint",
    "JointOutput",
    "JointWeights",
    "PhotoTargets",
    "ViewGroup",
    "freeze_unused",
]


@dataclass
class JointOutput(ModelOutput):
    """`loss` is what to differentiate; the other losses are its unweighted summands, None where there is none.

    `parts` holds detached scalars for the log: structure, gradient, normal, order, sky, scale (unweighted), and
    anchor_cos. `logits` is None where the batch has no labels at all; see `answer_logits` of `Joint`.
    """

    loss: Tensor | None = None
    lm_loss: Tensor | None = None
    geometry_loss: Tensor | None = None
    anchor_loss: Tensor | None = None
    gram_loss: Tensor | None = None
    teacher_loss: Tensor | None = None
    parts: dict[str, Tensor] | None = None
    logits: Tensor | None = None


class Joint(nn.Module):
    """A vision-language model, its geometry head and the joint loss.

        loss = lm + lam * (structure terms + scale terms) + weights.anchor * anchor + weights.gram * gram

    Args:
        model: the vision-language model (a `peft` wrapper is fine).
        family: its adapter.
        head: None trains on language alone, with the model's own forward and nothing else.
        weights: of the geometry terms and the anchor.
        taps: what the head reads: None (the family's default), a list of the tower's layers, "projector", "llm", or
            `Taps`.
        anchor: what `weights.anchor` and `weights.gram` hold the visual tokens near to: None, "frozen" (a frozen copy
            of all but the language model as it is NOW, so build `Joint` from the base weights, before loading a
            checkpoint), or "adapters" (the model with its LoRA adapters off; needs no memory, and a projector that is
            frozen or adapted).
        anchor_dtype: of the frozen copy's matrices; None: the model's own. Under autocast its type loses nothing and
            saves room and casts.
        balance: watches gradient norms at the taps.
        answer_logits: compute logits where there is a label to predict alone, (labels, vocabulary) in row-major order,
            wherever the model's logits are a plain linear map: most tokens are the photo's and the question's.

    Raises:
        InputError: unknown anchor, taps that do not exist, or a head that was made for others.
    """

    accepts_loss_kwargs = True

    def __init__(
        self,
        model: nn.Module,
        family: FamilyAdapter,
        head: GeometryHead | None = None,
        weights: JointWeights | None = None,
        taps: str | Sequence[int] | Taps | None = None,
        anchor: str | None = None,
        balance: GradientBalance | None = None,
        answer_logits: bool = False,
        anchor_dtype: torch.dtype | None = None,
    ):
        super().__init__()
        self.model = model
        self.head = head
        self.family = family
        self.config = model.config
        self.weights = weights or JointWeights()
        self.taps = resolve_taps(taps, family)
        self.balance = balance
        self.answer_logits = answer_logits and _logits_are_linear(model)
        if head is not None and len(head.read) != self.taps.count:
            raise InputError(f"the head reads {len(head.read)} taps, but {self.taps.count} are set: {self.taps.names}")
        if anchor not in (None, "frozen", "adapters"):
            raise InputError(f"anchor {anchor!r} is not known; use 'frozen', 'adapters' or none")
        if anchor == "adapters" and not hasattr(model, "disable_adapter"):
            raise InputError("anchor 'adapters' needs a model with LoRA adapters; use 'frozen'")
        self.anchor = anchor if self.weights.anchor or self.weights.gram else None
        # in a tuple, so that the frozen copy is neither trained nor saved with this module
        self._frozen = (frozen_encoder(model, family, anchor_dtype),) if self.anchor == "frozen" else ()

    def plain_model(self) -> nn.Module:
        """The ordinary model, without anything of ours."""
        return self.model

    def networks(self) -> tuple[nn.Module, ...]:
        """The model and, if there is one, the frozen copy that the anchor reads."""
        return (self.model, *self._frozen)

    def forward(
        self,
        inputs: Mapping[str, Any],
        geometry: GeometryBatch | None = None,
        lam: float = 1.0,
        num_items_in_batch: Tensor | int | None = None,
        accumulation_steps: int = 1,
        items: Items | None = None,
        seed: int | None = None,
        dummy_photo: bool = False,
    ) -> JointOutput:
        """Losses of one batch.

        Args:
            inputs: what the processor returned, and `labels`. Without `labels` the language model does not run.
            geometry: targets of the batch's photos, or None.
            lam: weight of geometry at this step.
            num_items_in_batch: number of label tokens of the whole accumulated batch; the language loss is then a sum
                over this micro-batch divided by that number.
            accumulation_steps: divides geometry and anchor, to match a language loss that `num_items_in_batch` has
                already made a share of the accumulated batch; leave 1 where the trainer divides the whole loss. It is
                exact where every micro-batch has as many views and visual tokens.
            items: what the whole step holds; replaces the two above, and is exact always: however a step's rows are
                shared out over micro-batches and ranks, the shares add up to the loss of all of them together.
            seed: of the pairs of cells that the ranking term compares; None draws from torch's own generator.
            dummy_photo: the pixels of `inputs` are of a photo that no token stands for. The tower runs on it, and what
                comes out weighs nothing: every parameter gets a gradient, as other ranks expect it to.
        """
        if items is not None:
            num_items_in_batch, accumulation_steps = items.labels, 1
        if dummy_photo:
            return self._words_alone(inputs, num_items_in_batch)
        if self.head is None and self.anchor is None:
            lm, logits, _ = self._language(inputs, inputs.get("labels"), num_items_in_batch)
            return JointOutput(loss=lm, lm_loss=lm, parts={}, logits=logits)
        encoded = self.family.encode(self.model, inputs, hidden_states=self._reads("encoder"))
        lm, logits, states = self._language_of(inputs, encoded, num_items_in_batch)
        found = JointOutput(loss=lm, lm_loss=lm, parts={}, logits=logits)
        if self.head is not None:
            # a gradient of one of them alone is no ratio, and would be taken for one beside another micro-batch's
            watched = geometry is not None and bool(geometry.groups) and _any_label(inputs.get("labels"))
            tapped = self._tapped(inputs, encoded, states, watched)
            found.geometry_loss, found.parts = self._geometry(tapped, geometry, items, seed)
            found.loss = found.loss + lam / accumulation_steps * found.geometry_loss
            found.teacher_loss = self.teacher_term(tapped, geometry, items)
            if found.teacher_loss is not None:
                found.loss = found.loss + lam / accumulation_steps * found.teacher_loss
        if self.anchor is not None:
            self._hold(found, inputs, encoded.tokens, items, accumulation_steps, seed)
        return found

    def teacher_term(self, tapped: list[Tensor], geometry: GeometryBatch | None, items: Items | None) -> Tensor | None:
        """A term on features of a teacher, for a subclass to fill; it is added to the loss with weight lambda.

        None here: what a teacher's maps say is distilled, its features are not stored (docs/how-it-works.md shows how
        to add them).

        Args:
            tapped: one (all tokens of all photos, D) tensor per tap.
            geometry: the batch's targets; `groups[i].tokens` are the tokens that a view's cells read.
            items: what the whole step holds: divide a sum over this batch by it, so that shares of a step add up.
        """
        return None

    def _hold(
        self,
        found: JointOutput,
        inputs: Mapping[str, Any],
        tokens: Tensor,
        items: Items | None,
        accumulation_steps: int,
        seed: int | None,
    ) -> None:
        """Add what holds the visual tokens near those of the base to `found`."""
        frozen = self._anchor_tokens(inputs)
        share = 1.0 if items is None else len(tokens) / items.tokens
        if self.weights.anchor:
            anchor = anchor_loss(tokens, frozen) * share
            found.anchor_loss, found.parts["anchor_cos"] = anchor, 1 - anchor.detach()
            found.loss = found.loss + self.weights.anchor / accumulation_steps * anchor
        if self.weights.gram:
            rows = (inputs["input_ids"] == self.family.image_token_id).sum(1).tolist()
            found.gram_loss = gram_loss(tokens, frozen, rows, seed) * share
            found.loss = found.loss + self.weights.gram / accumulation_steps * found.gram_loss

    def _reads(self, place: str) -> bool:
        return self.head is not None and self.taps.place == place

    # ------------------------------------------------------------------------------------------------- language
    def _language_of(
        self, inputs: Mapping[str, Any], encoded: Encoded, count: Tensor | int | None
    ) -> tuple[Tensor, Tensor | None, Any]:
        labels, arguments = inputs.get("labels"), self.family.language_inputs(inputs, encoded)
        if labels is not None:
            alone = not (torch.distributed.is_available() and torch.distributed.is_initialized())
            if alone and not self._reads("llm") and not _any_label(labels):
                # photos with geometry alone: nothing need be read; other ranks, if there are any, would wait for it
                return _zero_of([encoded.output, *filter(_learns, self.model.parameters())]), None, None
            return self._language(arguments, labels, count)
        states = None
        if self._reads("llm"):
            states = _unwrapped(self.model).base_model(**arguments, **self._keep_states()).hidden_states
        return encoded.tokens.float().sum() * 0.0, None, states

    def _keep_states(self) -> dict[str, Any]:
        return {"use_cache": False, **({"output_hidden_states": True} if self._reads("llm") else {})}

    def _language(
        self, arguments: Mapping[str, Any], labels: Tensor | None, count: Tensor | int | None
    ) -> tuple[Tensor, Tensor, Any]:
        """(loss, logits, hidden states of the language model if the head reads them)."""
        arguments = {**{k: v for k, v in arguments.items() if k != "labels"}, **self._keep_states()}
        if not _any_label(labels):
            # the model's own loss is 0/0 here; this one is 0, with gradients that exist
            out = self.model(**arguments)
            return out.logits.float().sum() * 0.0, out.logits, out.hidden_states
        if self.answer_logits:
            return self._answers(arguments, labels, count)
        extra = {} if count is None else {"num_items_in_batch": count}
        out = self.model(**arguments, labels=labels, **extra)
        return out.loss, out.logits, out.hidden_states

    def _answers(
        self, arguments: Mapping[str, Any], labels: Tensor, count: Tensor | int | None
    ) -> tuple[Tensor, Tensor, Any]:
        """The same loss as the model's own, from the logits of the tokens before labels alone."""
        model = _unwrapped(self.model)
        out = model.base_model(**arguments)
        targets = labels[:, 1:]
        known = targets != IGNORED
        logits = model.get_output_embeddings()(out.last_hidden_state[:, :-1][known])
        total = nn.functional.cross_entropy(logits.float(), targets[known], reduction="sum")
        return total / (known.sum() if count is None else count), logits, out.hidden_states

    def _words_alone(self, inputs: Mapping[str, Any], count: Tensor | int | None) -> JointOutput:
        """The loss of rows without photos, and a zero that hangs on tower, projector and head."""
        encoded = self.family.encode(self.model, inputs, hidden_states=self._reads("encoder"))
        lm, logits = _zero_of(encoded.output), None
        if inputs.get("labels") is not None:
            words = {k: v for k, v in inputs.items() if k not in self.family.pixel_keys}
            language, logits, _ = self._language(words, inputs["labels"], count)
            lm = lm + language
        geo = None if self.head is None else self._geometry([], None, None, None)[0]
        loss = lm if geo is None else lm + geo
        return JointOutput(loss=loss, lm_loss=lm, geometry_loss=geo, parts={}, logits=logits)

    # ------------------------------------------------------------------------------------------------- geometry
    def _geometry(
        self, tapped: list[Tensor], geometry: GeometryBatch | None, items: Items | None, seed: int | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        assert self.head is not None
        if geometry is None or not geometry.groups:
            # every rank must see a gradient for every parameter of the head, also on photos without geometry
            return torch.stack([p.sum() * 0.0 for p in self.head.parameters()]).sum(), {}
        rows = []
        for prediction, group in zip(self._predictions(tapped, geometry), geometry.groups):
            # one seed for every group, so that a view has the same pairs whatever else is in the batch
            generator = None if seed is None else torch.Generator().manual_seed(seed)
            rows.append(view_losses(prediction, group, generator))
        losses, payers = (torch.cat(column) for column in zip(*rows))
        total, parts = geometry_loss(losses, payers, self.weights, None if items is None else items.views)
        return total, {name: value.detach() for name, value in parts.items()}

    def _tapped(self, inputs: Mapping[str, Any], encoded: Encoded, states: Any, watched: bool = False) -> list[Tensor]:
        """What the head reads, one (all tokens of all photos, D) tensor per tap."""
        if self.taps.place == "projector":
            tapped = [encoded.tokens]
        else:
            found = encoded.hidden_states if self.taps.place == "encoder" else states
            assert found is not None
            tapped = [found[i] for i in self.taps.layers]
        if torch.is_grad_enabled() and not all(h.requires_grad for h in tapped) and self._tower_learns():
            raise PseudoGDError(
                f"a tap of {', '.join(self.taps.names)} carries no gradient though the tower is trained: geometry "
                "would teach the head alone (reentrant gradient checkpointing does this; use_reentrant=False does not)"
            )
        if self.balance is not None and watched and torch.is_grad_enabled():
            tapped = [self.balance.watch(name, h) for name, h in zip(self.taps.names, tapped)]
        if self.taps.place == "llm":
            photo = inputs["input_ids"] == self.family.image_token_id
            return [h[photo] for h in tapped]
        return [h.reshape(-1, h.shape[-1]) for h in tapped]

    def _tower_learns(self) -> bool:
        return any(p.requires_grad for p in self.family.tower(self.model).parameters())

    def _predictions(self, tapped: list[Tensor], geometry: GeometryBatch) -> list[Prediction]:
        assert self.head is not None
        return [self.head(_gather(tapped, group), self._cells(group)) for group in geometry.groups]

    def _cells(self, group: ViewGroup) -> tuple[int, int]:
        """(h, w) of a group's cells, each of which has subcells x subcells targets."""
        assert self.head is not None
        parts = self.head.subcells
        rows, columns = group.grid[0] // parts, group.grid[1] // parts
        if (rows * parts, columns * parts) != tuple(group.grid) or rows * columns != group.tokens.shape[1]:
            raise ValueError(
                f"targets of grid {group.grid} for {group.tokens.shape[1]} cells do not fit a head of "
                f"{parts} x {parts} parts a cell"
            )
        return rows, columns

    @torch.no_grad()
    def predict(self, inputs: Mapping[str, Any], geometry: GeometryBatch) -> list[Prediction]:
        """What the head says about the views of `geometry`, one `Prediction` per group; its targets are not read."""
        if self.head is None:
            raise ValueError("this student has no geometry head")
        encoded = self.family.encode(self.model, inputs, hidden_states=self._reads("encoder"))
        states = None
        if self._reads("llm"):
            _, _, states = self._language_of({k: v for k, v in inputs.items() if k != "labels"}, encoded, None)
        return self._predictions(self._tapped(inputs, encoded, states), geometry)

    # --------------------------------------------------------------------------------------------------- anchor
    @torch.no_grad()
    def _anchor_tokens(self, inputs: Mapping[str, Any]) -> Tensor:
        if self.anchor == "adapters":
            with self.model.disable_adapter():
                return self.family.encode(self.model, inputs, hidden_states=False).tokens
        (frozen,) = self._frozen
        frozen.to(next(self.family.tower(self.model).parameters()).device)
        return self.family.encode(frozen, inputs, hidden_states=False).tokens


def _gather(flat: list[Tensor], group: ViewGroup) -> list[Tensor]:
    """One (V, N, D) tensor per tap: the cells of a group of views, row-major."""
    index = group.tokens.flatten()
    return [h.index_select(0, index).unflatten(0, group.tokens.shape) for h in flat]


def _any_label(labels: Tensor | None) -> bool:
    """Whether there is a token to predict; the first of a row is none."""
    return labels is not None and bool((labels[..., 1:] != IGNORED).any())


def _learns(parameter: Tensor) -> bool:
    return parameter.requires_grad


def _zero_of(value: Any) -> Tensor | float:
    """0, with a gradient of 0 for everything that `value`, an output of any nesting, was computed from."""
    if isinstance(value, Tensor):
        return value.flatten()[:0].float().sum()  # of no element, so that an infinite one does no harm
    if isinstance(value, Mapping):
        value = list(value.values())
    return sum(map(_zero_of, value), 0.0) if isinstance(value, (list, tuple)) else 0.0


def _unwrapped(model: nn.Module) -> Any:
    """The model itself, without a `peft` wrapper (its adapters are in the modules)."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _logits_are_linear(model: nn.Module) -> bool:
    """Whether logits are the output layer of the last hidden states and nothing else, such as a cap or a scale."""
    model = _unwrapped(model)
    text = model.config.get_text_config()
    bent = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier", "output_multiplier_scale")
    return model.get_output_embeddings() is not None and all(getattr(text, name, None) is None for name in bent)


def freeze_unused(model: nn.Module, family: FamilyAdapter) -> list[str]:
    """Freeze what language can never train (see `FamilyAdapter.unused_parameters`); the names are returned."""
    names = family.unused_parameters(model)
    parameters = dict(model.named_parameters())
    for name in names:
        parameters[name].requires_grad_(False)
    return names
