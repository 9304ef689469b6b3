#!/bin/sh
# A simulated fleet for compose.yaml: FLEET_DEVICES (20) devices, each of which publishes a reading every FLEET_SECONDS (2) to
# FLEET_BROKER (localhost) at FLEET_PORT (1883). Now and then one of them says something that is no reading.
#
# SPDX-License-Identifier: MIT
set -u

seconds=${FLEET_SECONDS:-2}

# One line a reading, for ever: a slow wave for the day, a faster one for the room, a little noise, a battery that is changed when empty.
readings() { # NUMBER
    awk -v number="$1" -v seconds="$seconds" '
    # Like a sine of period 1; an awk without a mathematical library will do.
    function wave(x) { x = 4 * (x - int(x)) - 2; if (x < 0) x = -x; x = x - 1; return x * (1.5 - x * x / 2) }
    BEGIN {
        srand(number)
        phase = rand()
        battery = 20 + rand() * 80
        while (1) {
            now = systime()
            slow = wave(now / 86400 + phase / 8)
            fast = wave(now / 600 + phase)
            temperature = 20 + 4 * slow + 1.5 * fast + (rand() - 0.5) / 4
            humidity = 45 - 6 * fast + (rand() - 0.5)
            battery -= 0.002
            if (battery < 5) battery = 100
            if (rand() < 0.001)
                printf "{\"ts\": %d000, \"temperature\": \"broken\"}\n", now
            else
                printf "{\"ts\": %d000, \"temperature\": %.2f, \"humidity\": %.1f, \"battery\": %.1f}\n", now, temperature, humidity, battery
            fflush()
            if (system("sleep " seconds) != 0) exit
        }
    }'
}

trap 'kill 0' TERM INT
number=1
while [ "$number" -le "${FLEET_DEVICES:-20}" ]; do
    device=$(printf 'dev-%03d' "$number")
    {
        readings "$number" | mosquitto_pub -h "${FLEET_BROKER:-localhost}" -p "${FLEET_PORT:-1883}" -i "fleet-$device" -q 1 -l \
            -t "devices/$device/telemetry"
        kill 0
    } &
    number=$((number + 1))
done
wait
