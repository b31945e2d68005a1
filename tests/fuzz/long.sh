#!/usr/bin/env bash
# Runs fuzz targets for a long time and prints a summary:
#
#   tests/fuzz/long.sh 3600s                       # every target for an hour
#   tests/fuzz/long.sh 1000000 zip split_csv       # two of them, on a million inputs each
#   CXX=g++ C2F_FUZZ=/tmp/fuzz C2F_SEED=2 tests/fuzz/long.sh 600s
#
# Where there is clang++-19 (or CXX is a clang++) the targets are built with libFuzzer, which looks for inputs that reach new code;
# otherwise with main.cpp. Both with AddressSanitizer and UndefinedBehaviorSanitizer. The corpus is kept in the folder C2F_FUZZ and reused
# next time; without C2F_FUZZ everything is in a folder of /tmp that is removed if nothing is found. The source tree is only read.
# Exit code 1 if an input crashes, hangs (10 s) or takes too much memory; the table says where it is.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
root=$here/../..
fail() { echo "long.sh: $*" >&2; exit 2; }

amount=${1:-60s}
[[ $amount =~ ^[0-9]+s?$ ]] || fail "'$amount' is neither seconds (60s) nor a number of inputs (1000000)"
shift $(($# > 0))
targets=("$@")
if [ $# -eq 0 ]; then
  for source in "$here"/*.cpp; do
    name=$(basename "$source" .cpp)
    [ "$name" = main ] || targets+=("$name")
  done
fi
for target in "${targets[@]}"; do
  [ -f "$here/$target.cpp" ] || fail "there is no target '$target'; $here has them"
done
seed=${C2F_SEED:-1}
# Debian's clang++-19 alone has no libFuzzer (libclang-rt-19-dev).
links_fuzzer() { echo 'extern "C" int LLVMFuzzerTestOneInput(char*, unsigned long) { return 0; }' | "$1" -x c++ - -fsanitize=fuzzer -o /dev/null; }
compiler=${CXX:-$(links_fuzzer clang++-19 2>/dev/null && echo clang++-19 || echo g++)}

python=$root/.deps/venv/bin/python
[ -x "$python" ] || python=python3
torch=${C2F_TORCH:-$("$python" -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])' 2>/dev/null)} ||
  fail "no LibTorch here; set C2F_TORCH to its folder, or call ./run test first"

flags=(-std=c++20 -O1 -g1 -fno-omit-frame-pointer -fno-sanitize-recover=undefined "-I$root/include" -isystem "$torch/include"
       -isystem "$torch/include/torch/csrc/api/include" -isystem /usr/include/nifti)
libraries=("-Wl,--as-needed" -lspng -ljpeg -lpugixml -lniftiio -lznz -lz -lzip -lcrypto -lpthread
           "-L$torch/lib" -ltorch_cpu -lc10 "-Wl,-rpath,$torch/lib")
folder=${C2F_FUZZ:-$(mktemp -d /tmp/c2f_fuzz.XXXXXX)}
guided=false
"$compiler" --version | grep -q clang && guided=true

found=0
printf '%-18s %12s %9s %9s\n' target inputs seconds findings
for target in "${targets[@]}"; do
  work=$folder/$target
  mkdir -p "$work/corpus" "$work/found"
  cp -n "$here/corpus/$target"/* "$work/corpus/" 2>/dev/null || [ -n "$(ls "$work/corpus")" ]
  if $guided; then
    sanitize=-fsanitize=fuzzer,address,undefined sources=("$here/$target.cpp")
  else
    sanitize=-fsanitize=address,undefined sources=("$here/$target.cpp" "$here/main.cpp")
  fi
  "$compiler" "${flags[@]}" "$sanitize" "${sources[@]}" -o "$work/program" "${libraries[@]}"

  status=0
  begin=$SECONDS
  if $guided; then
    limit=-runs=${amount}
    [[ $amount == *s ]] && limit=-max_total_time=${amount%s}
    "$work/program" "$limit" -seed="$seed" -timeout=10 -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 \
      -artifact_prefix="$work/found/" "$work/corpus" >"$work/log" 2>&1 || status=$?
    inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
  else
    how=(--mutate "$amount" "$seed")
    [[ $amount == *s ]] && how=(--seconds "${amount%s}" "$seed")
    (cd "$work/found" && "$work/program" "${how[@]}" "$work/corpus"/*) >"$work/log" 2>&1 || status=$?
    inputs=$(sed -n 's/.* files and \([0-9]*\) copies.*/\1/p' "$work/log")
  fi
  findings=$(find "$work/found" -type f | wc -l)
  [ "$status" -eq 0 ] || [ "$findings" -gt 0 ] || findings=1
  printf '%-18s %12s %9s %9s\n' "$target" "${inputs:-?}" "$((SECONDS - begin))" "$findings"
  if [ "$findings" -gt 0 ]; then
    found=1
    echo "  see $work/log and $work/found"
  fi
done
[ "$found" -eq 0 ] || exit 1
[ -n "${C2F_FUZZ:-}" ] || rm -rf "$folder"
