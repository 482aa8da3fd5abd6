"""The pages for people: tasks, accounts, log-in."""
