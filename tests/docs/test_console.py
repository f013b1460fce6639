"""The commands on the page about the command line print what the page says."""

import doctest
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from astrokin.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "command-line.rst"
_BLOCK = re.compile(r"^\.\. code-block:: console\n\n((?:   .*\n|\n)+)", re.MULTILINE)


def commands(path):
    """Yield each command of a page with the output shown below it."""
    for block in _BLOCK.findall(Path(path).read_text(encoding="utf-8")):
        text = re.sub(r"^ {3}", "", block, flags=re.MULTILINE).rstrip("\n")
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output.rstrip()


def output(command):
    """What a command of astrokin prints, on both streams."""
    program, *arguments = shlex.split(command)
    assert program == "astrokin", f"only astrokin can be tried here, not {program}"
    printed = CliRunner().invoke(main, arguments, prog_name="astrokin").output
    return "\n".join(line.rstrip() for line in printed.rstrip().splitlines())


@pytest.fixture(autouse=True, scope="module")
def _own_directory(tmp_path_factory):
    """One directory for all commands: they work on each other's files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("console"))
        yield


def test_every_command_prints_what_the_page_says():
    checker = doctest.OutputChecker()
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.REPORT_NDIFF
    tried = 0
    for command, expected in commands(PAGE):
        got = output(command)
        example = doctest.Example(command, expected + "\n")
        assert checker.check_output(example.want, got + "\n", flags), f"$ {command}\n" + checker.output_difference(
            example, got + "\n", flags
        )
        tried += 1
    assert tried > 5
