"""The tests of dapu."""
