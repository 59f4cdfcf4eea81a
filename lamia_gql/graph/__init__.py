"""The GraphQL face: types over records, loaders over queries, mutations over the services.

Only this folder knows Strawberry, and nothing in it knows SQL.
"""
