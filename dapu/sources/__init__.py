"""Where rows come from. Nothing here knows how they are loaded."""
