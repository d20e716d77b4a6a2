"""A copy of the request log in an analytical database, without names (docs/archive.md)."""
