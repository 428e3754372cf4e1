#!/bin/sh
# SPDX-License-Identifier: MIT
# For the scripts beside it: `. /tests/lib.sh`.

report() { # name, status[, why]
	if [ "$2" -eq 0 ]; then echo "test: $1 ok"; else echo "test: $1 FAILED ${3:-}"; fi
}

check() { # name, command...
	name=$1
	shift
	"$@"
	report "$name" $? "$*"
}

# Starts ixcpd and waits until it serves.
control() {
	ixcpd &
	for _ in $(seq 200); do
		ixctl version >/dev/null 2>&1 && return 0
		usleep 20000
	done
	echo "test: ixcpd does not serve"
	return 1
}

# One member of a dataplane in `ixctl --json list`: state NAME
member() { # name, key
	ixctl --json list | sed 's/},{/}\n{/g' | sed -n "s/.*\"name\":\"$1\",.*\"$2\":\"*\([^,\"}]*\).*/\1/p"
}

# Asks how a dataplane is: its state, and why it stopped, are then in $state and $why. Each process
# costs an emulator milliseconds, so the shell looks for them itself.
look() { # name
	list=$(ixctl --json list)
	state=none why=
	case $list in
	*"\"name\":\"$1\","*)
		list=${list#*\"name\":\""$1"\",}
		state=${list#*\"state\":\"} why=${list#*\"why_stopped\":\"}
		state=${state%%\"*} why=${why%%\"*}
		;;
	esac
}

state() {
	look "$1"
	echo "$state"
}

# Waits until a dataplane is in a state; the domain's own work takes the time.
await() { # name, state[, rounds]
	for _ in $(seq "${3:-1000}"); do
		look "$1"
		[ "$state" = "$2" ] && return 0
		usleep 20000
	done
	echo "test: $1 is $state, not $2"
	return 1
}

# Describes a dataplane that runs the probe guest.
probe() { # name, role[, cores[, memory]]
	cat >"/tmp/$1.conf" <<END
name = $1
memory = ${4:-8M}
cores = ${3:-1}
kernel = /tests/probe.elf
application = /tests/probe.elf
arguments = $2
END
	echo "/tmp/$1.conf"
}

# Waits until the application of a dataplane serves, since its last start, and has a link.
ready() { # name
	for _ in $(seq 600); do
		ixctl events | awk -v name="$1" '
			$2 == name && $3 == "started" { ready = 0 }
			$2 == name && $3 == "ready" { ready = 1 }
			END { exit !ready }' &&
			ixctl console "$1" | awk '
			/link (is )?down/ { up = 0 }
			/link (is )?up/ { up = 1 }
			END { exit !up }' && return 0
		[ "$(state "$1")" = running ] || break
		usleep 50000
	done
	ixctl console "$1"
	return 1
}
