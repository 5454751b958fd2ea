"""Have programs and people told of what happens.

A hook follows the audit trail: what happened while nobody delivered is told later, at least once,
each time under the same id. `mlreg tick` delivers, and so does `mlreg hook deliver`. A hook is
signed by your key, and delivered only by you and by those who accept that key.

$ mlreg hook add rollback alert.firing --exec ./page.sh --urgent
$ mlreg hook add 'abtest.*' --url https://example.com/hooks --secret-env WEBHOOK_SECRET
$ mlreg hook add rollback --notify env:SLACK_URL
$ mlreg hook test hook-1
"""

from mlreg.cli.kit.groups import group_of

_DECIDE, _SEE = "Decide", "See"

_TABLE = (
    (_DECIDE, "add", "Have somebody told of events from now on."),
    (_DECIDE, "remove", "Tell somebody nothing any more."),
    (_DECIDE, "test", "Tell a hook of an event that did not happen, now."),
    (_DECIDE, "deliver", "Tell hooks what is due."),
    (_SEE, "list", "List the hooks, and whether you deliver them."),
    (_SEE, "deliveries", "List what hooks were told, and have it told anew."),
)

group = group_of(__name__, __doc__, _TABLE)
