"""What GraphQL and REST share: the services of the application, and how requests are read."""
