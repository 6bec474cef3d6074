"""HTTP: asking a server again and again until all has come, or it is clear why it cannot."""
