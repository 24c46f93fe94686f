#!/usr/bin/env bash
# A tiny run of an example with runs: does its folder hold what it should, and does a run that is resumed
# from the middle end as the uninterrupted one did, byte for byte?
#
#   .ci/smoke.sh BINARY FOLDER
set -euo pipefail
binary=$(realpath "$1")
name=$(basename "$binary")
work=$(realpath "$2")/smoke-$name
mkdir -p "$work"

complain() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# checkpoints FOLDER: names of its checkpoints, oldest first, without file extensions.
checkpoints() {
  find "$1/checkpoints" -mindepth 1 -maxdepth 1 -name '*[0-9]*' -printf '%f\n' |
    sed -E 's/\.(safetensors|json|manifest).*$//' | sort -uV
}

# digests FOLDER CHECKPOINT: what its weights are.
digests() {
  (cd "$1/checkpoints" && find . -path "./$2*" -name '*.safetensors' -type f | sort | xargs -r sha256sum)
}

# Runs leave their folder below the current one.
(cd "$work" && timeout 600 "$binary" --preset smoke) ||
  complain "$name --preset smoke: expected exit code 0, got $?"
config=$(find "$work" -name config.json | head -n 1)
[ -n "$config" ] || complain "run folder: expected a config.json below the current folder, got none"
run=$(dirname "$config")
for file in config.json metrics.jsonl table.json table.txt table.svg; do
  [ -s "$run/$file" ] || complain "run folder: expected a non-empty $file, got none among: $(ls -m "$run")"
done
[ -d "$run/checkpoints" ] || complain "run folder: expected checkpoints/, got none among: $(ls -m "$run")"
mapfile -t names < <(checkpoints "$run")
[ ${#names[@]} -ge 1 ] || complain "checkpoints: expected at least one, got: $(ls -m "$run/checkpoints")"
last=${names[-1]}
expected=$(digests "$run" "$last")
[ -n "$expected" ] || complain "checkpoint $last: expected safetensors, got: $(ls -mR "$run/checkpoints")"
printf 'run folder: %s\ncheckpoints: %s\n' "$(ls -m "$run")" "${names[*]}"

# A run that is complete has nothing left to do, and says so without an error.
(cd "$work" && timeout 600 "$binary" --resume "$run") ||
  complain "$name --resume of a complete run: expected exit code 0, got $?"
[ "$(digests "$run" "$last")" = "$expected" ] ||
  complain "resume of a complete run: expected checkpoint $last as it was, got another"

# As if the run had stopped before its last checkpoint.
if [ ${#names[@]} -lt 2 ]; then
  printf 'resume from the middle: not checked, the run kept one checkpoint only\n'
  exit 0
fi
half=$work/half
cp -r "$run" "$half"
rm -rf "$half/checkpoints/$last"* "$half"/table.*
(cd "$work" && timeout 600 "$binary" --resume "$half") ||
  complain "$name --resume from ${names[-2]}: expected exit code 0, got $?"
got=$(digests "$half" "$last")
if [ "$got" != "$expected" ]; then
  printf 'uninterrupted:\n%s\nresumed:\n%s\n' "$expected" "$got"
  complain "resume: expected the uninterrupted run's checkpoint $last byte for byte, got another"
fi
for file in metrics.jsonl table.json; do
  [ -s "$half/$file" ] || complain "resume: expected a non-empty $file at the end, got none"
  cmp "$run/$file" "$half/$file" ||
    complain "resume: expected the uninterrupted run's $file byte for byte, got another"
done
printf 'resumed from %s: weights, metrics and table are the same byte for byte\n' "${names[-2]}"
