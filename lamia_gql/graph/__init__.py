"""The GraphQL API: types over rows, loaders over queries, mutations over the services.

Only this package imports Strawberry, and nothing in it contains SQL.
"""
