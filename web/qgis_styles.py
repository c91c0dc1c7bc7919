"""The colours a GeoPackage opens with in QGIS, kept in its table of layer styles."""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

from web import drawing
from web.drawing import CoverageDrawing, both

_TABLE = """
CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
    f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
    useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30), update_time DATETIME
)"""
_STAMP = "2000-01-01T00:00:00.000Z"


def areas(what: CoverageDrawing) -> str:
    """Return the QGIS style of areas: shares at the longest threshold in the map's palette."""
    return shares(f"share_{what.headline_s}", drawing.NO_ONE[what.measure])


def shares(column: str, nobody: tuple[str, str]) -> str:
    """Return the QGIS style of areas by a column of shares in the maps' palette; ``nobody`` names those without."""
    share = f'"{column}"'
    rules, low = [(f"{share} IS NULL", both(nobody), drawing.NO_ONE_COLOUR)], None
    for high, label, colour in zip(drawing.SHARE_EDGES, drawing.share_labels(), drawing.SHARE_COLOURS, strict=True):
        above = "" if low is None else f"{share} > {low} AND "
        rules.append((f"{above}{share} <= {high}" if high < 1 else f"{share} > {low}", label, colour))
        low = high
    return fills(rules)


def fills(rules: list[tuple[str, str, str]]) -> str:
    """Return the QGIS style of areas filled by rules, with the maps' edges."""
    return style("fill", "SimpleFill", rules, lambda colour: {"color": colour, "outline_color": drawing.EDGE_COLOUR,
                                                              "outline_width": "0.15"})  # fmt: skip


def segments(what: CoverageDrawing) -> str:
    """Return the QGIS style of segments: time from the farthest spot in the map's palette."""
    rules = []
    for k in drawing.time_classes(what.thresholds_s):
        where = f'"longest_s" > {k.over_s}' if k.over_s else '"longest_s" >= 0'
        if k.over_s > 1e300:
            where = '"longest_s" IS NULL'
        elif k.upto_s < 1e300:
            where += f' AND "longest_s" <= {k.upto_s}'
        rules.append((where, f"{k.zh} {k.en}", k.colour))
    return style("line", "SimpleLine", rules, lambda colour: {"line_color": colour, "line_width": "0.4"})


def embed(path: Path, styles: Mapping[str, str], name: str) -> None:
    """Keep the default style of each layer in the GeoPackage at ``path``, under a name."""
    with sqlite3.connect(path) as db:
        db.execute(_TABLE)
        db.executemany(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName,"
            " styleQML, styleSLD, useAsDefault, description, owner, update_time)"
            " VALUES ('', '', ?, 'geom', ?, ?, '', 1, '', '', ?)",
            [(layer, name, qml, _STAMP) for layer, qml in styles.items()],
        )
        db.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, last_change) VALUES (?, 'attributes', ?, ?)",
            ("layer_styles", "layer_styles", _STAMP),
        )
    db.close()


def style(
    kind: str, layer: str, rules: list[tuple[str, str, str]], look: Callable[[str], dict[str, str]]
) -> str:  # fmt: skip
    """Return a QGIS style of rules.

    kind, layer : the symbol's and its layer's class in QGIS ("fill", "SimpleFill"). rules : (filter, label, colour).
    look : the symbol's properties for a colour.
    """
    written = "".join(
        f'<rule key="r{i}" symbol="{i}" filter={quoteattr(where)} label={quoteattr(label)}/>'
        for i, (where, label, _) in enumerate(rules)
    )
    symbols = "".join(
        f'<symbol type="{kind}" name="{i}" alpha="1"><layer class="{layer}" enabled="1" pass="0" locked="0">'
        + "".join(f'<prop k="{k}" v={quoteattr(_rgba(v))}/>' for k, v in look(colour).items())
        + "</layer></symbol>"
        for i, (_, _, colour) in enumerate(rules)
    )
    return (
        '<qgis version="3.22" styleCategories="Symbology"><renderer-v2 type="RuleRenderer" symbollevels="0">'
        f'<rules key="root">{written}</rules><symbols>{symbols}</symbols></renderer-v2></qgis>'
    )


def _rgba(value: str) -> str:
    if not value.startswith("#"):
        return value
    return ",".join(str(int(value[i : i + 2], 16)) for i in (1, 3, 5)) + ",255"
