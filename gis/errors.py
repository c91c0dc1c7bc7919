"""The errors a user can cause, each with one clear message in Chinese and English."""


class LamplightError(Exception):
    """Something the user can mend; never shown as a traceback.

    zh, en : the same sentence in both languages, naming what arrived and what was expected.
    """

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} / {en}")
        self.zh = zh
        self.en = en


class FileRefusedError(LamplightError, ValueError):
    """A file that is not what it claims to be, is too large, or holds nothing usable."""


class NetworkError(LamplightError, ValueError):
    """Street data from which no network can be made, or a position that is not on one."""


class RecordError(LamplightError, ValueError):
    """A layer or record that breaks the city's rules."""


class StoreError(LamplightError):
    """The city's store cannot be opened, or lacks what was asked for."""


class QuestionError(LamplightError, ValueError):
    """A planning question with an impossible or missing parameter."""
