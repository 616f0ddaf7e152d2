"""Who may look: everything is refused unless a session or a token is shown, and every answer carries strict headers.

``headers`` and ``guard`` stand before every route; ``visitors`` knows who is who, and ``identity`` is what
it knows; ``routes`` lets people in and out.
"""
