"""What dapu remembers, in the warehouse's own database: plain functions over named SQL."""
