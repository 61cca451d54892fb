"""The geometry head: small on purpose, so that what it says must be in the encoder. Dropped at export."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pseudogd.distill.losses import Prediction
from pseudogd.errors import InputError
from pseudogd.student.families.base import FamilyAdapter
from pseudogd.student.taps import Taps


class ResidualConv(nn.Module):
    """x + conv3x3(gelu(x))."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(nn.functional.gelu(x))


class GeometryHead(nn.Module):
    """Taps -> structure, normals and sky of every cell, canonical log scale and log focal of every view.

    Per tap LayerNorm + Linear(width), summed; `blocks` residual 3x3 convolutions; 1x1 outputs; attention pooling and a
    small MLP for (s, phi). Without blocks nothing but a linear map stands between a cell's tokens and what is said of
    it: all of it must be in the encoder, and in the cell's own tokens. The last layers start at zero: at first the
    structure is flat, every normal faces the camera, and s = `s_bias`, phi = `phi_bias`. Always float32, whatever the
    model's precision.

    Args:
        in_width: width of a tapped token.
        taps: how many tensors are read.
        width: inner width; 256 for a real tower, 64-128 for a tiny one.
        s_bias: mean canonical log depth of the data, log(z F / f_view).
        phi_bias: mean log(f_view / F) of the data.
        blocks: residual 3x3 convolutions.
        subcells: a cell is told apart in so many parts along each side (see `distill.targets.cell_targets`).
    """

    def __init__(
        self,
        in_width: int,
        taps: int,
        width: int = 256,
        s_bias: float = 0.0,
        phi_bias: float = 0.0,
        blocks: int = 2,
        subcells: int = 1,
    ):
        super().__init__()
        self.settings = {
            "in_width": in_width,
            "taps": taps,
            "width": width,
            "s_bias": s_bias,
            "phi_bias": phi_bias,
            "blocks": blocks,
            "subcells": subcells,
        }
        self.subcells = subcells
        self.read = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(in_width), nn.Linear(in_width, width)) for _ in range(taps)
        )
        convolutions = [ResidualConv(width) for _ in range(blocks)]
        self.mix = nn.Sequential(*convolutions, nn.GELU()) if blocks else nn.Identity()
        self.cell = nn.Conv2d(width, 5 * subcells**2, 1)  # structure, normal x 3, sky; each of every part
        self.attend = nn.Linear(width, 1)
        self.view = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 2))
        self._start_at_nothing(s_bias, phi_bias)

    @classmethod
    def for_family(cls, family: FamilyAdapter, taps: Taps, width: int = 256, **settings: Any) -> GeometryHead:
        """A head of the right input width for a family's taps; `settings` as of the head."""
        return cls(family.tap_width(taps.place), taps.count, width, **settings)

    def _start_at_nothing(self, s_bias: float, phi_bias: float) -> None:
        with torch.no_grad():
            self.cell.weight.zero_()
            # a normal of length zero has no direction and an unbounded gradient: start by facing the camera
            self.cell.bias.copy_(torch.tensor([0.0, 0.0, 0.0, -1.0, 0.0]).repeat_interleave(self.subcells**2))
            self.view[-1].weight.zero_()
            self.view[-1].bias.copy_(torch.tensor([s_bias, phi_bias]))

    def forward(self, taps: list[Tensor], grid: tuple[int, int]) -> Prediction:
        """taps: one (V, h*w, in_width) tensor per tap, row-major cells of `grid` (h, w).

        The maps of the prediction have the row-major (h * subcells, w * subcells) parts.
        """
        with torch.autocast(device_type=taps[0].device.type, enabled=False):
            cells = torch.stack([read(x.float()) for read, x in zip(self.read, taps)]).sum(0)  # (V, N, width)
            x = self.mix(cells.transpose(1, 2).unflatten(-1, grid))  # (V, width, h, w)
            maps = nn.functional.pixel_shuffle(self.cell(x), self.subcells)  # (V, 5, h * subcells, w * subcells)
            out = maps.flatten(2).transpose(1, 2)
            flat = x.flatten(2).transpose(1, 2)
            pooled = (self.attend(flat).softmax(dim=1) * flat).sum(1)
            s, phi = self.view(pooled).unbind(-1)
        return Prediction(out[..., 0], out[..., 1:4], out[..., 4], s, phi)

    def save(
        self, path: str | Path, extra: dict[str, Any] | None = None, weights: Mapping[str, Tensor] | None = None
    ) -> None:
        """Write weights and settings (and `extra`, such as the taps) as one safetensors file.

        `weights` are the full ones where this module holds only a rank's share of them.
        """
        from safetensors.torch import save_file

        state = {k: v.detach().cpu().contiguous() for k, v in (weights or self.state_dict()).items()}
        save_file(state, str(path), metadata={"settings": json.dumps(self.settings), "extra": json.dumps(extra or {})})

    @classmethod
    def load(cls, path: str | Path) -> tuple[GeometryHead, dict[str, Any]]:
        """The head and the `extra` that was saved with it.

        Raises:
            InputError: the file is missing, or not a geometry head.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), framework="pt") as f:
                meta = f.metadata() or {}
                state = {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118 (not a mapping)
            head = cls(**json.loads(meta["settings"]))
            head.load_state_dict(state)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as e:
            raise InputError(f"{path}: not a geometry head ({e})") from e
        return head, json.loads(meta.get("extra", "{}"))
