"""Who may look at the dashboard: accounts, sessions and tokens, and the chain of all attempts to sign in.

Of sessions and tokens only fingerprints come here, of passwords only what argon2id makes of them. What a person, a
browser or a machine holds in its hand is never stored, logged or printed from here.
"""
