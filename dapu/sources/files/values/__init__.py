"""Values of files: what kind they are, and how texts become them."""
