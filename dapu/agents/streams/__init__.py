"""Streams of a connector into tables: how they are read, delivered, and continued."""
