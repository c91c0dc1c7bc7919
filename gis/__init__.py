"""Geometry and network kernels; knows no word of the domain.

GDAL decides by content which driver opens a file, so a foreign .geojson may hold a virtual dataset that names any
file or address. Drivers that read other files or the network are therefore dropped here, before anything loads GDAL.
"""

import os

_INDIRECT_VECTOR_DRIVERS = (
    "OGR_VRT", "GDALG", "ADBC", "AmigoCloud", "Carto", "CSW", "EEDA", "Elasticsearch", "GPSBabel", "GTFS", "HTTP",
    "NGW", "OAPIF", "OGCAPI", "PGDUMP", "PLSCENES", "WFS",
)  # fmt: skip
_INDIRECT_RASTER_DRIVERS = (
    "VRT", "DAAS", "DERIVED", "EEDAI", "GTI", "PLMosaic", "STACIT", "STACTA", "WCS", "WMS", "WMTS",
)  # fmt: skip


def _extend(variable: str, names: tuple[str, ...]) -> None:
    given = [name.strip() for name in os.environ.get(variable, "").split(",")]
    os.environ[variable] = ",".join(dict.fromkeys([*filter(None, given), *names]))


_extend("OGR_SKIP", _INDIRECT_VECTOR_DRIVERS)
_extend("GDAL_SKIP", _INDIRECT_RASTER_DRIVERS)
os.environ.setdefault("CPL_VSIL_CURL_ALLOWED_EXTENSIONS", "{none}")
os.environ.setdefault("PROJ_NETWORK", "OFF")
