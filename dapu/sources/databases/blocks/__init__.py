"""Blocks of rows by key, compared by hashes."""
