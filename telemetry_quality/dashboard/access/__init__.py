"""Who may look: everything is refused unless a session or a token is shown, and every response carries strict headers.

``headers`` and ``guard`` stand before every route; ``users`` knows who is who, and ``identity`` is what
it knows; ``routes`` lets people in and out.
"""
