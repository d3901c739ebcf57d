#!/bin/sh
# Calls apt-get with the arguments given, as root and without questions. Like package apt, it waits up to ten minutes while
# another process, such as an unattended upgrade, holds a lock: apt-get itself waits only for dpkg's locks, not for those of
# the package lists and archives. apt-get prints which process holds the lock.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
said=$(mktemp)
trap 'rm -f "$said" "$said.status"' EXIT
tries=0
while :; do
	{ apt-get -o DPkg::Lock::Timeout=600 "$@" 2>&1 3>&-; echo $? >&3; } 3>"$said.status" | tee "$said" || true
	status=$(cat "$said.status")
	[ "$status" -ne 0 ] && [ "$tries" -lt 600 ] && grep -q '^E: Could not get lock .*\(held by process\|(11: \)' "$said" || exit "$status"
	tries=$((tries + 1))
	[ "$tries" -gt 1 ] || echo "apt-get waits up to ten minutes for the lock"
	sleep 1
done
