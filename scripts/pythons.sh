#!/usr/bin/env bash
# The interpreters of this machine that attacca runs on, the newest first: version and path.  usage: scripts/pythons.sh
set -euo pipefail
shopt -s nullglob
IFS=: read -ra places <<<"$PATH"
places+=("${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/*/bin)
for place in "${places[@]}"; do
    for python in "$place"/python3.[0-9] "$place"/python3.[0-9][0-9]; do
        [ -x "$python" ] && "$python" -c 'import sys; v = sys.version_info; v >= (3, 11) and v.releaselevel == "final" and sys.prefix == sys.base_prefix and print(f"{v[0]}.{v[1]}", sys.executable)' </dev/null 2>/dev/null || true
    done
done | sort --version-sort --reverse --stable --unique --key=1,1
