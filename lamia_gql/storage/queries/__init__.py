"""The reads: one statement for one level of the tree, whatever the number of rows above it.

Every function takes a connection and the keys of all the parents at once, and gives what belongs
to each. Statements have the same text for one parent and for a thousand (see ``keys``).
"""
