"""A checkpoint on this machine: greedy replies in batches, each photo encoded once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pseudogd.benchmarks.backends.base import Request

# Whatever can change a reply: weights, configuration, tokenizer, chat template, image processor.
_SUFFIXES = {".safetensors", ".json", ".jinja", ".model", ".txt"}


class LocalBackend:
    """Replies of a checkpoint folder or hub id, through the student room; the weights are read at the first question.

    ``precision``: "fp32" keeps the checkpoint's own numbers, so that a reply does not depend on its batch; "bf16" is
    faster and gives that up. ``device``: None takes the accelerator if there is one.
    """

    def __init__(
        self, model: str | Path, device: str | None = None, precision: str = "fp32", batch_size: int = 64
    ) -> None:
        self.model = model
        self.device = device
        self.precision = precision
        self.batch_size = batch_size

    @cached_property
    def student(self) -> Any:
        import torch

        from pseudogd.student.load import load_student

        return load_student(self.model, device=self.device or ("cuda" if torch.cuda.is_available() else "cpu"))

    def identity(self) -> dict[str, Any]:
        """Name, digest of all files that matter (hub revision for an id), and precision."""
        folder = Path(self.model)
        if folder.is_dir():
            return {"name": folder.resolve().name, "sha256": folder_digest(folder), "precision": self.precision}
        revision = getattr(self.student.model.config, "_commit_hash", None)
        return {"name": str(self.model), "revision": revision, "precision": self.precision}

    def generate(self, requests: Sequence[Request]) -> list[str]:
        from pseudogd.student.ask import generate_answers

        # Copies of one picture under several names are one photo to the encoder.
        paths: dict[str, str] = {}
        for request in requests:
            paths.setdefault(request.image_id, str(request.image))
        replies = [""] * len(requests)
        for tokens in sorted({request.max_new_tokens for request in requests}):
            chosen = [index for index, request in enumerate(requests) if request.max_new_tokens == tokens]
            items = [(paths[requests[index].image_id], requests[index].text) for index in chosen]
            answers = generate_answers(
                self.student, items, max_new_tokens=tokens, batch_size=self.batch_size, precision=self.precision
            )
            for index, answer in zip(chosen, answers):
                replies[index] = answer
        return replies


def folder_digest(folder: Path) -> str:
    """SHA-256 over names and bytes of a checkpoint's files, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file()):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with open(path, "rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()
