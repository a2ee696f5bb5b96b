"""RTSP has HTTP's grammar and three of its methods, and the parser takes either without saying which it was."""

import re

HINT = b" RTSP/1."
LINE = rb"(?:GET|POST|OPTIONS) +[^ \r\n]+ +RTSP/1\."
PLACE = re.compile(rb"(%b)" % LINE)
FIRST = re.compile(rb"(?s)[\r\n]*[^\r\n]* RTSP/1\..*")  # no target has a blank
GOING_ON = re.compile(rb"(?s)[\r\n]*[^:\r\n]*?%b.*" % LINE)  # fields have a colon; a body's end may be in the same line
METHODS = frozenset(  # that HTTP has not: RTSP's, and Icecast's
    b"DESCRIBE ANNOUNCE SETUP PLAY PAUSE TEARDOWN GET_PARAMETER SET_PARAMETER REDIRECT RECORD FLUSH SOURCE".split()
)


def is_asked(data: bytes) -> bool:
    """Does a request ask in RTSP that begins with this, or of which only some of the method has come?"""
    return FIRST.fullmatch(data) is not None


def is_going_on(line: bytes, data: bytes) -> bool:
    """Does a head ask in RTSP of which this line has come, and this comes now?"""
    return HINT in line[1 - len(HINT) :] + data and GOING_ON.fullmatch(line + data) is not None


def place(data: bytes) -> int:
    """Where a request in RTSP may begin behind the first byte, or be the text of something else."""
    return 1 + len(PLACE.split(data[1:], 1)[0])
