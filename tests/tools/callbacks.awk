# Holds what may run inside Paho's callbacks: awk -f callbacks.awk *.ci, the call graphs that gcc -fcallgraph-info writes.
#
# Paho calls back with its lock held. Most of its functions take that lock again, and the second unlock leaves the rest of the callback
# without it (Paho C 1.3.12). Everything that a function on_… or paho_on_… reaches is followed; calls through pointers are not, but what
# they lead to is itself named on_… (lint.sh holds that).
#
# SPDX-License-Identifier: MIT

BEGIN {
    split("free freeMessage malloc strerror connect disconnect send sendMessage subscribe subscribeMany unsubscribe unsubscribeMany", list, " ")
    for (i in list) allowed["MQTTAsync_" list[i]] = 1
}

/^edge:/ {
    split($0, part, "\"")
    callees[part[2]] = callees[part[2]] part[4] " "
}

function follow(caller, way,    i, list, count) {
    if (caller in seen) return
    seen[caller] = 1
    count = split(callees[caller], list, " ")
    for (i = 1; i <= count; i++) {
        if (list[i] ~ /^MQTTAsync_/ && !(list[i] in allowed)) {
            print way " → " list[i] ": not inside a callback of Paho"
            breaches++
        }
        follow(list[i], way " → " list[i])
    }
}

END {
    for (caller in callees) {
        if (caller ~ /(^|:)(paho_)?on_[a-z0-9_]+$/) {
            roots++
            split("", seen)
            follow(caller, caller)
        }
    }
    if (roots < 10) { print "only " roots + 0 " callbacks were found"; breaches++ }
    exit breaches > 0
}
