"""The only place with SQL: the connection, the schema, and one module for each noun."""
