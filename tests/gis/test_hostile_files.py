"""Hostile, broken and odd files, each with its verdict: refused (why), repaired (which note) or read (how many rows).

Most are parsed in this process, to be quick; those marked ``guarded`` go the whole way through the limited process.
"""

# ruff: noqa: E501  (a table of cases reads best with a case a line)

import gzip
import json
import os
import socket
import sqlite3
import stat
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely

from gis.errors import FileRefusedError
from gis.file_checks import check_file
from gis.file_guard import guard_environment
from gis.files import Limits, list_layers, read_table
from tests.gis.unguarded_reading import read_here

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # GDAL's remarks on broken files

SMALL = Limits(max_bytes=64 << 20, max_rows=1_000, max_columns=50, max_seconds=20, max_memory_bytes=4 << 30)
Builder = Callable[[Path], Path]


# --- builders ------------------------------------------------------------------------------------------------------


def put(name: str, content: bytes | str) -> Builder:
    def build(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return build


def point(x: object, y: object, **properties: object) -> dict:
    return {
        "type": "Feature",
        "properties": {"a": 1, **properties},
        "geometry": {"type": "Point", "coordinates": [x, y]},
    }


def shape(kind: str, coordinates: object) -> dict:
    return {"type": "Feature", "properties": {}, "geometry": {"type": kind, "coordinates": coordinates}}


def collection(*features: dict, **members: object) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features), **members}, ensure_ascii=False)


def geojson(*features: dict, **members: object) -> Builder:
    return put("a.geojson", collection(*features, **members))


HERE = point(118.78, 32.05, 名称="点")
BOW_TIE = [[[118, 32], [119, 33], [119, 32], [118, 33], [118, 32]]]
FEATURES = gpd.GeoDataFrame(
    {"街道": ["玄武湖街道", "梅园新村街道"], "n": [1, 2]},
    geometry=[shapely.Point(118.78, 32.05), shapely.Point(118.79, 32.06)],
    crs=4326,
)


def gpkg(change: str = "", crs: object = 4326, table: gpd.GeoDataFrame = FEATURES) -> Builder:
    def build(folder: Path) -> Path:
        path = folder / "a.gpkg"
        table.set_crs(crs, allow_override=True).to_file(path, layer="点位", driver="GPKG")
        with sqlite3.connect(path) as db:
            # these call functions only GDAL has, and would stop a change made without it
            for (name,) in db.execute("select name from sqlite_master where type = 'trigger'").fetchall():
                db.execute(f'drop trigger "{name}"')
            db.executescript(change)
        db.close()
        return path

    return build


def gpkg_with_blob(blob: bytes) -> Builder:
    def build(folder: Path) -> Path:
        path = gpkg()(folder)
        with sqlite3.connect(path) as db:
            db.execute("update 点位 set geom = ? where fid = 1", (blob,))
            db.execute("update gpkg_geometry_columns set geometry_type_name = 'GEOMETRY'")
        db.close()
        return path

    return build


def shp(*, drop: tuple[str, ...] = (), replace: dict[str, bytes] | None = None, encoding: str = "GB18030") -> Builder:
    def build(folder: Path) -> Path:
        FEATURES.to_file(folder / "街道.shp", encoding=encoding)
        for suffix in (".cpg", *drop):
            (folder / f"街道{suffix}").unlink()
        for suffix, content in (replace or {}).items():
            (folder / f"街道{suffix}").write_bytes(content)
        return folder / "街道.shp"

    return build


def foreign_text(folder: Path) -> Path:
    table = gpd.GeoDataFrame({"nom": ["Qu\xe9bec", "\xc0"]}, geometry=list(FEATURES.geometry), crs=4326)
    table.to_file(folder / "a.shp", encoding="ISO-8859-1")
    (folder / "a.cpg").unlink()
    content = (folder / "a.dbf").read_bytes().replace(b"Qu\xe9bec", b"Qu\xe9\xffec")
    (folder / "a.dbf").write_bytes(content)
    return folder / "a.shp"


def cut(build: Builder, keep: float, suffix: str | None = None) -> Builder:
    def cut_build(folder: Path) -> Path:
        path = build(folder)
        part = path.with_suffix(suffix) if suffix else path
        content = part.read_bytes()
        part.write_bytes(content[: int(len(content) * keep)])
        return path

    return cut_build


def archive(members: dict[str, bytes | str], name: str = "a.zip") -> Builder:
    def build(folder: Path) -> Path:
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as out:
            for inner, content in members.items():
                out.writestr(inner, content)
        return folder / name

    return build


