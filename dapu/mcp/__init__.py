"""`dapu mcp`: an assistant asks what the command line knows, and changes nothing."""
