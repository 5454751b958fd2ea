"""See how versions would have answered, and label what tells them apart.

A shadow answers the inputs of live predictions once the caller has the answer. It is logged and
never returned. Whoever labels one of the two answers has settled both.

$ mlreg route sentiment --shadow 2.0.0
$ mlreg shadow report sentiment
$ mlreg shadow queue sentiment -n 50
"""

from mlreg.cli.kit.groups import group_of

_SEE = "See"

_TABLE = (
    (_SEE, "report", "Compare shadows with what was live, and say which is better."),
    (_SEE, "queue", "List inputs on which they disagree, to be labelled first."),
)

group = group_of(__name__, __doc__, _TABLE)
