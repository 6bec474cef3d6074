"""Values that a column cannot hold, and what becomes of their rows."""
