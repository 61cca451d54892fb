"""A photo as a student sees it: every view with its grid of cells, and what each cell is to say of depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pseudogd.distill.targets import ViewTargets, split_cells
from pseudogd.reports.drawings import COLOURS
from pseudogd.reports.pictures import depth_picture
from pseudogd.student.families.base import View
from pseudogd.training.doctor.data import outside

SIDE, CELL = 360, 6
"""A view is drawn with its longer side so many pixels long, more where its cells would be smaller than `CELL`."""
_OF_MANY = ((5, 360), (13, 220), (10**9, 150))
"""Sides of views that show a part of the photo: the more of them, the smaller. Two pairs of 220 fit into the page."""
_LONGEST = 900
_GRID, _PADDING, _HATCH = (255, 255, 255, 110), (226, 228, 233), (150, 156, 168)
_GAP, _LETTERS, _WIDEST = 14, 15, 1600
Pairs = Sequence[tuple[View, ViewTargets | None]]


@dataclass(frozen=True)
class ViewPicture:
    """One view drawn twice: `seen` with the grid over the photo, `targets` with every cell in its depth's colour.

    `known` is the share of its cells that geometry says something about.
    """

    name: str
    caption: str
    colour: str
    is_global: bool
    seen: Image.Image
    targets: Image.Image | None
    known: float | None


@dataclass(frozen=True)
class Scale:
    """Near and far end of the colours; metres where `metric`, else nothing but nearer and farther."""

    near: float
    far: float
    metric: bool


def scale_of(views: Pairs, metric: bool) -> Scale:
    """One scale for all views of a photo, over 2-98 % of the cells that say something."""
    known = [targets.log_depth[targets.weight > 0] for _, targets in views if targets is not None]
    values = _depth(np.concatenate(known), metric) if known else np.zeros(0)
    if not values.size:
        return Scale(0.1, 10.0, metric)
    near, far = np.quantile(values, [0.02, 0.98])
    return Scale(float(near), float(max(far, 1.05 * near)), metric)


def view_pictures(photo: Image.Image, views: Pairs, scale: Scale) -> list[ViewPicture]:
    """Draw every view, those of the whole photo first."""
    numbered = sorted(enumerate(views), key=lambda item: not item[1][0].is_global)
    of_many = next(side for most, side in _OF_MANY if len(views) <= most)
    return [
        _picture(photo, view, targets, scale, COLOURS[k % len(COLOURS)], SIDE if view.is_global else of_many)
        for k, (view, targets) in numbered
    ]


def outlines(photo: Image.Image, views: Pairs, side: int = SIDE) -> Image.Image:
    """The photo with the outline of every view in its colour, on paper where views reach beyond it."""
    boxes = [region(view) for view, _ in views]
    whole = _around([*boxes, (0.0, 0.0, float(photo.width), float(photo.height))])
    size = _fitted(whole, side)
    picture = _cut(photo, whole, size)
    draw = ImageDraw.Draw(picture)
    unit = size[0] / (whole[2] - whole[0])
    for k, box in enumerate(boxes):
        ends = [(value - whole[i % 2]) * unit for i, value in enumerate(box)]
        inset = 2 + 2 * (k % 3)  # side by side where several views end at one edge
        corners = (ends[0] + inset, ends[1] + inset, ends[2] - inset - 1, ends[3] - inset - 1)
        if corners[2] > corners[0] and corners[3] > corners[1]:
            draw.rectangle(corners, outline=COLOURS[k % len(COLOURS)], width=2)
    return picture


def sheet(overview: Image.Image, pictures: Sequence[ViewPicture], scale: Scale, title: str) -> Image.Image:
    """All pictures on one page: the photo, then every view beside its targets, with captions and a legend."""
    font = ImageFont.load_default(_LETTERS)
    cards = [_card(overview, None, title, "#1b2330", font)]
    cards += [_card(p.seen, p.targets, f"{p.name}: {p.caption}", p.colour, font) for p in pictures]
    most = max(_WIDEST, max(card.width for card in cards) + 2 * _GAP)
    rows: list[list[Image.Image]] = [[]]
    for card in cards:
        if rows[-1] and sum(c.width + _GAP for c in rows[-1]) + card.width + 2 * _GAP > most:
            rows.append([])
        rows[-1].append(card)
    height = sum(max(c.height for c in row) + _GAP for row in rows) + _GAP
    legend = _legend(scale, font) if any(p.targets is not None for p in pictures) else None
    widths = [sum(c.width + _GAP for c in row) for row in rows] + ([legend.width + _GAP] if legend else [])
    width = max(widths) + _GAP
    page = Image.new("RGB", (width, height + (legend.height + _GAP if legend else 0)), "white")
    y = _GAP
    for row in rows:
        x = _GAP
        for card in row:
            page.paste(card, (x, y))
            x += card.width + _GAP
        y += max(card.height for card in row) + _GAP
    if legend is not None:
        page.paste(legend, (_GAP, y))
    return page


def region(view: View) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 around all cells of a view, in pixels of the photo."""
    low, high = view.boxes[:, :2].min(axis=0), view.boxes[:, 2:].max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


