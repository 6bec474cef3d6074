"""Where files are: folders and servers, unpacking, and which of them changed."""
