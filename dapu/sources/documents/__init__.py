"""Documents: JSON and XML read so that no value changes, and their parts by JMESPath."""
