"""Text within a notebook's data, compressed."""

import base64
import gzip


def packed(text):
    """Text, compressed, in letters that a notebook can hold; the same for the same text.

    >>> unpacked(packed("<svg/>"))
    '<svg/>'
    """
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def unpacked(letters):
    """Undo :func:`packed`."""
    return gzip.decompress(base64.b64decode(letters, validate=True)).decode()
