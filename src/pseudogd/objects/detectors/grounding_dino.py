"""Grounding DINO and MM-Grounding-DINO: all classes in one sentence, a score for every box and word piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForZeroShotObjectDetection
from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil

from pseudogd.errors import InputError
from pseudogd.objects.checkpoints import load_image_processor, load_model, load_tokenizer, memory_said
from pseudogd.objects.detectors.base import Detections, Detector, Prepared, to_detections

MODEL_TYPES = ("grounding-dino", "mm-grounding-dino")


class GroundingDino(Detector):
    """``box_threshold``: least score of the best word piece; ``text_threshold``: least mean over a class's pieces.

    A box belongs to the class whose word pieces answer best in the mean. (Putting the loudest pieces of the sentence
    together, as the library does, makes phrases of two classes that nobody asked for.) Vocabularies that do not fit in
    one sentence are asked in several.
    """

    def __init__(
        self,
        path: str,
        classes: Sequence[str],
        *,
        box_threshold: float = 0.3,
        text_threshold: float = 0.25,
        doubt: float = 0.6,
        device: str | None = None,
        dtype: str = "float32",
        revision: str | None = None,
    ):
        self.classes, self.threshold, self.text_threshold = list(classes), box_threshold, text_threshold
        self.doubt = doubt * box_threshold
        self._doubtful = doubt
        self.tokenizer = load_tokenizer(path, revision)
        self.processor = load_image_processor(path, revision, GroundingDinoImageProcessorPil)
        self.model, weights = load_model(AutoModelForZeroShotObjectDetection, path, revision, device, dtype)
        self.sentences = self._sentences(path)
        self.settings = {
            "detector": self.model.config.model_type,
            "weights": weights,
            "box_threshold": box_threshold,
            "text_threshold": text_threshold,
            "doubt": doubt,
            "dtype": dtype,
            "size": {k: v for k, v in dict(self.processor.size).items() if v is not None},
        }

    def prepare(self, image: Image.Image) -> Prepared:
        values = self.processor(images=image, return_tensors="np")["pixel_values"][0]
        return Prepared(np.ascontiguousarray(values, np.float32), image.size)

    @torch.inference_mode()
    def detect(self, batch: Sequence[Prepared]) -> list[Detections]:
        parameter = next(self.model.parameters())
        found: list[list[tuple[Any, ...]]] = [[] for _ in batch]
        with memory_said("detector"):
            pixels = torch.from_numpy(np.stack([one.pixels for one in batch])).to(parameter.device, parameter.dtype)
            mask = torch.ones((len(batch), *pixels.shape[-2:]), dtype=torch.long, device=pixels.device)
            for ids, spans in self.sentences:
                words = torch.tensor([ids] * len(batch), device=pixels.device)
                out = self.model(
                    pixel_values=pixels,
                    pixel_mask=mask,
                    input_ids=words,
                    attention_mask=torch.ones_like(words),
                    token_type_ids=torch.zeros_like(words),
                )
                share = out.logits.float().sigmoid().cpu().numpy().astype(np.float64)
                boxes = out.pred_boxes.float().cpu().numpy().astype(np.float64)
                for place in range(len(batch)):
                    found[place].append((boxes[place], *self._scored(share[place], spans)))
        return [self._together(parts, one.size) for parts, one in zip(found, batch)]

    def _scored(self, share: np.ndarray, spans: dict[int, slice]) -> tuple[np.ndarray, np.ndarray]:
        """(scores, classes) of the boxes, from (boxes, word pieces) shares. Score 0: no class answers enough."""
        numbers = np.array(list(spans))
        means = np.stack([share[:, span].mean(axis=1) for span in spans.values()], axis=1)
        loudest = np.stack([share[:, span].max(axis=1) for span in spans.values()], axis=1)
        best, rows = means.argmax(axis=1), np.arange(len(share))
        enough = means[rows, best] >= self._doubtful * self.text_threshold
        # What passes one threshold and not the other is a doubt, not a thing.
        sure = means[rows, best] >= self.text_threshold
        scores = np.where(sure, loudest[rows, best], np.minimum(loudest[rows, best], np.nextafter(self.threshold, 0)))
        return np.where(enough, scores, 0.0), numbers[best]

    def _together(self, parts: list[tuple[Any, ...]], size: tuple[int, int]) -> Detections:
        boxes, scores, classes = (np.concatenate(column) for column in zip(*parts))
        return to_detections(boxes, scores, classes.astype(np.int64), size, size, max(self.doubt, 1e-9))

    def _sentences(self, path: str) -> list[tuple[list[int], dict[int, slice]]]:
        """Ids of "[CLS] chair . dining table . [SEP]" and where each class stands in it; as many as are needed."""
        tokenizer, config = self.tokenizer, self.model.config
        stop = tokenizer.convert_tokens_to_ids(".")
        room = int(min(config.max_text_len, getattr(config.text_config, "max_position_embeddings", 512)))
        sentences: list[tuple[list[int], dict[int, slice]]] = []
        for number, name in enumerate(self.classes):
            pieces = tokenizer(name.replace(".", " ").replace("?", " "), add_special_tokens=False)["input_ids"]
            if not pieces or all(piece == tokenizer.unk_token_id for piece in pieces):
                raise InputError(f"{path}: its tokenizer knows no part of {name!r}; leave that class out")
            if len(pieces) + 3 > room:
                raise InputError(f"{path}: {name!r} is longer than the {room} word pieces that it reads")
            if not sentences or len(sentences[-1][0]) + len(pieces) + 2 > room:
                sentences.append(([tokenizer.cls_token_id], {}))
            ids, spans = sentences[-1]
            spans[number] = slice(len(ids), len(ids) + len(pieces))
            ids += [*pieces, stop]
        for ids, _ in sentences:
            ids.append(tokenizer.sep_token_id)
        return sentences
