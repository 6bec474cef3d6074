"""The Execute API: its client, its documents, their helper views, and the warehouses they go to."""
