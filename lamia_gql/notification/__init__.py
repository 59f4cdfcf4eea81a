"""Delivers the notifications of the outbox: by e-mail, to webhooks, and through Apprise."""
