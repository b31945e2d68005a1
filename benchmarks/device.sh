#!/usr/bin/env bash
# Everything that needs a GPU in one run, within a time limit: build, CUDA tests, sanitizers, bandwidth of the kernels, ./run bench gpu,
# and a training. For a machine with a GPU on which nothing can be installed; no network is needed.
#
#   benchmarks/device.sh [--limit SECONDS] [--only STAGE,STAGE,...] [--dry-run]
#   benchmarks/device.sh --pack FOLDER         on a Debian machine: copies the missing headers and libraries to FOLDER
#
# Required: nvcc, cmake, a python3 with torch, make or ninja. Headers and libraries that are missing (Boost.Hana, Catch2, and for
# the training CLI11, libspng and the like) may come in a folder with include/ and lib/, or usr/include and usr/lib, as unpacked Debian
# packages have: C2F_DEVICE_SYSROOT=FOLDER.
#
#   OUT         where the results go: summary.txt, build.log, tests.log, bench.log, training.log, kernels.json, predict.json, gpu.json
#               (build/device)
#   C2F_DATA    data sets; with cifar-100-binary in it, ResNet-20 is trained on CIFAR-100
#   C2F_DEVICE_TRAINING   the variants and the number of epochs ("pt 30"). The paper's, when all of the time is for it:
#                         C2F_DEVICE_TRAINING="bl pt 164" benchmarks/device.sh --only training
#   C2F_DEVICE_BUILD   where it is built (build/device-build)
#
# torch.compile's searches begin at once, in parallel to the build and the tests, and fill its cache for the benchmark. Measurements begin
# after them.
#
# Each stage has its own time limit. A failed stage stops only the stages that depend on it. The exit code is the number of stages that
# failed, or 2 where the first stage could not begin.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.." || exit 2

limit=520 only="" dry="" pack=""
while [ $# -gt 0 ]; do
  case $1 in
    --limit) limit=${2:?--limit wants seconds}; shift ;;
    --only) only=,${2:?--only wants stages},; shift ;;
    --dry-run) dry=1 ;;
    --pack) pack=${2:?--pack wants a folder}; shift ;;
    *) echo "usage: device.sh [--limit SECONDS] [--only STAGE,...] [--dry-run] | --pack FOLDER" >&2; exit 2 ;;
  esac
  shift
done
fail() { echo "device.sh: $*" >&2; exit 2; }

# ---- pack: 6 MB, without any system header or library that the other machine has ----

