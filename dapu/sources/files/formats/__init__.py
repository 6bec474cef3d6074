"""One file a format: how its bytes become parts of rows."""
