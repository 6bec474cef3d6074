"""Queries of the warehouse become files of this machine: workbooks, CSV, NDJSON and Parquet."""
