"""From a project of dapu 0.8 to a warehouse directory, and a list of what that cannot say."""
