"""The accuracy of the tiny checkpoints on combinations that none of them was trained on, by the oracle."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from polypref.demo import world
from polypref.demo.world import ENGLISH, LANGUAGES, Combination, normalized
from polypref.engines.checkpoints import pad_batch
from tools.demo_models.bad_answers import bad_answers, verdict

Item = tuple[Combination, str]  # a prompt in a language
BATCH = 256  # texts of about the same length at once


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares in 0 … 1, overall and by language; `verdicts` counts what the oracle called the completions."""

    title: str
    share: float
    languages: dict[str, float]
    verdicts: dict[str, int]

    def line(self) -> str:
        """Return one line with the overall share and the worst language's."""
        worst = min(self.languages, key=lambda code: self.languages[code])
        shares = f"{self.share:.3f}, worst {worst} {self.languages[worst]:.3f}"
        return f"{self.title}: {shares} {self.verdicts or ''}"


def held_out(languages: Sequence[str], every: int) -> list[Item]:
    """Return every `every`-th combination of the demo for each language, starting at another one in each."""
    combinations = world.demo_combinations()
    items = []
    for number, language in enumerate(languages):
        items += [(combination, language) for combination in combinations[number % every :: every]]
    return items


def measure_checkpoint(name: str, folder: Path, every: int = 4) -> Accuracy:
    """Measure the accuracy that the checkpoint's card states."""
    match name:
        case "translator":
            others = [code for code in LANGUAGES if code != ENGLISH]
            return measure_translator(folder, held_out(others, every))
        case "reward":
            return measure_reward(folder, held_out(LANGUAGES, every))
        case "weak":
            return measure_generator(folder, held_out([ENGLISH], 1), 1.0)
        case "policy":
            return measure_generator(folder, held_out(LANGUAGES, every), 1.0)
        case _:
            return measure_generator(folder, held_out(LANGUAGES, every), 0.3)


def measure_generator(folder: Path, items: Sequence[Item], temperature: float) -> Accuracy:
    """Return the share of right completions, one for each prompt, drawn at `temperature` (0 is greedy)."""
    prompts = [world.prompt(combination, language) for combination, language in items]
    completions = complete(folder, prompts, temperature)
    verdicts = []
    for (combination, language), completion in zip(items, completions, strict=True):
        verdicts.append(verdict(world.prompt_id(combination), language, completion))
    languages = [language for _, language in items]
    title = f"right answers at temperature {temperature}" if temperature else "right answers, greedy"
    return _accuracy(title, languages, [verdict == "right" for verdict in verdicts], verdicts)


def measure_translator(folder: Path, items: Sequence[Item]) -> Accuracy:
    """Return the share of English prompts whose greedy translation is the prompt that a person wrote."""
    prompts = [world.prompt(combination, ENGLISH) for combination, _ in items]
    languages = [language for _, language in items]
    right = []
    for item, translation in zip(items, translate(folder, prompts, languages), strict=True):
        right.append(normalized(translation) == normalized(world.prompt(*item)))
    return _accuracy("exact translations of prompts, greedy", languages, right)


def measure_reward(folder: Path, items: Sequence[Item]) -> Accuracy:
    """Return the share of pairs (the canonical answer, a bad one of each kind) that the right one wins."""
    chats = []
    for combination, language in items:
        prompt = world.prompt(combination, language)
        chats.append((prompt, world.right_answers(combination, language)[0]))
        chats += [(prompt, bad) for bad in bad_answers(combination, language).values()]
    scores = iter(score(folder, chats))
    languages, right, lost = [], [], []
    for combination, language in items:
        right_score = next(scores)
        for kind in bad_answers(combination, language):
            wins = right_score > next(scores)
            languages.append(language)
            right.append(wins)
            if not wins:
                lost.append(f"{kind} preferred")
    return _accuracy("pairs ranked right", languages, right, lost)


def _accuracy(
    title: str, languages: Sequence[str], right: Sequence[bool], verdicts: Sequence[str] = ()
) -> Accuracy:
    """Return the accuracy of rows of a language each."""
    by_language = defaultdict(list)
    for language, is_right in zip(languages, right, strict=True):
        by_language[language].append(is_right)
    shares = {language: sum(rows) / len(rows) for language, rows in by_language.items()}
    return Accuracy(title, sum(right) / len(right), shares, dict(Counter(verdicts).most_common()))


def complete(folder: Path, prompts: Sequence[str], temperature: float, seed: int = 0) -> list[str]:
    """Return one completion of each prompt by the causal model in `folder`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
    ids = tokenizer.apply_chat_template(chats, add_generation_prompt=True, return_dict=False)
    sampling = {"do_sample": True, "temperature": temperature, "top_k": 0}
    if not temperature:
        sampling = {"do_sample": False}
    torch.manual_seed(seed)
    completions = [""] * len(prompts)
    for places in _by_length(ids):
        batch = [ids[place] for place in places]
        inputs = pad_batch(batch, tokenizer.pad_token_id, left=True)
        with torch.inference_mode():
            output = model.generate(**inputs, max_new_tokens=80, **sampling)
        width = inputs["input_ids"].shape[1]
        texts = tokenizer.batch_decode(output[:, width:], skip_special_tokens=True)
        for place, text in zip(places, texts, strict=True):
            completions[place] = text
    return completions


def translate(folder: Path, sentences: Sequence[str], languages: Sequence[str]) -> list[str]:
    """Return the greedy translation of each English sentence into its language."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    ids = tokenizer(list(sentences)).input_ids
    codes = tokenizer.convert_tokens_to_ids(list(languages))
    translations = [""] * len(ids)
    for places in _by_length(ids):
        batch = [ids[place] for place in places]
        start = torch.tensor([[model.config.decoder_start_token_id, codes[place]] for place in places])
        inputs = pad_batch(batch, tokenizer.pad_token_id)
        with torch.inference_mode():
            output = model.generate(**inputs, decoder_input_ids=start, max_new_tokens=80, do_sample=False)
        texts = tokenizer.batch_decode(output, skip_special_tokens=True)
        for place, text in zip(places, texts, strict=True):
            translations[place] = text
    return translations


def score(folder: Path, chats: Sequence[tuple[str, str]]) -> list[float]:
    """Return the reward of each (prompt, completion)."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    messages = []
    for prompt, completion in chats:
        messages.append([{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}])
    ids = tokenizer.apply_chat_template(messages, return_dict=False)
    scores = [0.0] * len(ids)
    for places in _by_length(ids):
        batch = [ids[place] for place in places]
        with torch.inference_mode():
            logits = model(**pad_batch(batch, tokenizer.pad_token_id)).logits[:, 0]
        for place, value in zip(places, logits.tolist(), strict=True):
            scores[place] = value
    return scores


def _by_length(ids: Sequence[list[int]]) -> Iterator[list[int]]:
    """Yield the places of rows in batches, from the shortest to the longest, so that little is padding."""
    order = sorted(range(len(ids)), key=lambda place: (len(ids[place]), place))
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]
