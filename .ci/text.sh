#!/usr/bin/env bash
# What can be checked without a compiler. Prints everything that is wrong before it fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
wrong=0

complain() {
  printf 'error: %s\n' "$*" >&2
  wrong=1
}

# files PATTERN: files of the repository, whether they are committed yet or not.
files() {
  find . \( -path ./.git -o -path ./target -o -path ./runs -o -path ./data \) -prune -o \
    -type f -path "./$1" -printf '%P\n' | sort
}

# 1. Relative links lead to files, and `[file](path)::name` to a function in it.
while read -r page; do
  while IFS= read -r link; do
    path=${link%%#*}
    [ -z "$path" ] || [ -e "$(dirname "$page")/$path" ] ||
      complain "$page: expected a file at the link $path, got none"
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

# 3. `unsafe` has two homes: vector instructions, and memory that a tensor borrows.
while read -r file; do
  case $file in
    crates/clapp-backend/src/kernels/* | crates/clapp-backend/src/flex/memory.rs) continue ;;
  esac
  found=$(grep -nE '(^|[^_`[:alnum:]])unsafe[[:space:]]*(\{|\(|fn |impl |trait |extern )|allow\(unsafe_code' \
    "$file" | grep -vE '^[0-9]+:[[:space:]]*//' || true)
  [ -z "$found" ] ||
    complain "$file: expected unsafe code in clapp-backend's kernels and flex/memory.rs only, got: $found"
done < <(files '*.rs')

# 4. Examples in the documentation run.
while read -r file; do
  found=$(grep -nE '^[[:space:]]*//[/!] *```.*ignore' "$file" || true)
  [ -z "$found" ] || complain "$file: expected an example that runs, got: $found"
done < <(files 'crates/*.rs')

# 5. A test that is left out is counted.
while read -r file; do
  found=$(grep -nE 'println!\("skipped' "$file" || true)
  [ -z "$found" ] || complain "$file: expected clapp_testing::skip, got: $found"
done < <(files 'crates/*/tests/*.rs')

# 6. The hosted workflow runs every stage of .ci/run.
for stage in $(.ci/run --list); do
  grep -qE "\.ci/run ([a-z]+ )*$stage\b" .github/workflows/ci.yml ||
    complain "ci.yml: expected a step that runs .ci/run $stage, got none"
done

exit $wrong
