"""Workers on many hosts, each a network namespace."""
