#!/usr/bin/env bash
# Install Debian packages that are missing; does nothing when all are there.  usage: scripts/debian.sh PACKAGE...
set -euo pipefail
missing=()
for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if ! command -v apt-get >/dev/null; then
    echo "needed, and apt-get is not here to install it: ${missing[*]}" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "needed, and only root can install it: ${missing[*]}" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get install -y --no-install-recommends "${missing[@]}" </dev/null ||
    { apt-get update </dev/null && apt-get install -y --no-install-recommends "${missing[@]}" </dev/null; }
