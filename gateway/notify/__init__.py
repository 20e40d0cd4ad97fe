"""Notices on their way to people: from the outbox in the store, over channels, through Apprise."""
