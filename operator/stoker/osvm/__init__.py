"""`kubectl osvm`: virtual machines for people at a terminal."""

import sys


def run() -> int:
    """Run the console script, or say what is not installed; exit code 2 then."""
    try:
        from stoker.osvm.main import main  # noqa: PLC0415 -- what it needs may be missing, which is said below
    except ModuleNotFoundError as error:
        print(f"kubectl osvm: {error}. Install the extra: pip install 'stoker[client]'", file=sys.stderr)  # noqa: T201
        return 2
    return main()
