"""Definitions of a source's tables, written for a person to go on with."""
