"""One file for each door, and their names."""

from tests.fuzz.door import Door
from tests.fuzz.doors.archives import Archives
from tests.fuzz.doors.catalogue import Catalogue
from tests.fuzz.doors.http import Http
from tests.fuzz.doors.requirements import Files
from tests.fuzz.doors.settings import Written

PURE: dict[str, type[Door]] = {door.name: door for door in (Http, Archives, Files, Written, Catalogue)}
LIVE: dict[str, type[Door]] = {}
DOORS = PURE | LIVE
