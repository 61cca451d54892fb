"""What tiny checkpoints share: a word-level tokenizer, a small language model, louder weights."""

import torch
import transformers as hf
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from helpers.tiny_llava import WORDS

VISION = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=2)
"""Width and depth of the towers of nearly all families."""


def tokenizer(specials=(), words="", lines=False, **named):
    """Words of `tiny_llava`, and more; special tokens.

    Args:
        specials: tokens beside the usual ones.
        words: more words, with spaces between.
        lines: line breaks are tokens, a run of them a single one, as in byte-pair vocabularies; else they are spaces.
        named: go to the tokenizer as attributes (image_token="<image>"), in place of the usual ones (eos_token) too.
    """
    breaks = ["\n", "\n\n"] if lines else []
    special = [token for token in (*specials, *named.values()) if token]
    known = dict.fromkeys([*WORDS.split(), *words.split(), *breaks, *special])
    core = Tokenizer(models.WordLevel({w: i for i, w in enumerate(known)}, "<unk>"))
    spaces = [pre_tokenizers.Split(Regex(" +"), "removed"), pre_tokenizers.Split(Regex("\n+"), "isolated")]
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            *(spaces if lines else [pre_tokenizers.WhitespaceSplit()]),
            pre_tokenizers.Punctuation("isolated"),
            pre_tokenizers.Digits(True),
        ]
    )
    usual = dict(pad_token="<pad>", unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=core, additional_special_tokens=["<image>", *specials], **usual | named
    )


def text_settings(tok, **changes):
    """Keyword arguments of a two-layer language model's config."""
    return (
        dict(
            vocab_size=len(tok),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=4096,
            pad_token_id=tok.pad_token_id,
            bos_token_id=tok.bos_token_id,
            eos_token_id=tok.eos_token_id,
        )
        | changes
    )


def save(folder, make_model, processor, seed=0, ends=()):
    """Write a model (made under `seed`, weights four times the usual size) and its processor; returns the folder.

    `ends`: tokens that end an answer beside the tokenizer's end token.
    """
    torch.manual_seed(seed)
    model = make_model()
    with torch.no_grad():  # larger than the usual initialisation, so that photos and words make a visible difference
        for name, p in model.named_parameters():
            if p.ndim > 1 and "position" not in name:
                p.mul_(4.0)
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    tok = processor.tokenizer
    ends = [tok.eos_token_id, *tok.convert_tokens_to_ids(list(ends))]
    model.generation_config.eos_token_id = ends if len(ends) > 1 else ends[0]
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
