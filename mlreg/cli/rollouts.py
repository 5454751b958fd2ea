"""The options that a rollout is planned by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from mlreg.cli.kit.parameters import Bundle, flag, option
from mlreg.cli.kit.values import percent, whole_number, words
from mlreg.cli.session import path
from mlreg.entities.rollouts import Draft, Kind, OnInconclusive, Probe
from mlreg.errors import InvalidInput
from mlreg.jsonable import loads
from mlreg.names import safe

_LONGEST = 1 << 24


def read_draft(
    strategy: Kind | None = option(
        "--strategy", "How it gets its traffic; canary if neither this nor the policy says."
    ),
    steps: list[str] | None = option(
        "--steps PCT,...", "Shares of the traffic, rising to 100; else ten by ten."
    ),
    interval: str | None = option("--interval TIME", "How long a step lasts at least; else 1h."),
    min_samples: int | None = option(
        "--min-samples N", "Predictions that each step needs; else 200.", whole_number
    ),
    bake: str | None = option("--bake TIME", "How long it is watched at 100 %; else 24h."),
    checks: list[str] | None = option(
        "--check CONDITION",
        "What must hold, such as 'error_rate <= 5% sure'; repeatable. See docs/conditions.md.",
    ),
    no_checks: bool = flag("--no-checks", "Check nothing."),
    on_inconclusive: OnInconclusive | None = option(
        "--on-inconclusive", "What follows where a check cannot be told; else hold."
    ),
    hold_at_most: str | None = option(
        "--hold-at-most TIME", "After so long a step that is held back is aborted; else 2d."
    ),
    approve: list[str] | None = option("--approve PCT,...", "Steps that a person has to agree to."),
    approvers: list[str] | None = option("--approver NAME,...", "Who may; else anybody."),
    failures: int | None = option(
        "--failures N",
        "In so many evaluations a check that is not sure fails; else 3.",
        whole_number,
    ),
    probes: Path | None = option(
        "--probe FILE",
        "Inputs, one a line, that it must answer before it serves: a text, a JSON value, or "
        '{"input": …, "label": …}.',
        path,
    ),
    metric: str | None = option("--metric M", "What decides --strategy ab; else success_rate."),
) -> Draft:
    """What the options amount to: each is a field of the draft."""
    said = dict(locals())
    if said.pop("no_checks"):
        if checks:
            raise InvalidInput("--check and --no-checks exclude one another")
        said["checks"] = ()
    said["steps"] = [percent(text) for text in words(steps)] or None
    said["approve"] = [percent(text) for text in words(approve)] or None
    said["approvers"] = words(approvers) or None
    said["probes"] = _probes(probes) if probes else None
    if said["checks"] == []:
        said["checks"] = None
    return Draft(**said)


def _probes(file: Path) -> tuple[Probe, ...]:
    """The probes of a file, one a line.

    Raises:
        InvalidInput: It cannot be read, or has none.
    """
    name = safe(str(file))
    try:
        with file.open("rb") as stream:
            text = stream.read(_LONGEST + 1).decode("utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InvalidInput(f"{name} cannot be read: {why}") from None
    if len(text) > _LONGEST:
        raise InvalidInput(f"{name} is too long for probes")
    found = tuple(_probe(line) for line in text.splitlines() if line.strip())
    if not found:
        raise InvalidInput(f"{name} has no probes", hint="write an input on each line")
    return found


def _probe(line: str) -> Probe:
    try:
        value = loads(line)
    except InvalidInput:
        return Probe(input=line)
    if isinstance(value, dict) and "input" in value and value.keys() <= {"input", "label"}:
        return Probe(input=value["input"], label=value.get("label"), is_labelled="label" in value)
    return Probe(input=value if isinstance(value, dict | list) else line)


def drafted(file: Path, model: str, draft: Draft) -> Draft:
    """A draft that leaves to a policy file what it does not say itself.

    Raises:
        InvalidInput: It cannot be read, or says nothing of the model's rollouts.
    """
    import tomllib

    from mlreg.services.rollouts.drafts import from_policy, over

    name = safe(str(file))
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or safe(str(error))
        raise InvalidInput(f"{name} cannot be read: {why}") from None
    section: object = document
    for key in ("model", model, "rollout"):
        section = section.get(key, {}) if isinstance(section, dict) else {}
    if not isinstance(section, dict) or not section:
        raise InvalidInput(f"{name} has no [model.{safe(model)}.rollout]")
    return over(draft, from_policy(section))


DraftOptions = Annotated[Draft, Bundle(read_draft)]
