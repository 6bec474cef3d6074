"""The pages of `dapu server`, and of the site that `dapu docs build` writes: what they show."""
