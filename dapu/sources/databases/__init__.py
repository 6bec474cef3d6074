"""Reads any database, as bytes for COPY."""
