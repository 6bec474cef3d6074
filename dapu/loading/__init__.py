"""Brings rows into a table of the warehouse: one file a load strategy, and what they share."""
