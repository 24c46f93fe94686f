#!/usr/bin/env bash
# Every published crate packs, with a README, a licence and complete metadata, in an order in which they can be published.
#
#   .ci/packages.sh SCRATCH [--no-verify]   without building what the packages hold
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
log=$1/package.log
wrong=0

complain() {
  printf 'error: %s\n' "$*" >&2
  wrong=1
}

for manifest in crates/*/Cargo.toml; do
  grep -qE '^publish *= *false' "$manifest" && continue
  name=$(sed -nE 's/^name *= *"(.*)"/\1/p' "$manifest" | head -n 1)
  contents=$(cargo package --list --allow-dirty --exclude-lockfile -p "$name")
  for file in Cargo.toml README.md LICENSE; do
    grep -qx "$file" <<<"$contents" || complain "$name: expected $file in its package, got none"
  done
  grep -qxE 'src/(lib|main)\.rs' <<<"$contents" || complain "$name: expected sources in its package, got none"
  for field in description license repository readme keywords categories; do
    grep -qE "^$field(\.workspace)? *=" "$manifest" || complain "$name: expected $field in $manifest, got none"
  done
  printf '%s: %d files\n' "$name" "$(wc -l <<<"$contents")"
done

# All at once, because they depend on each other and none need be in the registry.
cargo publish --dry-run --workspace --allow-dirty "${@:2}" 2>"$log" || { cat "$log" >&2; exit 1; }
grep -E 'Packaged|Uploading' "$log" || true
# A warning here is about metadata or a file that is missing from the package.
if grep -E '^warning' "$log" | grep -vE 'ignoring (test|example|benchmark|bench) |aborting upload'; then
  cat "$log" >&2
  complain "package: expected no warnings, got the ones above"
fi
exit $wrong
