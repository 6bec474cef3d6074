"""The command line: each command parses its words, calls one component, and prints."""

from dapu.cli.main import main

__all__ = ["main"]
