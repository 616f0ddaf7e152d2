"""Who may see the dashboard: accounts, sessions and tokens, and the chain of all attempts to sign in.

Of sessions and tokens only fingerprints are stored here, of passwords only argon2id hashes. What a person, a browser
or a machine holds is never stored, logged or printed from here.
"""
