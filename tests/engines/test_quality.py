"""Quality estimates on real (tiny) checkpoints: by embeddings, by a classifier, and in a stage's pools."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from polypref.engines.base import Answer, Request
from polypref.engines.config import PseudoTranslator, QualityModel
from polypref.engines.pool import PoolOptions, ask_engine, open_pools
from polypref.engines.quality import quality_request
from polypref.engines.start import open_engine
from polypref.errors import InputError
from polypref.progress import Progress
from polypref.store.answers import AnswerLog
from polypref.store.workdir import Workdir

PAIRS = [
    ("the house is old", "das haus ist alt"),
    ("the house", "das haus"),
    ("the house is old", "the house is old"),
    ("old", "das haus ist alt und das haus ist alt"),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two untrained BERTs with the same tokenizer: `embeds` has no head, `reads` has one output."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("models")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "house", "is", "old", "das", "haus", "ist", "alt"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    config = BertConfig(
        vocab_size=12,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=1,
        initializer_range=1.0,
    )
    torch.manual_seed(1)
    for name, kind in (("embeds", BertModel), ("reads", BertForSequenceClassification)):
        kind(config).save_pretrained(folder / name)
        fast.save_pretrained(folder / name)
    BertForSequenceClassification(BertConfig(**config.to_dict() | {"num_labels": 2})).save_pretrained(
        folder / "two"
    )
    fast.save_pretrained(folder / "two")
    return folder


def ask(config: QualityModel, folder: Path) -> list[Answer]:
    with Workdir(folder) as workdir:
        engine = open_engine(config, "quality", workdir)
        given = ask_engine(
            engine, [quality_request(*pair) for pair in PAIRS], AnswerLog(folder / "log.jsonl")
        )
    assert None not in given
    return [answer for answer in given if answer]


def test_a_classifier_reads_both_texts_and_its_logit_is_the_score(models: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    given = ask(QualityModel(model=str(models / "reads")), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(models / "reads")
    model = AutoModelForSequenceClassification.from_pretrained(models / "reads", dtype=torch.float32)
    for (source, translation), answer in zip(PAIRS, given, strict=True):
        inputs = tokenizer(source, translation, return_tensors="pt")
        assert answer.score == pytest.approx(model(**inputs).logits[0, 0].item(), abs=1e-5)
        assert answer.prompt_tokens == inputs["input_ids"].shape[1]


def test_an_encoder_embeds_each_text_and_the_cosine_is_the_score(models: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    given = ask(QualityModel(model=str(models / "embeds")), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(models / "embeds")
    model = AutoModel.from_pretrained(models / "embeds", dtype=torch.float32)
    for pair, answer in zip(PAIRS, given, strict=True):
        states = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state.mean(1) for text in pair]
        assert answer.score == pytest.approx(torch.cosine_similarity(*states).item(), abs=1e-5)
    assert given[2].score == pytest.approx(1.0, abs=1e-5)


def test_batches_are_planned_by_length_and_change_nothing(models: Path, tmp_path: Path) -> None:
    for kind in ("reads", "embeds"):
        wide = ask(QualityModel(model=str(models / kind)), tmp_path / f"{kind}-wide")
        narrow = ask(QualityModel(model=str(models / kind), tokens_per_batch=1), tmp_path / f"{kind}-narrow")
        assert [a.score for a in wide] == pytest.approx([a.score for a in narrow], abs=1e-5)


def test_a_classifier_with_two_outputs_is_no_estimator(models: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^two: has 2 outputs; an estimator of quality has 1$"):
        ask(QualityModel(model=str(models / "two")), tmp_path)


def test_each_request_of_a_stage_goes_to_the_engine_it_names(models: Path, tmp_path: Path) -> None:
    requests = [
        quality_request("the house", "das haus"),
        Request([{"role": "user", "content": "house"}], source="eng_Latn", target="deu_Latn"),
        quality_request("old", "alt"),
    ]

    def ask_both(workdir: Workdir) -> Sequence[Answer | None]:
        engines = {
            "": open_engine(PseudoTranslator(kind="pseudo"), "pseudo", workdir),
            "quality": open_engine(QualityModel(model=str(models / "embeds")), "quality", workdir),
        }
        with Progress("test", 3) as progress:
            pools = open_pools(engines, workdir, PoolOptions(progress))

            async def go() -> list[Answer | None]:
                try:
                    await pools.room()
                    return await pools.ask(requests)
                finally:
                    await pools.close()

            given = asyncio.run(go())
        assert [len(pool.log) for pool in pools.pools.values()] == [1, 2]
        calls.append(progress.answers)
        return given

    calls: list[int] = []
    with Workdir(tmp_path) as workdir:
        first, translated, last = ask_both(workdir)
        assert first is not None
        assert translated is not None
        assert last is not None
        assert translated.text == "⟦~ ĥöûšé⟧"
        assert None not in (first.score, last.score)
        assert ask_both(workdir) == [first, translated, last]
    assert calls == [3, 0]
