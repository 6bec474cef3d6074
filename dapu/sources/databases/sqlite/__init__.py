"""SQLite files, with values that keep their own types."""
