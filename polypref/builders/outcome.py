"""The outcome of a build or a command: an error, with what to change, where nothing is left at the end."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from polypref.builders.filters.apply import NAMES
from polypref.builders.recipe import Recipe
from polypref.cards.funnel import Funnel, counts_by_language, kept_by_language, stages
from polypref.engines.config import HttpGenerator
from polypref.errors import InputError

SHOWN = 4  # reasons in one line
OPEN_KEY = str(HttpGenerator.model_fields["key_env"].default)  # need not be set: many servers want no key
# What to change where a reason leaves nothing; filters that are not here may be loosened or switched off.
ADVICE = {
    "truncated": "raise sampling.max_tokens",
    "wrong_language": "ask a model that writes the language, or loosen the filter wrong_language",
    "failed_call": "see `error` in the answers of the work dir, and the settings of the engine",
    "duplicate": "the same prompts or ids stand in the table more than once",
    "near_duplicate": "raise prompts.near_duplicates",
    "contaminated": "raise prompts.overlap, or take other evaluation_sets",
    "not_text": "check which column `text` names",
    "unknown_language": "check which column `language` names",
    "no_prompt": "check that `id` names the same ids in the sources and in the import",
    "tie": "use a scorer that tells the completions apart",
    "identical": "use another generator, or a higher temperature",
    "under_margin": "lower pair.margin",
    "native_not_better": "use the builder native-vs-translated",
    "missing_score": "check that every completion has a score",
    "no_candidates": "pair.builder needs two kept completions of a prompt, of the origins that it names",
}


def check_keys(recipe: Recipe) -> None:
    """Raise InputError if a server's key is in a variable of another name than usual that is not set."""
    engines: dict[str, object] = {"translate.engine": recipe.translate.engine if recipe.translate else None}
    for name, generator in recipe.complete.generators.items():
        engines[f"complete.generators.{name}.engine"] = generator.engine
    for place, engine in engines.items():
        if isinstance(engine, HttpGenerator):
            check_key(engine, place)


def check_key(engine: HttpGenerator, place: str) -> None:
    """Raise InputError, naming `place`, if the variable that a server's key is said to be in is not set."""
    if engine.key_env != OPEN_KEY and not os.environ.get(engine.key_env):
        raise InputError(f"{place}: key_env {engine.key_env}: no such environment variable; export it first")


def check_languages_reached(codes: Sequence[str], reached: Sequence[str], found: Mapping[str, int]) -> None:
    """Raise InputError if one of the languages `codes` gets no prompts; `found` are those of the sources."""
    missing = [code for code in codes if code not in reached]
    if missing:
        sources = ", ".join(f"{code} {count:,}" for code, count in found.items())
        raise InputError(
            f"no prompts in {', '.join(missing)}; the sources have {sources}; add `translate` to the recipe "
            "(from English), or a source in these languages, or take them out of `languages`"
        )


def check_pairs(funnel: Funnel, codes: Iterable[str]) -> None:
    """Raise InputError if a build has no pairs at all, or no prompts in one of its languages."""
    prompts, pairs = kept_by_language(funnel, "prompts"), kept_by_language(funnel, "pairs")
    without_prompts = [code for code in codes if not prompts.get(code)]
    if without_prompts:
        reasons = _explain(funnel, ["prompts"], without_prompts)
        raise InputError(f"no prompts are left in {', '.join(without_prompts)}: {reasons}")
    if not any(pairs.get(code) for code in codes):
        raise InputError(f"no pairs: {_explain(funnel, stages(funnel), codes)}")


def warn_of_languages(funnel: Funnel, codes: Iterable[str]) -> list[str]:
    """Return a line for each language without pairs, with the reasons."""
    pairs = kept_by_language(funnel, "pairs")
    lines = []
    for code in codes:
        if not pairs.get(code):
            lines.append(f"no pairs in {code}: {_explain(funnel, stages(funnel), [code])}")
    return lines


def check_kept(reasons: Mapping[str, int], rows: int, place: object) -> None:
    """Raise InputError if all of a table's rows are rejected; `reasons` counts them."""
    if sum(reasons.values()) == rows:
        shown = [_line(reason, count, rows, "") for reason, count in Counter(reasons).most_common(SHOWN)]
        raise InputError(f"{place}: none of {rows:,} rows is kept: {'; '.join(shown)}")


def _explain(funnel: Funnel, names: Iterable[str], codes: Iterable[str]) -> str:
    """Return the most common reasons of some stages in some languages, and what to change."""
    shares = []
    for stage in names:
        counts: Counter[str | None] = Counter()
        for code, by_reason in counts_by_language(funnel, stage).items():
            if code in set(codes):
                counts.update(by_reason)
        for reason, count in counts.items():
            if reason is not None and reason != "not_sampled":
                line = _line(reason, count, counts.total(), f" ({stage})")
                # What is missing follows from what was rejected before it, so it says less.
                shares.append((reason != "no_candidates", count / counts.total(), line))
    shares.sort(key=lambda share: share[:2], reverse=True)
    return "; ".join(line for _, _, line in shares[:SHOWN]) or "nothing came in"


def _line(reason: str, count: int, total: int, stage: str) -> str:
    line = f"{reason} {count:,} of {total:,}{stage}"
    if reason in ADVICE:
        return f"{line}: {ADVICE[reason]}"
    return f"{line}: loosen the filter {reason}, or switch it off" if reason in NAMES else line
