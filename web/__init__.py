"""Pages, maps and tables: parse, authorise, call, render."""
