"""Where a page may send its reader on to: a page of ours, whatever the address of the request asks for."""


def own_address(address: str) -> str:
    """Return ``address`` if it surely is a page of ours, else "".

    A browser takes "//host" and "/\\host" for another host's, and drops tabs and line ends before it looks.
    """
    ours = address.startswith("/") and not address.startswith("//")
    return address if ours and "\\" not in address and address.isprintable() else ""
