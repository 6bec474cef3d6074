"""Runs the jobs of the agenda: processes, jobs, and the watch over a running one."""
