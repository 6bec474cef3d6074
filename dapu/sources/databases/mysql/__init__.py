"""MySQL and MariaDB: rows as the server itself writes them."""
