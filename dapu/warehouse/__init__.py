"""The warehouse directory and the database behind it: settings, connections, environment."""
