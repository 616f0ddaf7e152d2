"""Who may see the dashboard: accounts, sessions and tokens, and the chains of sign-ins and of changes to accounts.

Of sessions and tokens only fingerprints are stored here, of passwords only argon2id hashes. What a person, a browser
or a machine holds is never stored, logged or printed from here.
"""
