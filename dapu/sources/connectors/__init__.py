"""Connectors: programs that speak the Airbyte protocol or Singer, read as a source."""