# ---------------------------------------------------------------- one view
def _picture(
    photo: Image.Image, view: View, targets: ViewTargets | None, scale: Scale, colour: str, side: int
) -> ViewPicture:
    box = region(view)
    size = _fitted(box, max(side, min(_LONGEST, CELL * max(view.grid))))
    away = outside(view.boxes, photo.size)
    seen = _hatched(_cut(photo, box, size), away.reshape(view.grid))
    caption = f"{view.grid[1]} x {view.grid[0]} cells"
    if away.any():
        caption += f", {int(away.sum())} padding"
    if targets is None:
        return ViewPicture(view.name, caption, colour, view.is_global, _ruled(seen, view.grid), None, None)
    known = float((targets.weight > 0).mean())
    drawn = _cells(view, targets, scale, photo.size).resize(size, Image.Resampling.NEAREST)
    parts, _ = split_cells(view.boxes, view.grid, targets.grid[0] // view.grid[0])
    drawn = _hatched(drawn, outside(parts, photo.size).reshape(targets.grid))
    return ViewPicture(
        view.name, f"{caption}, {known:.0%} known", colour, view.is_global, _ruled(seen, view.grid), drawn, known
    )


def _cells(view: View, targets: ViewTargets, scale: Scale, size: tuple[int, int]) -> Image.Image:
    """One pixel for each cell or part of one: paler the less it weighs, grey where unknown, black where sky."""
    sky = (targets.sky > 0.5) & (targets.sky_weight > 0)
    depth = np.where(targets.weight > 0, _depth(targets.log_depth, scale.metric), np.nan)
    picture = depth_picture(np.where(sky, np.inf, depth).reshape(targets.grid), scale.near, scale.far)
    trust = np.where(sky | (targets.weight <= 0), 1.0, 0.35 + 0.65 * targets.weight).reshape(*targets.grid, 1)
    rgb = np.asarray(picture) * trust + 255 * (1 - trust)
    return Image.fromarray(rgb.round().astype(np.uint8))


def _depth(log_depth: NDArray[np.floating], metric: bool) -> NDArray[np.floating]:
    """Metres; for labels that know the order alone, ranks moved away from zero."""
    return np.exp(log_depth) if metric else 1.0 + log_depth


def _cut(photo: Image.Image, box: tuple[float, float, float, float], size: tuple[int, int]) -> Image.Image:
    """The part of the photo inside of `box`, paper where `box` reaches beyond it."""
    inside = (max(box[0], 0.0), max(box[1], 0.0), min(box[2], photo.width), min(box[3], photo.height))
    paper = Image.new("RGB", size, _PADDING)
    unit = size[0] / (box[2] - box[0]), size[1] / (box[3] - box[1])
    ends = [round((value - box[i % 2]) * unit[i % 2]) for i, value in enumerate(inside)]
    if inside[2] <= inside[0] or inside[3] <= inside[1] or ends[2] <= ends[0] or ends[3] <= ends[1]:
        return paper
    part = photo.convert("RGB").resize((ends[2] - ends[0], ends[3] - ends[1]), Image.Resampling.BILINEAR, inside)
    paper.paste(part, (ends[0], ends[1]))
    return paper


def _ruled(picture: Image.Image, grid: tuple[int, int]) -> Image.Image:
    over = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(over)
    for column in range(1, grid[1]):
        x = round(column * picture.width / grid[1])
        draw.line((x, 0, x, picture.height), _GRID)
    for row in range(1, grid[0]):
        y = round(row * picture.height / grid[0])
        draw.line((0, y, picture.width, y), _GRID)
    return Image.alpha_composite(picture.convert("RGBA"), over).convert("RGB")


def _hatched(picture: Image.Image, cells: NDArray[np.bool_]) -> Image.Image:
    """The picture with diagonal lines over the cells (h, w) that are padding."""
    if not cells.any():
        return picture
    mask = Image.fromarray((255 * cells).astype(np.uint8)).resize(picture.size, Image.Resampling.NEAREST)
    lines = Image.new("RGB", picture.size, _PADDING)
    draw = ImageDraw.Draw(lines)
    for start in range(-picture.height, picture.width, 7):
        draw.line((start, picture.height, start + picture.height, 0), _HATCH)
    return Image.composite(lines, picture, mask)


# ---------------------------------------------------------------- the page
def _card(
    left: Image.Image, right: Image.Image | None, text: str, colour: str, font: ImageFont.ImageFont
) -> Image.Image:
    pictures = [left] if right is None else [left, right]
    wide = sum(p.width for p in pictures) + 4 * (len(pictures) - 1)
    text = _shortened(text, max(wide, 240) - _LETTERS - 8, font)
    card = Image.new("RGB", (max(wide, 240), max(p.height for p in pictures) + 2 * _LETTERS), "white")
    draw = ImageDraw.Draw(card)
    draw.rectangle((0, 4, _LETTERS - 3, _LETTERS + 1), fill=colour)
    draw.text((_LETTERS + 4, 1), text, fill="#1b2330", font=font)
    x = 0
    for picture in pictures:
        card.paste(picture, (x, 2 * _LETTERS - 4))
        x += picture.width + 4
    return card


def _shortened(text: str, width: float, font: ImageFont.ImageFont) -> str:
    while len(text) > 4 and font.getlength(text) > width:
        text = text[:-4] + "..."
    return text


def _legend(scale: Scale, font: ImageFont.ImageFont) -> Image.Image:
    """The colours from near to far, and what the other marks mean."""
    steps = np.exp(np.linspace(np.log(scale.near), np.log(scale.far), 200))[None]
    bar = depth_picture(steps, scale.near, scale.far).resize((200, 16), Image.Resampling.NEAREST)
    near, far = (f"{scale.near:.2f} m", f"{scale.far:.2f} m") if scale.metric else ("nearest", "farthest")
    legend = Image.new("RGB", (1100, 24), "white")
    draw = ImageDraw.Draw(legend)
    draw.text((0, 2), near, fill="#1b2330", font=font)
    legend.paste(bar, (70, 4))
    draw.text((278, 2), far, fill="#1b2330", font=font)
    x = 370
    for kind, text in (("unknown", "no target"), ("sky", "sky"), ("padding", "padding")):
        value = np.full((16, 16), np.inf if kind == "sky" else np.nan)
        swatch = depth_picture(value, 1.0, 2.0)
        legend.paste(_hatched(swatch, np.ones((1, 1), np.bool_)) if kind == "padding" else swatch, (x, 4))
        draw.text((x + 22, 2), text, fill="#1b2330", font=font)
        x += 40 + int(font.getlength(text))
    last = "paler: weighs less"
    draw.text((x + 4, 2), last, fill="#1b2330", font=font)
    return legend.crop((0, 0, x + 4 + int(font.getlength(last)) + 1, legend.height))


def _fitted(box: tuple[float, float, float, float], side: int) -> tuple[int, int]:
    width, height = box[2] - box[0], box[3] - box[1]
    share = side / max(width, height)
    return max(1, round(width * share)), max(1, round(height * share))


def _around(boxes: Sequence[tuple[float, float, float, float]]) -> tuple[float, float, float, float]:
    low, high = np.min([box[:2] for box in boxes], axis=0), np.max([box[2:] for box in boxes], axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
