"""People's channels, such as Slack, mail and PagerDuty, through Apprise."""

from __future__ import annotations

from mlreg.delivery.message import Message, Outcome
from mlreg.errors import InvalidInput

_INSTALL = "run: pip install 'mlreg[notify]'"


def notify(message: Message, address: str) -> Outcome:
    """Tell people; whatever goes wrong is its outcome.

    Args:
        message: What they are told.
        address: As Apprise has it, such as `slack://…`; it is a secret as a whole.
    """
    try:
        check_address(address)
        import apprise

        channel = apprise.Apprise()
        channel.add(address)
        taken = channel.notify(title=message.title, body=message.text)
    except InvalidInput as problem:
        return Outcome(False, problem.message)
    except Exception as error:  # noqa: BLE001  # of some hundred plug-ins of others
        return Outcome(False, f"the channel raised {type(error).__name__}")
    return Outcome(bool(taken), "taken" if taken else "the channel did not take it")


def check_address(address: str) -> None:
    """Nothing, if this is the address of a channel.

    Raises:
        InvalidInput: It is not, or Apprise is not installed.
    """
    import logging

    try:
        import apprise
    except ImportError:
        raise InvalidInput("channels need Apprise, which is not installed", hint=_INSTALL) from None
    # It would say on stderr what went wrong, with more of an address than anybody is to see.
    logging.getLogger("apprise").disabled = True
    if not apprise.Apprise().add(address):
        raise InvalidInput(
            "this is no address that Apprise knows",
            hint="see https://github.com/caronc/apprise/wiki for how they are written",
        )