if [ -n "$pack" ]; then
  mkdir -p "$pack/include/boost" "$pack/lib" "$pack/lib/cmake"
  cp -r /usr/include/boost/hana /usr/include/boost/hana.hpp "$pack/include/boost/" || fail "Boost.Hana is not here: libboost-dev"
  for each in catch2 CLI nlohmann; do
    [ ! -d "/usr/include/$each" ] || cp -r "/usr/include/$each" "$pack/include/"
  done
  cp /usr/lib/libCatch2*.a "$pack/lib/" 2>/dev/null
  for each in Catch2 CLI11; do
    for folder in /usr/lib/cmake /usr/share/cmake "/usr/lib/$(uname -m)-linux-gnu/cmake"; do
      [ ! -d "$folder/$each" ] || cp -r "$folder/$each" "$pack/lib/cmake/"
    done
  done
  # Single headers, and each library with its run-time dependencies, except those that every machine has.
  for each in spng.h pugixml.hpp pugiconfig.hpp zip.h zipconf.h jpeglib.h jmorecfg.h jerror.h zlib.h zconf.h nifti openssl \
              "$(uname -m)-linux-gnu/jconfig.h" "$(uname -m)-linux-gnu/zipconf.h" "$(uname -m)-linux-gnu/openssl"; do
    [ ! -e "/usr/include/$each" ] || cp -r "/usr/include/$each" "$pack/include/"
  done
  for each in spng pugixml niftiio znz zip jpeg z crypto; do
    found=$(find "/usr/lib/$(uname -m)-linux-gnu" -maxdepth 1 -name "lib$each.so" | head -n 1)
    [ -n "$found" ] || continue
    cp -L "$found" "$pack/lib/lib$each.so"
    # The name that programs load.
    soname=$(objdump -p "$found" | awk '/SONAME/ {print $2}')
    [ "$soname" = "lib$each.so" ] || cp -L "$found" "$pack/lib/$soname"
  done
  for library in "$pack"/lib/*.so*; do
    ldd "$library" | awk '$3 ~ /^\// {print $1, $3}' | while read -r name path; do
      case $name in
        libc.so* | libm.so* | libdl.so* | libpthread.so* | libstdc++.so* | libgcc_s.so* | ld-linux*) ;;
        *) [ -e "$pack/lib/$name" ] || cp -L "$path" "$pack/lib/$name" ;;
      esac
    done
  done
  du -sh "$pack"
  exit 0
fi

# ---- what this machine has ----

start=$SECONDS
left() { echo $((limit - (SECONDS - start))); }
if [ -z "$dry" ] && ! nvidia-smi -L 2>/dev/null | grep -q GPU; then
  fail "no GPU here (nvidia-smi)"
fi

python=$(command -v python3) || fail "no python3 here"
if ! "$python" -c 'import torch' 2>/dev/null; then
  if [ -x .deps/venv/bin/python ]; then python=$PWD/.deps/venv/bin/python; else fail "python3 has no torch here"; fi
fi
PATH=$(dirname "$("$python" -c 'import sys; print(sys.executable)')"):$PATH   # pip installs cmake and ninja next to it
export PATH=$PATH:/usr/local/cuda/bin
command -v cmake >/dev/null || fail "no cmake here; 3.25 or newer is needed ('pip install cmake', or carry it along)"
version=$(cmake --version | awk 'NR == 1 {print $3}')
printf '3.25\n%s\n' "$version" | sort -VC || fail "cmake $version is too old; 3.25 or newer is needed ('pip install cmake', or carry it along)"
command -v nvcc >/dev/null || fail "no nvcc here"
generator="Unix Makefiles"
if command -v ninja >/dev/null; then generator=Ninja; else command -v make >/dev/null || fail "neither ninja nor make is here"; fi

build=${C2F_DEVICE_BUILD:-$PWD/build/device-build}
out=${OUT:-$PWD/build/device}
mkdir -p "$out" "$build"
training=${C2F_DEVICE_TRAINING:-pt 30}
variants=${training% *} epochs=${training##* }
[[ $epochs =~ ^[1-9][0-9]*$ && $variants != "$training" ]] || fail "C2F_DEVICE_TRAINING is '$training'; write variants and a number of epochs, such as \"bl pt 164\""
jobs=$(nproc)
memory=$(awk '/^MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo)     # a file that includes LibTorch needs about 1.5 GB
[ "$memory" -ge "$jobs" ] || jobs=$((memory > 0 ? memory : 1))

configure=(cmake -S . -B "$build" -G "$generator" -DCMAKE_BUILD_TYPE=Release -DC2F_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES=90a-real
           -DC2F_TESTS=ON -DC2F_BENCHMARKS=ON -DC2F_EXAMPLES=ON "-DC2F_PYTHON=$python")
libraries=                                                 # for the training alone: python3 must use its own
if [ -n "${C2F_DEVICE_SYSROOT:-}" ]; then
  root=$(readlink -f "$C2F_DEVICE_SYSROOT")
  [ -d "$root" ] || fail "C2F_DEVICE_SYSROOT is '$C2F_DEVICE_SYSROOT', which is not a folder"
  [ ! -d "$root/usr/include" ] || root=$root/usr
  configure+=("-DCMAKE_PREFIX_PATH=$root" "-DBoost_ROOT=$root")
  # Debian's folders per architecture, which not every CMake searches below a prefix.
  [ ! -d "$root/lib/$(uname -m)-linux-gnu" ] || configure+=("-DCMAKE_LIBRARY_PATH=$root/lib/$(uname -m)-linux-gnu")
  [ ! -d "$root/include/$(uname -m)-linux-gnu" ] || configure+=("-DCMAKE_INCLUDE_PATH=$root/include/$(uname -m)-linux-gnu")
  libraries=$root/lib:$root/lib/$(uname -m)-linux-gnu
fi

# ---- stages ----

names=() states=() times=()
note() { names+=("$1"); states+=("$2"); times+=("$3"); }

# stage NAME SECONDS LOG COMMAND...: for at most SECONDS and not past the limit; its output is appended to LOG.
stage() {
  local name=$1 seconds=$2 log=$out/$3 begin=$SECONDS code state
  shift 3
  case $name in configure | build) ;; *) [ -z "$only" ] || [[ $only == *,$name,* ]] || return 1 ;; esac
  if [ -n "$dry" ] && [ "$name" != configure ]; then
    printf '%-12s at most %3d s, %s: %s\n' "$name" "$seconds" "$(basename "$log")" "$*"
    return 0
  fi
  [ "$(left)" -ge "$seconds" ] || seconds=$(left)
  if [ "$seconds" -lt 5 ]; then
    note "$name" "left out: no time" 0
    return 1
  fi
  printf '== %s: %s\n' "$name" "$*" | tee -a "$log"
  timeout --kill-after=10 "$seconds" "$@" >>"$log" 2>&1 </dev/null
  code=$?
  case $code in
    0) state=passed ;;
    124 | 137) state="stopped after $seconds s" ;;
    *) state="FAILED ($code)" ;;
  esac
  note "$name" "$state" $((SECONDS - begin))
  printf '== %s: %s, %d s\n\n' "$name" "$state" $((SECONDS - begin)) | tee -a "$log"
  return $code
}
skip() { if [ -n "$dry" ]; then printf '%-12s left out: %s\n' "$1" "$2"; else note "$1" "left out: $2" 0; fi; }

summary() {
  {
    printf '\n%-12s %-28s %s\n' stage result seconds
    for i in "${!names[@]}"; do printf '%-12s %-28s %5s\n' "${names[$i]}" "${states[$i]}" "${times[$i]}"; done
    printf '%-12s %-28s %5d\n' all "" $((SECONDS - start))
    printf 'cmake %s, %s, %s, torch %s, commit %s\n' "$version" "$(nvcc --version | awk '/release/ {print $5 $6}')" \
      "$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1)" \
      "$("$python" -c 'import importlib.metadata as m; print(m.version("torch"))')" "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
  } | tee "$out/summary.txt"
}

# The searches of torch.compile fill a cache that the benchmark reads; at a low priority, and ended with this script.
export TORCHINDUCTOR_CACHE_DIR=$build/inductor
searches=
if [ -z "$dry" ] && { [ -z "$only" ] || [[ $only == *,steps,* ]]; }; then
  nice -n 10 "$python" benchmarks/gpu/run.py --build "$build" --prepare --budget $((limit / 2)) --logs "$build/prepare-logs" \
    >"$build/prepare.log" 2>&1 </dev/null &
  searches=$!
fi
end_searches() {
  [ -z "$searches" ] || { kill "$searches" && wait "$searches"; } 2>/dev/null
  searches=
}
trap end_searches EXIT

rm -f "$out"/{summary.txt,build.log,tests.log,bench.log,training.log,kernels.json,predict.json,gpu.json}
if ! stage configure 90 build.log "${configure[@]}"; then
  tail -n 15 "$out/build.log"
  summary
  exit 2
fi
[ -z "$dry" ] || { grep -E 'c2f: |CUDA compiler|Error' "$out/build.log"; echo; }

# One target per program, so that a compile error in one does not stop the others.
targets=(bench_kernels bench_gpu bench_predict)
listed=$(cmake --build "$build" --target help 2>/dev/null)
grep -q c2f_cuda_tests <<<"$listed" && targets+=(c2f_cuda_tests)
trains=
if [ -n "${C2F_DATA:-}" ] && [ -d "${C2F_DATA:-}/cifar-100-binary" ] && grep -q 10_class_vector <<<"$listed"; then
  trains=1
  targets+=(10_class_vector)
fi
keep=(); [ "$generator" = Ninja ] && keep=(-- -k 0) || keep=(-- -k)
stage build $((limit * 2 / 5)) build.log cmake --build "$build" -j "$jobs" --target "${targets[@]}" "${keep[@]}" || { [ -n "$dry" ] || grep -E 'error|FAILED' "$out/build.log" | head -n 20; }

tests=$build/tests/c2f_cuda_tests
if [ -x "$tests" ] || { [ -n "$dry" ] && grep -q c2f_cuda_tests <<<"$listed"; }; then
  stage tests 110 tests.log "$tests" || { [ -n "$dry" ] || tail -n 30 "$out/tests.log"; }
  # Under the sanitizers only files that capture no graph: memcheck finds the end of a tensor only where each tensor has an allocation of
  # its own, which a capture does not permit.
  tags=$(grep -L 'graph_capture.hpp' tests/device/*.cpp | sed 's:.*/::; s:\.cpp$::; s:.*:[#&]:' | paste -sd, -)
  if command -v compute-sanitizer >/dev/null; then
    stage memcheck 45 tests.log env PYTORCH_NO_CUDA_MEMORY_CACHING=1 compute-sanitizer --tool memcheck --error-exitcode 9 "$tests" --filenames-as-tags "$tags"
    stage racecheck 30 tests.log compute-sanitizer --tool racecheck --error-exitcode 9 "$tests" --filenames-as-tags "$tags"
    [ -n "$dry" ] || grep -E 'ERROR SUMMARY|RACECHECK SUMMARY|Device not supported' "$out/tests.log"
  else
    skip sanitizers "no compute-sanitizer"
  fi
else
  skip tests "c2f_cuda_tests was not built"
fi

# Measurements begin here.
if [ -n "$searches" ]; then
  begin=$SECONDS
  while kill -0 "$searches" 2>/dev/null && [ $((SECONDS - begin)) -lt 60 ] && [ "$(left)" -gt 200 ]; do sleep 1; done
  end_searches
  cat "$build/prepare.log" >>"$out/bench.log"
  note searches "waited for" $((SECONDS - begin))
fi

if [ -x "$build/benchmarks/bench_kernels" ] || [ -n "$dry" ]; then
  stage kernels 60 bench.log "$build/benchmarks/bench_kernels" --json "$out/kernels.json"
else
  skip kernels "bench_kernels was not built"
fi

if [ -x "$build/benchmarks/bench_predict" ] || [ -n "$dry" ]; then
  stage inference 30 bench.log "$build/benchmarks/bench_predict" --json "$out/predict.json"
else
  skip inference "bench_predict was not built"
fi

# The remaining time is for the steps and, where there are data, a minute and a half of training after them.
program=$build/examples/10_class_vector
if [ -n "$trains" ] && [ -z "$dry" ] && ! env LD_LIBRARY_PATH="$libraries" "$program" --help 2>/dev/null | grep -q -- --device; then
  skip training "10_class_vector does not run or knows no --device"
  trains=""
fi
training=0
if [ -n "$trains" ]; then
  training=$((90 * $(wc -w <<<"$variants")))
  [[ $only != *,training,* ]] || training=$(left)
fi
budget=$(($(left) - training - 20))
if [ "$budget" -ge 60 ] || [ -n "$dry" ]; then
  [ -n "$dry" ] || rm -f build/bench/gpu.json
  stage steps $((budget + 15)) bench.log "$python" benchmarks/gpu/run.py --build "$build" --budget "$budget" --logs "$build/bench-logs"
  [ -n "$dry" ] || cp build/bench/gpu.json "$out/" 2>/dev/null
else
  skip steps "no time"
fi
if [ -n "$trains" ]; then
  for variant in $variants; do
    stage training $((training / $(wc -w <<<"$variants"))) training.log env LD_LIBRARY_PATH="$libraries" "$program" --device cuda --bf16 \
      --data "$C2F_DATA/cifar-100-binary" --variant "$variant" --depth 20 --epochs "$epochs" --threads $((jobs > 12 ? 12 : jobs)) --out "$build/training-$variant"
    [ -n "$dry" ] || cat "$build/training-$variant/summary.json" >>"$out/training.log" 2>/dev/null
  done
else
  [ -n "${C2F_DATA:-}" ] || skip training "no C2F_DATA"
fi
[ -n "$dry" ] && exit 0

cat "$out/bench.log"
[ ! -f "$out/training.log" ] || tail -n 6 "$out/training.log"
summary
failed=0
for state in "${states[@]}"; do case $state in FAILED* | stopped*) failed=$((failed + 1)) ;; esac; done
exit $failed
