"""What `dapu server` was asked for, on its way through a job."""
