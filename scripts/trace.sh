#!/usr/bin/env bash
# Fetch the trace azure-2019-500, of which tests and examples/lab tell, unless it is there.  usage: scripts/trace.sh [DIR]
# A sample of 500 functions of Azure Functions 2019 (Microsoft, CC-BY), from the artifact of Dirigent (SOSP 2024).
set -euo pipefail
dir=${1:-${TRACE:-$(dirname "$0")/../../shared/data/azure-2019-500}}
from=https://media.githubusercontent.com/media/eth-easl/dirigent
files=(
    "durations.csv bc2e52d33f1ec0d4032dc7cbdacadb7622413c9264f5478bf8da2c3aacd92b55 79a302a2f061d3037421baf6c65b1176d6c53a9f/artifact_evaluation/azure_500/dirigent/azure_500"
    "invocations.csv a0ca953d1b50cc1f0e813c656e0c3d65b7369757804b571e2767e1ab76b05536 5dbd905d7d1056fde6560126246a410be853289c/artifact_evaluation/azure_500/maestro/500"
    "memory.csv ea3ac4b65629cb33e567ac0a517d6ae68747a5dd143ff394b86f78f685b65305 fd335de85d597b4838c6d439eef3b8418c57e34e/scripts/invitro_traces/samples/500"
)
[ -d "$dir" ] && exit 0
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
for file in "${files[@]}"; do
    read -r name digest place <<<"$file"
    curl --fail --silent --show-error --location --max-time 60 "$from/$place/$name" --output "$new/$name"
    sha256sum --check --quiet <<<"$digest  $new/$name"
done
mkdir -p "$(dirname "$dir")"
chmod 755 "$new"
mv "$new" "$dir"
echo "Fetched azure-2019-500 into $dir"
