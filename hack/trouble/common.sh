# Sourced by the scripts of this folder.

# usage prints how a script is called and ends it with the exit code of a wrong command line.
usage() {
	echo "usage: hack/trouble/$(basename "$0") $1" >&2
	exit 2
}

# environment prints what the machine lacks, where, and what to do, and ends the script with the exit code for that.
environment() {
	echo "$1" >&2
	exit 3
}

# run runs a command in a process group of its own, passes the signals that the script gets on to that group, and returns the
# command's exit code when the command has ended.
run() {
	local child status=0
	set -m
	"$@" </dev/null &
	child=$!
	set +m
	# shellcheck disable=SC2064 # the process is known now
	for signal in INT TERM HUP; do trap "kill -$signal -- -$child 2>/dev/null || true" "$signal"; done
	while :; do
		status=0
		wait "$child" || status=$?
		# A signal ends wait, not the command.
		kill -0 "$child" 2>/dev/null || break
	done
	trap - INT TERM HUP
	return "$status"
}
