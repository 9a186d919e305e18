# Counts the checks of a script that sources this file.
passed=0 failed=0

# check NAME COMMAND...: prints one line for a step that succeeds, and the output of one that fails. In a condition
# bash ignores `set -e`, so functions that are checked return 1 explicitly.
check() {
  local name=$1 output since=$SECONDS
  shift
  if output=$("$@" 2>&1); then
    echo "ok: $name ($((SECONDS - since)) s)"
    passed=$((passed + 1))
  else
    printf '%s\nFAILED: %s\n' "$output" "$name"
    failed=$((failed + 1))
    return 1
  fi
}

# report STATUS: prints `N passed, N failed` and exits. The status of a script that ended early counts as a failure.
report() {
  if [ "$1" != 0 ] && [ $failed = 0 ]; then failed=1; fi
  echo "$passed passed, $failed failed"
  [ $failed = 0 ] || exit 1
}
