"""Reads any database, as bytes for COPY or as Arrow batches."""
