"""From what was asked for to a design: checked once, frozen and fingerprinted at the start."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from mlreg.clock import parse_duration
from mlreg.entities.experiments import (
    CONTROL,
    LEAST_RUN,
    MODES,
    SLOTS,
    TEST_STRATEGIES,
    Amount,
    Design,
    Draft,
    Guardrail,
    Mode,
    TestMetric,
    Variant,
)
from mlreg.entities.traffic import WHOLE
from mlreg.entities.versions import Version
from mlreg.errors import InvalidInput, NotFound
from mlreg.evidence.guardrails import parse_guardrail
from mlreg.evidence.history import History
from mlreg.evidence.sizing import Size, Terms, plan_size
from mlreg.jsonable import canonical
from mlreg.metrics import Directions, parse_metric
from mlreg.names import check_selector, check_text, safe
from mlreg.routing import shares
from mlreg.services.splits import basis_points, check_servable
from mlreg.stats.evidence import MIN_UNITS

CANARY_START = 1000  # basis points
DEFAULT_TUNING = 1_000  # units, where no size is planned
_MOST_TREATMENTS = 20


IsKnown = Callable[[str], bool]
KnowsHistory = Callable[[TestMetric], History | None]


def make_design(
    test_id: str,
    model: str,
    versions: Sequence[Version],
    draft: Draft,
    *,
    is_value: IsKnown,
    history: KnowsHistory,
    directions: Directions | None = None,
) -> Design:
    """The design of an experiment with these versions, the control first.

    Args:
        test_id: Its name.
        model: The model whose versions they are.
        versions: The control, then the treatments.
        draft: What was asked for.
        is_value: Whether the model has had a feedback value of a name.
        history: What the log says of a metric of the control, for a baseline.
        directions: Which way the model's feedback values are better, where that is known.

    Raises:
        InvalidInput: Something asked for makes no sense.
        Conflict: A version is archived.
    """
    _check_versions(versions)
    measures = _measures(draft, partial(parse_metric, is_value=is_value, directions=directions))
    level = _level(draft, history(measures.metric))
    baseline = level.value if level else None
    mde = _amount(draft.mde, "mde", baseline)
    min_effect = _amount(draft.min_effect, "min_effect", baseline)
    _check_numbers(draft, mde, min_effect)
    alpha, weights = draft.alpha / (len(versions) - 1), _weights(versions, draft)
    terms = Terms(_mode(draft), weights, alpha, draft.power)
    guarded = [(guard, history(guard.metric)) for guard in measures.guardrails]
    is_given = draft.baseline is not None
    size = plan_size(measures.metric, level, mde, terms, guarded, is_given=is_given)
    return Design(
        test_id=test_id,
        model=model,
        variants=_variants(versions, weights),
        **_manner(draft),
        **measures._asdict(),
        mde=mde,
        min_effect=min_effect,
        mode=terms.mode,
        baseline=baseline,
        **_planned(size),
        slots=1 if terms.mode == "fixed" else SLOTS,
    )


def _manner(draft: Draft) -> dict[str, Any]:
    """What is taken as it was asked for, as fields of a design."""
    return {
        "strategy": draft.strategy,
        "unit": "user" if draft.strategy in ("sticky", "canary") else "request",
        "alpha": float(draft.alpha),
        "power": float(draft.power),
        "min_samples": max(MIN_UNITS, draft.min_samples),
        "min_run_seconds": _least_run(draft.min_run),
        "max_duration_seconds": _seconds(draft.max_duration),
        "label_window_seconds": _seconds(draft.label_window) or 0.0,
        "hypothesis": check_text(draft.hypothesis, "hypothesis"),
        "description": check_text(draft.description, "description"),
    }


class _Measures(NamedTuple):
    """What a test measures, as fields of its design."""

    metric: TestMetric
    secondary: tuple[TestMetric, ...]
    guardrails: tuple[Guardrail, ...]


def _measures(draft: Draft, read: Callable[[str], TestMetric]) -> _Measures:
    metric, secondary = read(draft.metric), tuple(map(read, draft.secondary))
    if len({m.name for m in (metric, *secondary)}) <= len(secondary):
        raise InvalidInput("a metric stands twice among the primary and the secondary ones")
    return _Measures(
        metric, secondary, tuple(parse_guardrail(text, read) for text in draft.guardrails)
    )


def _level(draft: Draft, past: History | None) -> History | None:
    """The control's level: as it was given, else by the log."""
    if draft.baseline is None:
        return past
    return History(float(draft.baseline), past.sd if past else None)


