"""How the database agent reads only what changed, or a large table in parts."""
