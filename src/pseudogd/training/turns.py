"""Questions and answers as tokens, by the checkpoint's own chat template; which tokens are to be learnt.

Only the answer and the token that ends it are labels. The photo is one placeholder token here; the collator puts the
tokens that the processor writes for it in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from pseudogd.errors import InputError
from pseudogd.student.chat import run_processor, template_settings
from pseudogd.training.messages import Exchange, Message, photo_count, up_to_last_answer, without_photos, words
from pseudogd.training.tokens import PhotoTokens, Tokens, with_photos

_NOTHING = re.compile(r"\s*(<think>\s*</think>\s*|<\|channel>thought\s*<channel\|>\s*)?")
"""What a prompt may end with that an answered question has not."""

_WHAT = {"type": "text", "text": "What?"}


class TurnEncoder:
    """Turns exchanges into tokens with the chat template of `processor`.

    Args:
        processor: the checkpoint's processor (tokenizer, chat template).
        end_ids: tokens at which generation stops; the tokenizer's end token is always one of them.
        placeholder: text that stands for a photo in a rendered prompt (`FamilyAdapter.photo_text`).
        processed: what the processor makes of a rendered prompt beside photos (`FamilyAdapter.processed_text`).

    Raises:
        InputError: the checkpoint has no chat template, no token for the placeholder, or no end token.
    """

    def __init__(
        self,
        processor: Any,
        end_ids: Iterable[int] = (),
        placeholder: str | None = None,
        processed: Callable[[str], str] = str,
    ):
        self.processor, self.processed = processor, processed
        self.tokenizer = processor.tokenizer
        if not getattr(processor, "chat_template", None):
            raise InputError("the checkpoint has no chat template; add a chat_template.jinja to its folder")
        if self.tokenizer.eos_token_id is None:
            raise InputError("the checkpoint's tokenizer has no end token; set eos_token in its tokenizer_config.json")
        self.image_id = _placeholder_id(processor, placeholder)
        self.end_ids = frozenset({int(self.tokenizer.eos_token_id), *map(int, end_ids)})
        self._end_words = tuple(word for i in self.end_ids if (word := self.tokenizer.decode([i]).strip()))

    # --------------------------------------------------------------------------------------------------- isolated
    def single(self, exchanges: Sequence[Exchange]) -> list[tuple[list[int], int]]:
        """Every exchange as a conversation of its own: (tokens up to the end of the answer, length of the prompt)."""
        prompts = self._render([[user] for user, _ in exchanges], prompt=True)
        fulls = self._render([[user, answer] for user, answer in exchanges])
        fulls = [
            self._as_asked(full, [prompt], [answer])[0] for full, prompt, (_, answer) in zip(fulls, prompts, exchanges)
        ]
        rows = []
        for prompt, full, p, f in zip(prompts, fulls, self._tokenize(prompts), self._tokenize(fulls)):
            # as the model will read the prompt when asked, even where a token would straddle prompt and answer
            answer = f[len(p) :] if f[: len(p)] == p else self._tokenize([full[len(prompt) :]], special=False)[0]
            rows.append((p + self._ended(answer), len(p)))
        return rows

    def isolated(self, exchanges: Sequence[Exchange]) -> Tokens:
        """One photo and several exchanges, of which each sees the photo and itself alone.

        Raises:
            InputError: the template writes the question before the photo, so that no part can be shared.
        """
        return self.pack(self.single(exchanges))

    def pack(self, singles: Sequence[tuple[list[int], int]]) -> Tokens:
        """Conversations about one photo, sharing everything up to it; see `isolated`."""
        first = singles[0][0]
        shared = self._photo_at(first) + 1
        ids, learn, turn = first[:shared], [False] * shared, [0] * shared
        for number, (tokens, prompt) in enumerate(singles, 1):
            if tokens[:shared] != first[:shared]:
                raise InputError("the chat template writes the question before the photo; set data.turns=chat")
            ids += tokens[shared:]
            learn += [False] * (prompt - shared) + [True] * (len(tokens) - prompt)
            turn += [number] * (len(tokens) - shared)
        return _tokens(ids, learn, turn)

    # ------------------------------------------------------------------------------------------------------- chat
    def chat(self, exchanges: Sequence[Exchange]) -> Tokens:
        """One ordinary conversation: the photo with the first question, then question and answer in turn.

        Raises:
            InputError: the tokenizer cannot say where in the text a token lies, or the template rewrites earlier turns.
        """
        if not getattr(self.tokenizer, "is_fast", False):
            raise InputError("data.turns=chat needs a fast tokenizer (tokenizer.json); set data.turns=isolated")
        messages: list[Message] = []
        for number, (user, answer) in enumerate(exchanges):
            messages += [user if number == 0 else without_photos(user), answer]
        return self.conversation(messages)

    def conversation(self, messages: Sequence[Message]) -> Tokens:
        """Any conversation, with any number of photos: the assistant's turns are learnt, and nothing else.

        Messages after the assistant's last are left away: nothing is learnt from them.

        Raises:
            InputError: as `chat`; or no turn of the assistant, a photo in one, nothing before the first, or words that
                stand for a photo.
        """
        if not getattr(self.tokenizer, "is_fast", False):
            raise InputError("conversations need a fast tokenizer (tokenizer.json in the checkpoint's folder)")
        messages = up_to_last_answer(messages)
        text, starts = self._asked(messages)
        answers = [message for message in messages if message["role"] == "assistant"]
        coded = self.tokenizer(text, add_special_tokens=self._adds_special(text), return_offsets_mapping=True)
        ids, spans = list(coded["input_ids"]), coded["offset_mapping"]
        self._check_photos(messages, ids)
        bounds = [self._first_token(spans, start) for start in starts] + [len(ids)]
        learn = [False] * len(ids)
        for answer, start, begin, stop in zip(answers, starts, bounds, bounds[1:]):
            ends = [index + 1 for index in range(begin, stop) if ids[index] in self.end_ids]
            if not ends:  # then an answer is what was said, not what the template writes after it
                until = self._said_until(text, start, answer)
                if until is None:
                    raise InputError("the chat template changes answers and ends them with no end token")
                ends = [self._first_token(spans[:stop], until)]
            learn[begin : ends[0]] = [True] * (ends[0] - begin)
        last = bounds[-2]
        ids = ids[:last] + self._ended(ids[last:])
        return _tokens(ids, [*learn[:last], *[True] * (len(ids) - last)], [0] * len(ids))

    def _asked(self, messages: Sequence[Message]) -> tuple[str, list[int]]:
        """A conversation that an answer ends, as text; where in it answers begin. See `_as_asked`."""
        at = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
        prompts = [self._render([messages[:index]], prompt=True)[0] for index in at]
        return self._as_asked(self._render([messages])[0], prompts, [messages[index] for index in at])

    def _check_photos(self, messages: Sequence[Message], ids: Sequence[int]) -> None:
        """See that every placeholder is a photo, and that the processor's own tokens stand nowhere."""
        photos, found = sum(map(photo_count, messages)), ids.count(self.image_id)
        inner = getattr(self.processor, "image_token_id", self.image_id)
        if found != photos or (inner != self.image_id and inner in ids):
            found += ids.count(inner) if inner != self.image_id else 0
            raise InputError(
                f"{found} of the model's image tokens stand in it for {photos} pictures; "
                'write pictures as parts {"type": "image"}, and no such token among words'
            )

    @staticmethod
    def _first_token(spans: Sequence[tuple[int, int]], start: int) -> int:
        """Index of the first token that reaches beyond character `start`."""
        return next((index for index, (_, end) in enumerate(spans) if end > start), len(spans))

    def _as_asked(self, text: str, prompts: Sequence[str], answers: Sequence[Message]) -> tuple[str, list[int]]:
        """A conversation with every answer after the prompt that asks for it; where in it the answers begin.

        A template that writes other blanks before an answer than before the place where one is to come
        (LLaVA-OneVision's), or empty thoughts before the last answer alone (Qwen3.5's) or before none (Gemma 4's), has
        the prompt's here, as the model will read them. What follows the last answer is left out unless it is an end
        token: some templates write what looks like one (LLaVA-NeXT's for Mistral).

        Raises:
            InputError: the prompt is not the beginning of what is answered.
        """
        asked, starts, done = "", [], 0
        for prompt, answer in zip(prompts, answers):
            same, begin = len(prompt), len(prompt)
            if not text.startswith(prompt):
                same = next((i for i, (a, b) in enumerate(zip(text, prompt)) if a != b), len(text))
                begin = len(text) - len(text[same:].lstrip())
                if not _NOTHING.fullmatch(prompt[same:]) or not text[begin:].startswith(words(answer).strip()):
                    raise InputError(_unstable(prompt))
            asked += text[done:same] + prompt[same:]
            starts.append(len(asked))
            done = begin
        return self._without_rest(asked + text[done:], starts[-1], answers[-1]), starts

    def _without_rest(self, text: str, start: int, answer: Message) -> str:
        end = self._said_until(text, start, answer)
        return text if text[end:].lstrip().startswith(self._end_words) else text[:end]

    @staticmethod
    def _said_until(text: str, start: int, answer: Message) -> int | None:
        """Where the words of an answer end that begins at `start`; None if others stand there."""
        said = words(answer).strip()
        begin = len(text) - len(text[start:].lstrip())
        return begin + len(said) if text.startswith(said, begin) else None

    # ------------------------------------------------------------------------------------------------------ photo
    def photo_tokens(self, image: Any, together: int = 1) -> PhotoTokens:
        """The tokens that the processor writes for one photo, instead of the placeholder.

        `together`: how many photos its row has; some processors write fewer for each where there are several.
        """
        question: Message = {"role": "user", "content": [*[{"type": "image"}] * together, _WHAT]}
        (text,) = self._written([[question]], prompt=True)
        short, full = self._tokenize([self.processed(text)])[0], self._with_images(text, [image] * together)
        places = [index for index, token in enumerate(short) if token == self.image_id]
        if len(places) != together:
            raise InputError(f"the chat template wrote {len(places)} photos where {together} were given")
        at = places[0]
        before = at - next((i for i, (a, b) in enumerate(zip(short[:at], full)) if a != b), at)
        longer, rest = divmod(len(full) - len(short), together)
        photo = PhotoTokens(np.array(full[at - before : at + 1 + longer], np.int64), before)
        if rest or before > 1 or self._photos_in(short, [photo] * together) != full:
            raise InputError("the processor writes more than the photo's own tokens; this checkpoint is not supported")
        return photo

    def written_as_alone(
        self, messages: Sequence[Message], images: Sequence[Any], photos: Sequence[PhotoTokens]
    ) -> bool:
        """Whether the processor, given all images of a conversation, writes for each what `photo_tokens` says."""
        prompt = self._last_prompt(up_to_last_answer(messages))
        short = self._tokenize([self.processed(prompt)])[0]
        return self._photos_in(short, photos) == self._with_images(prompt, images)

    def with_images(self, messages: Sequence[Message], tokens: Tokens, images: Sequence[Any]) -> Tokens:
        """What `conversation` made, with what the processor writes for all images where they stand.

        For surroundings in which a photo's tokens run into words (Gemma's line breaks beside each other).

        Raises:
            InputError: the answers are not found again.
        """
        prompt = self._last_prompt(up_to_last_answer(messages))
        edges = np.flatnonzero(np.diff(tokens.learn, prepend=False, append=False))
        begins, ends = edges[::2].tolist(), edges[1::2].tolist()
        ids = tokens.ids.tolist()
        written = self._with_images(prompt, images)
        learn, cursor, done = [False] * len(written), 0, 0
        if self._tokenize([self.processed(prompt)])[0] != ids[: begins[-1]]:
            raise InputError("a token of this tokenizer spans the end of the prompt and the answer")
        for begin, end in zip(begins[:-1], ends[:-1]):
            before = [index for index in range(done, begin) if ids[index] == self.image_id]
            start = min(before[-1] + 2, begin) if before else done  # the token beside a photo may run into it
            at = _find(written, ids[start:end], cursor)
            if at is None:
                raise InputError("the processor writes words differently beside pictures, so answers cannot be told")
            learn[at + begin - start : at + end - start] = [True] * (end - begin)
            cursor, done = at + end - start, end
        answer = ids[begins[-1] :]
        return _tokens(written + answer, learn + [True] * len(answer), [0] * (len(written) + len(answer)))

    def _last_prompt(self, messages: Sequence[Message]) -> str:
        """The conversation up to its last answer, as it is handed to the processor."""
        (prompt,) = self._written([messages[:-1]], prompt=True)
        if self.processed(prompt) != prompt:  # what the processor adds must not be there already
            return prompt
        text, starts = self._asked(messages)
        return text[: starts[-1]]

    def only_photo(self) -> Tokens:
        """What every conversation about one photo begins with, up to the photo; nothing is learnt."""
        (text,) = self._render([[{"role": "user", "content": [{"type": "image"}, _WHAT]}]], prompt=True)
        ids = self._tokenize([text])[0]
        ids = ids[: self._photo_at(ids) + 1]
        return _tokens(ids, [False] * len(ids), [0] * len(ids))

    def _photos_in(self, short: Sequence[int], photos: Sequence[PhotoTokens]) -> list[int]:
        nothing = [0] * len(short)
        return [int(token) for token in with_photos(_tokens(short, nothing, nothing), self.image_id, photos).ids]

    def _with_images(self, text: str, images: Sequence[Any]) -> list[int]:
        extra = {} if self._adds_special(text) else {"add_special_tokens": False}
        encoding = run_processor(self.processor, [list(images)], text=[text], **extra)
        return [int(token) for token in encoding["input_ids"][0]]

    def _photo_at(self, ids: Sequence[int]) -> int:
        places = [index for index, token in enumerate(ids) if token == self.image_id]
        if len(places) != 1:
            raise InputError(f"the chat template wrote {len(places)} photos where one was given")
        return places[0]

    # ----------------------------------------------------------------------------------------------------- basics
    def _render(self, conversations: Sequence[Sequence[Message]], prompt: bool = False) -> list[str]:
        """Conversations as the language model reads them: a prompt with all that the processor adds to it."""
        written = self._written(conversations, prompt)
        return [self.processed(text) for text in written] if prompt else written

    def _written(self, conversations: Sequence[Sequence[Message]], prompt: bool = False) -> list[str]:
        rendered = self.processor.apply_chat_template(
            [list(c) for c in conversations],
            tokenize=False,
            add_generation_prompt=prompt,
            **template_settings(self.processor),
        )
        return list(rendered)

    def _tokenize(self, texts: Sequence[str], special: bool | None = None) -> list[list[int]]:
        if not texts:
            return []
        add = self._adds_special(texts[0]) if special is None else special
        return [list(ids) for ids in self.tokenizer(list(texts), add_special_tokens=add)["input_ids"]]

    def _adds_special(self, text: str) -> bool:
        """Whether the tokenizer is to add its start token: not where the template has written it already."""
        start = self.tokenizer.bos_token
        return not (start and text.startswith(start))

    def _ended(self, tokens: list[int]) -> list[int]:
        """An answer up to and with its end token, which is added where the template writes none."""
        for index, token in enumerate(tokens):
            if token in self.end_ids:
                return tokens[: index + 1]
        while tokens and not self.tokenizer.decode(tokens[-1:]).strip():
            tokens = tokens[:-1]
        return [*tokens, int(self.tokenizer.eos_token_id)]


