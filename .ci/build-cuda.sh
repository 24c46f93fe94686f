#!/usr/bin/env bash
# Builds the program clapp for CUDA where cubecl's LLVM cannot be downloaded: kernels become CUDA C++, which NVRTC
# compiles at run time. What the linker then misses are functions of LLVM that are never called; they get bodies that say so.
#
#   .ci/build-cuda.sh [FEATURES]      default: cuda-cpp,wgpu; the program is $CARGO_TARGET_DIR/release/clapp
#
# It runs wherever libcuda and libnvrtc are found (LD_LIBRARY_PATH, CUDA_PATH). Half an hour on two cores from nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export DOCS_RS=1 CARGO_INCREMENTAL=0 CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target/cuda}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

link() {
  cargo rustc --release --locked -p clapp-cli --bin clapp --features "${features:?}" -- -C strip=symbols "$@"
}

features=${1:-cuda-cpp,wgpu}
if link -C link-arg=-Wl,--error-limit=0 2> >(tee "$scratch/log" >&2); then
  exit 0
fi
sed -n 's/.*undefined symbol: \([A-Za-z_0-9]*\).*/\1/p' "$scratch/log" | sort -u >"$scratch/symbols"
if [ ! -s "$scratch/symbols" ] || grep -qvE '^(LLVM|cubecl_)' "$scratch/symbols"; then
  echo "build-cuda: expected functions of LLVM alone to be missing, got the errors above" >&2
  exit 1
fi
{
  printf '#include <stdio.h>\n#include <stdlib.h>\n'
  while read -r name; do
    printf 'void %s(void) { fputs("%s: LLVM is not part of this build\\n", stderr); abort(); }\n' "$name" "$name"
  done <"$scratch/symbols"
} >"$scratch/stubs.c"
cc -c -O1 "$scratch/stubs.c" -o "$CARGO_TARGET_DIR/llvm-stubs.o"
link -C "link-arg=$CARGO_TARGET_DIR/llvm-stubs.o"
