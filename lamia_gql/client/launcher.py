"""Starts ``lamia-job.pyz``, of which it is the ``__main__``; it runs on any Python from 2.7 on.

On a Python that is too old for the rest, events can't be reported. But ``run`` still becomes its
program, whose exit code, signals and output are then its own.
"""

import errno
import os
import signal
import sys

OLDEST_PYTHON = (3, 9)
FLAG = "--stop-when-enough"
"""The only option of ``run`` that has no value."""
EXIT_NOT_FOUND, EXIT_NOT_RUNNABLE = 127, 126
"""The exit codes of a shell that can't start a program."""


def run_unmonitored(arguments):  # type: (list[str]) -> None
    """Do what is possible of a command line on a Python that is too old; does not return.

    ``run`` is replaced by its program. ``emit`` exits with 0, as it does whatever happens to the
    event; everything else exits with 1.
    """
    version = ".".join(map(str, sys.version_info[:3]))
    needs = "lamia-job needs Python 3.9 or newer, and this is " + version
    command = arguments[0] if arguments else ""
    program = find_program(arguments) if command == "run" else []
    if program:
        _warn(needs + ": the program runs, but nothing is reported.")
        _become(program)
    elif command == "emit":
        _warn(needs + ": the event is not sent.")
        sys.exit(0)
    else:
        _warn(needs + ".")
        sys.exit(1)


def find_program(arguments):  # type: (list[str]) -> list[str]
    """Return the program and its arguments from those of ``run``; empty if there is none."""
    separator = arguments.index("--") if "--" in arguments else len(arguments)
    words = arguments[1:separator]
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if "=" not in option and not FLAG.startswith(option):
            del words[:1]
    return words + arguments[separator:] if words else arguments[separator + 1 :]


def _warn(text):  # type: (str) -> None
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except Exception:
        pass  # stderr is closed


def _become(program):  # type: (list[str]) -> None
    """Replace this process by a program; exits as a shell does if that is not possible."""
    # Python ignores these signals, and a program inherits what is ignored.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    _restore_locale()
    try:
        try:
            os.execvp(program[0], program)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
        # A script without a "#!" line.
        os.execv("/bin/sh", ["/bin/sh", _find_in_path(program[0])] + program[1:])  # noqa: RUF005
    except OSError as error:
        _warn("lamia-job: " + program[0] + ": " + str(error.strerror))
        sys.exit(EXIT_NOT_FOUND if error.errno == errno.ENOENT else EXIT_NOT_RUNNABLE)


def _restore_locale():  # type: () -> None
    """Undo the LC_CTYPE that Python 3.7 and newer set in the C locale."""
    environ = getattr(os, "environb", None)  # Python 2 has none, and sets no LC_CTYPE
    if environ is None:
        return
    try:
        with open("/proc/self/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return
    environ.pop(b"LC_CTYPE", None)
    for entry in entries:
        if entry.startswith(b"LC_CTYPE="):
            environ[b"LC_CTYPE"] = entry[len(b"LC_CTYPE=") :]


def _find_in_path(name):  # type: (str) -> str
    if os.sep not in name:
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    return name


if __name__ == "__main__":
    if sys.version_info < OLDEST_PYTHON:
        run_unmonitored(sys.argv[1:])
    else:
        from lamia_gql.client.__main__ import main

        main()
