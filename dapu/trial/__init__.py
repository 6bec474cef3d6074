"""What a task would do, from its files as they are now: nothing is kept of it."""
