"""What helps when code cannot be imported: one sentence for each kind of error, where what to do is known.

Looked at is the error, what caused it, and what lies beside the code. Nothing of the function's own is run for it.
"""

import os
import re
import socket
import sys
from collections.abc import Iterator
from traceback import walk_tb
from types import TracebackType

DISTRIBUTIONS = {  # what is imported, and what brings it; where both have one name, nothing stands here
    "attr": "attrs", "bs4": "beautifulsoup4", "cairosvg": "CairoSVG", "Crypto": "pycryptodome",
    "cv2": "opencv-python-headless", "dateutil": "python-dateutil", "decouple": "python-decouple",
    "discord": "discord.py", "docx": "python-docx", "dotenv": "python-dotenv", "fitz": "PyMuPDF",
    "flask_cors": "flask-cors", "git": "GitPython", "github": "PyGithub",
    "googleapiclient": "google-api-python-client", "grpc": "grpcio", "jose": "python-jose", "jwt": "PyJWT",
    "kafka": "kafka-python", "ldap": "python-ldap", "magic": "python-magic", "Levenshtein": "python-Levenshtein",
    "MySQLdb": "mysqlclient", "mysql": "mysql-connector-python", "nacl": "PyNaCl", "OpenSSL": "pyOpenSSL",
    "PIL": "pillow", "pkg_resources": "setuptools<81", "pptx": "python-pptx", "psycopg2": "psycopg2-binary",
    "rest_framework": "djangorestframework", "serial": "pyserial", "skimage": "scikit-image",
    "sklearn": "scikit-learn", "slugify": "python-slugify", "socketio": "python-socketio",
    "telegram": "python-telegram-bot", "win32api": "pywin32", "yaml": "PyYAML", "zmq": "pyzmq",
    "aws_lambda_powertools": "aws-lambda-powertools", "aws_xray_sdk": "aws-xray-sdk", "faiss": "faiss-cpu",
    "multipart": "python-multipart", "ruamel": "ruamel.yaml", "usb": "pyusb", "wx": "wxPython",
    "Xlib": "python-xlib", "azure.functions": "azure-functions", "azure.storage.blob": "azure-storage-blob",
    "azure.identity": "azure-identity", "google.protobuf": "protobuf", "google.oauth2": "google-auth",
    "google.auth": "google-auth", "opentelemetry": "opentelemetry-api",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "google.genai": "google-genai", "google.generativeai": "google-generativeai",
}  # fmt: skip
SHARED = frozenset({"google", "google.cloud", "azure", "opentelemetry"})  # many distributions have a part of these
REMOVED = {  # of the standard library: since when, and what brings it back
    "distutils": ("3.12", "setuptools"), "imp": ("3.12", "zombie-imp"), "asyncore": ("3.12", "pyasyncore"),
    "asynchat": ("3.12", "pyasynchat"), "smtpd": ("3.12", "aiosmtpd"), "cgi": ("3.13", "legacy-cgi"),
    "cgitb": ("3.13", "legacy-cgi"), "crypt": ("3.13", "legacycrypt"), "audioop": ("3.13", "audioop-lts"),
    "telnetlib": ("3.13", "standard-telnetlib"), "imghdr": ("3.13", "standard-imghdr"),
    "sndhdr": ("3.13", "standard-sndhdr"), "uu": ("3.13", "standard-uu"), "xdrlib": ("3.13", "standard-xdrlib"),
    "nntplib": ("3.13", "standard-nntplib"), "pipes": ("3.13", "standard-pipes"),
    "chunk": ("3.13", "standard-chunk"), "aifc": ("3.13", "standard-aifc"), "sunau": ("3.13", "standard-sunau"),
    "mailcap": ("3.13", "standard-mailcap"), "lib2to3": ("3.13", "fissix"),
}  # fmt: skip
PYTHON_2 = frozenset(
    {
        "urllib2",
        "urlparse",
        "ConfigParser",
        "Queue",
        "StringIO",
        "cPickle",
        "httplib",
        "HTMLParser",
        "Cookie",
        "__builtin__",
        "commands",
    }
)
INFRASTRUCTURE = frozenset({"aws_cdk", "pulumi", "constructs", "troposphere", "cdktf"})
UNREAD = {  # what lists packages too, and how it becomes what is read
    "Pipfile": "`pipenv requirements > requirements.txt`",
    "Pipfile.lock": "`pipenv requirements > requirements.txt`",
    "uv.lock": "`uv export --no-emit-project > requirements.txt`",
    "poetry.lock": "`poetry export > requirements.txt`",
    "pdm.lock": "`pdm export > requirements.txt`",
    "environment.yml": "list its packages in requirements.txt",
    "environment.yaml": "list its packages in requirements.txt",
    "setup.py": "list its packages in requirements.txt",
    "setup.cfg": "list its packages in requirements.txt",
}
LIBRARIES = {
    "libGL.so": "opencv-python-headless instead of opencv-python",
    "libpq.so": "psycopg2-binary instead of psycopg2",
}
SKIPPED = frozenset({"__pycache__", "node_modules", "tests", "lost+found"})  # that last is of a micro-VM's disk
LOOKED_AT = 2_000  # files and directories of the function
NAMES = ("Name or service not known", "Temporary failure in name resolution", "No address associated with hostname")
NO_NETWORK = 'network = "host"'
REACHES = f"{NO_NETWORK} in function.toml, or --network host, if it is to reach others while it is imported"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
CREDENTIALS = re.compile(r"\w*Credential\w*(?:Error|Exception)\b")
LOOPS = frozenset({"serve_forever", "run_forever", "mainloop", "start_polling", "infinity_polling", "run_simple"})


