"""Rows on their way: what every source gives and every target takes."""
