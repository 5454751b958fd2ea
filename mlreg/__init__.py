"""mlreg tells which version of a model should answer, and proves it.

    registry = mlreg.open()

opens the registry here or above; `mlreg.registry` has the services it hands out.
"""

# As `typing` has it, whose import takes longer than all else that a command needs to start.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlreg.entities.experiments import Draft as Draft
    from mlreg.entities.experiments import Outcome as Outcome
    from mlreg.entities.hooks import Channel as Channel
    from mlreg.entities.hooks import Program as Program
    from mlreg.entities.hooks import Web as Web
    from mlreg.entities.predictions import Feedback as Feedback
    from mlreg.entities.rollouts import Draft as RolloutDraft
    from mlreg.entities.rollouts import Probe as Probe
    from mlreg.entities.traffic import Change as Change
    from mlreg.errors import MlregError as Error
    from mlreg.errors import MlregError as MlregError
    from mlreg.registry import Registry as Registry
    from mlreg.registry import init_registry as init
    from mlreg.registry import open_registry as open  # the word of the API
    from mlreg.services.answers import Request as Request

__version__ = "0.1.0"

# Public name: module and name there. Resolved on first use, to keep `import mlreg` light.
_PUBLIC = {
    "Change": ("mlreg.entities.traffic", "Change"),
    "Channel": ("mlreg.entities.hooks", "Channel"),
    "Draft": ("mlreg.entities.experiments", "Draft"),
    "Error": ("mlreg.errors", "MlregError"),
    "Feedback": ("mlreg.entities.predictions", "Feedback"),
    "MlregError": ("mlreg.errors", "MlregError"),
    "Outcome": ("mlreg.entities.experiments", "Outcome"),
    "Probe": ("mlreg.entities.rollouts", "Probe"),
    "Program": ("mlreg.entities.hooks", "Program"),
    "Registry": ("mlreg.registry", "Registry"),
    "Request": ("mlreg.services.answers", "Request"),
    "RolloutDraft": ("mlreg.entities.rollouts", "Draft"),
    "Web": ("mlreg.entities.hooks", "Web"),
    "init": ("mlreg.registry", "init_registry"),
    "open": ("mlreg.registry", "open_registry"),
}
__all__ = [
    "Change",
    "Channel",
    "Draft",
    "Error",
    "Feedback",
    "MlregError",
    "Outcome",
    "Probe",
    "Program",
    "Registry",
    "Request",
    "RolloutDraft",
    "Web",
    "__version__",
    "init",
    "open",
]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'mlreg' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _PUBLIC[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
