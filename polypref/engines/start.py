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


def start(config: EngineConfig, name: str, workdir: Workdir) -> Engine:
    """The engine that `config` describes, called `name` in the tables; its weights are loaded by the first request.

    Raises InputError where the model cannot be found.
    """
    match config:
        case HttpGenerator():
            from polypref.engines.http import Http

            return Http(config, name)
        case HfGenerator():
            from polypref.engines.hf import Generator as Hf

            return Hf(config, name, workdir.resolve(config.model, config.revision))
        case HfTranslator():
            from polypref.engines.hf import Translator

            return Translator(config, name, workdir.resolve(config.model, config.revision))
        case Ct2Translator():
            from polypref.engines.ct2 import Ct2

            return Ct2(config, name, workdir.resolve(config.model, config.revision), workdir.cache)
        case PseudoTranslator():
            from polypref.engines.pseudo import Pseudo

            return Pseudo(config, name)
        case RewardModel():
            from polypref.engines.rewards import SequenceClassifier

            return SequenceClassifier(config, name, workdir.resolve(config.model, config.revision))
        case QualityModel():
            from polypref.engines.quality import QualityEngine

            return QualityEngine(config, name, workdir.resolve(config.model, config.revision))
        case VllmGenerator() | VllmRewardModel():
            from polypref.engines.vllm import Generator as Vllm
            from polypref.engines.vllm import Rewards

            model, log = (
                workdir.resolve(config.model, config.revision),
                workdir.here / "logs" / f"vllm-{name}.log",
            )
            return (
                Vllm(config, name, model, log)
                if isinstance(config, VllmGenerator)
                else Rewards(config, name, model, log)
            )
