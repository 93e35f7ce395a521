"""Foreign words in generated Markdown: names, notes and origins show as they are written."""

import re

_MEANS = re.compile(r"([\\`*_{}\[\]<>|$&~^])")


def words(text):
    r"""Text in which nothing is markup: not HTML, a role, a formula, a link or a column.

    >>> print(words("<script>alert(1)</script> & $x$ | y_1"))
    \<script\>alert(1)\</script\> \& \$x\$ \| y\_1
    """
    return _MEANS.sub(r"\\\1", " ".join(str(text).split()))


def code(text):
    """The same in letters of code; a backtick or a bar would end it, and becomes a blank.

    >>> print(code("a84856809f3c-dirty"), code("a`b|c"))
    `a84856809f3c-dirty` `a b c`
    """
    return f"`{' '.join(re.sub('[`|]', ' ', str(text)).split()) or '–'}`"
