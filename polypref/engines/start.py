"""Opens the engine that a config names. Each module is imported by the first engine that needs it."""

from polypref.engines.base import Engine
from polypref.engines.config import (
    Ct2Translator,
    EngineConfig,
    HfGenerator,
    HfTranslator,
    HttpGenerator,
    PseudoTranslator,
    QualityModel,
    RewardModel,
    VllmGenerator,
    VllmRewardModel,
)
from polypref.store.workdir import Workdir


def open_engine(config: EngineConfig, name: str, workdir: Workdir) -> Engine:
    """Return the engine that `config` describes, called `name` in the tables.

    Its first request loads the weights. Raises InputError if the model cannot be found, Unavailable if the
    Hub is away.
    """
    match config:
        case HttpGenerator():
            from polypref.engines.http import HttpEngine

            return HttpEngine(config, name)
        case PseudoTranslator():
            from polypref.engines.pseudo import PseudoEngine

            return PseudoEngine(config, name)
    model = workdir.resolve(config.model, config.revision)
    match config:
        case HfGenerator():
            from polypref.engines.hf import HfGeneratorEngine

            return HfGeneratorEngine(config, name, model)
        case HfTranslator():
            from polypref.engines.hf import HfTranslatorEngine

            return HfTranslatorEngine(config, name, model)
        case Ct2Translator():
            from polypref.engines.ct2 import Ct2Engine

            return Ct2Engine(config, name, model, workdir.cache)
        case RewardModel():
            from polypref.engines.rewards import RewardEngine

            return RewardEngine(config, name, model)
        case QualityModel():
            from polypref.engines.quality import QualityEngine

            return QualityEngine(config, name, model)
        case VllmGenerator():
            from polypref.engines.vllm import VllmGeneratorEngine

            return VllmGeneratorEngine(config, name, model, workdir.local_path / "logs")
        case VllmRewardModel():
            from polypref.engines.vllm import VllmRewardEngine

            return VllmRewardEngine(config, name, model, workdir.local_path / "logs")
