#!/usr/bin/env bash
# What can be checked without a compiler. Prints everything that is wrong before it fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
wrong=0
git rev-parse --git-dir >/dev/null 2>&1 ||
  { echo 'error: text: expected a clone of the repository, got a folder without .git' >&2; exit 1; }

complain() {
  printf 'error: %s\n' "$*" >&2
  wrong=1
}

# Tracked and new files alike, so that the check can run before a commit.
files() {
  git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
    if [ -f "$file" ]; then printf '%s\n' "$file"; fi
  done
}

# 1. Relative links lead to files, and `[file](path)::name` to a function in it.
while read -r page; do
  while IFS= read -r link; do
    path=${link%%#*}
    [ -z "$path" ] || [ -e "$(dirname "$page")/$path" ] ||
      complain "$page: expected a file behind the link $path, got none"
  done < <(grep -oE '\]\([^)[:space:]]+\)' "$page" | sed -E 's/^\]\(//; s/\)$//' |
    grep -vE '^(https?:|mailto:)' || true)
  while IFS= read -r claim; do
    path=$(dirname "$page")/$(sed -E 's/^\]\(([^)#]*)[^)]*\)::.*/\1/' <<<"$claim")
    name=${claim##*::}
    [ ! -f "$path" ] || grep -qE "fn $name\b" "$path" ||
      complain "$page: expected a function $name in $path, got none"
  done < <(grep -oE '\]\([^)[:space:]]+\)::[a-z0-9_]+' "$page" || true)
done < <(files '*.md')

# 2. An example is read in one sitting.
while read -r file; do
  lines=$(wc -l <"$file")
  [ "$lines" -le 100 ] || complain "$file: expected at most 100 lines, got $lines"
done < <(files 'examples/*.rs')

# 3. `unsafe` has one home.
while read -r file; do
  case $file in crates/clapp-backend/src/kernels/*) continue ;; esac
  found=$(grep -nE '(^|[^_`[:alnum:]])unsafe[[:space:]]*(\{|\(|fn |impl |trait |extern )|allow\(unsafe_code' \
    "$file" | grep -vE '^[0-9]+:[[:space:]]*//' || true)
  [ -z "$found" ] ||
    complain "$file: expected unsafe code in crates/clapp-backend/src/kernels only, got: $found"
done < <(files '*.rs')

# 4. Examples in the documentation run.
while read -r file; do
  found=$(grep -nE '^[[:space:]]*//[/!] *```.*ignore' "$file" || true)
  [ -z "$found" ] || complain "$file: expected an example that runs, got: $found"
done < <(files 'crates/*.rs')

exit $wrong
