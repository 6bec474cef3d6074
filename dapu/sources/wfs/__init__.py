"""OGC Web Feature Services: what they offer, and all features of a layer, page by page."""
