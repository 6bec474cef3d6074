"""Files: finding them, what they hold as rows, and writing them so that nobody sees half a file."""
