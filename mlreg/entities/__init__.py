"""Frozen records that cross borders: what the store reads, services return and edges show.

One module per noun, so that a command pays only for the records it uses. A record names in
`__json__` the attributes that make up its JSON, where these are not simply its fields.
"""
