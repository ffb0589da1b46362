"""The raynas command, called in this process: what is tested is not that it is another one."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from raynas.cli.main import main


def called(*arguments):
    """Call the command; return its status, output and errors."""
    said, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["raynas", *map(str, arguments)])
        with redirect_stdout(said), redirect_stderr(errors), pytest.raises(SystemExit) as left:
            main()
    return left.value.code, said.getvalue(), errors.getvalue()
