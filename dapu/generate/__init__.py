"""Definitions and views that dapu writes itself."""
