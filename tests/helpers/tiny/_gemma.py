"""The tokenizer of Gemma's families: byte-fallback BPE, spaces as "▁", runs of line breaks as single tokens."""

import torch
import transformers as hf
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, trainers

from helpers.tiny_llava import WORDS

BYTES = [f"<0x{n:02X}>" for n in range(256)]


def tokenizer(specials, **named):
    """A small `GemmaTokenizer` that knows the words of `tiny_llava`; `named` special tokens become its attributes."""
    words = " ".join(w for w in WORDS.split() if not w.startswith("<"))
    core = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    core.normalizer = normalizers.Replace(" ", "▁")
    core.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    fixed = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *specials, *BYTES]
    core.train_from_iterator(
        [f"{words} " * 3], trainers.BpeTrainer(vocab_size=700, special_tokens=fixed, show_progress=False)
    )
    vocab, merges = core.get_vocab(), core_merges(core)
    tok = hf.GemmaTokenizer(vocab=vocab, merges=merges, extra_special_tokens=named, add_bos_token=True)
    tok.add_tokens([AddedToken(text, special=True, normalized=False) for text in specials])
    tok.add_tokens([AddedToken("\n" * n, normalized=False) for n in range(1, 5)])
    return tok


def core_merges(core):
    """The merges of a trained BPE, as pairs."""
    import json

    return [tuple(pair) for pair in json.loads(core.to_str())["model"]["merges"]]


def text_settings(tok, **changes):
    """Keyword arguments of a small Gemma's config."""
    return (
        dict(
            vocab_size=len(tok),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            max_position_embeddings=4096,
            pad_token_id=tok.pad_token_id,
            bos_token_id=tok.bos_token_id,
            eos_token_id=tok.eos_token_id,
        )
        | changes
    )


def attentive(model, loud=2.0):
    """Quieter embeddings and louder layers: Gemma's scaled embeddings would otherwise decide every answer alone."""
    language = model.model.language_model
    with torch.no_grad():
        language.embed_tokens.weight.mul_(0.25)
        for parameter in language.layers.parameters():
            if parameter.ndim > 1:
                parameter.mul_(loud)
    return model
