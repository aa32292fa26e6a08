"""Opens the engine that a config names."""

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
    """The engine that `config` describes, called `name` in the tables; its weights are loaded by the first request.

    Raises InputError where the model cannot be found.
    """
    match config:
        case HttpGenerator():
            from polypref.engines.http import HttpEngine

            return HttpEngine(config, name)
        case HfGenerator():
            from polypref.engines.hf import HfGeneratorEngine

            return HfGeneratorEngine(config, name, workdir.resolve(config.model, config.revision))
        case HfTranslator():
            from polypref.engines.hf import HfTranslatorEngine

            return HfTranslatorEngine(config, name, workdir.resolve(config.model, config.revision))
        case Ct2Translator():
            from polypref.engines.ct2 import Ct2Engine

            return Ct2Engine(config, name, workdir.resolve(config.model, config.revision), workdir.cache)
        case PseudoTranslator():
            from polypref.engines.pseudo import PseudoEngine

            return PseudoEngine(config, name)
        case RewardModel():
            from polypref.engines.rewards import RewardEngine

            return RewardEngine(config, name, workdir.resolve(config.model, config.revision))
        case QualityModel():
            from polypref.engines.quality import QualityEngine

            return QualityEngine(config, name, workdir.resolve(config.model, config.revision))
        case VllmGenerator() | VllmRewardModel():
            from polypref.engines.vllm import VllmGeneratorEngine, VllmRewardEngine

            model, log = (
                workdir.resolve(config.model, config.revision),
                workdir.local_path / "logs" / f"vllm-{name}.log",
            )
            return (
                VllmGeneratorEngine(config, name, model, log)
                if isinstance(config, VllmGenerator)
                else VllmRewardEngine(config, name, model, log)
            )
