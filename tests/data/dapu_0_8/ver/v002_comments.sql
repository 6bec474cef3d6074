comment on schema staging is 'As the sources have it; see {schema}.{prefix}registry';
