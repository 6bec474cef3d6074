"""dapu: a definition-driven ELT framework for PostgreSQL warehouses, run from cron."""

__version__ = "0.1.0"
