"""Every identifier gives the same answer each time, and a model by path works like the built-in ones."""

from itertools import permutations
from pathlib import Path

import pytest

from polypref.errors import InputError, Unavailable
from polypref.languages.identifiers import probabilities
from polypref.languages.verify import verify

SENTENCES = {
    "deu_Latn": "Am Wochenende fahren wir mit dem Zug in die Berge und wandern dort den ganzen Tag.",
    "eng_Latn": "On the weekend we take the train to the mountains and walk there for the whole day.",
    "fra_Latn": "Le week-end, nous prenons le train pour la montagne et nous y marchons toute la journée.",
    "rus_Cyrl": "На выходных мы едем на поезде в горы и гуляем там целый день.",
    "arb_Arab": "في عطلة نهاية الأسبوع نسافر بالقطار إلى الجبال ونمشي هناك طوال اليوم.",
    "vie_Latn": "Cuối tuần chúng tôi đi tàu hỏa lên núi và đi bộ ở đó suốt cả ngày.",
}
BUILT_IN = ("cascade", "lingua", "langdetect")


@pytest.mark.parametrize("identifier", BUILT_IN)
@pytest.mark.parametrize("code", SENTENCES)
def test_a_clean_sentence_is_its_own_languages_every_time(identifier: str, code: str) -> None:
    found = probabilities(SENTENCES[code], code, identifier)
    assert found is not None
    assert found[code] > 0.85
    assert all(0.0 <= value <= 1.0 for value in found.values())
    assert all(probabilities(SENTENCES[code], code, identifier) == found for _ in range(3))


@pytest.mark.parametrize("identifier", BUILT_IN)
def test_another_languages_sentence_is_not(identifier: str) -> None:
    for code, other in permutations(("deu_Latn", "eng_Latn", "fra_Latn"), 2):
        found = probabilities(SENTENCES[other], code, identifier)
        assert found is not None
        assert found[code] < 0.05


def test_langdetect_is_seeded() -> None:
    import langdetect

    mixed = "Das ist gut. That is good. Dat is goed."
    found = probabilities(mixed, "deu_Latn", "langdetect")
    for seed in (7, None):
        langdetect.DetectorFactory.seed = seed
        assert probabilities(mixed, "deu_Latn", "langdetect") == found
    assert probabilities("12345 ?", "deu_Latn", "langdetect") == {"deu_Latn": 0.0}


@pytest.mark.parametrize("identifier", BUILT_IN)
def test_a_language_that_an_identifier_does_not_know(identifier: str) -> None:
    assert probabilities("Ina kwana, yaya gidan ku da aikin ku yau.", "hau_Latn", identifier) is None
    assert (
        verify("Ina kwana, yaya gidan ku da aikin ku yau.", "hau_Latn", identifier=identifier).outcome
        == "unsure"
    )


TAUGHT = {
    "hau_Latn": [
        "Ina kwana, yaya gidan ku da aikin ku yau.",
        "Yara suna wasa a filin makaranta bayan ruwan sama ya tsaya.",
        "Mahaifiyata ta dafa abinci mai dadi domin baki da suka zo.",
        "Kasuwa tana cike da mutane masu sayen kayan gona.",
        "Malami ya gaya wa dalibai su karanta littafi kafin gobe.",
    ],
    "swh_Latn": [
        "Habari ya asubuhi, familia yako na kazi yako zikoje leo.",
        "Watoto wanacheza kwenye uwanja wa shule baada ya mvua kuacha.",
        "Mama yangu alipika chakula kitamu kwa wageni waliokuja.",
        "Soko limejaa watu wanaonunua mazao ya shambani.",
        "Mwalimu aliwaambia wanafunzi wasome kitabu kabla ya kesho.",
    ],
    "eng_Latn": [
        "Good morning, how are your family and your work today.",
        "The children play on the school field after the rain has stopped.",
        "My mother cooked a tasty meal for the guests who came.",
        "The market is full of people who buy what the farms grow.",
        "The teacher told the students to read the book before tomorrow.",
    ],
}


@pytest.fixture(scope="module")
def glotlid(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A fastText model with GlotLID's labels, of three languages."""
    fasttext = pytest.importorskip("fasttext")
    folder: Path = tmp_path_factory.mktemp("glotlid")
    (folder / "taught.txt").write_text(
        "".join(f"__label__{code} {line}\n" for code, lines in TAUGHT.items() for line in lines)
    )
    network = fasttext.train_supervised(
        str(folder / "taught.txt"),
        dim=8,
        epoch=200,
        lr=0.5,
        minn=2,
        maxn=4,
        bucket=2000,
        thread=1,
        seed=1,
        verbose=0,
    )
    network.save_model(str(folder / "model.bin"))
    return f"glotlid:{folder / 'model.bin'}"


@pytest.mark.parametrize(
    ("text", "code", "outcome"),
    [
        ("Malami ya gaya wa yara su karanta a makaranta bayan ruwan sama.", "hau_Latn", "yes"),
        ("Mwalimu aliwaambia watoto wasome shule baada ya mvua kuacha.", "hau_Latn", "no"),
        ("Mwalimu aliwaambia watoto wasome shule baada ya mvua kuacha.", "swh_Latn", "yes"),
        ("The teacher told the children to read after the rain has stopped.", "hau_Latn", "no"),
        ("Учитель сказал детям читать после того, как закончился дождь.", "hau_Latn", "no"),  # by its script
        ("Le professeur a dit aux enfants de lire après la pluie.", "fra_Latn", "unsure"),  # not taught
        ("", "hau_Latn", "unsure"),
    ],
)
def test_glotlid_by_path(glotlid: str, text: str, code: str, outcome: str) -> None:
    verdicts = [verify(text, code, identifier=glotlid) for _ in range(2)]
    assert verdicts[0].outcome == outcome
    assert verdicts[0] == verdicts[1]


def test_glotlid_gives_the_probabilities_of_all_its_languages(glotlid: str) -> None:
    found = probabilities("Watoto wanacheza\nkwenye uwanja wa shule.", "swh_Latn", glotlid)
    assert found is not None
    assert set(found) == set(TAUGHT)
    assert sum(found.values()) == pytest.approx(1.0, abs=0.01)
    assert max(found, key=lambda code: found[code]) == "swh_Latn"


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (
            "no/such/model.bin",
            InputError,
            "no/such/model.bin: no such file; expected a fastText model, or ORG/NAME",
        ),
        (str(Path(__file__)), InputError, "identifier glotlid: "),  # not a model
        ("org/name", Unavailable, "org/name: no such file, and it cannot be fetched from the Hub: "),
    ],
)
def test_a_model_that_cannot_be_loaded_is_one_line(
    model: str, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fasttext")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(error) as raised:
        probabilities(SENTENCES["deu_Latn"], "deu_Latn", f"glotlid:{model}")
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("identifier", ["linqua", "", "glotlid", "glotlid:", "cascade:x"])
def test_an_unknown_identifier_is_one_line(identifier: str) -> None:
    with pytest.raises(InputError) as error:
        probabilities(SENTENCES["deu_Latn"], "deu_Latn", identifier)
    assert (
        str(error.value)
        == f"unknown identifier {identifier!r}; expected cascade, lingua, langdetect or glotlid:MODEL"
    )
