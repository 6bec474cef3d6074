"""What SQL says of a task: the tables and columns that it reads, and where its own come from.

It is read without a database. What cannot be known for certain is left out.
"""
