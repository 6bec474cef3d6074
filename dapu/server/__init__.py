"""`dapu server`: the HTTP API by which others have connectors run."""
