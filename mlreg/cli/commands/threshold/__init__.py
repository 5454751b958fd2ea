"""Say what must hold of a model that serves.

A threshold is a condition of docs/conditions.md, with what happens where it is broken: an alert, or
a rollback as well. `mlreg tick` looks after them. They are part of the model's policy.

$ mlreg threshold set sentiment 'error_rate <= 5% over 10m min 100 for 5m' --action rollback
$ mlreg threshold defaults sentiment --max-error-rate 0.05 --consecutive-failures 3
$ mlreg threshold list
"""

from mlreg.cli.kit.groups import group_of

_SET, _SEE = "Set", "See"

_TABLE = (
    (_SET, "set", "Add a threshold, or put it in the place of the one of its name."),
    (_SET, "defaults", "Set the triggers that people know, in one go."),
    (_SET, "remove", "Take a threshold out of the policy."),
    (_SEE, "test", "Say when a threshold would have fired, on the log."),
    (_SEE, "list", "List the thresholds, and how many alerts of each fire."),
)

group = group_of(__name__, __doc__, _TABLE)
