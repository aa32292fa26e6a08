"""The tiny checkpoints' tokenizers, in the classes of the models they stand for: Cohere (Aya), NLLB and Qwen.

Each is byte-pair encoding learnt on the miniature world's own text. Cohere's and Qwen's work on bytes; NLLB's knows the
letters of the 23 languages and printable ASCII, and anything else is <unk> to it, as in the real one.
"""

import json
import re
import string
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import CohereTokenizerFast, NllbTokenizer, Qwen2Tokenizer

# As published with CohereLabs/aya-23-8B, and {% generation %} around what the model says, for TRL's assistant-only loss.
AYA_TEMPLATE = """\
{{ bos_token }}\
{% if messages[0]['role'] == 'system' %}\
{% set loop_messages = messages[1:] %}\
{{ '<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>' + messages[0]['content'] + '<|END_OF_TURN_TOKEN|>' }}\
{% else %}\
{% set loop_messages = messages %}\
{% endif %}\
{% for message in loop_messages %}\
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}\
{% endif %}\
{% if message['role'] == 'user' %}\
{{ '<|START_OF_TURN_TOKEN|><|USER_TOKEN|>' + message['content'].strip() + '<|END_OF_TURN_TOKEN|>' }}\
{% elif message['role'] == 'assistant' %}\
{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}\
{% generation %}{{ message['content'].strip() + '<|END_OF_TURN_TOKEN|>' }}{% endgeneration %}\
{% endif %}\
{% endfor %}\
{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}"""

QWEN_TEMPLATE = """\
{% for message in messages %}\
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}\
{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

COHERE_SPECIAL = [
    "<PAD>",
    "<UNK>",
    "<CLS>",
    "<SEP>",
    "<MASK_TOKEN>",
    "<BOS_TOKEN>",
    "<EOS_TOKEN>",
    "<|START_OF_TURN_TOKEN|>",
]
COHERE_SPECIAL += ["<|END_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|SYSTEM_TOKEN|>"]
QWEN_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
NLLB_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def cohere(texts: Sequence[str], size: int) -> "CohereTokenizerFast":
    """A tokenizer of Aya's class with `size` entries and Aya's chat template."""
    from transformers import CohereTokenizerFast

    marked = words_with_marks(texts)
    learnt = _learnt(
        CohereTokenizerFast()._tokenizer, texts, size - len(marked), COHERE_SPECIAL, on_bytes=True
    )
    extra = [
        token for token in COHERE_SPECIAL if token.startswith("<|") and token != "<|END_OF_TURN_TOKEN|>"
    ] + ["<EOS_TOKEN>"]
    tokenizer = CohereTokenizerFast(
        **learnt, extra_special_tokens=extra, chat_template=AYA_TEMPLATE, model_max_length=512
    )
    tokenizer.add_tokens(marked)
    return tokenizer


def qwen(texts: Sequence[str], size: int) -> "Qwen2Tokenizer":
    """A tokenizer of Qwen's class with `size` entries and a chat template of Qwen's form."""
    from transformers import Qwen2Tokenizer

    marked = words_with_marks(texts)
    learnt = _learnt(Qwen2Tokenizer()._tokenizer, texts, size - len(marked), QWEN_SPECIAL, on_bytes=True)
    special = {
        "extra_special_tokens": ["<|im_start|>"],
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
    }
    tokenizer = Qwen2Tokenizer(**learnt, **special, chat_template=QWEN_TEMPLATE, model_max_length=512)
    tokenizer.add_tokens(marked)
    return tokenizer


def words_with_marks(texts: Iterable[str]) -> list[str]:
    """Words with combining marks (Hindi vowel signs), sorted: byte-level tokenizers cut at every mark, so these are added whole."""
    words = {word for text in set(texts) for word in re.findall(r"[^\s!-/:-@“”„«»‘’।؛،؟]+", text)}
    return sorted(
        word
        for word in words
        if len(word) > 1 and any(unicodedata.category(letter).startswith("M") for letter in word)
    )


def nllb(texts: Sequence[str], size: int, languages: Sequence[str]) -> "NllbTokenizer":
    """A tokenizer of NLLB's class with `size` entries, then the FLORES codes in `languages` and <mask>.

    NLLB cuts at spaces only; learning with punctuation cut off keeps quoted words whole, since no merge crosses a mark.
    """
    from tokenizers import pre_tokenizers
    from transformers import NllbTokenizer

    pieces = NllbTokenizer()._tokenizer
    pieces.pre_tokenizer = pre_tokenizers.Sequence([pieces.pre_tokenizer, pre_tokenizers.Punctuation()])
    learnt = _learnt(pieces, [*texts, *string.printable.split()], size, NLLB_SPECIAL, on_bytes=False)
    return NllbTokenizer(
        **learnt, extra_special_tokens=list(languages), src_lang="eng_Latn", model_max_length=256
    )


def _learnt(
    pieces: "Tokenizer", texts: Sequence[str], size: int, special: list[str], on_bytes: bool
) -> dict[str, Any]:
    """The vocabulary and merges of byte-pair encoding, learnt with the normaliser and pre-tokenizer of `pieces`."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    learner = Tokenizer(models.BPE())
    if pieces.normalizer is not None:
        learner.normalizer = pieces.normalizer
    learner.pre_tokenizer = pieces.pre_tokenizer
    alphabet = pre_tokenizers.ByteLevel.alphabet() if on_bytes else []
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=sorted(alphabet), show_progress=False
    )
    learner.train_from_iterator(texts, trainer)
    model = json.loads(learner.to_str())["model"]
    return {"vocab": model["vocab"], "merges": [tuple(merge) for merge in model["merges"]]}
