create schema staging authorization {owner};
create schema mart authorization {owner};
