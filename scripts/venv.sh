#!/usr/bin/env bash
# Make the virtual environment DIR with a Python that is new enough, or with PYTHON.  usage: scripts/venv.sh DIR
set -euo pipefail
dir=$1
here=$(cd "$(dirname "$0")" && pwd)

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

python=
for name in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3}; do
    if command -v "$name" >/dev/null && new_enough "$name"; then python=$name; break; fi
done
if [ -z "$python" ] && [ -n "${PYTHON:-}" ]; then # it may lie where PATH does not lead
    there=$("$here/pythons.sh")
    python=$(awk -v version="${PYTHON#python}" '$1 == version { print $2 }' <<<"$there")
    if [ -z "$python" ]; then
        echo "PYTHON=$PYTHON is no Python that attacca runs on; this machine has:" >&2
        echo "${there:-none}" >&2
        exit 1
    fi
fi
if [ -z "$python" ]; then
    have=$(python3 --version 2>/dev/null || echo "no python3 at all")
    echo "attacca needs Python 3.11 or newer; this machine has $have." >&2
    echo "try: apt-get install python3 python3-venv   (Debian 12 and newer), or make ... PYTHON=/path/to/python3.11" >&2
    exit 1
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package=$("$python" -c 'import sys; print(f"python3.{sys.version_info[1]}-venv")')
    if ! "$here/debian.sh" "$package"; then
        echo "$python cannot make a virtual environment: its venv module is a package of its own." >&2
        echo "try: sudo apt-get install $package   and then the same command again" >&2
        exit 1
    fi
fi

echo "Making $dir with $("$python" --version)"
rm -rf "$dir"
if ! "$python" -m venv "$dir"; then
    rm -rf "$dir" # half of one would look like a whole one next time
    exit 1
fi
