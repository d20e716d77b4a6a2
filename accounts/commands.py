"""What management commands share: their arguments."""

from argparse import ArgumentParser, ArgumentTypeError

from django.core.exceptions import ValidationError
from django.core.validators import validate_email


def add_data_dir(parser: ArgumentParser) -> None:
    """Declare `--data-dir`; manage.py has read it before the settings were loaded."""
    parser.add_argument("--data-dir", metavar="DIR", help="the folder of the embedded default")


def email(text: str) -> str:
    """Parse an email address."""
    found = text.strip().lower()
    try:
        validate_email(found)
    except ValidationError as error:
        raise ArgumentTypeError("not an email address") from error
    return found
