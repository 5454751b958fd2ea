"""List, acknowledge and silence alerts."""

from mlreg.cli.commands.alerts.listing import listing
from mlreg.cli.kit.groups import group_of

_SEE, _ANSWER = "See", "Answer"

_TABLE = (
    (_SEE, "show", "Show an alert with what it rests on."),
    (_ANSWER, "ack", "Say that you have seen an alert and look after it."),
    (_ANSWER, "silence", "Tell nobody of alerts for a time."),
)

group = group_of(__name__, listing.__doc__, _TABLE, alone=listing)
