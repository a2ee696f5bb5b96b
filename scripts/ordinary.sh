#!/usr/bin/env bash
# Run a command as an ordinary user, in a copy of this tree that is the user's own; for root.  usage: scripts/ordinary.sh COMMAND...
# The command's program stays where it is, and is copied too when the user may not run it there. Where the interpreter of
# a virtual environment lies where the user may not go, the system's has its packages, if it is of the same version.
set -euo pipefail
cd "$(dirname "$0")/.."
uid=54321
home=$(mktemp -d /tmp/attacca-ordinary-XXXXXX)
trap 'rm -rf "$home"' EXIT
copy=$home/attacca
mkdir "$copy"
tar --create --exclude ./.git --exclude './.venv*' --exclude './.run' --exclude './.*_cache' . | tar --extract --directory "$copy"

as_user() {
    setpriv --reuid=$uid --regid=$uid --clear-groups env --chdir="$copy" \
        HOME="$home" USER=attacca LOGNAME=attacca PYTHONPATH="$copy" PYTHONDONTWRITEBYTECODE=1 "$@"
}

program=$(realpath --no-symlinks "$1")
chown -R $uid:$uid "$home"
if ! as_user "$program" --version >/dev/null 2>&1; then
    venv=${program%/bin/*}
    cp --recursive --no-dereference "$venv" "$home/venv"
    chown -R $uid:$uid "$home/venv"
    program=$home/venv/bin/${program##*/}
fi
packages=()
if ! as_user "$program" --version >/dev/null 2>&1; then
    version=$("$1" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    program=/usr/bin/$version packages=(PYTHONPATH="$copy:$home/venv/lib/$version/site-packages")
    if ! as_user "$program" --version >/dev/null 2>&1; then
        echo "an ordinary user may run neither $1 nor $program; try: make clean, then make ... PYTHON=/usr/bin/python3" >&2
        exit 1
    fi
fi
as_user "${packages[@]}" "$program" "${@:2}"
