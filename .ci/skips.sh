#!/usr/bin/env bash
# Which tests were skipped, and whether they may be on a machine with nothing but Rust, a C linker and ffmpeg.
#
#   .ci/skips.sh FILE   lines "program test: reason", as clapp_testing::skip writes them
set -euo pipefail
allowed=$(dirname "${BASH_SOURCE[0]}")/skips-allowed

printf '\n%d skips\n' "$(wc -l <"$1")"
sort "$1"
if refused=$(grep -vE "$(grep -vE '^(#|$)' "$allowed" | paste -sd '|')" "$1"); then
  printf 'error: skips: expected reasons of %s only, got\n%s\n' "$allowed" "$refused" >&2
  exit 1
fi
