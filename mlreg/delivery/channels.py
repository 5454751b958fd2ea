"""People's channels, such as Slack, mail and PagerDuty, through Apprise."""

from __future__ import annotations

from typing import Any

from mlreg.delivery.addresses import Allowed, Place, Refused, check_place, reachable
from mlreg.delivery.message import Message, Outcome
from mlreg.errors import InvalidInput

_INSTALL = "run: pip install -U 'mlreg[notify]'"
# Where a plug-in of Apprise keeps the hosts that it goes to, if its address names any.
_HOSTS = ("host", "smtp_host")


def notify(message: Message, address: str, *, allowed: Allowed) -> Outcome:
    """Tell people; whatever goes wrong is its outcome.

    Args:
        message: What they are told.
        address: As Apprise has it, such as `slack://…`; it is a secret as a whole.
        allowed: What may be reached beside the open internet.
    """
    try:
        channel = _opened(address)
        for place in _places(channel):
            _check_reachable(place, allowed)
        taken = channel.notify(title=message.title, body=message.text)
    except InvalidInput as problem:
        return Outcome(False, problem.message)
    except Refused as refusal:
        return Outcome(False, str(refusal))
    except Exception as error:  # noqa: BLE001  # of some hundred plug-ins of others
        return Outcome(False, f"the channel raised {type(error).__name__}")
    return Outcome(bool(taken), "taken" if taken else "the channel did not take it")


def check_address(address: str, allowed: Allowed) -> None:
    """Nothing, if this is the address of a channel that may be reached; names are not looked up.

    Raises:
        InvalidInput: It is not, it may not, or there is no Apprise that does as it must.
    """
    for place in _places(_opened(address)):
        check_place(place, allowed)


def _opened(address: str) -> Any:
    """The channel of an address, which follows no redirects."""
    import logging

    try:
        import apprise
    except ImportError:
        raise InvalidInput("channels need Apprise, which is not installed", hint=_INSTALL) from None
    # It would say on stderr what went wrong, with more of an address than anybody is to see.
    logging.getLogger("apprise").disabled = True
    channel = apprise.Apprise()
    if not channel.add(address):
        raise InvalidInput(
            "this is no address that Apprise knows",
            hint="see https://github.com/caronc/apprise/wiki for how they are written",
        )
    for plugin in channel:
        if not hasattr(plugin, "redirects"):
            raise InvalidInput("this Apprise is too old: it follows redirects", hint=_INSTALL)
        plugin.redirects = False  # whatever the address says
    return channel


def _places(channel: Any) -> list[Place]:
    """The hosts that an address names; what stands there for a service's own is a token."""
    return [
        Place("", host.strip("[]"), plugin.port or 443, "")
        for plugin in channel
        if "host" in plugin.template_tokens
        for name in _HOSTS
        if (host := getattr(plugin, name, None))
    ]


def _check_reachable(place: Place, allowed: Allowed) -> None:
    try:
        reachable(place, allowed)
    except (OSError, UnicodeError):
        return  # the name stands for nothing: a token, or the channel says so
