"""What developers and tests run; nothing of it is installed at a user's."""