def _planned(size: Size) -> dict[str, Any]:
    """The size as fields of a design."""
    return {
        "planned_units": size.units,
        "planned_information": size.information,
        "final_boundary": size.final_boundary,
        "driver": size.driver,
        "oversize": size.oversize,
        "margins": size.margins,
        "tuning_units": size.tuning or DEFAULT_TUNING,
    }


def _variants(versions: Sequence[Version], weights: Sequence[int]) -> tuple[Variant, ...]:
    return tuple(
        Variant(variant=name, version=v.version, model_id=v.model_id, weight=weight)
        for name, v, weight in zip(_names(len(versions)), versions, weights, strict=True)
    )


def fingerprint(design: Design) -> str:
    """SHA-256 of the design in canonical JSON."""
    return hashlib.sha256(canonical(design).encode()).hexdigest()


def step_weights(weights: Sequence[int], to: float | None) -> tuple[int, ...]:
    """The weights of a canary's next step: ten points more for the treatments, or `to` percent.

    Raises:
        InvalidInput: `to` is no more than now, or leaves the control nothing.
    """
    now = sum(weights[1:])
    target = now + CANARY_START if to is None else basis_points(to)
    if target >= WHOLE:
        raise InvalidInput(
            f"a step to {target / 100:g} % leaves the control without traffic to compare with",
            hint="conclude the experiment with --promote-winner",
        )
    if target <= now:
        raise InvalidInput(
            f"the treatments have {now / 100:g} % already; a step to {target / 100:g} % is none",
            hint="to go back, run: mlreg abtest stop",
        )
    return (WHOLE - target, *shares(list(weights[1:]), target))


def _names(count: int) -> list[str]:
    if count == 2:
        return [CONTROL, "treatment"]
    return [CONTROL, *(f"treatment-{i}" for i in range(1, count))]


def _check_versions(versions: Sequence[Version]) -> None:
    if len(versions) < 2:
        raise InvalidInput("an experiment needs a treatment beside the control")
    if len(versions) > _MOST_TREATMENTS + 1:
        raise InvalidInput(f"an experiment has at most {_MOST_TREATMENTS} treatments")
    seen: set[int] = set()
    for version in versions:
        if version.model_key != versions[0].model_key:
            raise InvalidInput(f"{version.ref} is not a version of {versions[0].name}")
        if version.key in seen:
            what = "the control as well" if version.key == versions[0].key else "there twice"
            raise InvalidInput(f"the treatment {version.ref} is {what}: nothing to compare")
        seen.add(version.key)
        check_servable(version)


def _amount(given: Amount | None, name: str, baseline: float | None) -> float | None:
    """An amount in the metric's unit."""
    if given is None or not isinstance(given, str):
        return None if given is None else float(given)
    text = given.strip()
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        raise InvalidInput(f"{name} must be a number or a percentage, not {safe(given)}") from None
    if not text.endswith("%"):
        return number
    if baseline is None:
        raise InvalidInput(
            f"{name} in percent is a part of the baseline, and the log does not know it yet",
            hint="give the baseline as well, or the amount itself",
        )
    return number / 100 * abs(baseline)


def _seconds(duration: str | None) -> float | None:
    return parse_duration(duration).total_seconds() if duration else None


