"""The reads: one statement per level of a query, whatever the number of parents.

Every function takes a connection and the keys of all parents, and returns what belongs to each, in
the order of the keys. A statement has the same text for any number of parents (see ``key_table``).
"""
