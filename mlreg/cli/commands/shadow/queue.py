"""`mlreg shadow queue`."""

from __future__ import annotations

from mlreg.cli.kit.values import moment
from mlreg.cli.options import AGAINST, LIMIT, SHADOW, SINCE, NameOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import DisagreementList


def queue(
    session: SessionOptions,
    name: NameOptions,
    version: str | None = SHADOW,
    against: str | None = AGAINST,
    since: str | None = SINCE,
    limit: int = LIMIT,
) -> None:
    """List inputs on which they disagree, to be labelled first.

    Only there a label tells which of the two is better. They come by lot, so that the labels say
    the same as labels of all inputs would. One label settles both answers.

    $ mlreg shadow queue sentiment -n 50
    $ mlreg shadow queue sentiment --field disagreements.prediction_id
    """
    with session.open_to_read() as registry:
        found = registry.shadows.queue(
            name, version=version, against=against, since=moment(since), limit=limit
        )
        session.emit(DisagreementList(disagreements=found))
    if found:
        session.suggest(f"mlreg feedback {found[0].prediction_id} LABEL")
