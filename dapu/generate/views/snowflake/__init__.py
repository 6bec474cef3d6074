"""Views of contract ABIs in Snowflake."""
