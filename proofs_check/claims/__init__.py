"""The claims of each paper, ``<room>/<key>.py``; importing this imports none of them."""
