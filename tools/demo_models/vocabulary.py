"""The tiny checkpoints' tokenizers, in the classes of the models they stand for: Cohere (Aya), NLLB and Qwen.

Each is byte-pair encoding learnt on the miniature world's own text. Cohere's and Qwen's work on bytes; NLLB's
knows the letters of the 23 languages and printable ASCII, and anything else is <unk> to it, as in the real
one.
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

# As published with CohereLabs/aya-23-8B, and {% generation %} around what the model says, for TRL's
# assistant-only loss.
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

TURN_TOKENS = ["<|START_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|SYSTEM_TOKEN|>"]
# In the order of Aya's ids.
COHERE_SPECIAL = ["<PAD>", "<UNK>", "<CLS>", "<SEP>", "<MASK_TOKEN>", "<BOS_TOKEN>", "<EOS_TOKEN>"]
COHERE_SPECIAL += [TURN_TOKENS[0], "<|END_OF_TURN_TOKEN|>", *TURN_TOKENS[1:]]
QWEN_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
NLLB_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
WORD = re.compile(
    r"[^\s!-/:-@“”„«»‘’।؛،؟]+"
)  # up to white space, ASCII punctuation and the world's other marks


def cohere(texts: Sequence[str], size: int) -> "CohereTokenizerFast":
    """Return a tokenizer of Aya's class with `size` entries and Aya's chat template."""
    from transformers import CohereTokenizerFast

    whole_words = words_with_marks(texts)
    pattern = CohereTokenizerFast()._tokenizer
    learnt = _learn(pattern, texts, size - len(whole_words), COHERE_SPECIAL, on_bytes=True)
    tokenizer = CohereTokenizerFast(
        **learnt,
        extra_special_tokens=[*TURN_TOKENS, "<EOS_TOKEN>"],
        chat_template=AYA_TEMPLATE,
        model_max_length=512,
    )
    tokenizer.add_tokens(whole_words)
    return tokenizer


def qwen(texts: Sequence[str], size: int) -> "Qwen2Tokenizer":
    """Return a tokenizer of Qwen's class with `size` entries and a chat template of Qwen's form."""
    from transformers import Qwen2Tokenizer

    whole_words = words_with_marks(texts)
    pattern = Qwen2Tokenizer()._tokenizer
    learnt = _learn(pattern, texts, size - len(whole_words), QWEN_SPECIAL, on_bytes=True)
    tokenizer = Qwen2Tokenizer(
        **learnt,
        extra_special_tokens=["<|im_start|>"],
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=QWEN_TEMPLATE,
        model_max_length=512,
    )
    tokenizer.add_tokens(whole_words)
    return tokenizer


def words_with_marks(texts: Iterable[str]) -> list[str]:
    """Return the words that have combining marks (Hindi vowel signs), sorted.

    Tokenizers on bytes cut at every mark, so these words are added whole.
    """
    words: set[str] = set()
    for text in set(texts):
        words.update(WORD.findall(text))
    return sorted(word for word in words if len(word) > 1 and _has_mark(word))


def _has_mark(word: str) -> bool:
    return any(unicodedata.category(character).startswith("M") for character in word)


def nllb(texts: Sequence[str], size: int, languages: Sequence[str]) -> "NllbTokenizer":
    """Return a tokenizer of NLLB's class with `size` entries, then the codes in `languages` and <mask>.

    NLLB cuts at spaces only; learning with punctuation cut off keeps quoted words whole, since no merge
    crosses a mark.
    """
    from tokenizers import pre_tokenizers
    from transformers import NllbTokenizer

    pattern = NllbTokenizer()._tokenizer
    pattern.pre_tokenizer = pre_tokenizers.Sequence([pattern.pre_tokenizer, pre_tokenizers.Punctuation()])
    learnt = _learn(pattern, [*texts, *string.printable.split()], size, NLLB_SPECIAL, on_bytes=False)
    return NllbTokenizer(
        **learnt, extra_special_tokens=list(languages), src_lang="eng_Latn", model_max_length=256
    )


def _learn(
    pattern: "Tokenizer", texts: Sequence[str], size: int, special: list[str], on_bytes: bool
) -> dict[str, Any]:
    """Return the vocabulary and merges of byte-pair encoding learnt on texts that `pattern` pre-tokenizes."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    learner = Tokenizer(models.BPE())
    if pattern.normalizer is not None:
        learner.normalizer = pattern.normalizer
    learner.pre_tokenizer = pattern.pre_tokenizer
    alphabet = pre_tokenizers.ByteLevel.alphabet() if on_bytes else []
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=sorted(alphabet), show_progress=False
    )
    learner.train_from_iterator(texts, trainer)
    model = json.loads(learner.to_str())["model"]
    return {"vocab": model["vocab"], "merges": [tuple(merge) for merge in model["merges"]]}
