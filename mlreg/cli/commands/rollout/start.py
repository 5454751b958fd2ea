"""`mlreg rollout start`."""

from __future__ import annotations

from mlreg.cli.changes import show_split
from mlreg.cli.options import ChangeOptions, RefOptions
from mlreg.cli.rollouts import DraftOptions
from mlreg.cli.session import SessionOptions
from mlreg.errors import CheckFailed


def start(
    session: SessionOptions, ref: RefOptions, draft: DraftOptions, change: ChangeOptions
) -> None:
    """Begin to give a version its traffic.

    canary goes up by steps; blue-green asks the probes while the version serves nobody, then
    switches at once; replace switches at once; ab starts an A/B test and follows its verdict. Then
    the version bakes: it is watched at 100 %. What is not said the policy of the model says.

    Each check is a condition on the version. One that is sure aborts when it is surely broken,
    however often it is looked at; another one when it fails in three evaluations in a row.

    $ mlreg rollout start sentiment@2.0.0
    $ mlreg rollout start sentiment@2.0.0 --steps 5,25,50,100 --approve 50 \
--check 'error_rate <= 5% sure' --check 'p95_latency_ms <= baseline + 20%'
    $ mlreg rollout start sentiment@2.0.0 --strategy blue-green --probe probes.jsonl
    """
    asks = bool(draft.probes) and not change.dry_run
    with session.open(worker=asks) as registry:
        found = registry.rollouts.start(ref, draft, change=change)
        session.emit(found)
        show_split(session, registry, found.model, dry_run=change.dry_run)
    if found.state == "aborted":
        raise CheckFailed(found.reason)
    session.suggest(f"mlreg rollout status {found.model}")
