"""One file a load mode, and what several of them share."""
