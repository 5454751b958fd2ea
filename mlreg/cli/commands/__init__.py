"""One module for each verb, imported only when that verb is called; the table is in `cli.app`."""