def hint(error: BaseException, here: str) -> str:
    """What to try. Empty: nothing is known that would help."""
    try:
        return next((said for one in _chain(error) if (said := _of(one, here))), "")
    except Exception:  # noqa: BLE001 - the error is the user's own object, and may fail in any way itself
        return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came of."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen and len(seen) < 20:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _of(error: BaseException, here: str) -> str:
    match error:
        case ModuleNotFoundError() if error.name:
            return _hidden(error, here) or _missing(_whole(error, error.name), here)
        case ImportError():
            return _hidden(error, here) or _of_another_python(error, here) or _unloadable(str(error), here)
        case SyntaxError():
            return _misspelt(error)
        case KeyError() if _is_of_environment(error):
            return _variable(str(error.args[0]))
        case SystemExit():
            return 'it ends itself when it is imported: put what a script does under `if __name__ == "__main__":`'
        case AttributeError():
            return _hidden(error, here) or _of_another_python(error, here)
        case OSError():
            return _of_system(error)
        case _:
            pass
    if type(error).__name__ == "TooSlow":
        return _endless(error)
    return _of_text(f"{type(error).__name__}: {error}")


def _whole(error: BaseException, name: str) -> str:
    """Of `google` and `azure` Python says no more; the line has what was to be imported of them."""
    if name not in SHARED:
        return name
    import linecache

    lines = [linecache.getline(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    found = re.search(rf"(?:from\s+({name}[\w.]*)\s+import\s+(\w+)|import\s+({name}[\w.]+))", "".join(lines[-1:]))
    return name if found is None else found[3] or f"{found[1]}.{found[2]}"


def _missing(name: str, here: str) -> str:
    top = name.split(".")[0]
    if top in PYTHON_2:
        return f"{top} is Python 2's; the code has to be brought to Python 3, with 2to3 for instance"
    if top in REMOVED and top not in sys.stdlib_module_names:
        since, brought_by = REMOVED[top]
        return f"Python has no {top} since {since}, and this is {VERSION}: {brought_by} in requirements.txt brings it"
    if top in INFRASTRUCTURE:
        return "this describes infrastructure, it is no function: deploy the directory of the function that it names"
    return _other_build(name, here) or _elsewhere(name, here) or _to_require(name, here)


def _elsewhere(name: str, here: str) -> str:
    """The function has such a module itself, in another directory."""
    parts = name.split(".")
    for path in _walk(here):
        known, whole = os.path.splitext(path)[0].split("/"), path.endswith(".py")
        if (whole or os.path.isdir(os.path.join(here, path))) and known[-1] == parts[0]:
            if len(known) == 1:
                inner = "/".join(parts[1:])
                return f"{path} is in the function, but has no {inner}" if inner else ""
            return (
                f"it is in the function as {path}: import it as {'.'.join([*known, *parts[1:]])}, or move it to the top"
            )
    return ""


def _walk(here: str) -> Iterator[str]:
    """Files and directories, the outer ones first."""
    waiting, count = [""], 0
    while waiting and count < LOOKED_AT:
        folder = waiting.pop(0)
        for entry in sorted(os.listdir(os.path.join(here, folder))):
            path, count = os.path.join(folder, entry), count + 1
            if entry.startswith(".") or entry in SKIPPED:
                continue
            yield path
            if folder.count("/") < 3 and os.path.isdir(os.path.join(here, path)):
                waiting.append(path)


def _other_build(name: str, here: str) -> str:
    """Packages that were copied into the function, for another Python."""
    last = name.split(".")[-1]
    for path in _walk(here):
        file = os.path.basename(path)
        if file.startswith(f"{last}.") and file.endswith((".so", ".pyd", ".dylib")):
            return _wrong_build(f"{path} was built for another Python than {VERSION}, or for another machine")
    return ""


def _wrong_build(what: str) -> str:
    return f"{what}: leave it out of the function, and list its package in requirements.txt"


def _to_require(name: str, here: str) -> str:
    brought_by, there = distribution(name), set(os.listdir(here))
    below = next((path for path in _walk(here) if path.endswith("/requirements.txt")), None)
    if below is not None and "requirements.txt" not in there and _lists(os.path.join(here, below), brought_by):
        return f"{below} lists it, and only one at the top is read: deploy the directory {os.path.dirname(below)}"
    own = "requirements.txt" if "requirements.txt" in there or "pyproject.toml" not in there else "pyproject.toml"
    if own in there and (line := _lists(os.path.join(here, own), brought_by)):
        if "python" in (marker := line.partition(";")[2].strip(" ,")):
            return f"{own} asks for {brought_by} only where {marker}, and this is Python {VERSION}"
        if "." in name and name.split(".")[0] in sys.modules:
            return f"the installed {brought_by} has no {name}: ask in {own} for the version that the code is for"
        return f"{own} lists {brought_by}, which brings no module {name}: look up which package does"
    unread = next((file for file in UNREAD if file in there), None)
    if unread is not None and own not in there:
        return f"list {brought_by} in requirements.txt beside the code; {unread} is not read: {UNREAD[unread]}"
    known = " (Lambda has it by itself)" if name.split(".")[0] in ("boto3", "botocore") else ""
    return f"list {brought_by} in {'dependencies of ' * (own == 'pyproject.toml')}{own} beside the code{known}"


def distribution(name: str) -> str:
    """What to install for a module."""
    parts = name.split(".")
    if parts[0] == "opentelemetry" and parts[1:2] in (["exporter"], ["instrumentation"]):
        return "-".join(parts[:3])
    for count in (3, 2, 1):
        known = DISTRIBUTIONS.get(".".join(parts[:count]))
        if known is not None:
            return known
    if parts[:2] == ["google", "cloud"] and len(parts) > 2:
        return f"google-cloud-{parts[2].partition('_v')[0].replace('_', '-')}"
    if parts[0] == "azure" and len(parts) > 1:
        return "-".join(parts[:3])
    return parts[0].replace("_", "-")


def _lists(path: str, wanted: str) -> str:
    """The line that names it; rather one without a condition."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            text = file.read(100_000)
    except OSError:
        return ""
    plain = re.escape(wanted.lower()).replace(r"\-", "[-_.]")
    lines = re.findall(rf"(?mi)^\W*{plain}(?![\w.-]).*", text)
    return min(lines, key=lambda line: ";" in line, default="")


def _hidden(error: BaseException, here: str) -> str:
    """A file of the function's with the name of a module of Python's own, which others then get instead."""
    said = str(error)
    for name in re.findall(r"'([A-Za-z_]\w*)(?:\.\w+)*'", said):
        if name in sys.stdlib_module_names and os.path.isfile(os.path.join(here, f"{name}.py")):
            return f"{name}.py has the name of a module of Python's own, and hides it: give the file another name"
    return ""


def _of_another_python(error: BaseException, here: str) -> str:
    """A module of Python's own has no longer, or not yet, what a package wants of it."""
    said = str(error)
    found = re.search(r"cannot import name '(?P<name>\w+)' from '(?P<of>[\w.]+)'", said) or re.search(
        r"module '(?P<of>[\w.]+)' has no attribute '(?P<name>\w+)'", said
    )
    files = [file for file, _ in _frames(error) if not file.startswith("<")]
    if found is None or not files or found["of"].split(".")[0] not in sys.stdlib_module_names:
        return ""
    lacks = f"{found['of']} has no {found['name']} in the server's Python {VERSION}"
    if files[-1].startswith(os.path.join(here, "")):
        return f"{lacks}: the code was written for another, or for none"
    package = distribution(os.path.basename(_top(files[-1])).removesuffix(".py"))
    return f"{lacks}: this version of {package} is for another; ask for one that is for {VERSION} in requirements.txt"


def _top(file: str) -> str:
    """The package, or the module, that a file belongs to."""
    while os.path.isfile(os.path.join(os.path.dirname(file), "__init__.py")):
        file = os.path.dirname(file)
    return file


def _unloadable(said: str, here: str) -> str:
    if "no known parent package" in said or "beyond top-level package" in said:
        return "the file is at the top, and there is no package above it: import by the name, without the dot"
    if "cannot open shared object file" in said:
        library = said.split(":")[0].strip()
        other = next((use for name, use in LIBRARIES.items() if library.startswith(name)), None)
        return (
            f"use {other}" if other else f"install {library} on the server's machine, or take a package that brings it"
        )
    if any(word in said for word in ("undefined symbol", "invalid ELF header", "wrong ELF class", "GLIBC")):
        return _wrong_build(f"it was built for another Python than {VERSION}, or for another machine")
    if "cannot import name" in said and f"({here}" not in said and "circular import" not in said:
        return (
            "the installed version has no such name: ask for the one that the code was written for in requirements.txt"
        )
    return ""


def _misspelt(error: SyntaxError) -> str:
    said = error.msg or ""
    if "Missing parentheses in call to" in said or "multiple exception types must be parenthesized" in said:
        return "this is Python 2; the code has to be brought to Python 3, with 2to3 for instance"
    if re.match(r"\s*(print|exec)\s+[^=(\s]|\s*raise \w+, |.*\b0\d+\b", error.text or "") and not said.startswith(
        "f-string"
    ):
        return "this looks like Python 2; the code has to be brought to Python 3, with 2to3 for instance"
    if "f-string" in said or re.match(r"\s*(type \w+|def \w+\[|class \w+\[)", error.text or ""):
        return f"newer Pythons may take this; the server's is {VERSION}"
    return ""


def _frames(error: BaseException) -> Iterator[tuple[str, str]]:
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename, trace.tb_frame.f_code.co_name
        trace = trace.tb_next


def _is_of_environment(error: BaseException) -> bool:
    frames = list(_frames(error))
    return bool(frames) and frames[-1][1] == "__getitem__" and frames[-1][0] in ("<frozen os>", os.__file__)


def _variable(name: str) -> str:
    return (
        f"set {name} under [env] in function.toml, or with --env {name}=...; a secret with `attacca secret set {name}`"
    )


def _of_system(error: OSError) -> str:
    said = str(error)
    if isinstance(error, socket.gaierror) or any(word in said for word in NAMES) or "unreachable" in said:
        return REACHES * _is_cut_off()
    if isinstance(error, ConnectionRefusedError):
        return f"127.0.0.1 is the sandbox itself; what runs beside it is reached with {NO_NETWORK}" * _is_cut_off()
    if "Read-only file system" in said or (isinstance(error, PermissionError) and "/function" in said):
        return "the code's directory can only be read: write to /tmp"
    return ""


def _is_cut_off() -> bool:
    """Has the sandbox a network of its own, in which there is nobody?"""
    return all(name == "lo" for _, name in socket.if_nameindex())


def _endless(error: BaseException) -> str:
    if any(name in LOOPS for _, name in _frames(error)):
        return 'a server is started when it is imported: put that under `if __name__ == "__main__":`, or leave it out'
    return ""


def _of_text(said: str) -> str:
    """Errors whose classes are not the standard library's."""
    if any(word in said for word in NAMES):
        return REACHES * _is_cut_off()
    if CREDENTIALS.search(said):
        return "it asks for credentials while it is imported: set them, or make that client when it is first used"
    if "no running event loop" in said or "no current event loop" in said:
        return "make it when it is first used: while the code is imported, no event loop runs"
    found = re.search(r"(?:UndefinedValueError|EnvError|ImproperlyConfigured).*?\b([A-Z][A-Z0-9_]{2,})\b", said)
    return _variable(found[1]) if found else ""
