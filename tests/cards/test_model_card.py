"""The card of a checkpoint whose base model, data and reward model are on the Hub."""

from typing import Any
from xml.etree import ElementTree

import yaml

from polypref.cards.charts import PALETTE
from polypref.cards.model_card import documents, model_card
from polypref.training.rloo import METHOD

SVG = "{http://www.w3.org/2000/svg}"

FACTS: dict[str, Any] = {
    "key": {
        "method": "rloo",
        "base": "b" * 40,
        "data": "sha256:d",
        "reward": {},
        "max_steps": None,
        "epochs": 0.5,
        "beta": 0.01,
        "lora": None,
    }
    | {"missing_eos_penalty": 1.0},
    "method": METHOD,
    "name": "tuned",
    "license": "cc-by-nc-4.0",
    "base": {"model": "ORG/base", "revision": "b" * 40, "on_hub": True},
    "data": {
        "name": "ORG/pairs",
        "revision": "c" * 40,
        "digest": "sha256:d",
        "on_hub": True,
        "mixture": "ml-5-50k",
    }
    | {"rows": {"deu_Latn": 12345, "zho_Hans": 7, "zho_Hant": 1, "ceb_Latn": 2}},
    "reward": {"model": "ORG/judge", "revision": "e" * 40, "on_hub": True},
    "left_out": 0,
    "lora": False,
    "curve": [
        {"step": step, "loss": 0.0, "reward": step / 10, "kl": 0.01, "without_eos": None}
        for step in range(1, 101)
    ],
}


def metadata(card: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return found


def test_the_hub_can_link_base_model_and_data() -> None:
    from huggingface_hub import ModelCardData

    found = metadata(model_card(FACTS))
    assert found["base_model"] == "ORG/base"
    assert found["datasets"] == ["ORG/pairs"]
    assert found["language"] == [
        "de",
        "zh",
        "ceb",
    ]  # ISO 639-1, or 639-3 where there is none; a language in two scripts once
    assert found["library_name"] == "transformers"
    assert ModelCardData(**found).to_dict() == found


def test_every_revision_and_number_stands_in_the_card() -> None:
    card = model_card(FACTS)
    for text in (
        "b" * 40,
        "c" * 40,
        "e" * 40,
        "sha256:d",
        "| German | `deu_Latn` | 12,345 |",
        "mixture `ml-5-50k`",
        "| `epochs` | 0.5 |",
    ):
        assert text in card
    assert "max_steps" not in card
    assert "left out" not in card


def test_the_curve_is_thinned_to_eight_rows_from_first_to_last() -> None:
    card = model_card(FACTS)
    table = card.split("| step |")[1].split("\n\n")[0].splitlines()
    assert table[0] == " reward | KL to the base | share cut |"
    steps = [int(line.split("|")[1]) for line in table[2:]]
    assert steps == [1, 15, 29, 43, 58, 72, 86, 100]
    assert "100 logged steps" in card


def test_the_picture_draws_the_curve() -> None:
    drawn = documents(FACTS)
    assert list(drawn) == ["README.md", "assets/curve-light.svg", "assets/curve-dark.svg"]
    assert b'srcset="assets/curve-dark.svg"' in drawn["README.md"]
    svg = ElementTree.fromstring(drawn["assets/curve-light.svg"])
    paths = [path for path in svg.iter(f"{SVG}path") if path.attrib["stroke"] == PALETTE["trained"][0]]
    reward, reward_mean, kl, _ = [
        [tuple(map(float, point.split())) for point in path.attrib["d"].removeprefix("M").split("L")]
        for path in paths
    ]
    # From the lowest left to the highest right, with 5% of the range below and above.
    assert (reward[0], reward[-1]) == ((52.0, 154.4), (314.0, 41.6))
    assert (len(reward), len(reward_mean), {y for _, y in kl}) == (100, 100, {98.0})
    texts = [text.text for text in svg.iter(f"{SVG}text")]
    assert texts[:4] == ["reward", "9.8 at the end", "step 1", "100"]
    assert texts[4:7] == ["0", "5", "10"]
    assert texts[7:9] == ["KL to the base", "0.01 at the end"]
    assert list(documents({**FACTS, "curve": FACTS["curve"][:1]})) == ["README.md"]


def test_steps_hide_epochs_and_no_licence_is_said_so() -> None:
    card = model_card({**FACTS, "license": None, "key": {**FACTS["key"], "max_steps": 7}, "curve": []})
    assert "`epochs`" not in card
    assert "license" not in metadata(card)
    assert "The base model's card states no licence." in card
    assert "shorter than one logging interval" in card