def link_archive(folder: Path) -> Path:
    info = zipfile.ZipInfo("a.geojson")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(folder / "a.zip", "w") as out:
        out.writestr(info, "/etc/passwd")
    return folder / "a.zip"


def patched_archive(offsets: dict[int, bytes], central: dict[int, bytes]) -> Builder:
    """A zip of one file whose local and central headers are changed at the offsets."""

    def build(folder: Path) -> Path:
        path = archive({"a.geojson": collection(HERE)})(folder)
        content = bytearray(path.read_bytes())
        start = content.index(b"PK\x01\x02")
        for base, changes in ((0, offsets), (start, central)):
            for at, value in changes.items():
                content[base + at : base + at + len(value)] = value
        path.write_bytes(content)
        return path

    return build


def chinese_archive(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.zip", "w") as out:
        out.writestr("XXXX.geojson", collection(HERE))
    path = folder / "a.zip"
    path.write_bytes(path.read_bytes().replace(b"XXXX", "街道".encode("gb18030")))
    return path


def shapefile_archive(*stems: str) -> Builder:
    def build(folder: Path) -> Path:
        source = shp()(folder)
        with zipfile.ZipFile(folder / "a.zip", "w") as out:
            for stem in stems:
                for suffix in (".shp", ".shx", ".dbf", ".prj"):
                    out.write(source.with_suffix(suffix), f"图层/{stem}{suffix}")
        return folder / "a.zip"

    return build


def kml(inside: str, name: str = "a.kml", prolog: str = "") -> Builder:
    return put(
        name,
        f'<?xml version="1.0" encoding="UTF-8"?>{prolog}<kml xmlns="http://www.opengis.net/kml/2.2" '
        f'xmlns:gx="http://www.google.com/kml/ext/2.2"><Document>{inside}</Document></kml>',
    )


PLACEMARK = "<Placemark><name>救助点</name><Point><coordinates>118.78,32.05,0</coordinates></Point></Placemark>"
XXE = '<!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
LAUGHS = '<!DOCTYPE kml [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'


def xlsx(*rows: tuple, sheets: tuple[str, ...] = ("表",)) -> Builder:
    def build(folder: Path) -> Path:
        book = openpyxl.Workbook()
        book.active.title = sheets[0]
        for title in sheets[1:]:
            book.create_sheet(title)
        for row in rows:
            book.active.append(row)
        book.save(folder / "a.xlsx")
        return folder / "a.xlsx"

    return build


def xlsx_member(member: str, change: Callable[[bytes], bytes]) -> Builder:
    def build(folder: Path) -> Path:
        path = xlsx(("名称", "经度", "纬度"), ("点", 118.78, 32.05))(folder)
        with zipfile.ZipFile(path) as book:
            members = {n: book.read(n) for n in book.namelist()}
        members[member] = change(members[member])
        return archive(members, "a.xlsx")(folder)

    return build


def parquet(*, geo: bytes | None = None, plain: bool = False) -> Builder:
    def build(folder: Path) -> Path:
        path = folder / "a.parquet"
        if plain:
            pd.DataFrame({"名称": ["点"], "n": [1]}).to_parquet(path)
            return path
        FEATURES.to_parquet(path)
        if geo:
            import pyarrow.parquet as pq

            table = pq.read_table(path)
            pq.write_table(table.replace_schema_metadata({b"geo": geo}), path)
        return path

    return build


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "a.geojson")
    return folder / "a.geojson"


def folder_named_like_a_file(folder: Path) -> Path:
    (folder / "a.geojson").mkdir()
    return folder / "a.geojson"


VIEW_BOMB = """
create view bomb as with recursive c(n) as (select 1 union all select n + 1 from c) select n as fid, n from c;
insert into gpkg_contents (table_name, data_type, identifier, last_change) values ('bomb', 'attributes', 'bomb', '2020-01-01T00:00:00Z');
delete from gpkg_contents where table_name = '点位'; delete from gpkg_geometry_columns;
delete from gpkg_ogr_contents;
"""
VIRTUAL = """
pragma writable_schema = on;
insert into sqlite_master (type, name, tbl_name, rootpage, sql)
values ('table', 'evil', 'evil', 0, 'CREATE VIRTUAL TABLE evil USING VirtualOGR(''/etc/passwd'')');
insert into gpkg_contents (table_name, data_type, identifier, last_change) values ('evil', 'attributes', 'evil', '2020-01-01T00:00:00Z');
"""
TRIGGER = "create trigger t after update on 点位 begin delete from 点位; end;"
CSV = "名称,经度,纬度\n点,118.78,32.05\n"
MANY = "a,b\n" + "1,2\n" * 1_001
CRS = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4549"}}
BAD_CRS = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::999999"}}
VRT = '<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>CSV:/etc/passwd</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'
GDALG = json.dumps({"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read CSV:/etc/passwd"})
ESRI = json.dumps(
    {"geometryType": "esriGeometryPoint", "features": [{"attributes": {"a": 1}, "geometry": {"x": 118, "y": 32}}]}
)
TOPO = json.dumps({"type": "Topology", "objects": {"a": {"type": "Point", "coordinates": [118, 32]}}, "arcs": []})


