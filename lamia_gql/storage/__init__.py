"""The database: tables, rows, filters, queries and migrations, on SQLite and PostgreSQL."""
