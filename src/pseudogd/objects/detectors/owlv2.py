"""OWLv2: every class is a text of its own, every patch of the photo a box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from transformers import Owlv2ForObjectDetection
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil

from pseudogd.errors import InputError
from pseudogd.objects.checkpoints import load_image_processor, load_model, load_tokenizer, memory_said
from pseudogd.objects.detectors.base import Detections, Detector, Prepared, to_detections

MODEL_TYPES = ("owlv2",)
TEXTS_AT_ONCE = 256
_LARGEST = 2  # times the network's side: its own resize filters every pixel of the photo in double precision


class Owlv2(Detector):
    """``box_threshold``: least score of a box's best class. ``template``: the text of a class, {} stands for its name.

    The texts go through the network once, whatever the number of photos.
    """

    def __init__(
        self,
        path: str,
        classes: Sequence[str],
        *,
        box_threshold: float = 0.2,
        template: str = "a photo of a {}",
        doubt: float = 0.6,
        device: str | None = None,
        dtype: str = "float32",
        revision: str | None = None,
    ):
        if template.count("{}") != 1:
            raise InputError(f"template {template!r}: needs one {{}} where the name goes")
        self.classes, self.threshold, self.doubt = list(classes), box_threshold, doubt * box_threshold
        self.processor = load_image_processor(path, revision, Owlv2ImageProcessorPil)
        tokenizer = load_tokenizer(path, revision)
        self.model, weights = load_model(Owlv2ForObjectDetection, path, revision, device, dtype)
        self.queries = self._queries(tokenizer, [template.format(name) for name in self.classes])
        self.settings = {
            "detector": "owlv2",
            "weights": weights,
            "box_threshold": box_threshold,
            "template": template,
            "doubt": doubt,
            "dtype": dtype,
        }

    def prepare(self, image: Image.Image) -> Prepared:
        side = _LARGEST * max(int(n) for n in dict(self.processor.size).values() if n)
        smaller = image
        if max(image.size) > side:
            smaller = image.copy()
            smaller.thumbnail((side, side), Image.Resampling.BOX)
        values = self.processor(images=smaller, return_tensors="np")["pixel_values"][0]
        return Prepared(np.ascontiguousarray(values, np.float32), image.size)

    @torch.inference_mode()
    def detect(self, batch: Sequence[Prepared]) -> list[Detections]:
        parameter = next(self.model.parameters())
        with memory_said("detector"):
            pixels = torch.from_numpy(np.stack([one.pixels for one in batch])).to(parameter.device, parameter.dtype)
            features, _ = self.model.image_embedder(pixel_values=pixels)
            flat = features.reshape(len(batch), -1, features.shape[-1])
            queries = self.queries[None].expand(len(batch), -1, -1)
            logits, _ = self.model.class_predictor(flat, queries, None)
            boxes = self.model.box_predictor(flat, features).float().cpu().numpy().astype(np.float64)
            best = logits.float().max(dim=-1)
        scores = best.values.sigmoid().cpu().numpy().astype(np.float64)
        classes = best.indices.cpu().numpy().astype(np.int64)
        found = []
        for place, one in enumerate(batch):
            side = float(max(one.size))  # the photo is padded to a square, right and below
            found.append(to_detections(boxes[place], scores[place], classes[place], (side, side), one.size, self.doubt))
        return found

    @torch.inference_mode()
    def _queries(self, tokenizer: object, texts: list[str]) -> torch.Tensor:
        """(classes, width) text embeddings."""
        parameter = next(self.model.parameters())
        length = self.model.config.text_config.max_position_embeddings
        parts = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            words = tokenizer(  # type: ignore[operator]
                texts[start : start + TEXTS_AT_ONCE],
                padding="max_length",
                truncation=True,
                max_length=length,
                return_tensors="pt",
            ).to(parameter.device)
            hidden = self.model.owlv2.text_model(input_ids=words["input_ids"], attention_mask=words["attention_mask"])
            features = self.model.owlv2.text_projection(hidden.pooler_output)
            parts.append(features / features.norm(dim=-1, keepdim=True))
        return torch.cat(parts)