@dataclass(frozen=True)
class Case:
    """A file, and what must come of it; ``says`` must stand in the refusal or in a note."""

    name: str
    build: Builder
    verdict: str  # refused | repaired | read
    says: str = ""
    rows: int | None = None
    without_geometry: int = 0
    guarded: bool = False
    options: dict[str, str] = field(default_factory=dict)
    limits: Limits = SMALL


CASES = [
    # --- files that are not what they claim
    Case("a missing file", lambda folder: folder / "a.geojson", "refused", "no such file"),
    Case("a name with a null byte", lambda folder: folder / "a\x00.geojson", "refused", "no such file"),
    Case("an empty file", put("a.gpkg", ""), "refused", "empty"),
    Case("a folder", folder_named_like_a_file, "refused", "plain file"),
    Case("a pipe that never ends", fifo, "refused", "plain file"),
    Case("an unknown ending", put("a.exe", "MZ"), "refused", "unknown ending"),
    Case("no ending", put("a", CSV), "refused", "unknown ending"),
    Case("larger than allowed", put("a.csv", CSV), "refused", "limit", limits=Limits(max_bytes=10)),
    Case("a street network as a table", put("a.graphml", "<graphml/>"), "refused", "streets"),
    Case("a VRT in a GeoJSON", put("a.geojson", VRT), "refused", "not geojson", guarded=True),
    Case("a GDAL pipeline in a GeoJSON", put("a.geojson", GDALG), "refused", "geojson", guarded=True),
    Case("ESRI JSON in a GeoJSON", put("a.geojson", ESRI), "refused", "geojson", guarded=True),
    Case("TopoJSON in a GeoJSON", put("a.json", TOPO), "refused", "geojson", guarded=True),
    Case("a web page saved as GeoJSON", put("a.geojson", "<html>登录</html>"), "refused", "not geojson"),
    Case("text in a GeoPackage", put("a.gpkg", CSV), "refused", "not gpkg"),
    Case("a CSV that is an XLSX", put("a.csv", b"PK\x03\x04" + b"\x01" * 99), "refused", "not csv"),
    Case("a CSV that is an old XLS", put("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "refused", "not csv"),
    Case("an old XLS named XLSX", put("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "refused", "not xlsx"),
    # --- GeoJSON
    Case("truncated GeoJSON", cut(geojson(HERE, HERE, HERE), 0.8), "refused", "damaged"),
    Case("a collection without features", geojson(), "refused", "no records"),
    Case("a collection lacking its features", put("a.geojson", '{"type": "FeatureCollection"}'), "refused", "damaged"),
    Case("an empty object", put("a.geojson", "{}"), "refused", "geojson"),
    Case("a JSON list", put("a.geojson", "[1, 2]"), "refused", "not geojson"),
    Case("a plain good file", geojson(point(118, 32)), "read", rows=1),
    Case(
        "properties nested 100,000 deep",
        put("a.geojson", collection(HERE).replace('"点"', "[" * 100_000 + "]" * 100_000)),
        "refused", "damaged", guarded=True,
    ),
    Case(
        "collections nested 5,000 deep",
        put("a.geojson", '{"type":"GeometryCollection","geometries":[' * 5_000 + "]}" * 5_000),
        "refused", "damaged", guarded=True,
    ),
    Case("NaN beside good points", put("a.geojson", collection(HERE, point(118, 32)).replace("118,", "NaN,")), "repaired",
         "empty", rows=2, without_geometry=1),
    Case("1e400", put("a.geojson", collection(HERE).replace("118.78", "1e400")), "refused", "1e400"),
    Case("-Infinity only", put("a.geojson", collection(HERE).replace("118.78", "-Infinity")), "refused"),
    Case("coordinates in quotation marks", geojson(HERE, point("118.78", "32.05")), "read", rows=2, without_geometry=1),
    Case("longitude and latitude swapped", geojson(point(32.05, 118.78), point(31.9, 118.6)), "repaired", "swapped", rows=2),
    Case("an unclosed ring", geojson(shape("Polygon", [[[118, 32], [119, 32], [119, 33]]])), "repaired", "unclosed", rows=1),
    Case("a ring of two points", geojson(HERE, shape("Polygon", [[[118, 32], [119, 32]]])), "repaired", "",
         rows=2, without_geometry=1),
    Case("a bow tie", geojson(shape("Polygon", BOW_TIE)), "repaired", "mended", rows=1),
    Case("a polygon without area", geojson(HERE, shape("Polygon", [[[118, 32], [119, 32], [118, 32], [118, 32]]])),
         "repaired", "no area", rows=2, without_geometry=1),
    Case("an empty geometry", geojson(HERE, shape("Polygon", [])), "repaired", "empty", rows=2, without_geometry=1),
    Case("only empty geometries", geojson(shape("MultiPoint", [])), "refused", "no usable geometry"),
    Case("a feature without geometry", geojson(HERE, {"type": "Feature", "properties": {"a": 1}, "geometry": None}), "read",
         rows=2, without_geometry=1),
    Case("heights", geojson(shape("Point", [118.78, 32.05, 8.5])), "repaired", "heights", rows=1),
    Case("points, lines and areas together", geojson(HERE, shape("LineString", [[118, 32], [119, 32]]),
         shape("Polygon", [[[118, 32], [119, 32], [119, 33], [118, 32]]])), "read", rows=3),
    Case("a geometry collection", geojson({"type": "Feature", "properties": {}, "geometry": {"type": "GeometryCollection",
         "geometries": [{"type": "Point", "coordinates": [118, 32]}]}}), "read", rows=1),
    Case("one point off the earth", geojson(HERE, HERE, point(218, 32)), "repaired", "off the earth", rows=3, without_geometry=1),
    Case("metres without a CRS", geojson(point(386604, 3542481)), "refused", "must name its CRS"),
    Case("metres with a crs member", geojson(point(386604, 3542481), crs=CRS), "repaired", "transformed", rows=1),
    Case("a crs nobody knows", geojson(HERE, crs=BAD_CRS), "refused", "EPSG::999999"),
    Case("a crs behind a link", geojson(HERE, crs={"type": "link", "properties": {"href": "http://127.0.0.1:9/x"}}), "refused",
         "crs"),
    Case("a byte order mark", put("a.geojson", "\ufeff" + collection(HERE)), "read", rows=1),
    Case("GeoJSON in GB18030", put("a.geojson", collection(HERE).encode("gb18030")), "refused", "UTF"),
    Case("the same key twice", put("a.geojson", collection(HERE).replace('"a": 1', '"a": 1, "a": 2')), "read", rows=1),
    Case("a property called geometry", geojson(point(118, 32, geometry="x")), "repaired", "geometry_2", rows=1),
    Case("a null byte in a key", geojson(point(118, 32, **{"b\x00c": 1})), "read", rows=1),
    Case("one JSON feature a line", put("a.geojson", json.dumps(HERE) + "\n" + json.dumps(HERE)), "refused", "geojson",
         guarded=True),
    Case("more columns than allowed", geojson(point(118, 32, **{f"c{i}": i for i in range(60)})), "refused", "columns"),
    Case("more rows than allowed", geojson(*[HERE] * 1_001), "refused", "rows"),
    # --- GeoPackage
    Case("a sqlite file that is no GeoPackage", gpkg("pragma application_id = 0;"), "refused", "not gpkg"),
    Case("a truncated GeoPackage", cut(gpkg(), 0.5), "refused", "gpkg", guarded=True),
    Case("garbage after the GeoPackage head", put("a.gpkg", b"SQLite format 3\x00" + b"\x00" * 52 + b"GPKG" + b"\xff" * 9_000),
         "refused", "gpkg"),
    Case("a view that never ends", gpkg(VIEW_BOMB), "refused", "is a view", options={"layer": "bomb"}),
    Case("a virtual table that names another file", gpkg(VIRTUAL), "refused", "virtual table", options={"layer": "evil"}),
    Case("a trigger that deletes", gpkg(TRIGGER), "read", rows=2),
    Case("a layer asked for with SQL in its name", gpkg(), "refused", "no layer", options={"layer": '点位"; drop table x; --'}),
    Case("a geometry of garbage", gpkg_with_blob(b"GP\x00\x01" + struct.pack("<i", 4326) + b"\x01\xff\xff"), "repaired", "",
         rows=2, without_geometry=1),
    Case("a geometry that claims four thousand million points",
         gpkg_with_blob(b"GP\x00\x01" + struct.pack("<i", 4326) + struct.pack("<BII", 1, 2, 0xFFFFFFFF)), "repaired", "",
         rows=2, without_geometry=1, guarded=True),
    Case("an arc", gpkg_with_blob(b"GP\x00\x01" + struct.pack("<i", 4326) + struct.pack("<BII6d", 1, 8, 3, 118, 32, 118.5,
         32.5, 119, 32)), "repaired", "curves", rows=2),
    Case("CGCS2000 degrees", gpkg(crs=4490), "read", rows=2),
    Case("Beijing 1954 degrees", gpkg(crs=4214), "repaired", "Beijing 1954", rows=2),
    Case("an undefined CRS", gpkg("update gpkg_geometry_columns set srs_id = 0; update gpkg_contents set srs_id = 0;"),
         "repaired", "no CRS", rows=2),
    # --- shapefiles
    Case("GB18030 without .cpg", shp(), "repaired", "GB18030", rows=2),
    Case("UTF-8 without .cpg", shp(encoding="UTF-8"), "repaired", "UTF-8", rows=2),
    Case("an unknown .cpg", shp(replace={".cpg": b"KLINGON"}), "repaired", "klingon", rows=2),
    Case("a .cpg with code page 936", shp(replace={".cpg": b"936"}), "read", rows=2),
    Case("text in no known encoding", foreign_text, "refused", "neither UTF-8 nor GB18030"),
    Case("text in an encoding said aloud", foreign_text, "read", rows=2, options={"encoding": "ISO-8859-1"}),
    Case("no .dbf", shp(drop=(".dbf",)), "read", rows=2),
    Case("no .shx", shp(drop=(".shx",)), "repaired", "GB18030", rows=2),
    Case("no .prj", shp(drop=(".prj",)), "repaired", "no CRS", rows=2),
    Case("a .prj of nonsense", shp(replace={".prj": b"\x00\xff nonsense"}), "repaired", "no CRS", rows=2),
    Case("a .prj that names an address", shp(replace={".prj": b"http://127.0.0.1:9/x"}), "repaired", "no CRS", rows=2),
    Case("a .shp of garbage", put("a.shp", b"\x00\x00\x27\x0a" + b"\xff" * 200), "refused", "shp"),
    Case("a .shp of the wrong kind", put("a.shp", b"hello" * 50), "refused", "not shp"),
    Case("a truncated .dbf", cut(shp(), 0.6, ".dbf"), "refused", ""),
    # --- archives
    Case("a path that climbs out", archive({"../../a.geojson": collection(HERE)}), "refused", "outside"),
    Case("an absolute path", archive({"/etc/a.geojson": collection(HERE)}), "refused", "outside"),
    Case("a Windows path that climbs out", archive({"..\\..\\a.geojson": collection(HERE)}), "refused", "outside"),
    Case("a drive letter", archive({"C:/a.geojson": collection(HERE)}), "refused", "outside"),
    Case("a symbolic link in the archive", link_archive, "refused", "symbolic link"),
    Case("an archive in the archive", archive({"b.zip": b"PK\x03\x04"}), "refused", "archive inside"),
    Case("an encrypted archive", patched_archive({6: b"\x01"}, {8: b"\x01"}), "refused", "encrypted"),
    Case("a bomb", archive({"a.csv": b"0" * (40 << 20)}), "refused", "bomb"),
    Case("an archive that lies about its sizes", patched_archive({}, {24: b"\x05\x00\x00\x00"}), "refused", "damaged"),
    Case("an archive with a wrong checksum", patched_archive({}, {16: b"\x05\x00\x00\x00"}), "refused", "damaged"),
    Case("a truncated archive", cut(archive({"a.csv": CSV}), 0.6), "refused", "damaged"),
    Case("too many members", archive({f"{i}.txt": "" for i in range(1_001)}), "refused", "too many members"),
    Case("two shapefiles in one archive", shapefile_archive("甲", "乙"), "refused", "must hold one"),
    Case("the shapefile asked for of two", shapefile_archive("甲", "乙"), "repaired", "GB18030", rows=2,
         options={"layer": "乙"}),
    Case("an archive without any layer", archive({"readme.txt": "x"}), "refused", "must hold one"),
    Case("a VRT in a GeoJSON in an archive", archive({"a.geojson": VRT}), "refused", "not geojson", guarded=True),
    Case("a Chinese name in an archive", chinese_archive, "read", rows=1),
    Case("a shapefile in a folder in an archive", shapefile_archive("街道"), "repaired", "GB18030", rows=2),
    Case("Finder's litter in an archive", archive({"a.csv": CSV, "__MACOSX/._a.csv": b"\x00\x05", ".DS_Store": b"\x00"}),
         "read", rows=1),
    # --- KML
    Case("an external entity", kml(PLACEMARK, prolog=XXE), "refused", "DTD"),
    Case("a billion laughs", kml(PLACEMARK, prolog=LAUGHS), "refused", "DTD"),
    Case("an entity in UTF-16", put("a.kml", f"<?xml version='1.0' encoding='UTF-16'?>{XXE}<kml/>".encode("utf-16")),
         "refused", "DTD"),
    Case("a DTD in a KMZ", archive({"doc.kml": f"{XXE}<kml/>"}, "a.kmz"), "refused", "DTD"),
    Case("a KMZ without KML", archive({"a.png": b""}, "a.kmz"), "refused", "no KML"),
    Case("a web page saved as KML", put("a.kml", "<html><body/></html>"), "refused", "root element"),
    Case("KML with open ends", put("a.kml", "<kml><Document><Placemark>"), "refused"),
    Case("KML without a placemark", kml("<name>空</name>"), "refused"),
    Case("Ovital's ending", kml(f"<Folder><name>点</name>{PLACEMARK}</Folder>", "a.ovkml"), "read", rows=1),
    Case("two folders", kml(f"<Folder><name>甲</name>{PLACEMARK}</Folder><Folder><name>乙</name>{PLACEMARK}</Folder>"),
         "read", rows=2),
    Case("balloon styles and gx tracks", kml(
         f"<Style id='s'><BalloonStyle><text><![CDATA[<script>alert(1)</script>]]></text></BalloonStyle></Style>{PLACEMARK}"
         "<Placemark><name>t</name><gx:Track><when>2020-01-01T00:00:00Z</when><gx:coord>118 32 0</gx:coord></gx:Track>"
         "</Placemark>"), "repaired", "unreadable geometry", rows=2, without_geometry=1),
    # --- CSV
    Case("CSV in GB18030", put("a.csv", CSV.encode("gb18030")), "repaired", "GB18030", rows=1),
    Case("CSV in UTF-16", put("a.csv", CSV.replace(",", "\t").encode("utf-16")), "read", rows=1),
    Case("CSV with a byte order mark", put("a.csv", "\ufeff" + CSV), "read", rows=1),
    Case("CSV with semicolons", put("a.csv", CSV.replace(",", ";")), "read", rows=1),
    Case("CSV in another encoding than said", put("a.csv", CSV.encode("gb18030")), "refused", "encoding",
         options={"encoding": "utf-8"}),
    Case("CSV in an encoding nobody knows", put("a.csv", CSV), "refused", "unknown encoding", options={"encoding": "klingon"}),
    Case("null bytes in a CSV", put("a.csv", CSV.encode() + b"x" * 600 + b"\x00,1,2\n"), "refused", "null bytes"),
    Case("a column name twice", put("a.csv", "a,a,经度,纬度\n1,2,118,32\n"), "repaired", "a_2", rows=1),
    Case("a column without a name", put("a.csv", ",经度,纬度\n1,118,32\n"), "read", rows=1),
    Case("CSV with latitude and longitude swapped", put("a.csv", "经度,纬度\n32.05,118.78\n"), "repaired", "swapped", rows=1),
    Case("half a coordinate", put("a.csv", "经度,纬度\n118.78,32.05\n118.78,\n"), "repaired", "NaN", rows=2, without_geometry=1),
    Case("infinity in a CSV", put("a.csv", "lon,lat\n118.78,32.05\ninf,32.05\n"), "repaired", "infinite", rows=2,
         without_geometry=1),
    Case("1e400 in a CSV", put("a.csv", "lon,lat\n118.78,32.05\n1e400,32.05\n"), "repaired", "infinite", rows=2,
         without_geometry=1),
    Case("degrees, minutes and seconds", put("a.csv", "经度,纬度\n118°46′,32°03′\n"), "refused", "decimal degrees"),
    Case("a heading that names GCJ-02", put("a.csv", "lon_gcj02,lat_gcj02\n118.78,32.05\n"), "repaired", "gcj02", rows=1),
    Case("a heading that contradicts what was asked", put("a.csv", "高德经度,高德纬度\n118.78,32.05\n"), "repaired", "asked for",
         rows=1, options={"datum": "bd09"}),
    Case("both coordinates in one column", put("a.csv", '名称,坐标\n点,"118.78,32.05"\n'), "read", rows=1),
    Case("a title above the heading of a CSV", put("a.csv", "附件1,,\n" + CSV), "repaired", "title", rows=1),
    Case("a table without coordinates", put("a.csv", "person,role\n甲,supervisor\n"), "read", rows=1, without_geometry=1),
    Case("a CSV of headings only", put("a.csv", "名称,经度,纬度\n"), "refused", "no records"),
    Case("a CSV of blank lines", put("a.csv", "\n\n\n"), "refused", "table"),
    Case("rows longer than the heading", put("a.csv", CSV + "点,118,32,9,9,9\n"), "refused", "unreadable table"),
    Case("a quotation mark left open", put("a.csv", CSV + '"点,118,32\n'), "refused", "unreadable table"),
    Case("a CSV with too many rows", put("a.csv", MANY), "refused", "rows"),
    Case("a CSV with too many columns", put("a.csv", ",".join(map(str, range(60))) + "\n" + ",".join("1" * 60) + "\n"),
         "refused", "columns"),
    Case("a gzip bomb", put("a.csv.gz", gzip.compress(b"0" * (40 << 20))), "refused", "bomb"),
    Case("a truncated gzip", cut(put("a.csv.gz", gzip.compress(CSV.encode() * 50)), 0.6), "refused", "damaged"),
    Case("plain text named gzip", put("a.csv.gz", CSV), "refused", "not csv.gz"),
    # --- XLSX
    Case("an XLSX bomb", xlsx_member("xl/worksheets/sheet1.xml", lambda b: b + b" " * (40 << 20)), "refused", "bomb"),
    Case("an entity in a sheet", xlsx_member("xl/worksheets/sheet1.xml", lambda b: b"<!DOCTYPE x [<!ENTITY y 'z'>]>" + b),
         "refused", "XLSX", guarded=True),
    Case("an XLSX without a workbook", archive({"a.txt": "x"}, "a.xlsx"), "refused", "XLSX"),
    Case("a truncated XLSX", cut(xlsx(("a",), (1,)), 0.7), "refused", "damaged"),
    Case("an empty sheet", xlsx(), "refused", "empty"),
    Case("a formula", xlsx(("名称", "经度", "纬度"), ("=1+1", 118.78, 32.05)), "read", rows=1),
    Case("a title above the heading of a sheet", xlsx(("南京市救助站名单",), ("名称", "经度", "纬度"), ("点", 118.78, 32.05)),
         "repaired", "title", rows=1),
    Case("a second sheet", xlsx(("经度", "纬度"), (118.78, 32.05), sheets=("甲", "乙")), "repaired", "not read: 乙", rows=1),
    Case("a sheet that is not there", xlsx(("a",), (1,)), "refused", "no layer", options={"layer": "丙"}),
    Case("an error value in a sheet", xlsx(("名称", "经度", "纬度"), ("点", "#N/A", 32), ("点", 118, 32)), "repaired", "NaN", rows=2,
         without_geometry=1),
    # --- GeoParquet
    Case("Parquet without geo metadata", parquet(plain=True), "repaired", "plain table", rows=1, without_geometry=1),
    Case("garbage named Parquet", put("a.parquet", b"PAR1" + b"\xff" * 90 + b"PAR1"), "refused", "parquet", guarded=True),
    Case("truncated Parquet", cut(parquet(), 0.6), "refused", "parquet"),
    Case("geo metadata that is no JSON", parquet(geo=b"\xff{"), "refused", "parquet"),
    Case("geo metadata with a broken CRS", parquet(geo=json.dumps({"version": "1.0.0", "primary_column": "geometry",
         "columns": {"geometry": {"encoding": "WKB", "geometry_types": [], "crs": {"type": "GeographicCRS"}}}}).encode()),
         "refused", "parquet"),
    Case("geo metadata naming no such column", parquet(geo=json.dumps({"version": "1.0.0", "primary_column": "x",
         "columns": {"x": {"encoding": "WKB", "geometry_types": []}}}).encode()), "refused", "parquet"),
]  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_there_are_enough_cases_and_none_twice() -> None:
    assert len(CASES) >= 60
    assert len({c.name for c in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_each_file_meets_its_verdict(case: Case, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    path = case.build(tmp_path / "given")
    before = contents(tmp_path / "given")
    if case.guarded:
        act = lambda: read_table(path, limits=case.limits, **case.options)  # noqa: E731
    else:
        act = lambda: read_here(path, case.limits, **case.options)  # noqa: E731

    if case.verdict == "refused":
        with pytest.raises(FileRefusedError) as refusal:
            act()
        assert case.says in refusal.value.en
        assert any("\u4e00" <= c <= "\u9fff" for c in refusal.value.zh)
        assert refusal.value.en.startswith(f"{path.name}: ")
        assert refusal.value.zh.startswith(f"{path.name}：")
        assert not any(ours in refusal.value.en for ours in (str(tmp_path), "source.", "inner."))
        assert contents(tmp_path / "given") == before
        return

    done = act()
    assert contents(tmp_path / "given") == before
    assert done.table.crs == "EPSG:4326"
    assert len(done.table) == case.rows
    assert done.table.geometry.isna().sum() == case.without_geometry
    assert np.isfinite(shapely.get_coordinates(done.table.geometry)).all()
    assert done.table.geometry.dropna().is_valid.all()
    assert any(case.says in note.en for note in done.notes) if case.verdict == "repaired" else done.notes == ()
    assert all(note.zh and note.en for note in done.notes)


# --- what the limited process may not do -------------------------------------------------------------------------------


@pytest.fixture
def listener():
    """A server on this machine that remembers whether anyone called."""
    calls: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            calls.append(connection.recv(100))
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/x", calls
    server.close()


def test_reading_fetches_nothing_over_the_network(listener, tmp_path: Path) -> None:
    address, calls = listener
    link = json.dumps({"type": "link", "properties": {"href": address}}).replace("link", "\\u006cink")
    late_crs = collection(HERE, *[HERE] * 900)[:-1] + ', "crs": ' + link + "}"
    networklink = f"<NetworkLink><Link><href>{address}</href></Link></NetworkLink>{PLACEMARK}"
    files = {
        "prj": shp(replace={".prj": address.encode()}),
        "kml": kml(networklink),
        "geojson": put("a.geojson", late_crs),
    }
    for name, build in files.items():
        (tmp_path / name).mkdir()
        assert len(read_table(build(tmp_path / name)).table)
    assert calls == []


def test_the_parser_sees_no_secret_of_the_caller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAMPLIGHT_DB", "postgresql://lamplight:hunter2@city/records")
    assert not any("hunter2" in value for value in guard_environment(tmp_path).values())


def test_a_parser_that_needs_too_much_memory_is_refused_not_a_crash(tmp_path: Path) -> None:
    path = put("a.csv", CSV)(tmp_path)
    with pytest.raises(FileRefusedError, match="memory"):
        read_table(path, limits=Limits(max_memory_bytes=150 << 20))


def test_a_parser_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match="stopped"):
        read_table(put("a.csv", CSV)(tmp_path), limits=Limits(max_seconds=0.01))


def test_nothing_is_left_behind_in_the_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    read_table(put("a.csv", CSV)(tmp_path))
    with pytest.raises(FileRefusedError):
        read_table(put("b.gpkg", CSV)(tmp_path))
    assert list((tmp_path / "tmp").iterdir()) == []


def test_layers_of_a_hostile_file_are_not_listed_either(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match="DTD"):
        list_layers(kml(PLACEMARK, prolog=XXE)(tmp_path))


def test_gdal_loads_without_drivers_that_read_other_files_or_the_network() -> None:
    script = "import gis, pyogrio; print(*pyogrio.list_drivers(), sep='\\n')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    left = set(done.stdout.splitlines())
    assert {"GPKG", "GeoJSON", "ESRI Shapefile", "LIBKML"} <= left
    assert not {"OGR_VRT", "GDALG", "WFS", "OAPIF", "HTTP", "CSW", "Carto", "Elasticsearch", "GTFS"} & left
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.osm", f"{XXE.replace('kml', 'osm')}<osm/>", "DTD"),
        ("a.osm", "<kml/>", "root element"),
        ("a.osm.gz", gzip.compress(b"<osm>" + b" " * (40 << 20), mtime=0), "bomb"),
        ("a.graphml", f"{LAUGHS}<graphml/>", "DTD"),
        ("a.graphml.gz", gzip.compress(f"{LAUGHS}<graphml/>".encode(), mtime=0), "DTD"),
        ("a.graphml.gz", "<graphml/>", "not graphml.gz"),
        ("a.osm.pbf", "<osm/>", "not osm.pbf"),
    ],
)
def test_street_files_are_checked_before_their_parsers_see_them(
    name: str, content: bytes | str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(FileRefusedError, match=says):
        check_file(put(name, content)(tmp_path))


def test_sound_street_files_pass(tmp_path: Path) -> None:
    assert check_file(put("a.osm", "<?xml version='1.0'?><osm version='0.6'/>")(tmp_path)).name == "osm"
    assert check_file(put("a.graphml.gz", gzip.compress(b"<graphml/>"))(tmp_path)).name == "graphml.gz"
