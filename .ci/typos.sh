#!/usr/bin/env bash
# Spelling, with the settings of _typos.toml. The version is fixed, because its dictionary grows.
#
#   .ci/typos.sh prepare FOLDER   finds or installs the program
#   .ci/typos.sh check FOLDER     runs it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly version=1.52.0
readonly program=$2/typos-$version/bin/typos

case $1 in
prepare)
  [ -x "$program" ] && exit 0
  if ! python3 -c 'import ensurepip' >/dev/null 2>&1; then
    [ "$(id -u)" -eq 0 ] || { echo 'python3 with venv is missing'; exit 1; }
    apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3-venv
  fi
  python3 -m venv "$2/typos-$version"
  "$2/typos-$version/bin/pip" --quiet --disable-pip-version-check install "typos==$version"
  [ -x "$program" ]
  ;;
check)
  "$program" --config _typos.toml ||
    { echo 'error: typos: correct the words above, or add terms of the field to _typos.toml' >&2; exit 1; }
  ;;
esac
