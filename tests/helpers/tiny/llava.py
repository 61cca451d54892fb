"""LLaVA over CLIP and over SigLIP."""

from helpers.tiny_llava import save_tiny_llava

SIZES = [(150, 97), (97, 150), (311, 97), (64, 64), (60, 233), (800, 601), (20, 14)]

VARIANTS = {
    "clip, reads -2, centre crop": dict(tower="clip"),
    "clip, reads -1, class token kept": dict(tower="clip", layer=-1, strategy="full"),
    "clip, squash": dict(tower="clip", squash=True),
    "siglip, reads -1, squash, last pixels unseen": dict(tower="siglip", layer=-1, image_size=60, squash=True),
    "siglip, reads -2, centre crop": dict(tower="siglip", layer=-2),
    "clip, 8 px patches": dict(tower="clip", image_size=64, patch=8),
}

save = save_tiny_llava
