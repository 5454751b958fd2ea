"""`mlreg abtest verify`."""

from __future__ import annotations

from mlreg.cli.options import TEST
from mlreg.cli.session import SessionOptions
from mlreg.errors import CheckFailed


def verify(session: SessionOptions, test_id: str = TEST) -> None:
    """Compute every stored verdict of a test again, from its receipts and from the log.

    Ends with exit code 10 where one does not agree.

    $ mlreg abtest verify tone
    """
    with session.open_to_read() as registry:
        verification = registry.experiments.verify(test_id)
        session.emit(verification)
    wrong = sum(check.agrees is False for check in verification.checks)
    if wrong:
        raise CheckFailed(f"{wrong} of {len(verification.checks)} receipts do not agree")
