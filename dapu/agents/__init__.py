"""Agents: the code that performs an action, one file an agent."""
