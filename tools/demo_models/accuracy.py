"""How right the tiny checkpoints are on the combinations that none of them was trained on, by the oracle."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from polypref.demo import world
from polypref.demo.world import ENGLISH, LANGUAGES, Combination
from tools.demo_models.loop import padded

Item = tuple[Combination, str]  # a prompt in a language


@dataclass(frozen=True, slots=True)
class Measured:
    """Shares in 0 … 1, overall and by language; `verdicts` counts what the oracle said of the completions."""

    what: str
    share: float
    languages: dict[str, float]
    verdicts: dict[str, int]

    def line(self) -> str:
        worst = min(self.languages, key=lambda code: self.languages[code])
        return (
            f"{self.what}: {self.share:.3f}, worst {worst} {self.languages[worst]:.3f} {self.verdicts or ''}"
        )


def held_out(languages: Sequence[str], every: int) -> list[Item]:
    """Every `every`-th combination of the demo, in every language another stretch of them."""
    combinations = world.demo_combinations()
    return [(c, language) for i, language in enumerate(languages) for c in combinations[i % every :: every]]


def of_checkpoint(name: str, folder: Path, every: int = 4) -> Measured:
    """The accuracy that the checkpoint's card states."""
    others = [code for code in LANGUAGES if code != ENGLISH]
    match name:
        case "translator":
            return translator(folder, held_out(others, every))
        case "reward":
            return reward(folder, held_out(LANGUAGES, every))
        case "weak":
            return generator(folder, held_out([ENGLISH], 1), 1.0)
        case "policy":
            return generator(folder, held_out(LANGUAGES, every), 1.0)
        case _:
            return generator(folder, held_out(LANGUAGES, every), 0.3)


def _measured(
    what: str, items: Sequence[Item], right: Sequence[float], verdicts: Sequence[str] = ()
) -> Measured:
    by_language: dict[str, list[float]] = {}
    for (_, language), value in zip(items, right, strict=True):
        by_language.setdefault(language, []).append(value)
    shares = {language: sum(values) / len(values) for language, values in by_language.items()}
    return Measured(what, sum(right) / len(right), shares, dict(Counter(verdicts).most_common()))


def generator(folder: Path, items: Sequence[Item], temperature: float) -> Measured:
    """The share of right completions, one a prompt, drawn at `temperature` (0 is greedy)."""
    completions = complete(folder, [world.prompt(c, language) for c, language in items], temperature)
    verdicts = [
        world.verdict(world.prompt_id(c), language, text)
        for (c, language), text in zip(items, completions, strict=True)
    ]
    what = f"right answers at temperature {temperature}" if temperature else "right answers, greedy"
    return _measured(what, items, [float(verdict == "right") for verdict in verdicts], verdicts)


def complete(folder: Path, prompts: Sequence[str], temperature: float, seed: int = 0) -> list[str]:
    """A completion of every prompt by the causal model in `folder`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = (
        AutoTokenizer.from_pretrained(folder),
        AutoModelForCausalLM.from_pretrained(folder).eval(),
    )
    chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
    ids = tokenizer.apply_chat_template(chats, add_generation_prompt=True, return_dict=False)
    sampling = (
        {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    )
    torch.manual_seed(seed)
    completions = [""] * len(prompts)
    for places in _by_length(ids, 256):
        batch = [ids[i] for i in places]
        mask = padded([[1] * len(row) for row in batch], 0, left=True)
        with torch.inference_mode():
            out = model.generate(
                padded(batch, tokenizer.pad_token_id, left=True),
                attention_mask=mask,
                max_new_tokens=80,
                **sampling,
            )
        for i, text in zip(
            places, tokenizer.batch_decode(out[:, mask.shape[1] :], skip_special_tokens=True), strict=True
        ):
            completions[i] = text
    return completions


def translator(folder: Path, items: Sequence[Item]) -> Measured:
    """The share of English prompts whose translation is exactly the prompt that a person wrote."""
    translations = translate(
        folder, [world.prompt(c, ENGLISH) for c, _ in items], [language for _, language in items]
    )
    wanted = [world.prompt(c, language) for c, language in items]
    right = [float(_spaced(text) == _spaced(want)) for text, want in zip(translations, wanted, strict=True)]
    return _measured("exact translations of prompts, greedy", items, right)


def translate(folder: Path, sentences: Sequence[str], languages: Sequence[str]) -> list[str]:
    """Every English sentence in its language, greedy."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer, model = (
        AutoTokenizer.from_pretrained(folder),
        AutoModelForSeq2SeqLM.from_pretrained(folder).eval(),
    )
    ids = tokenizer(list(sentences)).input_ids
    codes = tokenizer.convert_tokens_to_ids(list(languages))
    translations = [""] * len(ids)
    for places in _by_length(ids, 256):
        batch = [ids[i] for i in places]
        start = torch.tensor([[model.config.decoder_start_token_id, codes[i]] for i in places])
        mask = padded([[1] * len(row) for row in batch], 0)
        with torch.inference_mode():
            source = padded(batch, tokenizer.pad_token_id)
            out = model.generate(
                source, attention_mask=mask, decoder_input_ids=start, max_new_tokens=80, do_sample=False
            )
        for i, text in zip(places, tokenizer.batch_decode(out, skip_special_tokens=True), strict=True):
            translations[i] = text
    return translations


def reward(folder: Path, items: Sequence[Item]) -> Measured:
    """The share of pairs (the canonical answer and a bad one of each kind) in which the right one has the higher score."""
    chats, owners, kinds = [], [], []
    for c, language in items:
        bad = world.bad_answers(c, language)
        chats += [
            (world.prompt(c, language), text) for text in [world.right_answers(c, language)[0], *bad.values()]
        ]
        owners += [(c, language)] * (1 + len(bad))
        kinds += ["right", *bad]
    scores = score(folder, chats)
    rows = list(zip(owners, kinds, scores, strict=True))
    right = {owner: value for owner, kind, value in rows if kind == "right"}
    pairs = [(owner, kind, float(right[owner] > value)) for owner, kind, value in rows if kind != "right"]
    lost = [f"{kind} preferred" for _, kind, won in pairs if not won]
    return _measured("pairs ranked right", [owner for owner, *_ in pairs], [won for *_, won in pairs], lost)


def score(folder: Path, chats: Sequence[tuple[str, str]]) -> list[float]:
    """The reward of every (prompt, completion)."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer, model = (
        AutoTokenizer.from_pretrained(folder),
        AutoModelForSequenceClassification.from_pretrained(folder).eval(),
    )
    messages = [
        [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
        for prompt, completion in chats
    ]
    ids = tokenizer.apply_chat_template(messages, return_dict=False)
    scores = [0.0] * len(ids)
    for places in _by_length(ids, 256):
        batch = [ids[i] for i in places]
        with torch.inference_mode():
            mask = padded([[1] * len(row) for row in batch], 0)
            logits = model(input_ids=padded(batch, tokenizer.pad_token_id), attention_mask=mask).logits[:, 0]
        for i, value in zip(places, logits.tolist(), strict=True):
            scores[i] = value
    return scores


def _by_length(ids: Sequence[list[int]], size: int) -> list[list[int]]:
    order = sorted(range(len(ids)), key=lambda i: (len(ids[i]), i))
    return [order[at : at + size] for at in range(0, len(order), size)]


def _spaced(text: str) -> str:
    return " ".join(text.split())
