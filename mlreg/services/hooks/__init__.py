"""Hooks: cursors over the audit trail, which tell others what happened."""
