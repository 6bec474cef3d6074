"""The target table: its description, its changes, and what hangs on it."""
