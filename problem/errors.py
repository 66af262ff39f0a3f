"""The errors that expertcache raises on purpose."""


class InputError(ValueError):
    """Bad input: a file, an argument or a combination of them that cannot be used.

    The message is one line that names the field, and the row where there is one.
    """


class UnsupportedError(InputError):
    """A method that cannot treat the given instance; the message says what would fit."""
