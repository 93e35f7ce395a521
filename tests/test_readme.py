"""The example of the README is run as it stands."""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_example_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.S)
    scope = {}
    exec(compile(code, "README.md", "exec"), scope)
    assert "exponent per epoch: " in capsys.readouterr().out
    assert scope["result"].count == 10