def _tokens(ids: Sequence[int], learn: Sequence[bool], turn: Sequence[int]) -> Tokens:
    return Tokens(np.array(ids, np.int32), np.array(learn, np.bool_), np.array(turn, np.int16))


def _find(ids: Sequence[int], wanted: Sequence[int], start: int) -> int | None:
    """Where `wanted` stands in `ids`, from `start` on."""
    for at in range(start, len(ids) - len(wanted) + 1):
        if ids[at : at + len(wanted)] == wanted:
            return at
    return None


def _placeholder_id(processor: Any, placeholder: str | None) -> int:
    placeholder = placeholder or getattr(processor, "image_token", None)
    if not placeholder:
        raise InputError("the checkpoint's processor names no image token")
    token = processor.tokenizer.convert_tokens_to_ids(placeholder)
    if token is None or token == processor.tokenizer.unk_token_id:
        raise InputError(f"the checkpoint's tokenizer has no token {placeholder!r}, which stands for a photo")
    return int(token)


def _unstable(prompt: str) -> str:
    return (
        "the chat template writes a question differently once it is answered, so the answer cannot be told from it "
        f"(at ...{prompt[-40:]!r}); use a template whose prompt is the beginning of the answered conversation, "
        "or one question a row (data.turns_per_row=1) where only answers before the last are written differently"
    )
