import pytest

from polypref.cards.licences import known_license, resolve_license
from polypref.errors import InputError

NLLB = ("translator facebook/nllb-200-3.3B", "cc-by-nc-4.0")
QWEN = ("generator Qwen/Qwen3-8B", "apache-2.0")
LLAMA = ("generator meta-llama/Llama-3.1-8B-Instruct", "llama3.1")
DOLLY = ("source databricks/databricks-dolly-15k", "cc-by-sa-3.0")
OASST = ("source a", "cc-by-4.0")
NO_DERIVATIVES = ("source b", "cc-by-nd-4.0")
LOCAL = ("generator local", None)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("facebook/nllb-200-distilled-600M", "cc-by-nc-4.0"),
        ("CohereLabs/aya-23-8B", "cc-by-nc-4.0"),
        ("Qwen/Qwen2.5-7B-Instruct", "apache-2.0"),
        ("Qwen/Qwen2.5-3B-Instruct", None),  # has a licence of its own
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3.1"),
        ("somebody/model", None),
    ],
)
def test_licences_of_what_many_use(name: str, found: str | None) -> None:
    assert known_license(name) == found


@pytest.mark.parametrize(
    ("made_of", "follows"),
    [
        ([QWEN], "apache-2.0"),
        ([QWEN, ("source c", "mit")], "apache-2.0"),
        ([QWEN, OASST], "cc-by-4.0"),
        ([QWEN, OASST, NLLB], "cc-by-nc-4.0"),
        ([QWEN, DOLLY], "cc-by-sa-4.0"),
        ([DOLLY], "cc-by-sa-3.0"),
        ([QWEN, LLAMA], "llama3.1"),
        ([NLLB, ("source d", "cc-by-nc-sa-4.0")], "cc-by-nc-sa-4.0"),
    ],
)
def test_a_licence_follows_from_the_parts(made_of, follows: str) -> None:
    assert resolve_license(None, made_of) == follows
    assert resolve_license(None, made_of[::-1]) == follows


@pytest.mark.parametrize(
    ("stated", "made_of", "line"),
    [
        (
            None,
            [DOLLY, NLLB],
            f"{NLLB[0]} (cc-by-nc-4.0) conflicts with source databricks/databricks-dolly-15k",
        ),
        (
            None,
            [LLAMA, NLLB],
            f"{NLLB[0]} (cc-by-nc-4.0) conflicts with generator meta-llama/Llama-3.1-8B-Instruct",
        ),
        (
            None,
            [LLAMA, DOLLY],
            "source databricks/databricks-dolly-15k (cc-by-sa-3.0) conflicts with generator meta-llama",
        ),
        (
            None,
            [LLAMA, ("generator g", "gemma")],
            "generator meta-llama/Llama-3.1-8B-Instruct (llama3.1) conflicts with generator g (gemma)",
        ),
        (None, [QWEN, NO_DERIVATIVES], "source b is cc-by-nd-4.0, which allows no derivatives"),
        ("apache-2.0", [NO_DERIVATIVES], "allows no derivatives; stated is apache-2.0"),
        (
            "apache-2.0",
            [QWEN, NLLB],
            "apache-2.0 is stated, but conflicts with translator facebook/nllb-200-3.3B (cc-by-nc-4.0)",
        ),
        (
            "cc-by-4.0",
            [DOLLY],
            "cc-by-4.0 is stated, but conflicts with source databricks/databricks-dolly-15k (cc-by-sa-3.0)",
        ),
        (
            None,
            [QWEN, LOCAL],
            "none is stated and that of generator local is not known; state publish.license",
        ),
        (None, [], "none is stated and none follows"),
    ],
)
def test_a_conflict_names_both_sides(stated, made_of, line: str) -> None:
    with pytest.raises(InputError) as error:
        resolve_license(stated, made_of)
    assert line in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("stated", "made_of"),
    [
        ("apache-2.0", [QWEN, LOCAL]),
        ("cc-by-nc-4.0", [QWEN, NLLB]),
        ("cc-by-sa-4.0", [DOLLY]),
        ("other", [NO_DERIVATIVES, NLLB]),
        ("mit", [LLAMA]),
    ],
)
def test_a_stated_licence_holds_where_nothing_forbids_it(stated: str, made_of) -> None:
    assert resolve_license(stated, made_of) == stated
