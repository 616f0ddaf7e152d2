"""Access control: nothing is shown without a session or a token, and every response carries strict headers.

``headers`` and ``guard`` run before every route; ``users`` identifies the user of a request, and ``identity`` holds
the result; ``routes`` signs people in and out.
"""