def _least_run(text: str | None) -> float:
    """How long a test runs before its first verdict: three days unless it is said, 0 for none."""
    if text is not None and text.rstrip("smhdw") == "0":
        return 0.0
    return _seconds(text) or LEAST_RUN


def _check_numbers(draft: Draft, mde: float | None, min_effect: float | None) -> None:
    for name, fraction in (("alpha", draft.alpha), ("power", draft.power)):
        if not 0 < fraction < 1:
            raise InvalidInput(f"{name} must lie strictly between 0 and 1, not at {fraction}")
    if draft.power <= draft.alpha:
        raise InvalidInput("power must be above alpha: by chance alone a test finds as much")
    for name, amount in (("mde", mde), ("min_effect", min_effect)):
        if amount is not None and not (amount > 0 and math.isfinite(amount)):
            raise InvalidInput(f"{name} must be a finite number above 0, not {amount}")
    if isinstance(draft.min_samples, bool) or draft.min_samples < 1:
        raise InvalidInput(f"min_samples must be at least 1, not {draft.min_samples}")
    if draft.strategy not in TEST_STRATEGIES:
        known = ", ".join(TEST_STRATEGIES)
        raise InvalidInput(f"strategy must be one of {known}, not {safe(str(draft.strategy))}")
    if draft.baseline is not None and not math.isfinite(draft.baseline):
        raise InvalidInput(f"baseline must be a finite number, not {draft.baseline}")


def _mode(draft: Draft) -> Mode:
    mode = draft.mode or ("group-sequential" if draft.mde is not None else "always-valid")
    if mode not in MODES:
        raise InvalidInput(f"mode must be one of {', '.join(MODES)}, not {safe(str(mode))}")
    if mode != "always-valid" and draft.mde is None:
        raise InvalidInput(
            f"the mode {mode} needs a planned size",
            hint="give --mde, the smallest difference to find, or --mode always-valid",
        )
    return mode


def _weights(versions: Sequence[Version], draft: Draft) -> list[int]:
    """Basis points of each arm, the control first."""
    treatments = len(versions) - 1
    if draft.weights is not None:
        if draft.split is not None:
            raise InvalidInput("give either split or weights, not both")
        return _given_weights(versions, draft.weights)
    if draft.strategy == "canary":
        if draft.split is not None:
            raise InvalidInput(
                "a canary begins at 10 percent and goes up by steps",
                hint="leave out --split; later: mlreg abtest step ID",
            )
        return [WHOLE - CANARY_START, *shares([1] * treatments, CANARY_START)]
    if draft.split is None:
        return shares([1] * (treatments + 1))
    points = basis_points(draft.split)
    if not treatments <= points < WHOLE:
        raise InvalidInput(
            f"a split of {draft.split:g} percent for the treatments leaves an arm without traffic"
        )
    return [WHOLE - points, *shares([1] * treatments, points)]


def _given_weights(versions: Sequence[Version], weights: Mapping[str, float]) -> list[int]:
    points: dict[str, int] = {}
    for selector, percent in weights.items():
        version = _selected(versions, selector)
        if version.version in points:
            raise InvalidInput(f"the weight of {version.ref} is given twice")
        points[version.version] = basis_points(percent)
    for version in versions:
        if not points.get(version.version):
            raise InvalidInput(f"the arm {version.ref} gets no traffic: it needs a weight above 0")
    if sum(points.values()) != WHOLE:
        total = sum(points.values()) / 100
        raise InvalidInput(f"the weights must sum to exactly 100, these sum to {total:g}")
    return [points[version.version] for version in versions]


def _selected(versions: Sequence[Version], selector: str) -> Version:
    bare = selector.rpartition("@")[2]
    names = dict(zip(_names(len(versions)), versions, strict=True))
    for version in versions:
        if bare in (version.version, version.model_id, *version.aliases):
            return version
    if bare in names:
        return names[bare]
    check_selector(bare)
    arms = ", ".join(v.version for v in versions)
    raise NotFound(f"{safe(selector)} is no arm of this experiment", hint=f"there is {arms}")
