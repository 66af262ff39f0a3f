"""Files in which several models were recorded: the records of one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..problem.errors import InputError

#: Whether a model's name, as it was recorded, is that of the wanted one.
IsWanted = Callable[[str], bool]


class OneModel:
    """Tells which records to take.

    Parameters
    ----------
    path : path
        Where the records come from, for messages.
    is_wanted : callable, optional
        Without it all records have to be of one model.
    """

    def __init__(self, path: Path, is_wanted: IsWanted | None) -> None:
        self._path = path
        self._is_wanted = is_wanted
        self._takes: dict[object, bool] = {}

    def takes(self, name: object) -> bool:
        """Whether a record of this model, None where it is not told, is taken.

        Raises
        ------
        InputError
            If there are several models, and nobody said which one is wanted.
        """
        if name not in self._takes:
            told = isinstance(name, str) and self._is_wanted is not None
            self._takes[name] = self._is_wanted(name) if told else True  # type: ignore[misc, arg-type]
            if self._is_wanted is None and len(self._takes) > 1:
                raise InputError(
                    f"{self._path}: has several models: {self._names()}; name one with --model"
                )
        return self._takes[name]

    def check(self) -> None:
        """Refuse a file without any record of the wanted model.

        Raises
        ------
        InputError
        """
        if self._takes and not any(self._takes.values()):
            raise InputError(f"{self._path}: has nothing of this model, but of {self._names()}")

    def _names(self) -> str:
        names = sorted(map(str, self._takes))
        return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
